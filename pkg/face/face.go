// Package face holds the words of the domain: what a template, a face, a session, a
// candidate and a gallery are. It imports nothing but the standard library, and every
// other package speaks in its terms.
//
// The words are those of ISO/IEC 19795 and NIST's face recognition evaluations: a probe is
// the picture that is searched, the gallery is who it is compared with, to enrol is to add
// to the gallery, a mate is another picture of the same person.
package face

import (
	"fmt"
	"image"
	"math"
)

// A Template is what a face looks like to an embedding model: as many numbers as the model's
// Dim, such that templates of one person lie near each other in Euclidean distance. Templates
// of two models have nothing to do with each other. It must not be changed once it was handed on.
type Template []float32

// Validate refuses a template that has no values, or more than TemplateDimMax, or one that is
// not finite. Such a template has no distance to anything, so it can be neither enrolled nor
// searched.
func (t Template) Validate() error {
	if len(t) == 0 || len(t) > TemplateDimMax {
		return fmt.Errorf("a template has %d values, to be from 1 to %d", len(t), TemplateDimMax)
	}
	for i, v := range t {
		if v-v != 0 { // NaN for a NaN and for both infinities
			return fmt.Errorf("template value %d is %v, not a finite number", i, v)
		}
	}
	return nil
}

// Distance is the Euclidean distance between two templates of one model, summed in float64. It
// panics when their lengths differ: they are of two models, and any number would be a lie.
func (t Template) Distance(other Template) float64 {
	if len(t) != len(other) {
		panic(fmt.Sprintf("face: the distance of a template of %d values from one of %d", len(t), len(other)))
	}
	var sum float64
	for i, v := range t {
		d := float64(v) - float64(other[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

// Gender is what the attribute model says of a face: "female", "male", or "" when unknown.
type Gender string

// The genders that the attribute model knows.
const (
	Female Gender = "female"
	Male   Gender = "male"
)

// A Face is one face found in a picture.
type Face struct {
	// Box is the face's place in whole pixels of the upright picture, inside its bounds;
	// Min is the first pixel, Max the last one.
	Box image.Rectangle
	// Score is the detector's own, unbounded: 0 is its threshold, 2 a usual frontal face.
	Score float64
	// Confidence is the score as a number from 0 to 1.
	Confidence float64
	// Age in years; nil when it was not estimated.
	Age *float64
	// Gender is empty when it was not estimated.
	Gender Gender
}
