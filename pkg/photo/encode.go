package photo

import (
	"image"

	"facesearch/pkg/photo/internal/turbo"
)

// EncodeJPEG makes a baseline JPEG of three components without subsampling, so that a
// decoder sees the same colours at edges. quality is 1 to 100.
func EncodeJPEG(img *image.RGBA, quality int) ([]byte, error) {
	return turbo.Encode(img.Pix, img.Rect.Dx(), img.Rect.Dy(), img.Stride, turbo.S444, min(max(quality, 1), 100), false)
}

// JPEGOf is a part of the picture turned clockwise by angle, as a JPEG without any metadata,
// shrunk until its longest side is at most sideMax. box is in decoded pixels of the turned
// picture and is cut to its bounds; an empty box means the whole picture.
func JPEGOf(p *Photo, box image.Rectangle, angle, sideMax, quality int) ([]byte, error) {
	bounds := TurnedBounds(p.Bounds(), angle)
	box = box.Intersect(bounds)
	if box.Empty() {
		box = bounds
	}
	width, height := fit(box.Dx(), box.Dy(), sideMax)
	return EncodeJPEG(p.CropTurned(box, width, height, angle), quality)
}
