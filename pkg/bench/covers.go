package bench

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"github.com/disintegration/imaging"
)

// A paint says what colour covers the place (x, y) of a face, from 0,0 at the upper left
// corner of its box to 1,1 at the lower right one, if any does.
type paint func(x, y float64) (color.NRGBA, bool)

// painted covers parts of every face.
func painted(s Scene, brush func(box image.Rectangle) paint) Scene {
	picture := imaging.Clone(s.Picture)
	for _, box := range s.Faces {
		at := brush(box)
		for y := box.Min.Y - box.Dy()/2; y < box.Max.Y+box.Dy()/2; y++ {
			for x := box.Min.X - box.Dx()/2; x < box.Max.X+box.Dx()/2; x++ {
				if !image.Pt(x, y).In(picture.Rect) {
					continue
				}
				inX := (float64(x-box.Min.X) + 0.5) / float64(box.Dx())
				inY := (float64(y-box.Min.Y) + 0.5) / float64(box.Dy())
				if ink, ok := at(inX, inY); ok {
					picture.SetNRGBA(x, y, ink)
				}
			}
		}
	}
	return Scene{picture, s.Faces}
}

// covered is a rectangle of one colour, in shares of the face's box.
func covered(left, top, right, bottom float64, ink color.Color) func(Scene, *rand.Rand) Scene {
	plain := color.NRGBAModel.Convert(ink).(color.NRGBA)
	return func(s Scene, _ *rand.Rand) Scene {
		return painted(s, func(image.Rectangle) paint {
			return func(x, y float64) (color.NRGBA, bool) { return plain, x >= left && x < right && y >= top && y < bottom }
		})
	}
}

func inEllipse(x, y, centreX, centreY, radiusX, radiusY float64) bool {
	x, y = (x-centreX)/radiusX, (y-centreY)/radiusY
	return x*x+y*y < 1
}

func shade(ink color.NRGBA, by float64) color.NRGBA {
	return color.NRGBA{R: clamped(float64(ink.R) * by), G: clamped(float64(ink.G) * by), B: clamped(float64(ink.B) * by), A: 255}
}

// sunglasses are two dark glasses, a little lighter towards the top, with a bridge and sides.
func sunglasses(s Scene, _ *rand.Rand) Scene {
	return painted(s, func(image.Rectangle) paint {
		return func(x, y float64) (color.NRGBA, bool) {
			glass := inEllipse(x, y, 0.27, 0.29, 0.2, 0.15) || inEllipse(x, y, 0.73, 0.29, 0.2, 0.15)
			frame := math.Abs(y-0.23) < 0.02 && x > -0.02 && x < 1.02
			return shade(color.NRGBA{R: 40, G: 38, B: 42, A: 255}, 1.6-2*y), glass || frame
		}
	})
}

// glasses have thin dark rims and clear glass, and cover nothing that matters.
func glasses(s Scene, _ *rand.Rand) Scene {
	return painted(s, func(image.Rectangle) paint {
		return func(x, y float64) (color.NRGBA, bool) {
			rim := false
			for _, centre := range []float64{0.27, 0.73} {
				rim = rim || inEllipse(x, y, centre, 0.29, 0.2, 0.15) && !inEllipse(x, y, centre, 0.29, 0.18, 0.13)
			}
			bridge := math.Abs(y-0.25) < 0.01 && (x < 0.08 || x > 0.92 || math.Abs(x-0.5) < 0.04) && x > -0.02 && x < 1.02
			return color.NRGBA{R: 45, G: 40, B: 40, A: 255}, rim || bridge
		}
	})
}

// mask is a light blue surgical mask with three folds.
func mask(s Scene, _ *rand.Rand) Scene {
	return painted(s, func(image.Rectangle) paint {
		return func(x, y float64) (color.NRGBA, bool) {
			top := 0.5 + 0.35*(x-0.5)*(x-0.5)
			within := y > top && y < 1.12-0.5*(x-0.5)*(x-0.5) && x > -0.02 && x < 1.02
			light := 1 - 0.35*math.Abs(x-0.5)
			if math.Mod(y*7, 1) < 0.12 {
				light *= 0.88
			}
			return shade(color.NRGBA{R: 175, G: 205, B: 225, A: 255}, light), within
		}
	})
}

