package attributes_test

import (
	"image"
	"image/color"
	"math"
	"testing"

	"facesearch/pkg/attributes"
	"facesearch/pkg/dlib"
	"facesearch/pkg/face"
)

// chip is a quality chip with a grey level for each place.
func chip(level func(x, y int) uint8) *image.RGBA {
	result := image.NewRGBA(image.Rect(0, 0, attributes.QualitySide, attributes.QualitySide))
	for y := range attributes.QualitySide {
		for x := range attributes.QualitySide {
			v := level(x, y)
			result.SetRGBA(x, y, color.RGBA{R: v, G: v, B: v, A: 255})
		}
	}
	return result
}

// frontal are the landmarks of a head that looks straight ahead.
var frontal = [5]image.Point{{X: 145, Y: 85}, {X: 120, Y: 85}, {X: 65, Y: 85}, {X: 90, Y: 85}, {X: 105, Y: 125}}

func requireReasons(t *testing.T, flaws []face.Flaw, want ...face.Reason) {
	t.Helper()
	same := len(flaws) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = flaws[i].Reason == want[i]
	}
	if !same {
		t.Errorf("%+v, want %v", flaws, want)
	}
}

// A retouch changes the grey level of a place of a chip.
type retouch func(x, y int, level float64) float64

// retouched is the chip of a good photograph, grey, with each place changed.
func retouched(t *testing.T, change retouch) *image.RGBA {
	t.Helper()
	embedding := ages(t)[1].embedding(t) // obama.jpg
	made, err := dlib.Chip(embedding.Crop, embedding.Landmarks, attributes.QualitySide, attributes.QualityPadding)
	if err != nil {
		t.Fatal(err)
	}
	return chip(func(x, y int) uint8 {
		grey := color.GrayModel.Convert(made.At(x, y)).(color.Gray)
		return uint8(min(max(change(x, y, float64(grey.Y)), 0), 255))
	})
}

func asItIs(_, _ int, level float64) float64 { return level }

// over covers the places that inside names with one level.
func over(level float64, inside func(x, y int) bool) retouch {
	return func(x, y int, was float64) float64 {
		if inside(x, y) {
			return level
		}
		return was
	}
}

func TestFlaws(t *testing.T) {
	turnedBy := func(aside int) [5]image.Point { // of 80 px between the outer corners
		landmarks := frontal
		landmarks[4].X += aside
		return landmarks
	}
	tests := []struct {
		name         string
		change       retouch
		landmarks    [5]image.Point
		width, score float64
		want         []face.Reason
	}{
		{"OK", asItIs, frontal, 100, 2, nil},
		{"OKAtTheLimits", asItIs, turnedBy(8), attributes.WidthMin, attributes.ScoreMin, nil},
		{"TooSmall", asItIs, frontal, 47.9, 2, []face.Reason{face.TooSmall}},
		{"HardToDetect", asItIs, frontal, 100, 0.39, []face.Reason{face.HardToDetect}},
		{"TurnedAway", asItIs, turnedBy(9), 100, 2, []face.Reason{face.TurnedAway}},
		{"TurnedAwayToTheOtherSide", asItIs, turnedBy(-9), 100, 2, []face.Reason{face.TurnedAway}},
		{"TooDark", func(_, _ int, v float64) float64 { return 0.35 * (v - 85) }, frontal, 100, 2, []face.Reason{face.TooDark}},
		{"TooBright", func(_, _ int, v float64) float64 { return 185 + 0.4*v }, frontal, 100, 2, []face.Reason{face.TooBright}},
		{"LowContrast", func(x, y int, v float64) float64 { return 120 + 10*float64((x+y)%2) }, frontal, 100, 2, []face.Reason{face.LowContrast}},
		{"Blurred", func(x, y int, v float64) float64 { return 60 + float64(x+y)/2 }, frontal, 100, 2, []face.Reason{face.Blurred}},
		{"EyesCovered", over(20, func(_, y int) bool { return y > 30 && y < 66 }), frontal, 100, 2, []face.Reason{face.PartlyCovered}},
		{"MouthCovered", over(120, func(_, y int) bool { return y > 82 }), frontal, 100, 2, []face.Reason{face.PartlyCovered}},
		{"LeftHalfCovered", over(90, func(x, _ int) bool { return x < 75 }), frontal, 100, 2, []face.Reason{face.PartlyCovered}},
		{"RightHalfCovered", over(90, func(x, _ int) bool { return x > 75 }), turnedBy(9), 100, 2, []face.Reason{face.TurnedAway, face.PartlyCovered}},
		{"MouthNotJudgedWhenTurned", over(120, func(_, y int) bool { return y > 82 }), turnedBy(9), 100, 2, []face.Reason{face.TurnedAway}},
		{"EyesNotJudgedInTheDark", func(_, y int, v float64) float64 {
			if y > 30 && y < 66 {
				return 10
			}
			return 0.35 * (v - 85)
		}, frontal, 100, 2, []face.Reason{face.TooDark}},
		{"Black", func(_, _ int, _ float64) float64 { return 0 }, frontal, 10, -1,
			[]face.Reason{face.TooSmall, face.Blurred, face.TooDark, face.LowContrast, face.HardToDetect}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			requireReasons(t, attributes.Flaws(retouched(t, test.change), test.landmarks, test.width, test.score), test.want...)
		})
	}
}

