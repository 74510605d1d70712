package photo_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/tiff"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
	"facesearch/pkg/photo/internal/turbo"
)

func TestDecodeFormats(t *testing.T) {
	for _, c := range []struct {
		name   string
		data   []byte
		format photo.Format
	}{
		{"JPEG", jpegOf(corners(), turbo.S444, false), photo.JPEG},
		{"JPEGCMYK", fixture("cmyk.jpg"), photo.JPEG},
		{"JPEGRGB", fixture("rgb.jpg"), photo.JPEG},
		{"PNG", pngOf(corners()), photo.PNG},
		{"PNG16", pngOf(deep(corners())), photo.PNG},
		{"PNGPalette", pngOf(paletted(corners())), photo.PNG},
		{"PNGInterlaced", interlaced(cornersWidth, cornersHeight, 2, rgbOf(corners())), photo.PNG},
		{"WebPLossy", fixture("lossy.webp"), photo.WebP},
		{"WebPLossless", fixture("lossless.webp"), photo.WebP},
		{"TIFF", tiffRGB(corners(), 1, binary.BigEndian), photo.TIFF},
		{"TIFF16", tiffBy(t, deep(corners()), &tiff.Options{Compression: tiff.Deflate, Predictor: true}), photo.TIFF},
		{"TIFFPalette", fixture("palette.tif"), photo.TIFF},
		{"TIFFLZW", fixture("lzw.tif"), photo.TIFF},
		{"TIFFPackBits", fixture("packbits.tif"), photo.TIFF},
		{"TIFFDeflate", fixture("deflate.tif"), photo.TIFF},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := decode(t, c.data)
			if p.Format != c.format || p.Width != cornersWidth || p.Height != cornersHeight || p.Orientation != 1 || p.Scale() != 1 {
				t.Errorf("got %s %d x %d, orientation %d, scale %v", p.Format, p.Width, p.Height, p.Orientation, p.Scale())
			}
			// Pillow's palette and CMYK are approximate.
			checkCorners(t, p, 12)
		})
	}
}

func TestDecodeGrey(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 37, 21))
	deepGrey := image.NewGray16(grey.Rect)
	for i := range grey.Pix {
		grey.Pix[i] = uint8(60 + i%37*3)
		deepGrey.Pix[2*i] = grey.Pix[i]
	}
	var greyJPEG bytes.Buffer
	if err := jpeg.Encode(&greyJPEG, grey, &jpeg.Options{Quality: 98}); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"JPEG": greyJPEG.Bytes(), "PNG": pngOf(grey), "PNG16": pngOf(deepGrey),
		"TIFF": tiffBy(t, grey, nil), "TIFF16": tiffBy(t, deepGrey, nil),
	} {
		t.Run(name, func(t *testing.T) {
			p := decode(t, data)
			for i, v := range p.Grey(1000).Pix {
				if difference(v, grey.Pix[i]) > 2 {
					t.Fatalf("pixel %d is %d, want %d", i, v, grey.Pix[i])
				}
			}
			if c := p.RGB(1000).RGBAAt(3, 3); c.R != c.G || c.G != c.B || c.A != 255 {
				t.Errorf("a grey pixel became %v", c)
			}
		})
	}
	t.Run("Bilevel", func(t *testing.T) {
		// The fixture is dithered, with the corners at 10 to 250.
		p := decode(t, fixture("bilevel.tif"))
		white := p.Crop(image.Rect(34, 22, 46, 30), 1, 1, 0).RGBAAt(0, 0)
		if p.Width != cornersWidth || white.G < 225 || white.R != white.G {
			t.Errorf("the white corner is %v", white)
		}
	})
}

