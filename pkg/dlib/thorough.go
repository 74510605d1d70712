package dlib

import (
	"context"
	"math"
	"sort"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
)

// FindThoroughly finds faces as dlib's own detector does with one upsampling: the picture,
// its longest side shrunk to side pixels where it is larger, is enlarged twofold and scanned
// at every size down to that of the detector's window, whatever was found before. It is what
// Find is measured against. Faces are largest first, in decoded pixels of the picture turned
// clockwise by the angle.
func (e *Engine) FindThoroughly(ctx context.Context, p *photo.Photo, angle, side int) ([]face.Detection, error) {
	worker, err := e.borrow(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { e.workers <- worker }()
	c := &climb{detector: worker.detector, photo: p, angles: []int{angle}, found: map[int][]face.Detection{}, rungs: map[int]int{}}
	longest, shortest := longestSide(p.Bounds()), min(p.Bounds().Dx(), p.Bounds().Dy())
	shrunk := p.Grey(min(side, longest))
	level := photo.Resize(shrunk, 2*longestSide(shrunk.Bounds()))
	for float64(longestSide(level.Bounds()))*float64(shortest) >= windowSide*float64(longest) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := c.scan(level, 0, angle); err != nil {
			return nil, err
		}
		level = photo.Resize(level, int(math.Round(float64(longestSide(level.Bounds()))/rungFactor)))
	}
	faces := c.found[angle]
	sort.SliceStable(faces, func(i, j int) bool { return area(faces[i].Box) > area(faces[j].Box) })
	return faces, nil
}
