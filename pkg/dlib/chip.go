package dlib

// #include "chip.h"
import "C"

import (
	"fmt"
	"image"
)

// Chip cuts a square out of an opaque picture so that the five landmarks come to lie where
// they lie in dlib's mean face, with padding, as a share of the face, around it: what
// get_face_chip_details and extract_image_chip of dlib make, bit for bit. Outside of the
// picture it is black. It needs no model and may be called by any number of goroutines.
func Chip(picture *image.RGBA, landmarks [5]image.Point, side int, padding float64) (*image.RGBA, error) {
	size := picture.Bounds().Size()
	if size.X < 1 || size.Y < 1 || side < 1 {
		return nil, fmt.Errorf("a chip of %d px from a picture of %d x %d px", side, size.X, size.Y)
	}
	var points [10]C.int32_t
	for i, point := range landmarks {
		points[2*i], points[2*i+1] = C.int32_t(point.X), C.int32_t(point.Y)
	}
	chip := image.NewRGBA(image.Rect(0, 0, side, side))
	status := C.facesearch_chip((*C.uint8_t)(&picture.Pix[0]), C.int(size.X), C.int(size.Y), C.int(picture.Stride),
		&points[0], C.int(side), C.double(padding), (*C.uint8_t)(&chip.Pix[0]))
	if status != 0 {
		return nil, errMemory
	}
	return chip, nil
}