func TestDecodeTransparency(t *testing.T) {
	see := corners()
	for y := range 12 {
		for x := range 16 {
			see.Pix[see.PixOffset(x, y)+3] = 0
			see.Pix[see.PixOffset(x+32, y)+3] = 128
		}
	}
	for name, data := range map[string][]byte{
		"PNG": pngOf(see), "PNG16": pngOf(deep(see)), "TIFF": tiffBy(t, see, nil), "TIFF16": tiffBy(t, deep(see), nil),
		"WebPLossy": fixture("alpha_lossy.webp"), "WebPLossless": fixture("alpha_lossless.webp"),
	} {
		t.Run(name, func(t *testing.T) {
			img := decode(t, data).RGB(1000)
			near(t, img.RGBAAt(4, 4), color.NRGBA{255, 255, 255, 255}, 3)
			near(t, img.RGBAAt(44, 4), color.NRGBA{132, 252, 132, 255}, 5)
			near(t, img.RGBAAt(4, 28), cornerColours[2], 5)
		})
	}
}

func TestDecodeOrientations(t *testing.T) {
	for orientation := 1; orientation <= 8; orientation++ {
		stored := storedAs(corners(), orientation)
		w, h := stored.Rect.Dx(), stored.Rect.Dy()
		little, big := exifBlock(orientation, binary.LittleEndian), exifBlock(orientation, binary.BigEndian)
		cases := map[string][]byte{
			"JPEG420": jpegWithEXIF(jpegOf(stored, turbo.S420, false), big),
			"JPEG422": jpegWithEXIF(jpegOf(stored, turbo.S422, false), little),
			"JPEGApp": withSegment(jpegWithEXIF(jpegOf(stored, turbo.S440, false), little), 0xe0, []byte("JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")),
			"PNG":     pngWithEXIF(pngOf(stored), big),
			"PNGExif": pngWithEXIF(pngOf(stored), append([]byte("Exif\x00\x00"), little...)),
			"TIFFII":  tiffRGB(stored, orientation, binary.LittleEndian),
			"TIFFMM":  tiffRGB(stored, orientation, binary.BigEndian),
		}
		if orientation <= 4 {
			// There is no WebP encoder at hand: the picture of the fixture is the stored one.
			cases["WebP"] = webpWith(fixture("lossy.webp"), w, h, 1<<3, webpChunk("EXIF", little))
		}
		for name, data := range cases {
			t.Run(fmt.Sprintf("%s/%d", name, orientation), func(t *testing.T) {
				p := decode(t, data)
				if p.Orientation != orientation {
					t.Fatalf("orientation %d, want %d", p.Orientation, orientation)
				}
				if name == "WebP" {
					near(t, p.RGB(100).RGBAAt([]int{4, 43, 43, 4}[orientation-1], []int{4, 4, 27, 27}[orientation-1]), cornerColours[0], 12)
					return
				}
				if p.Width != cornersWidth || p.Height != cornersHeight || p.Bounds() != image.Rect(0, 0, cornersWidth, cornersHeight) {
					t.Errorf("upright size %d x %d, bounds %v", p.Width, p.Height, p.Bounds())
				}
				checkCorners(t, p, 12)
			})
		}
	}
	for _, orientation := range []int{5, 6, 7, 8} {
		t.Run(fmt.Sprintf("WebP/%d", orientation), func(t *testing.T) {
			data := webpWith(fixture("lossless.webp"), cornersWidth, cornersHeight, 1<<3, webpChunk("EXIF", append([]byte("Exif\x00\x00"), exifBlock(orientation, binary.BigEndian)...)))
			p := decode(t, data)
			if p.Width != cornersHeight || p.Height != cornersWidth || p.Bounds().Dx() != cornersHeight {
				t.Errorf("upright size %d x %d, bounds %v", p.Width, p.Height, p.Bounds())
			}
		})
	}
}

