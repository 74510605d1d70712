package dlib

// #cgo CXXFLAGS: -std=c++17 -O3 -DNDEBUG -march=native
// #cgo LDFLAGS: -ldlib -lblas -lcblas -llapack
// #include "detector.h"
// void openblas_set_num_threads(int);
import "C"

import (
	"errors"
	"image"
)

// errMemory is returned when the C++ side could not allocate.
var errMemory = errors.New("dlib ran out of memory")

// A hit is one answer of the detector at one level of the ladder.
type hit struct {
	box   image.Rectangle // half open, in pixels of the scanned level
	score float64
}

// hitsMax bounds the faces found in one level: more than fit into one picture of this size.
const hitsMax = 256

// A detector is dlib's frontal face detector: five linear filters over histograms of
// oriented gradients. One goroutine may use it at a time.
type detector struct{ c *C.facesearch_detector }

func newDetector() (*detector, error) {
	c := C.facesearch_detector_new()
	if c == nil {
		return nil, errMemory
	}
	return &detector{c}, nil
}

func (d *detector) close() { C.facesearch_detector_free(d.c) }

// detect scans a grey picture at its own size: only faces of about windowSide pixels answer.
// Hits come best first; overlapping ones are dropped already.
func (d *detector) detect(grey *image.Gray, threshold float64) ([]hit, error) {
	size := grey.Bounds().Size()
	if size.X < windowSide || size.Y < windowSide {
		return nil, nil
	}
	var found [hitsMax]C.facesearch_hit
	count := int(C.facesearch_detect(d.c, (*C.uint8_t)(&grey.Pix[0]), C.int(size.X), C.int(size.Y),
		C.int(grey.Stride), C.double(threshold), &found[0], hitsMax))
	if count < 0 {
		return nil, errMemory
	}
	hits := make([]hit, count)
	for i, each := range found[:count] {
		hits[i] = hit{
			box:   image.Rect(int(each.left), int(each.top), int(each.right)+1, int(each.bottom)+1),
			score: float64(each.score),
		}
	}
	return hits, nil
}

// sameFace is dlib's own rule for when two boxes are one face.
func sameFace(a, b image.Rectangle) bool {
	inner := area(a.Intersect(b))
	return share(a, b) > overlapMax || inner > coveredMax*area(a) || inner > coveredMax*area(b)
}

// share is the intersection of two boxes over their union.
func share(a, b image.Rectangle) float64 {
	inner := area(a.Intersect(b))
	if inner == 0 {
		return 0
	}
	return inner / (area(a) + area(b) - inner)
}

func area(r image.Rectangle) float64 { return float64(r.Dx()) * float64(r.Dy()) }

// oneBLASThread keeps OpenBLAS, which go-face's networks run on, from starting threads of its
// own: the workers are the parallelism, and a second thread costs twice the processor time
// for a tenth of the latency.
func oneBLASThread() { C.openblas_set_num_threads(1) }
