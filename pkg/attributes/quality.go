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

// The limits of quality. They flag none of the studio photographs they were measured on, and
// 80 % of those degraded so far that their template moved by more than 0.1.
const (
	WidthMin     = 40.0  // of the face, in pixels of the original
	SharpnessMin = 12.0  // variance of the Laplacian
	BrightMin    = 25.0  // mean grey level of the centre
	BrightMax    = 225.0 // the same
	ContrastMin  = 8.0   // standard deviation of the grey levels of the centre
	ScoreMin     = 0.4   // of the detector
)

// centreSide is the side of the square in the middle of the chip where light is measured:
// the face without hair and background.
const centreSide = 100

// Flaws names what makes a face hard to compare: its width in pixels of the original, the
// detector's score, and what its aligned chip of QualitySide pixels shows. None is nil.
func Flaws(chip *image.RGBA, width, score float64) []face.Flaw {
	grey := luma(chip)
	side := chip.Bounds().Dx()
	sharpness := laplacianVariance(grey, side)
	brightness, contrast := centreLight(grey, side)
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
	flag(score < ScoreMin, face.HardToDetect, score, ScoreMin)
	return flaws
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