func TestDecodeBrokenEXIF(t *testing.T) {
	picture := jpegOf(corners(), turbo.S420, false)
	manyTags := exifBlock(6, binary.LittleEndian)
	binary.LittleEndian.PutUint16(manyTags[8:], 65535)
	loop := exifBlock(6, binary.BigEndian)
	binary.BigEndian.PutUint16(loop[10:], 0x8769)
	binary.BigEndian.PutUint16(loop[12:], 4)
	binary.BigEndian.PutUint32(loop[18:], 8)
	for name, c := range map[string]struct {
		block []byte
		want  int
	}{
		"Empty":      {nil, 1},
		"Short":      {exifBlock(6, binary.LittleEndian)[:12], 1},
		"Zero":       {exifBlock(0, binary.LittleEndian), 1},
		"Nine":       {exifBlock(9, binary.BigEndian), 1},
		"Text":       {[]byte(strings.Repeat("orientation", 20)), 1},
		"ManyTags":   {manyTags, 6},
		"Loop":       {loop, 1},
		"FarOffset":  {append([]byte("II*\x00\xff\xff\xff\xff"), exifBlock(6, binary.LittleEndian)...), 1},
		"OffsetZero": {append([]byte("II*\x00\x00\x00\x00\x00"), exifBlock(6, binary.LittleEndian)...), 1},
	} {
		t.Run(name, func(t *testing.T) {
			if p := decode(t, jpegWithEXIF(picture, c.block)); p.Orientation != c.want {
				t.Errorf("orientation %d, want %d", p.Orientation, c.want)
			}
		})
	}
}

func TestDecodeSubsamplings(t *testing.T) {
	for name, subsampling := range map[string]turbo.Subsampling{
		"444": turbo.S444, "422": turbo.S422, "420": turbo.S420, "440": turbo.S440, "411": turbo.S411, "grey": turbo.Grey,
	} {
		for _, size := range []image.Point{{1, 1}, {2, 3}, {17, 9}, {101, 67}, {64, 48}, {3203, 7}, {7, 3205}, {6401, 9}} {
			for _, progressive := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%dx%d/%v", name, size.X, size.Y, progressive), func(t *testing.T) {
					checkAgainstGo(t, jpegOf(smooth(size.X, size.Y), subsampling, progressive), size)
				})
			}
		}
	}
}

// checkAgainstGo compares with Go's decoder and a mean over each scaled pixel.
func checkAgainstGo(t *testing.T, data []byte, size image.Point) {
	p := decode(t, data)
	scale := int(p.Scale())
	if p.Width != size.X || p.Height != size.Y || p.Bounds().Dx() != (size.X+scale-1)/scale || p.Bounds().Dy() != (size.Y+scale-1)/scale {
		t.Fatalf("%d x %d at scale %d has bounds %v", p.Width, p.Height, scale, p.Bounds())
	}
	if longest := max(size.X, size.Y); scale > 1 && longest/scale < photo.DecodeSideMin-1 || scale == 1 && longest >= 2*photo.DecodeSideMin {
		t.Errorf("%v was decoded at scale %d", size, scale)
	}
	want, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	got := p.RGB(math.MaxInt32)
	if got.Rect != p.Bounds() {
		t.Fatalf("RGB has %v", got.Rect)
	}
	var sum, count float64
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			mean := meanOf(want, image.Rect(x*scale, y*scale, min(x*scale+scale, size.X), min(y*scale+scale, size.Y)))
			c := got.RGBAAt(x, y)
			for i, v := range [3]uint8{c.R, c.G, c.B} {
				sum += math.Abs(float64(v) - mean[i])
				count++
			}
		}
	}
	if sum/count > 3 {
		t.Errorf("mean difference from Go's decoder %.2f", sum/count)
	}
}

