package photo_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
	"facesearch/pkg/photo/internal/turbo"
)

// The corners picture has a colour in each corner, so that every orientation looks
// different, on a grey ramp.
const cornersWidth, cornersHeight = 48, 32

var cornerColours = [4]color.NRGBA{{250, 10, 10, 255}, {10, 250, 10, 255}, {10, 10, 250, 255}, {250, 250, 250, 255}}

func corners() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, cornersWidth, cornersHeight))
	for y := range cornersHeight {
		for x := range cornersWidth {
			img.SetNRGBA(x, y, color.NRGBA{uint8(40 + 3*x), uint8(40 + 3*x), uint8(40 + 3*x), 255})
			right, bottom := x >= 32, y >= 20
			if (x < 16 || right) && (y < 12 || bottom) {
				img.SetNRGBA(x, y, cornerColours[which(right, bottom)])
			}
		}
	}
	return img
}

func which(right, bottom bool) int {
	i := 0
	if right {
		i++
	}
	if bottom {
		i += 2
	}
	return i
}

// storedAs is upright as a camera would store it that writes this orientation: by the
// table of the EXIF standard, which says on which visual side row 0 and column 0 are.
func storedAs(upright *image.NRGBA, orientation int) *image.NRGBA {
	w, h := upright.Rect.Dx(), upright.Rect.Dy()
	storedW, storedH := w, h
	if orientation >= 5 {
		storedW, storedH = h, w
	}
	stored := image.NewNRGBA(image.Rect(0, 0, storedW, storedH))
	for row := range storedH {
		for column := range storedW {
			var x, y int
			switch orientation {
			case 1: // row 0 is the top, column 0 the left
				x, y = column, row
			case 2: // top, right
				x, y = w-1-column, row
			case 3: // bottom, right
				x, y = w-1-column, h-1-row
			case 4: // bottom, left
				x, y = column, h-1-row
			case 5: // left, top
				x, y = row, column
			case 6: // right, top
				x, y = w-1-row, column
			case 7: // right, bottom
				x, y = w-1-row, h-1-column
			case 8: // left, bottom
				x, y = row, h-1-column
			}
			stored.SetNRGBA(column, row, upright.NRGBAAt(x, y))
		}
	}
	return stored
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func fixture(name string) []byte {
	return must(os.ReadFile(filepath.Join("..", "..", "testdata", "photo", name)))
}

func decode(t testing.TB, data []byte) *photo.Photo {
	t.Helper()
	p, err := photo.Decode(data)
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	return p
}

// refused checks for a refusal that the caller can act on.
func refused(t testing.TB, data []byte) *face.Error {
	t.Helper()
	p, err := photo.Decode(data)
	if p != nil || face.CodeOf(err) != face.CodeInvalid {
		t.Fatalf("Decode = %v, %v; want a refusal with %s", p, err, face.CodeInvalid)
	}
	return err.(*face.Error)
}

func noise(w, h int, seed uint64) *image.NRGBA {
	random := rand.New(rand.NewPCG(seed, 1))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(random.Uint32())
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

func greyNoise(w, h int, seed uint64) *image.Gray {
	random := rand.New(rand.NewPCG(seed, 2))
	img := image.NewGray(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(random.Uint32() & 1 * 255)
		if i%3 == 0 {
			img.Pix[i] = uint8(random.Uint32())
		}
	}
	return img
}

// smooth is a picture with colours everywhere and no edges, so that its chroma survives any
// subsampling.
func smooth(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{wave(x), wave(y + 60), wave(x + y + 90), 255})
		}
	}
	return img
}

// wave goes from 40 to 200 and back, a level a pixel.
func wave(at int) uint8 {
	at %= 320
	return uint8(40 + min(at, 320-at))
}

func pngOf(img image.Image) []byte {
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, img); err != nil {
		panic(err)
	}
	return buffer.Bytes()
}

func jpegOf(img *image.NRGBA, subsampling turbo.Subsampling, progressive bool) []byte {
	return must(turbo.Encode(img.Pix, img.Rect.Dx(), img.Rect.Dy(), img.Stride, subsampling, 92, progressive))
}

// exifBlock is a TIFF with the one entry for the orientation.
func exifBlock(orientation int, order binary.AppendByteOrder) []byte {
	block := []byte("II*\x00")
	if order.AppendUint16(nil, 1)[0] == 0 {
		block = []byte("MM\x00*")
	}
	block = order.AppendUint32(block, 8)
	block = order.AppendUint16(block, 1)
	block = order.AppendUint16(block, 274)
	block = order.AppendUint16(block, 3)
	block = order.AppendUint32(block, 1)
	block = order.AppendUint16(block, uint16(orientation))
	block = order.AppendUint16(block, 0)
	return order.AppendUint32(block, 0)
}

// withSegment inserts a segment behind a JPEG's first marker.
func withSegment(jpeg []byte, marker byte, content []byte) []byte {
	segment := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(2+len(content)))
	return bytes.Join([][]byte{jpeg[:2], segment, content, jpeg[2:]}, nil)
}

