package photo

import (
	"image"
	"image/color"

	"github.com/disintegration/imaging"

	"facesearch/pkg/photo/internal/turbo"
)

// A plane is one channel of a picture, a byte a pixel.
type plane struct {
	pix                   []byte
	stride, width, height int
}

func newPlane(width, height int) plane {
	return plane{make([]byte, width*height), width, width, height}
}

func (p plane) row(y int) []byte { return p.pix[y*p.stride:][:p.width:p.width] }

func planeOfGray(gray *image.Gray) plane {
	return plane{gray.Pix, gray.Stride, gray.Rect.Dx(), gray.Rect.Dy()}
}

func (p plane) gray() *image.Gray {
	return &image.Gray{Pix: p.pix, Stride: p.stride, Rect: image.Rect(0, 0, p.width, p.height)}
}

// planes are a picture as it is stored, before its orientation: full-range YCbCr, or luma
// alone when there is no chroma. A chroma sample covers horizontal x vertical pixels.
type planes struct {
	width, height        int
	y, cb, cr            plane
	isGrey               bool
	horizontal, vertical int
}

func planesOfTurbo(picture *turbo.Picture) planes {
	result := planes{width: picture.Width, height: picture.Height, isGrey: picture.Subsampling == turbo.Grey}
	result.horizontal, result.vertical = picture.Subsampling.Factors()
	part := func(i, width, height int) plane {
		return plane{picture.Planes[i], picture.Strides[i], width, height}
	}
	result.y = part(0, picture.Width, picture.Height)
	if !result.isGrey {
		width, height := result.chromaSize()
		result.cb, result.cr = part(1, width, height), part(2, width, height)
	}
	return result
}

func (p *planes) chromaSize() (width, height int) {
	return (p.width + p.horizontal - 1) / p.horizontal, (p.height + p.vertical - 1) / p.vertical
}

// planesOf takes over what Go's decoders made; transparency becomes white.
func planesOf(decoded image.Image) planes {
	switch picture := decoded.(type) {
	case *image.Gray:
		luma := planeOfGray(picture)
		return planes{width: luma.width, height: luma.height, y: luma, isGrey: true, horizontal: 1, vertical: 1}
	case *image.Gray16:
		return planesOfGray16(picture)
	case *image.YCbCr:
		return planesOfYCbCr(picture)
	case *image.Paletted:
		// imaging works in goroutines of its own, where a colour that the palette lacks
		// would be a panic that nobody can recover.
		padded := *picture
		padded.Palette = append(make(color.Palette, 0, 256), picture.Palette...)
		for len(padded.Palette) < 256 {
			padded.Palette = append(padded.Palette, color.NRGBA{A: 255})
		}
		return planesOfAny(&padded)
	}
	return planesOfAny(decoded)
}

func planesOfGray16(picture *image.Gray16) planes {
	luma := newPlane(picture.Rect.Dx(), picture.Rect.Dy())
	for y := range luma.height {
		from, into := picture.Pix[y*picture.Stride:], luma.row(y)
		for x := range into {
			into[x] = from[2*x]
		}
	}
	return planes{width: luma.width, height: luma.height, y: luma, isGrey: true, horizontal: 1, vertical: 1}
}

func planesOfYCbCr(picture *image.YCbCr) planes {
	result := planes{width: picture.Rect.Dx(), height: picture.Rect.Dy()}
	result.horizontal, result.vertical = factorsOf(picture.SubsampleRatio)
	result.y = plane{picture.Y, picture.YStride, result.width, result.height}
	width, height := result.chromaSize()
	result.cb = plane{picture.Cb, picture.CStride, width, height}
	result.cr = plane{picture.Cr, picture.CStride, width, height}
	return result
}