func TestDecodeLarge(t *testing.T) {
	for side, scale := range map[int]float64{3198: 1, 3199: 2, 4000: 2, 6397: 4, 12793: 8} {
		if p := decode(t, jpegOf(smooth(side, 16), turbo.S420, false)); p.Scale() != scale {
			t.Errorf("%d px were decoded at scale %v, want %v", side, p.Scale(), scale)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	var animation bytes.Buffer
	if err := gif.Encode(&animation, paletted(corners()), nil); err != nil {
		t.Fatal(err)
	}
	whole := jpegOf(noise(200, 150, 1), turbo.S420, false)
	progressive := jpegOf(noise(200, 150, 1), turbo.S420, true)
	picture, text := pngOf(noise(100, 80, 1)), []byte("Not a picture, only a sentence.")
	for _, c := range []struct {
		name   string
		data   []byte
		detail string
	}{
		{"Empty", nil, "empty"},
		{"Text", text, "JPEG, PNG, WebP or TIFF"},
		{"OneByte", []byte{0xff}, "JPEG, PNG, WebP or TIFF"},
		{"GIF", animation.Bytes(), "JPEG, PNG, WebP or TIFF"},
		{"PDF", []byte("%PDF-1.7\n"), "JPEG, PNG, WebP or TIFF"},
		{"HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), "JPEG, PNG, WebP or TIFF"},
		{"JPEGSignature", []byte("\xff\xd8\xff"), "cut off or damaged"},
		{"JPEGText", append([]byte("\xff\xd8\xff\xe0"), text...), "cut off or damaged"},
		{"JPEGThird", whole[:len(whole)/3], "cut off or damaged"},
		{"JPEGTwoThirds", whole[:2*len(whole)/3], "cut off or damaged"},
		{"JPEGLast100", whole[:len(whole)-100], "cut off or damaged"},
		{"JPEGProgressiveThird", progressive[:len(progressive)/3], "cut off or damaged"},
		{"JPEGProgressiveLast100", progressive[:len(progressive)-100], "cut off or damaged"},
		{"JPEGHeight0", resized(whole, 200, 0), "no pixels"},
		{"JPEGTooLarge", resized(whole, 10000, 10000), "64 million"},
		{"JPEGScans", manyScans(progressive, 2000), "scans"},
		{"PNGThird", picture[:len(picture)/3], "cut off or damaged"},
		{"PNGSignature", []byte(pngSignature), "cut off or damaged"},
		{"PNGHuge", append([]byte(pngSignature), pngHeader(100000, 100000, 8, 2, 0)...), "100000 x 100000"},
		{"PNGWide", append([]byte(pngSignature), pngHeader(70000, 10, 8, 2, 0)...), "65535"},
		{"PNGTooLarge", append([]byte(pngSignature), pngHeader(8001, 8000, 8, 2, 0)...), "64 million"},
		{"PNG16TooLarge", append([]byte(pngSignature), pngHeader(8000, 8000, 16, 2, 0)...), "32 million"},
		{"PNGNoPixels", append([]byte(pngSignature), pngHeader(0, 10, 8, 2, 0)...), "damaged"},
		{"WebPThird", fixture("lossy.webp")[:80], "cut off or damaged"},
		{"WebPSignature", []byte("RIFF\x00\x00\x00\x00WEBP"), "cut off or damaged"},
		{"WebPAnimated", fixture("animated.webp"), "animation"},
		{"WebPHuge", webpWith(fixture("lossy.webp"), 16384, 16384, 0), "64 million"},
		{"TIFFSignature", []byte("II*\x00"), "cut off or damaged"},
		{"TIFFThird", fixture("packbits.tif")[:1000], "cut off or damaged"},
		{"TIFFCMYK", fixture("cmyk.tif"), "not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if refusal := refused(t, c.data); !strings.Contains(refusal.Detail, c.detail) || !strings.HasSuffix(refusal.Detail, ".") {
				t.Errorf("refused with %q, want %q in a sentence", refusal.Detail, c.detail)
			}
		})
	}
}

func TestDecodeSize(t *testing.T) {
	picture := jpegOf(corners(), turbo.S420, false)
	padded := append(picture, make([]byte, photo.BytesMax+1-len(picture))...)
	decode(t, padded[:photo.BytesMax])
	if refusal := refused(t, padded); !strings.Contains(refusal.Detail, "5 MB") {
		t.Errorf("refused with %q", refusal.Detail)
	}
}

// A claim in a header costs nothing.
func TestDecodeBounded(t *testing.T) {
	const megabytesMax, timeMax = 40, 3 * time.Second
	little := binary.LittleEndian
	noOps := bytes.Repeat([]byte{0x80}, 1<<20)
	strips := func(count int, value uint32) []uint32 {
		values := make([]uint32, count)
		for i := range values {
			values[i] = value
		}
		return values
	}
	for name, data := range map[string][]byte{
		"PNG":          append([]byte(pngSignature), pngHeader(100000, 100000, 8, 6, 0)...),
		"PNG16":        append([]byte(pngSignature), pngHeader(7999, 7999, 16, 6, 1)...),
		"JPEG":         resized(jpegOf(corners(), turbo.S420, false), 65535, 65535),
		"JPEGScans":    manyScans(jpegOf(corners(), turbo.S420, true), 100000),
		"WebPLossless": webpWith([]byte("RIFF\x00\x00\x00\x00WEBPVP8L\x06\x00\x00\x00\x2f\xff\xff\xff\x0f\x00"), 16384, 16384, 0),
		"TIFFTags":     append([]byte("II*\x00\x08\x00\x00\x00\xff\xff"), bytes.Repeat([]byte{0, 1, 4, 0, 0xff, 0xff, 0xff, 0x7f, 8, 0, 0, 0}, 1000)...),
		"TIFFCounts": tiffOf(little, nil, tiffEntry{256, []uint32{60000}}, tiffEntry{257, []uint32{1000}}, tiffEntry{262, []uint32{1}},
			tiffEntry{273, strips(1000, 8)}, tiffEntry{278, []uint32{1}}, tiffEntry{279, strips(1000, 0x7fffffff)}),
		// Each strip reads the same megabyte of nothing, 60,000 times in all.
		"TIFFNoOps": tiffOf(little, noOps, tiffEntry{256, []uint32{8}}, tiffEntry{257, []uint32{60000}}, tiffEntry{259, []uint32{32773}},
			tiffEntry{262, []uint32{1}}, tiffEntry{273, strips(60000, 8)}, tiffEntry{278, []uint32{1}}, tiffEntry{279, strips(60000, 1<<20)}),
		"TIFFTiles": tiffOf(little, deflated(make([]byte, 1<<20)), tiffEntry{256, []uint32{8000}}, tiffEntry{257, []uint32{8000}}, tiffEntry{259, []uint32{8}},
			tiffEntry{262, []uint32{1}}, tiffEntry{322, []uint32{8}}, tiffEntry{323, []uint32{8}}, tiffEntry{324, strips(1000, 8)}, tiffEntry{325, strips(1000, 1000)}),
		"TIFFLoop": tiffOf(little, nil, tiffEntry{256, []uint32{10}}, tiffEntry{257, []uint32{10}}, tiffEntry{262, []uint32{1}}, tiffEntry{330, []uint32{8}}),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			refused(t, data)
			spent := time.Since(start)
			runtime.ReadMemStats(&after)
			if megabytes := (after.TotalAlloc - before.TotalAlloc) >> 20; megabytes > megabytesMax && name != "PNG16" {
				t.Errorf("%d MB were allocated", megabytes)
			}
			if spent > timeMax {
				t.Errorf("it took %v", spent)
			}
		})
	}
}

