package onnxface

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/cmplx"
	"testing"

	"facesearch/pkg/photo"
)

func TestUmeyama(t *testing.T) {
	from := []point{complex(3, 4), complex(50, 2), complex(20, 41)}
	t.Run("OK exact", func(t *testing.T) {
		want := similarity{cmplx.Rect(0.37, 2.2), complex(-12, 30)}
		var to []point
		for _, p := range from {
			to = append(to, want.of(p))
		}
		got, ok := umeyama(from, to)
		if !ok || cmplx.Abs(got.by-want.by) > 1e-12 || cmplx.Abs(got.plus-want.plus) > 1e-10 {
			t.Errorf("%v, %v, want %v", got, ok, want)
		}
		for _, p := range to {
			if back := got.of(got.inverse().of(p)); cmplx.Abs(back-p) > 1e-9 {
				t.Errorf("%v there and back is %v", p, back)
			}
		}
	})
	t.Run("OK nearest", func(t *testing.T) {
		to := []point{complex(1, 1), complex(30, -3), complex(9, 25)}
		cost := func(s similarity) (sum float64) {
			for i := range from {
				sum += math.Pow(cmplx.Abs(s.of(from[i])-to[i]), 2)
			}
			return sum
		}
		got, _ := umeyama(from, to)
		for _, step := range []point{0.001, -0.001, 0.001i, -0.001i} {
			if cost(similarity{got.by + step, got.plus}) < cost(got) || cost(similarity{got.by, got.plus + step}) < cost(got) {
				t.Errorf("moved by %v it is nearer", step)
			}
		}
	})
	t.Run("ErrOnePoint", func(t *testing.T) {
		if s, ok := umeyama([]point{2, 2, 2}, from); ok {
			t.Errorf("%v", s)
		}
	})
}

// marks are what the landmarks of the test's face are painted with.
var marks = []color.RGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}}

// painted is a picture with a blot at each place.
func painted(t *testing.T, places []point, width, height int, blot float64) *photo.Photo {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			picture.SetRGBA(x, y, color.RGBA{60, 60, 60, 255})
			for i, at := range places {
				if cmplx.Abs(at-complex(float64(x), float64(y))) <= blot {
					picture.SetRGBA(x, y, marks[i])
				}
			}
		}
	}
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, picture); err != nil {
		t.Fatal(err)
	}
	decoded, err := photo.Decode(buffer.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// middleOf is where a mark lies in a chip: the mean place of how much of it each pixel has.
func middleOf(chip *image.RGBA, mark color.RGBA) point {
	var sum point
	var weight float64
	for y := range chip.Rect.Dy() {
		for x := range chip.Rect.Dx() {
			c := chip.RGBAAt(x, y)
			most := max(int(c.R)*int(mark.R/255), int(c.G)*int(mark.G/255), int(c.B)*int(mark.B/255))
			least := min(int(c.R), int(c.G), int(c.B))
			if w := float64(most - least); w > 60 {
				sum += complex(w*float64(x), w*float64(y))
				weight += w
			}
		}
	}
	return sum / complex(weight, 0)
}

// TestChip: wherever a face is in the picture, however large and however tilted, its landmarks
// come to lie where the description has them.
func TestChip(t *testing.T) {
	family := Family()
	wanted, _ := family.Points.used([5]point{})
	for name, place := range map[string]similarity{
		"small and upright": {complex(0.7, 0), complex(60, 50)},
		"large":             {complex(4.5, 0), complex(40, 30)},
		"tilted":            {cmplx.Rect(1.6, 0.5), complex(160, 60)},
		"at the border":     {cmplx.Rect(1.2, -0.2), complex(-15, 5)},
	} {
		t.Run(name, func(t *testing.T) {
			var places []point
			for _, p := range wanted {
				places = append(places, place.of(p))
			}
			picture := painted(t, places, 640, 560, 5*cmplx.Abs(place.by))
			left, right, nose := places[0], places[1], places[2]
			chip, ok := family.chip(picture, 0, [5]point{right + 9, right - 9, left - 8, left + 8, nose})
			if !ok {
				t.Fatal("no chip")
			}
			for i, want := range wanted {
				if got := middleOf(chip, marks[i]); !(cmplx.Abs(got-want) < 0.35) {
					t.Errorf("landmark %d lies at %.2f, want %.2f", i, got, want)
				}
			}
		})
	}
	t.Run("ErrOnePoint", func(t *testing.T) {
		if _, ok := family.chip(painted(t, nil, 64, 64, 0), 0, [5]point{5, 5, 5, 5, 5}); ok {
			t.Error("a chip of landmarks that are all one")
		}
	})
}
