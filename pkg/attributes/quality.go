package attributes

import (
	"image"
	"math"

	"facesearch/pkg/face"
)

// QualitySide is the side, in pixels, of the chip that quality is measured on.
const QualitySide = 150

// QualityPadding is the padding of that chip.
const QualityPadding = 0.25

// The limits of quality. README.md has the shares of good and of degraded photographs that
// they flag.
const (
	// WidthMin is of the face, in pixels of the original. Boxes of faces of 30 px are 40 to 44
	// px wide, as that is the least that the detector draws.
	WidthMin     = 48.0
	SharpnessMin = 12.0  // variance of the Laplacian
	BrightMin    = 25.0  // mean grey level of the centre
	BrightMax    = 225.0 // the same
	ContrastMin  = 8.0   // standard deviation of the grey levels of the centre
	ScoreMin     = 0.4   // of the detector
	// TurnMax is of Turn; a face turned by 30 degrees has 0.15. The largest of 51 photographs
	// of faces turned by less than 15 degrees was 0.095.
	TurnMax = 0.11
	// EyesMin and MouthMin are correlations of the detail around the eyes and the mouth with a
	// mean face's. The least of the photographs were 0.28 and 0.16, of faces with glasses drawn
	// on them -0.04; of eyes that were covered the most was -0.22, of mouths 0.25.
	EyesMin  = -0.15
	MouthMin = 0.1
	// BalanceMin is of the detail in one half of the face by that in the other one; the least
	// of the photographs was 0.64, and 0.61 of faces turned away.
	BalanceMin = 0.45
)

// centreSide is the side of the square in the middle of the chip where light is measured:
// the face without hair and background.
const centreSide = 100

// Flaws names what makes a face hard to compare: its width in pixels of the original, the
// detector's score, its landmarks in any upright picture, in dlib's order, and what its
// aligned chip of QualitySide pixels shows. None is nil.
func Flaws(chip *image.RGBA, landmarks [5]image.Point, width, score float64) []face.Flaw {
	grey := luma(chip)
	sharpness := laplacianVariance(grey, QualitySide)
	brightness, contrast := centreLight(grey, QualitySide)
	turn := Turn(landmarks)
	var flaws []face.Flaw
	flag := func(bad bool, reason face.Reason, value, limit float64) {
		if bad {
			flaws = append(flaws, face.Flaw{Reason: reason, Value: value, Limit: limit})
		}
	}
	flag(width < WidthMin, face.TooSmall, width, WidthMin)
	flag(sharpness < SharpnessMin, face.Blurred, sharpness, SharpnessMin)
	flag(brightness < BrightMin, face.TooDark, brightness, BrightMin)
	flag(brightness > BrightMax, face.TooBright, brightness, BrightMax)
	flag(contrast < ContrastMin, face.LowContrast, contrast, ContrastMin)
	flag(turn > TurnMax, face.TurnedAway, turn, TurnMax)
	lit := sharpness >= SharpnessMin && brightness >= BrightMin && brightness <= BrightMax && contrast >= ContrastMin
	if covered := covered(grey, lit, lit && turn <= TurnMax); covered != nil {
		flaws = append(flaws, *covered)
	}
	flag(score < ScoreMin, face.HardToDetect, score, ScoreMin)
	return flaws
}

// covered is nil unless half of the face, the eyes or the mouth lack the detail that a face has
// there. eyes and mouth say whether these can be judged: a picture without fine detail or light
// has none anywhere, and a mouth that is turned away is elsewhere.
func covered(grey []float64, eyes, mouth bool) *face.Flaw {
	blocks := details(grey)
	flaw := func(value, limit float64) *face.Flaw {
		return &face.Flaw{Reason: face.PartlyCovered, Value: value, Limit: limit}
	}
	if value := balance(blocks); value < BalanceMin {
		return flaw(value, BalanceMin)
	}
	if value := eyesDetail.likeness(blocks); eyes && value < EyesMin {
		return flaw(value, EyesMin)
	}
	if value := mouthDetail.likeness(blocks); mouth && value < MouthMin {
		return flaw(value, MouthMin)
	}
	return nil
}

// Turn says how far a head is turned to a side, from 0 for a frontal one: with m the mean of
// the four corners of the eyes, n the base of the nose and e the vector from one outer corner
// to the other,
//
//	|(n - m)·e| / |e|²
//
// As the base of the nose is before the eyes, it moves aside when the head turns; by the angle
// a it becomes about 0.29·tan(a). A head that leans to a side keeps it as it is, and so does one
// that is raised or lowered, which landmarks in a plane do not tell.
func Turn(landmarks [5]image.Point) float64 {
	axis := landmarks[2].Sub(landmarks[0])
	length := float64(axis.X*axis.X + axis.Y*axis.Y)
	if length == 0 {
		return 0
	}
	var sum image.Point
	for _, corner := range landmarks[:4] {
		sum = sum.Add(corner)
	}
	aside := landmarks[4].Mul(4).Sub(sum) // times 4, to stay with whole numbers
	return math.Abs(float64(aside.X*axis.X+aside.Y*axis.Y)) / 4 / length
}

// luma is Rec. 601: 0.299 red, 0.587 green, 0.114 blue.
func luma(chip *image.RGBA) []float64 {
	size := chip.Bounds().Size()
	grey := make([]float64, 0, size.X*size.Y)
	for y := range size.Y {
		row := chip.Pix[y*chip.Stride:]
		for x := range size.X {
			grey = append(grey, 0.299*float64(row[4*x])+0.587*float64(row[4*x+1])+0.114*float64(row[4*x+2]))
		}
	}
	return grey
}

// laplacianVariance is the variance of the four-neighbour Laplacian, a usual measure of
// sharpness: a blurred picture has no fine detail for it to answer to.
func laplacianVariance(grey []float64, side int) float64 {
	var sum, squares, count float64
	for y := 1; y < side-1; y++ {
		for x := 1; x < side-1; x++ {
			at := y*side + x
			value := grey[at-1] + grey[at+1] + grey[at-side] + grey[at+side] - 4*grey[at]
			sum += value
			squares += value * value
			count++
		}
	}
	return squares/count - sum/count*sum/count
}

// centreLight is the mean and the standard deviation of the grey levels in the centre.
func centreLight(grey []float64, side int) (mean, deviation float64) {
	margin := (side - centreSide) / 2
	var sum, squares, count float64
	for y := margin; y < side-margin; y++ {
		for x := margin; x < side-margin; x++ {
			value := grey[y*side+x]
			sum += value
			squares += value * value
			count++
		}
	}
	mean = sum / count
	return mean, math.Sqrt(math.Max(0, squares/count-mean*mean))
}