// Directories that follow each other in a circle do not matter: only the first is read.
func TestDecodeTIFFLoop(t *testing.T) {
	checkCorners(t, decode(t, tiffRGB(corners(), 1, binary.LittleEndian)), 3)
}

// Bytes between the end of the data and the last marker are a warning in libjpeg; the
// picture is whole.
func TestDecodeHarmlessWarning(t *testing.T) {
	whole := jpegOf(corners(), turbo.S444, false)
	end := len(whole) - 2
	checkCorners(t, decode(t, bytes.Join([][]byte{whole[:end], {0x12, 0x34, 0x56}, whole[end:]}, nil)), 12)
}

// What libjpeg-turbo warns of at once, here a JFIF of the future, is Go's decoder's to judge.
func TestDecodeFallback(t *testing.T) {
	for name, subsampling := range map[string]turbo.Subsampling{
		"444": turbo.S444, "422": turbo.S422, "420": turbo.S420, "440": turbo.S440, "411": turbo.S411, "grey": turbo.Grey,
	} {
		t.Run(name, func(t *testing.T) {
			data := jpegOf(smooth(3301, 21), subsampling, false)
			major := bytes.Index(data, []byte("JFIF\x00")) + 5
			data[major] = 2
			if p := decode(t, data); p.Scale() != 1 {
				t.Errorf("libjpeg-turbo decoded it, at scale %v", p.Scale())
			}
			want, got := must(jpeg.Decode(bytes.NewReader(data))), decode(t, data).RGB(4000)
			for x := 0; x < 3301; x += 50 {
				mean := meanOf(want, image.Rect(x, 7, x+1, 8))
				near(t, got.RGBAAt(x, 7), color.NRGBA{uint8(mean[0]), uint8(mean[1]), uint8(mean[2]), 255}, 6)
			}
			refused(t, data[:len(data)-100])
		})
	}
	t.Run("TooManyScans", func(t *testing.T) {
		data := manyScans(jpegOf(corners(), turbo.S420, false), 300)
		if refusal := refused(t, data); !strings.Contains(refusal.Detail, "scans") {
			t.Errorf("refused with %q", refusal.Detail)
		}
	})
}