// hand is a blob in the colour of the face's cheek with four fingers, over mouth and nose.
func hand(s Scene, _ *rand.Rand) Scene {
	return painted(s, func(box image.Rectangle) paint {
		skin := cheek(s.Picture, box)
		return func(x, y float64) (color.NRGBA, bool) {
			within := inEllipse(x, y, 0.45, 0.85, 0.5, 0.36)
			light := 0.95 - 0.15*(y-0.85)
			if between := math.Mod((x+0.4*y)*7, 1); between < 0.15 && y < 0.95 {
				light *= 0.72
			}
			return shade(skin, light), within
		}
	})
}

// cheek is the mean colour of both.
func cheek(picture *image.NRGBA, box image.Rectangle) color.NRGBA {
	var sum [3]float64
	count := 0.0
	for _, centre := range []float64{0.25, 0.75} {
		for y := box.Min.Y + 50*box.Dy()/100; y < box.Min.Y+62*box.Dy()/100; y++ {
			for x := box.Min.X + int((centre-0.06)*float64(box.Dx())); x < box.Min.X+int((centre+0.06)*float64(box.Dx())); x++ {
				pixel := picture.NRGBAAt(x, y)
				sum[0], sum[1], sum[2] = sum[0]+float64(pixel.R), sum[1]+float64(pixel.G), sum[2]+float64(pixel.B)
				count++
			}
		}
	}
	count = max(count, 1)
	return color.NRGBA{R: clamped(sum[0] / count), G: clamped(sum[1] / count), B: clamped(sum[2] / count), A: 255}
}

// The head that turnedAway lays a photograph on, in widths of the face's box: an ellipsoid
// behind the box's middle, with a nose on it. It puts the base of the nose as far before the
// outer corners of the eyes as in a mean head, a third of what is between the corners.
const (
	headX, headY = 0.62, 0.85 // half of its width and height
	noseDepth    = 0.12
	noseX, noseY = 0.09, 0.22 // how wide and high the nose is, as standard deviations
	noseAt       = 0.1        // how far its middle is below the box's
)

// depth is how far a point of the head is before its axis, and false outside of the head.
func depth(x, y float64) (float64, bool) {
	rest := 1 - x*x/(headX*headX) - y*y/(headY*headY)
	if rest <= 0 {
		return 0, false
	}
	nose := noseDepth * math.Exp(-(x*x/(noseX*noseX)+(y-noseAt)*(y-noseAt)/(noseY*noseY))/2)
	return headX*math.Sqrt(rest) + nose, true
}

// turnedAway turns each head about its upright axis by some degrees, to the picture's right.
// The side of a head that a photograph does not show is what lies beside it there.
func turnedAway(degrees float64) func(Scene, *rand.Rand) Scene {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return func(s Scene, _ *rand.Rand) Scene {
		picture := imaging.Clone(s.Picture)
		for _, box := range s.Faces {
			turnHead(picture, s.Picture, box, sin, cos)
		}
		return Scene{picture, s.Faces}
	}
}

// turnHead draws row by row: steps finer than a pixel along the photograph's row, each put
// where the turn takes it, the nearest to the viewer on top.
func turnHead(into, from *image.NRGBA, box image.Rectangle, sin, cos float64) {
	const steps = 4 // a pixel
	width := float64(box.Dx())
	centre := image.Pt((box.Min.X+box.Max.X)/2, (box.Min.Y+box.Max.Y)/2)
	reach := int(headX * width)
	front := make([]float64, from.Rect.Dx())
	for row := centre.Y - int(headY*width); row < centre.Y+int(headY*width); row++ {
		if row < 0 || row >= from.Rect.Dy() {
			continue
		}
		for i := range front {
			front[i] = -1
		}
		for step := -reach * steps; step < reach*steps; step++ {
			x := float64(step) / steps / width
			z, ok := depth(x, float64(row-centre.Y)/width)
			source := centre.X + step/steps
			target := centre.X + int(math.Round((x*cos+z*sin)*width))
			nearness := z*cos - x*sin
			if !ok || source < 0 || source >= from.Rect.Dx() || target < 0 || target >= len(front) || nearness <= front[target] {
				continue
			}
			front[target] = nearness
			into.SetNRGBA(target, row, from.NRGBAAt(source, row))
		}
	}
}
