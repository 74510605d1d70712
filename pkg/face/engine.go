package face

import "image"

// A Detection is a face found in a picture, before anything more is known of it.
type Detection struct {
	// Box is in decoded pixels of the picture turned by the angle found, half open. It may
	// reach outside of the picture.
	Box   image.Rectangle
	Score float64
}

// Found is where the faces of a picture are.
type Found struct {
	// Angle is the clockwise turn, 0, 90, 180 or 270 degrees, at which the faces are upright.
	Angle int
	// Faces are largest first.
	Faces []Detection
}

// An Embedding is what the embedding model made of one face.
type Embedding struct {
	Template Template
	// Crop is the upright piece of the picture that the model saw, Region the place of that piece
	// in the picture turned by the angle found, in decoded pixels, and Box the face's place in it,
	// half open. Landmarks are five points in it, in dlib's order: the outer and the
	// inner corner of the eye on the right of the picture, the same of the eye on its left,
	// and the base of the nose.
	Crop      *image.RGBA
	Region    image.Rectangle
	Box       image.Rectangle
	Landmarks [5]image.Point
}

// Attributes is what a face shows.
type Attributes struct {
	Age    float64 // years
	Gender Gender
	// Flaws are what makes the face hard to compare; nil when nothing does.
	Flaws []Flaw
}