func jpegWithEXIF(jpeg, block []byte) []byte {
	return withSegment(jpeg, 0xe1, append([]byte("Exif\x00\x00"), block...))
}

func pngChunk(name string, content []byte) []byte {
	named := append([]byte(name), content...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	chunk = append(chunk, named...)
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(named))
}

const pngSignature = "\x89PNG\r\n\x1a\n"

func pngHeader(w, h uint32, depth, colourType, interlace byte) []byte {
	header := binary.BigEndian.AppendUint32(nil, w)
	header = binary.BigEndian.AppendUint32(header, h)
	return pngChunk("IHDR", append(header, depth, colourType, 0, 0, interlace))
}

// pngWithEXIF puts the chunk behind the header, which has 25 bytes.
func pngWithEXIF(png, block []byte) []byte {
	return bytes.Join([][]byte{png[:33], pngChunk("eXIf", block), png[33:]}, nil)
}

// interlaced writes a PNG in the seven passes of Adam7, a byte a sample.
func interlaced(w, h int, colourType byte, sample func(x, y int) []byte) []byte {
	var rows bytes.Buffer
	for _, pass := range [7][4]int{{0, 8, 0, 8}, {4, 8, 0, 8}, {0, 4, 4, 8}, {2, 4, 0, 4}, {0, 2, 2, 4}, {1, 2, 0, 2}, {0, 1, 1, 2}} {
		for y := pass[2]; y < h; y += pass[3] {
			if pass[0] < w {
				rows.WriteByte(0)
			}
			for x := pass[0]; x < w; x += pass[1] {
				rows.Write(sample(x, y))
			}
		}
	}
	palette := []byte(nil)
	if colourType == 3 {
		palette = pngChunk("PLTE", []byte{200, 0, 0, 0, 200, 0})
	}
	return bytes.Join([][]byte{[]byte(pngSignature), pngHeader(uint32(w), uint32(h), 8, colourType, 1), palette,
		pngChunk("IDAT", deflated(rows.Bytes())), pngChunk("IEND", nil)}, nil)
}

func deflated(data []byte) []byte {
	var buffer bytes.Buffer
	writer := zlib.NewWriter(&buffer)
	if _, err := writer.Write(data); err != nil {
		panic(err)
	}
	if err := writer.Close(); err != nil {
		panic(err)
	}
	return buffer.Bytes()
}

// webpWith wraps the one chunk of a plain WebP in the extended form with more chunks.
func webpWith(webp []byte, w, h int, flags byte, more ...[]byte) []byte {
	extended := []byte{flags, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0}
	body := bytes.Join(append([][]byte{[]byte("WEBP"), webpChunk("VP8X", extended), webp[12:]}, more...), nil)
	return webpChunk("RIFF", body)
}

func webpChunk(name string, content []byte) []byte {
	chunk := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(content)))
	chunk = append(chunk, content...)
	if len(content)%2 == 1 {
		chunk = append(chunk, 0)
	}
	return chunk
}

// A tiffEntry has values of four bytes.
type tiffEntry struct {
	tag    int
	values []uint32
}

// tiffOf puts a directory behind content, which starts at byte 8; the values of long
// entries follow the directory. The directory says that it follows itself.
func tiffOf(order binary.AppendByteOrder, content []byte, entries ...tiffEntry) []byte {
	data := exifBlock(1, order)[:4]
	directoryAt := 8 + len(content)
	data = order.AppendUint32(data, uint32(directoryAt))
	data = append(data, content...)
	valuesAt := directoryAt + 2 + 12*len(entries) + 4
	var values []byte
	data = order.AppendUint16(data, uint16(len(entries)))
	for _, entry := range entries {
		data = order.AppendUint16(data, uint16(entry.tag))
		data = order.AppendUint16(data, 4)
		data = order.AppendUint32(data, uint32(len(entry.values)))
		if len(entry.values) == 1 {
			data = order.AppendUint32(data, entry.values[0])
			continue
		}
		data = order.AppendUint32(data, uint32(valuesAt+len(values)))
		for _, value := range entry.values {
			values = order.AppendUint32(values, value)
		}
	}
	data = order.AppendUint32(data, uint32(directoryAt))
	return append(data, values...)
}

// tiffRGB is an uncompressed TIFF with an orientation.
func tiffRGB(img *image.NRGBA, orientation int, order binary.AppendByteOrder) []byte {
	var pixels []byte
	for i := 0; i < len(img.Pix); i += 4 {
		pixels = append(pixels, img.Pix[i:i+3]...)
	}
	w, h := uint32(img.Rect.Dx()), uint32(img.Rect.Dy())
	return tiffOf(order, pixels, tiffEntry{256, []uint32{w}}, tiffEntry{257, []uint32{h}},
		tiffEntry{258, []uint32{8, 8, 8}}, tiffEntry{259, []uint32{1}}, tiffEntry{262, []uint32{2}},
		tiffEntry{273, []uint32{8}}, tiffEntry{274, []uint32{uint32(orientation)}}, tiffEntry{277, []uint32{3}},
		tiffEntry{278, []uint32{h}}, tiffEntry{279, []uint32{uint32(len(pixels))}})
}
