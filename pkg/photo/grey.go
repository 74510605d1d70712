package photo

import "image"

// Resize scales a grey picture so that its longest side is longestSide: by area averaging
// when it shrinks, by linear interpolation when it grows. At its own size it is the same
// picture, not a copy.
func Resize(gray *image.Gray, longestSide int) *image.Gray {
	width, height := gray.Rect.Dx(), gray.Rect.Dy()
	longest := max(width, height)
	if longest == longestSide || longest == 0 {
		return gray
	}
	scale := func(side int) int { return max(1, (side*longestSide+longest/2)/longest) }
	whole := span{0, 0, float64(width), float64(height)}
	return resample(planeOfGray(gray), whole, scale(width), scale(height), 0).gray()
}

// GreyOf is the Rec. 601 luma of an opaque picture.
func GreyOf(picture *image.RGBA) *image.Gray {
	result := newPlane(picture.Rect.Dx(), picture.Rect.Dy())
	for y := range result.height {
		from, into := picture.Pix[y*picture.Stride:], result.row(y)
		for x := range into {
			into[x] = byte((19595*uint32(from[4*x]) + 38470*uint32(from[4*x+1]) + 7471*uint32(from[4*x+2]) + 1<<15) >> 16)
		}
	}
	return result.gray()
}