func factorsOf(ratio image.YCbCrSubsampleRatio) (horizontal, vertical int) {
	switch ratio {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// planesOfAny converts a band at a time with imaging, so that the picture never exists in
// a third form.
func planesOfAny(decoded image.Image) planes {
	const bandPixels = 256 * 1024
	bounds := decoded.Bounds()
	width, height := bounds.Dx(), bounds.Dy()
	result := planes{
		width: width, height: height, horizontal: 1, vertical: 1,
		y: newPlane(width, height), cb: newPlane(width, height), cr: newPlane(width, height),
	}
	bandHeight := max(1, bandPixels/width)
	for top := 0; top < height; top += bandHeight {
		area := image.Rect(0, top, width, min(top+bandHeight, height)).Add(bounds.Min)
		band := imaging.Crop(decoded, area)
		for y := range band.Rect.Dy() {
			row := band.Pix[y*band.Stride:][:4*width]
			overWhite(row)
			splitRow(result.y.row(top+y), result.cb.row(top+y), result.cr.row(top+y), row)
		}
	}
	return result
}

// overWhite puts pixels of red, green, blue and opacity on white, in place.
func overWhite(pix []byte) {
	for ; len(pix) >= 4; pix = pix[4:] {
		opacity := int(pix[3])
		if opacity == 255 {
			continue
		}
		for c := range 3 {
			pix[c] = byte((int(pix[c])*opacity + 255*(255-opacity) + 127) / 255)
		}
	}
}

func splitRow(y, cb, cr, pix []byte) {
	for x := range y {
		y[x], cb[x], cr[x] = color.RGBToYCbCr(pix[4*x], pix[4*x+1], pix[4*x+2])
	}
}

// luma is the grey picture within cut, at width x height.
func (p *planes) luma(cut window, width, height int) plane {
	return resample(p.y, cut.span(1, 1), width, height, 0)
}

// resampled is the picture within cut, at width x height, its chroma no longer coarser.
// Outside of the picture it is black.
func (p *planes) resampled(cut window, width, height int) planes {
	result := planes{
		width: width, height: height, horizontal: 1, vertical: 1,
		y: p.luma(cut, width, height), isGrey: p.isGrey,
	}
	if !p.isGrey {
		const neutral = 128
		part := cut.span(p.horizontal, p.vertical)
		result.cb = resample(p.cb, part, width, height, neutral)
		result.cr = resample(p.cr, part, width, height, neutral)
	}
	return result
}

// turned needs chroma as fine as luma, as resampled leaves it.
func (p planes) turned(orientation int) planes {
	if orientation == upright {
		return p
	}
	result := planes{isGrey: p.isGrey, horizontal: 1, vertical: 1, y: p.y.turned(orientation)}
	result.width, result.height = result.y.width, result.y.height
	if !p.isGrey {
		result.cb, result.cr = p.cb.turned(orientation), p.cr.turned(orientation)
	}
	return result
}

// rgba needs chroma as fine as luma.
func (p planes) rgba() *image.RGBA {
	result := image.NewRGBA(image.Rect(0, 0, p.width, p.height))
	for y := range p.height {
		into := result.Pix[y*result.Stride:][:4*p.width]
		if p.isGrey {
			spreadRow(into, p.y.row(y))
		} else {
			joinRow(into, p.y.row(y), p.cb.row(y), p.cr.row(y))
		}
	}
	return result
}

func spreadRow(into, luma []byte) {
	for x, v := range luma {
		pixel := into[4*x:][:4:4]
		pixel[0], pixel[1], pixel[2], pixel[3] = v, v, v, 255
	}
}

// joinRow converts by JFIF's equations in 16-bit fixed point, as ITU-T T.871 section 7.
func joinRow(into, luma, cb, cr []byte) {
	const redOfCr, greenOfCb, greenOfCr, blueOfCb = 91881, 22554, 46802, 116130
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	for x, v := range luma {
		y := int32(v)<<16 + 1<<15
		b, r := int32(cb[x])-128, int32(cr[x])-128
		pixel := into[4*x:][:4:4]
		pixel[0] = byteOf(y + redOfCr*r)
		pixel[1] = byteOf(y - greenOfCb*b - greenOfCr*r)
		pixel[2] = byteOf(y + blueOfCb*b)
		pixel[3] = 255
	}
}

// byteOf is the whole part of a 16.16 number, clamped to a byte.
func byteOf(v int32) byte {
	if uint32(v)>>24 == 0 {
		return byte(v >> 16)
	}
	return byte(^(v >> 31))
}