// A palette may lack the colours that pixels name.
func TestDecodePaletteTooShort(t *testing.T) {
	data := interlaced(16, 16, 3, func(x, y int) []byte { return []byte{byte(x)} })
	if p, err := photo.Decode(data); err != nil && face.CodeOf(err) != face.CodeInvalid {
		t.Fatal(err)
	} else if err == nil {
		near(t, p.RGB(16).RGBAAt(0, 5), color.NRGBA{200, 0, 0, 255}, 3)
	}
}

func deep(img *image.NRGBA) *image.NRGBA64 {
	result := image.NewNRGBA64(img.Rect)
	for i, v := range img.Pix {
		result.Pix[2*i], result.Pix[2*i+1] = v, v
	}
	return result
}

func paletted(img *image.NRGBA) *image.Paletted {
	palette := color.Palette{}
	for _, c := range cornerColours {
		palette = append(palette, c)
	}
	for x := range cornersWidth {
		palette = append(palette, img.At(x, cornersHeight/2))
	}
	result := image.NewPaletted(img.Rect, palette)
	for y := range cornersHeight {
		for x := range cornersWidth {
			result.Set(x, y, img.At(x, y))
		}
	}
	return result
}

func rgbOf(img *image.NRGBA) func(x, y int) []byte {
	return func(x, y int) []byte { return img.Pix[img.PixOffset(x, y):][:3] }
}

func tiffBy(t *testing.T, img image.Image, options *tiff.Options) []byte {
	var buffer bytes.Buffer
	if err := tiff.Encode(&buffer, img, options); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// resized changes the size in the header of a JPEG.
func resized(jpeg []byte, w, h int) []byte {
	at := max(bytes.Index(jpeg, []byte{0xff, 0xc0}), bytes.Index(jpeg, []byte{0xff, 0xc2}))
	result := bytes.Clone(jpeg)
	binary.BigEndian.PutUint16(result[at+5:], uint16(h))
	binary.BigEndian.PutUint16(result[at+7:], uint16(w))
	return result
}

// manyScans repeats the last scan of a JPEG.
func manyScans(jpeg []byte, count int) []byte {
	end := len(jpeg) - 2
	last := jpeg[bytes.LastIndex(jpeg, []byte{0xff, 0xda}):end]
	count = min(count, (photo.BytesMax-len(jpeg))/len(last))
	return bytes.Join([][]byte{jpeg[:end], bytes.Repeat(last, count), jpeg[end:]}, nil)
}

func checkCorners(t *testing.T, p *photo.Photo, tolerance int) {
	t.Helper()
	img := p.RGB(1000)
	for i, at := range [4]image.Point{{5, 5}, {42, 5}, {5, 27}, {42, 27}} {
		near(t, img.RGBAAt(at.X, at.Y), cornerColours[i], tolerance)
	}
	near(t, img.RGBAAt(24, 16), color.NRGBA{112, 112, 112, 255}, tolerance)
}

func near(t *testing.T, got color.RGBA, want color.NRGBA, tolerance int) {
	t.Helper()
	if difference(got.R, want.R) > tolerance || difference(got.G, want.G) > tolerance || difference(got.B, want.B) > tolerance || got.A != want.A {
		t.Errorf("colour %v, want %v", got, want)
	}
}

func difference(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

func meanOf(img image.Image, area image.Rectangle) [3]float64 {
	var sum [3]float64
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			sum[0], sum[1], sum[2] = sum[0]+float64(r>>8), sum[1]+float64(g>>8), sum[2]+float64(b>>8)
		}
	}
	for i := range sum {
		sum[i] /= float64(area.Dx() * area.Dy())
	}
	return sum
}
