// Package photo turns the bytes of a picture from a stranger into upright, bounded pixels,
// and cuts, shrinks, turns and encodes them.
//
// A picture is kept as planes of luma and chroma, as most JPEGs hold it: the luma plane is
// the grey picture that a detector wants, and only what is cut out is ever converted to
// colours. EXIF orientation is applied to what is taken out, not to the whole picture.
//
// # Bounds
//
// At most BytesMax bytes and PixelsMax pixels, 65,535 on a side, are decoded; both are
// checked before pixels are allocated. Decoding then takes at most, in bytes per pixel of
// the original:
//
//	JPEG          3 (baseline), 9 (progressive; coefficients of 2 bytes in three planes)
//	JPEG, unusual 11 (baseline CMYK), 27 (progressive CMYK, so refused over 16 MP)
//	PNG           7, interlaced 11; with 16 bits a channel 11 and 19 (refused over 32 MP)
//	WebP          1.5 (lossy), 8 (lossless, or lossy with transparency)
//	TIFF          as PNG, and 24 per pixel of the largest strip or tile (refused over 16 MP)
//
// What stays allocated afterwards is 3 bytes per decoded pixel or less, and 1 when grey.
// "Unusual" is what libjpeg-turbo does not give as planes, or complains about; Go's own
// decoder then decides.
package photo

import (
	"bytes"
	"fmt"
	"image"

	"facesearch/pkg/face"
)

const (
	// BytesMax is the size of the largest picture that is accepted, in bytes.
	BytesMax = 5 * 1024 * 1024
	// PixelsMax is the number of pixels a picture may have.
	PixelsMax = 64_000_000
	// DecodeSideMin bounds how far a large JPEG is shrunk while it is decoded: its longest
	// side keeps at least this many pixels.
	DecodeSideMin = 1600
	// sideMax is the longest side a JPEG can have; no picture of the other formats needs more.
	sideMax = 65_535
)

// A Format is one of the four kinds of file that are read.
type Format string

// The formats.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	WebP Format = "webp"
	TIFF Format = "tiff"
)

// A Photo is a decoded picture, upright by its own EXIF orientation. It is never changed
// after Decode, so any number of goroutines may read it.
type Photo struct {
	// Width and Height are those of the original after EXIF orientation, in pixels.
	Width, Height int
	Format        Format
	// Orientation is the EXIF orientation that was applied, 1 to 8.
	Orientation int

	pixels planes
	// scale is 1, 2, 4 or 8: original pixels per decoded pixel.
	scale int
}

// Decode reads a picture. Every error it returns is a *face.Error with face.CodeInvalid.
func Decode(data []byte) (*Photo, error) {
	if len(data) == 0 {
		return nil, face.Invalid("The picture is empty (0 bytes): send a JPEG, PNG, WebP or TIFF.")
	}
	if len(data) > BytesMax {
		return nil, face.Invalid("The picture has %d bytes; at most %d (5 MB) are accepted.", len(data), BytesMax)
	}
	format := formatOf(data)
	if format == "" {
		return nil, face.Invalid("The file is not a JPEG, PNG, WebP or TIFF picture.")
	}
	photo, err := decodeAs(format, data)
	if err != nil {
		return nil, err
	}
	photo.Format = format
	photo.Orientation = orientationOf(format, data)
	if swapsSides(photo.Orientation) {
		photo.Width, photo.Height = photo.Height, photo.Width
	}
	return photo, nil
}

// formatOf tells the format by the first bytes, "" when it is none of the four.
func formatOf(data []byte) Format {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return JPEG
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return PNG
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return WebP
	case bytes.HasPrefix(data, []byte("II*\x00")), bytes.HasPrefix(data, []byte("MM\x00*")):
		return TIFF
	}
	return ""
}

// decodeAs decodes without regard to orientation. A panic of a decoder, all of which were
// written by others and read what strangers made, is a damaged picture.
func decodeAs(format Format, data []byte) (photo *Photo, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			photo, err = nil, damaged(format, fmt.Errorf("panic: %v", cause))
		}
	}()
	if format == JPEG {
		return decodeJPEG(data)
	}
	return decodeOther(format, data)
}

// checkSize refuses a picture by the size that its header claims.
func checkSize(width, height, pixelsMax int) error {
	if width < 1 || height < 1 {
		return face.Invalid("The picture has no pixels: its header says %d x %d.", width, height)
	}
	if width > sideMax || height > sideMax {
		return face.Invalid("The picture is too large: %d x %d pixels; a side may have at most %d.", width, height, sideMax)
	}
	if int64(width)*int64(height) > int64(pixelsMax) {
		return face.Invalid("The picture is too large: %d x %d pixels; at most %d million are accepted.",
			width, height, pixelsMax/1_000_000)
	}
	return nil
}

func damaged(format Format, cause error) error {
	refusal := face.Invalid("The %s picture is cut off or damaged and cannot be decoded.", nameOf(format))
	refusal.Cause = cause
	return refusal
}

func nameOf(format Format) string {
	return map[Format]string{JPEG: "JPEG", PNG: "PNG", WebP: "WebP", TIFF: "TIFF"}[format]
}

// Bounds is the upright picture in decoded pixels, from 0,0.
func (p *Photo) Bounds() image.Rectangle {
	if swapsSides(p.Orientation) {
		return image.Rect(0, 0, p.pixels.height, p.pixels.width)
	}
	return image.Rect(0, 0, p.pixels.width, p.pixels.height)
}

// Scale is how many original pixels a decoded pixel is wide and high: 1, 2, 4 or 8. The
// last column and row may reach beyond the original, whose sides need not divide by it.
func (p *Photo) Scale() float64 { return float64(p.scale) }

// Grey is the upright picture as Rec. 601 luma, shrunk by area averaging so that its
// longest side is at most longestSide, never enlarged. The memory is fresh and packed.
func (p *Photo) Grey(longestSide int) *image.Gray {
	width, height := fit(p.pixels.width, p.pixels.height, longestSide)
	luma := p.pixels.luma(window{0, 0, p.pixels.width, p.pixels.height}, width, height)
	return luma.turned(p.Orientation).gray()
}

// RGB is the same as Grey in colour, opaque.
func (p *Photo) RGB(longestSide int) *image.RGBA {
	width, height := fit(p.pixels.width, p.pixels.height, longestSide)
	whole := window{0, 0, p.pixels.width, p.pixels.height}
	return p.pixels.resampled(whole, width, height).turned(p.Orientation).rgba()
}

// Crop cuts box, in decoded pixels of the upright picture, scales it to width x height and
// then turns it clockwise by angle (0, 90, 180 or 270). It averages areas when shrinking
// and interpolates when enlarging, along each axis by itself. The box may reach outside of
// the picture; there it is black, as in dlib's chips.
func (p *Photo) Crop(box image.Rectangle, width, height, angle int) *image.RGBA {
	if width < 1 || height < 1 {
		return image.NewRGBA(image.Rectangle{})
	}
	if swapsSides(p.Orientation) {
		width, height = height, width
	}
	cut := storedWindow(box, p.pixels.width, p.pixels.height, p.Orientation)
	return p.pixels.resampled(cut, width, height).turned(turnedFurther(p.Orientation, angle)).rgba()
}

// fit shrinks a size until its longest side is at most longestSide.
func fit(width, height, longestSide int) (int, int) {
	longest := max(width, height)
	longestSide = max(longestSide, 1)
	if longest <= longestSide {
		return width, height
	}
	shrink := func(side int) int {
		return max(1, (side*longestSide+longest/2)/longest)
	}
	return shrink(width), shrink(height)
}
