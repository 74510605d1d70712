package onnxface

import (
	"image"
	"math"
	"math/cmplx"

	"facesearch/pkg/photo"
)

// A point of the plane as a complex number: a similarity transform is then a multiplication
// and an addition.
type point = complex128

// used lists the points that are named, and those of dlib's landmarks that belong to them.
func (p Points) used(landmarks [5]point) (chip, picture []point) {
	add := func(place *[2]float64, landmark point) {
		if place != nil {
			chip, picture = append(chip, complex(place[0], place[1])), append(picture, landmark)
		}
	}
	// dlib's first eye is the one on the right of the picture.
	add(p.LeftEye, (landmarks[2]+landmarks[3])/2)
	add(p.RightEye, (landmarks[0]+landmarks[1])/2)
	add(p.NoseBase, landmarks[4])
	return chip, picture
}

func degenerate(points []point) bool {
	_, spread := centred(points)
	return !(spread > 0)
}

// centred returns the middle of points and the sum of their squared distances from it.
func centred(points []point) (middle point, spread float64) {
	for _, p := range points {
		middle += p / complex(float64(len(points)), 0)
	}
	for _, p := range points {
		spread += real((p - middle) * cmplx.Conj(p-middle))
	}
	return middle, spread
}

// A similarity turns, scales and moves points: p becomes by·p + plus.
type similarity struct{ by, plus point }

func (s similarity) of(p point) point { return s.by*p + s.plus }

// umeyama is the similarity that brings points as near as it can, in the sum of squares, to where
// they should be: Umeyama's, of 1991, which in the plane and without mirroring is a regression
// line of complex numbers. It reports false where the points are all one.
func umeyama(from, to []point) (similarity, bool) {
	fromMiddle, spread := centred(from)
	toMiddle, _ := centred(to)
	if !(spread > 0) {
		return similarity{}, false
	}
	var product point
	for i := range from {
		product += cmplx.Conj(from[i]-fromMiddle) * (to[i] - toMiddle)
	}
	by := product / complex(spread, 0)
	return similarity{by, toMiddle - by*fromMiddle}, by != 0
}

func (s similarity) inverse() similarity { return similarity{1 / s.by, -s.plus / s.by} }

const (
	// finer is how many pixels of the cut-out lie along a pixel of the chip, which takes the mean
	// of finer² places, so that a large face is averaged and not picked at.
	finer = 2
	// pieceSideMax bounds the cut-out's memory: a chip of sideMax on its corner needs less.
	pieceSideMax = 2*finer*sideMax + 4
)

// chip cuts the face out so that its landmarks lie where the description has them. landmarks are
// in decoded pixels of the picture turned by the angle, the middle of the first pixel being 0, 0.
// It reports false where they cannot be a face's.
func (d Description) chip(p *photo.Photo, angle int, landmarks [5]point) (*image.RGBA, bool) {
	wanted, seen := d.Points.used(landmarks)
	into, ok := umeyama(seen, wanted)
	if !ok {
		return nil, false
	}
	back := into.inverse()
	width, height := d.InputSize[0], d.InputSize[1]
	region := boundsOf(back, width, height)
	perPixel := finer / cmplx.Abs(back.by) // pixels of the piece along one of the picture
	pieceWidth, pieceHeight := math.Ceil(perPixel*float64(region.Dx())), math.Ceil(perPixel*float64(region.Dy()))
	if !(pieceWidth >= 1 && pieceHeight >= 1 && pieceWidth <= pieceSideMax && pieceHeight <= pieceSideMax) {
		return nil, false
	}
	piece := p.CropTurned(region, int(pieceWidth), int(pieceHeight), angle)
	across, down := pieceWidth/float64(region.Dx()), pieceHeight/float64(region.Dy())
	chip := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			var sum [3]float64
			for part := range finer * finer {
				// The middles of the pixel's parts.
				at := back.of(complex(float64(x)+(float64(part%finer)+0.5)/finer-0.5, float64(y)+(float64(part/finer)+0.5)/finer-0.5))
				addSample(&sum, piece, (real(at)+0.5-float64(region.Min.X))*across-0.5, (imag(at)+0.5-float64(region.Min.Y))*down-0.5)
			}
			to := chip.Pix[chip.PixOffset(x, y):]
			for colour := range sum {
				to[colour] = byte(math.Round(sum[colour] / (finer * finer)))
			}
			to[3] = 255
		}
	}
	return chip, true
}

// boundsOf is the part of the picture that a chip shows, with a pixel of room.
func boundsOf(back similarity, width, height int) image.Rectangle {
	low, high := back.of(0), back.of(0)
	for _, corner := range []point{0, complex(float64(width), 0), complex(0, float64(height)), complex(float64(width), float64(height))} {
		at := back.of(corner - complex(0.5, 0.5))
		low = complex(min(real(low), real(at)), min(imag(low), imag(at)))
		high = complex(max(real(high), real(at)), max(imag(high), imag(at)))
	}
	return image.Rect(int(math.Floor(real(low)))-1, int(math.Floor(imag(low)))-1, int(math.Ceil(real(high)))+2, int(math.Ceil(imag(high)))+2)
}

// addSample adds what lies at a place between pixels; black outside of the piece.
func addSample(sum *[3]float64, piece *image.RGBA, x, y float64) {
	left, top := math.Floor(x), math.Floor(y)
	for part := range 4 {
		dx, dy := float64(part%2), float64(part/2)
		px, py := int(left+dx), int(top+dy)
		if px < 0 || py < 0 || px >= piece.Rect.Dx() || py >= piece.Rect.Dy() {
			continue
		}
		weight := math.Abs(1-dx-(x-left)) * math.Abs(1-dy-(y-top))
		from := piece.Pix[py*piece.Stride+4*px:]
		for colour := range sum {
			sum[colour] += weight * float64(from[colour])
		}
	}
}
