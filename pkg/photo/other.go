package photo

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"

	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"facesearch/pkg/face"
)

// deepPixelsMax bounds pictures with 16 bits a channel, which take twice the memory.
const deepPixelsMax = PixelsMax / 2

// decodeOther decodes PNG, WebP and TIFF, at full size.
func decodeOther(format Format, data []byte) (*Photo, error) {
	if format == WebP && isAnimated(data) {
		return nil, face.Invalid("The WebP is an animation: send a single picture.")
	}
	config, err := configOf(format, data)
	if err != nil {
		return nil, undecodable(format, err)
	}
	pixelsMax := PixelsMax
	if config.ColorModel == color.RGBA64Model || config.ColorModel == color.NRGBA64Model {
		pixelsMax = deepPixelsMax
	}
	if err := checkSize(config.Width, config.Height, pixelsMax); err != nil {
		return nil, err
	}
	if format == TIFF {
		if err := checkBlocks(data); err != nil {
			return nil, err
		}
	}
	decoded, err := pixelsOf(format, data)
	if err != nil {
		return nil, undecodable(format, err)
	}
	if decoded.Bounds().Dx() != config.Width || decoded.Bounds().Dy() != config.Height {
		return nil, damaged(format, errors.New("the pixels are not of the size in the header"))
	}
	if format == WebP {
		widenRange(decoded)
	}
	return &Photo{Width: config.Width, Height: config.Height, scale: 1, pixels: planesOf(decoded)}, nil
}

func configOf(format Format, data []byte) (image.Config, error) {
	switch format {
	case PNG:
		return png.DecodeConfig(bytes.NewReader(data))
	case WebP:
		return webp.DecodeConfig(bytes.NewReader(data))
	}
	return tiff.DecodeConfig(bytes.NewReader(data))
}

func pixelsOf(format Format, data []byte) (image.Image, error) {
	switch format {
	case PNG:
		return png.Decode(bytes.NewReader(data))
	case WebP:
		return webp.Decode(bytes.NewReader(data))
	}
	return tiff.Decode(bytes.NewReader(data))
}

// undecodable tells a whole picture of a kind that is not read from a broken one.
func undecodable(format Format, cause error) error {
	var oddPNG png.UnsupportedError
	var oddTIFF tiff.UnsupportedError
	if !errors.As(cause, &oddPNG) && !errors.As(cause, &oddTIFF) {
		return damaged(format, cause)
	}
	refusal := face.Invalid("This kind of %s is not supported: save the picture as a JPEG or an ordinary PNG.", nameOf(format))
	refusal.Cause = cause
	return refusal
}

// isAnimated reads the flags of the VP8X chunk, which comes first when there is one.
func isAnimated(data []byte) bool {
	const animationFlag = 1 << 1
	return len(data) > 20 && string(data[12:16]) == "VP8X" && data[20]&animationFlag != 0
}

// widenRange turns the planes of a lossy WebP from video range (luma 16 to 235, chroma 16
// to 240, RFC 6386 section 9.2) to the full range of JPEG. The image package knows only the
// latter, so that without this whites would be grey and blacks would be pale.
func widenRange(decoded image.Image) {
	switch picture := decoded.(type) {
	case *image.YCbCr:
		widenPlanes(picture)
	case *image.NYCbCrA:
		widenPlanes(&picture.YCbCr)
	}
}

func widenPlanes(picture *image.YCbCr) {
	var luma, chroma [256]byte
	for v := range 256 {
		luma[v] = clamped(((v-16)*255 + 109) / 219)
		// 128 is the neutral chroma in both; the 112 on the right rounds also below it.
		chroma[v] = clamped(128 + ((v-128+256)*255+112)/224 - (256*255+112)/224)
	}
	substitute(picture.Y, &luma)
	substitute(picture.Cb, &chroma)
	substitute(picture.Cr, &chroma)
}

func substitute(pix []byte, table *[256]byte) {
	for i, v := range pix {
		pix[i] = table[v]
	}
}

func clamped(v int) byte { return byte(min(max(v, 0), 255)) }