// TestFlawsNameTheirLimit: a flaw has the limit that its value crossed.
func TestFlawsNameTheirLimit(t *testing.T) {
	eyes := attributes.Flaws(retouched(t, over(20, func(_, y int) bool { return y > 30 && y < 66 })), frontal, 100, 2)
	half := attributes.Flaws(retouched(t, over(90, func(x, _ int) bool { return x < 75 })), frontal, 100, 2)
	mouth := attributes.Flaws(retouched(t, over(120, func(_, y int) bool { return y > 82 })), frontal, 100, 2)
	for limit, flaws := range map[float64][]face.Flaw{attributes.EyesMin: eyes, attributes.BalanceMin: half, attributes.MouthMin: mouth} {
		if len(flaws) != 1 || flaws[0].Limit != limit || !(flaws[0].Value < limit) {
			t.Errorf("%+v, want one below %v", flaws, limit)
		}
	}
}

// TestFlawsOfAMirrorImage: a mirror image has the same flaws, to the last digit but rounding.
func TestFlawsOfAMirrorImage(t *testing.T) {
	bar := retouched(t, over(20, func(_, y int) bool { return y > 30 && y < 66 }))
	mirrored := chip(func(x, y int) uint8 { return bar.RGBAAt(attributes.QualitySide-1-x, y).R })
	one, other := attributes.Flaws(bar, frontal, 100, 2), attributes.Flaws(mirrored, frontal, 100, 2)
	if len(one) != 1 || len(other) != 1 || math.Abs(one[0].Value-other[0].Value) > 1e-9 {
		t.Errorf("%+v and %+v", one, other)
	}
}

func TestTurn(t *testing.T) {
	nose := func(x, y int) [5]image.Point {
		landmarks := frontal
		landmarks[4] = image.Pt(x, y)
		return landmarks
	}
	leaning := func(landmarks [5]image.Point) [5]image.Point { // by 36.9 degrees, and five times as large
		for i, p := range landmarks {
			landmarks[i] = image.Pt(4*p.X-3*p.Y, 3*p.X+4*p.Y)
		}
		return landmarks
	}
	rows := []struct {
		name      string
		landmarks [5]image.Point
		want      float64
	}{
		{"frontal", nose(105, 125), 0}, {"raised", nose(105, 100), 0}, {"to the right", nose(121, 125), 0.2},
		{"to the left", nose(89, 125), 0.2}, {"leaning", leaning(nose(121, 125)), 0.2}, {"leaning, frontal", leaning(nose(105, 125)), 0},
		{"no landmarks", [5]image.Point{}, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := attributes.Turn(row.landmarks); math.Abs(got-row.want) > 1e-12 {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}
