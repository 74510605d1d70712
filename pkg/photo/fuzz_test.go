package photo_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
	"facesearch/pkg/photo/internal/turbo"
)

var bigEndian = binary.BigEndian

func FuzzDecode(f *testing.F) {
	seeds := [][]byte{
		jpegOf(corners(), turbo.S420, false), jpegOf(corners(), turbo.S444, true), jpegOf(corners(), turbo.Grey, false),
		jpegOf(smooth(1700, 8), turbo.S411, false), jpegWithEXIF(jpegOf(corners(), turbo.S422, false), exifBlock(6, bigEndian)),
		pngOf(corners()), pngOf(deep(corners())), pngOf(paletted(corners())), pngWithEXIF(pngOf(corners()), exifBlock(8, bigEndian)),
		interlaced(16, 9, 2, rgbOf(corners())), interlaced(16, 9, 3, func(x, y int) []byte { return []byte{byte(x)} }),
		tiffRGB(corners(), 5, binary.LittleEndian), tiffRGB(corners(), 2, binary.BigEndian),
		webpWith(fixture("lossy.webp"), cornersWidth, cornersHeight, 1<<3, webpChunk("EXIF", exifBlock(3, bigEndian))),
		append([]byte(pngSignature), pngHeader(100000, 100000, 8, 2, 0)...), nil, []byte("text"),
	}
	for _, name := range []string{
		"cmyk.jpg", "rgb.jpg", "lossy.webp", "lossless.webp", "alpha_lossy.webp", "alpha_lossless.webp", "animated.webp",
		"lzw.tif", "packbits.tif", "deflate.tif", "palette.tif", "bilevel.tif", "cmyk.tif",
	} {
		seeds = append(seeds, fixture(name))
	}
	for _, seed := range seeds {
		f.Add(seed)
		f.Add(seed[:2*len(seed)/3])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := photo.Decode(data)
		if err != nil {
			if _, ok := err.(*face.Error); !ok || face.CodeOf(err) != face.CodeInvalid || p != nil {
				t.Fatalf("Decode = %v, %v", p, err)
			}
			return
		}
		checkConsistent(t, p)
	})
}

func checkConsistent(t *testing.T, p *photo.Photo) {
	b, scale := p.Bounds(), int(p.Scale())
	if b.Min != (image.Point{}) || b.Empty() || p.Width*p.Height > photo.PixelsMax || p.Orientation < 1 || p.Orientation > 8 {
		t.Fatalf("%d x %d, bounds %v, orientation %d", p.Width, p.Height, b, p.Orientation)
	}
	if b.Dx() != (p.Width+scale-1)/scale || b.Dy() != (p.Height+scale-1)/scale {
		t.Fatalf("%d x %d at scale %d has bounds %v", p.Width, p.Height, scale, b)
	}
	if grey := p.Grey(64); max(grey.Rect.Dx(), grey.Rect.Dy()) > 64 || grey.Rect.Empty() {
		t.Fatalf("Grey(64) has %v", grey.Rect)
	}
	w, h := b.Dx(), b.Dy()
	for i, box := range []image.Rectangle{b, image.Rect(w/2, h/2, w/2+9, h/2+5), image.Rect(-w, -3, w/2+1, h+7)} {
		if crop := p.Crop(box, 20, 30, 90*i); i == 1 && crop.Rect != image.Rect(0, 0, 30, 20) {
			t.Fatalf("Crop has %v", crop.Rect)
		}
	}
	if _, err := photo.JPEGOf(p, image.Rectangle{}, 90, 32, 80); err != nil {
		t.Fatal(err)
	}
}

// FuzzOrientation puts any EXIF block into pictures that are good otherwise.
func FuzzOrientation(f *testing.F) {
	for orientation := range 10 {
		f.Add(exifBlock(orientation, binary.LittleEndian))
		f.Add(exifBlock(orientation, binary.BigEndian))
	}
	jpeg, png, webp := jpegOf(corners(), turbo.S420, false), pngOf(corners()), fixture("lossless.webp")
	f.Fuzz(func(t *testing.T, block []byte) {
		if len(block) > 60000 || bytes.HasPrefix(block, []byte("Exif")) {
			return // No room in a JPEG; or another prefix, which only JPEG requires.
		}
		byJPEG := decode(t, jpegWithEXIF(jpeg, block)).Orientation
		byPNG := decode(t, pngWithEXIF(png, block)).Orientation
		byWebP := decode(t, webpWith(webp, cornersWidth, cornersHeight, 1<<3, webpChunk("EXIF", block))).Orientation
		if byJPEG < 1 || byJPEG > 8 || byPNG != byJPEG || byWebP != byJPEG {
			t.Fatalf("orientation %d in JPEG, %d in PNG, %d in WebP", byJPEG, byPNG, byWebP)
		}
	})
}
