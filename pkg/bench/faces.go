package bench

import (
	"math"
	"math/rand/v2"
)

// The geometry of templates of dlib_face_recognition_resnet_model_v1, as measured on photographs: the norm of a template,
// and the distances between two strangers and between two pictures of one person.
const (
	facesNorm      = 1.4
	facesStrangers = 0.86
	facesMates     = 0.39
	// What the squares of the two distances have beyond the squares of their means.
	facesStrangersVariance = 0.015
	facesMatesVariance     = 0.001
	// facesDecay is the share of the axes after which the variance has fallen to 1/e. It gives 128 dimensions a
	// participation ratio of 57.
	facesDecay = 29.0 / 128
)

// Faces makes up templates with dlib's geometry. Each number of dimensions has the same distances.
type Faces struct {
	random          *rand.Rand
	mean            float64   // of every component
	between, within []float64 // standard deviations by axis: of people, of the pictures of one person
}

// NewFaces makes a generator; the same seed gives the same templates everywhere.
func NewFaces(seed uint64, dim int) *Faces {
	const strangersSquared = facesStrangers*facesStrangers + facesStrangersVariance
	const matesSquared = facesMates*facesMates + facesMatesVariance
	f := &Faces{
		random: rand.New(rand.NewPCG(seed, uint64(dim))),
		mean:   math.Sqrt((facesNorm*facesNorm - strangersSquared/2) / float64(dim)),
	}
	sum := 0.0
	share := func(axis int) float64 { return math.Exp(-float64(axis) / (facesDecay * float64(dim))) }
	for axis := range dim {
		sum += share(axis)
	}
	for axis := range dim {
		// A distance between two has twice the variance of one.
		half := share(axis) / sum / 2
		f.between = append(f.between, math.Sqrt(half*(strangersSquared-matesSquared)))
		f.within = append(f.within, math.Sqrt(half*matesSquared))
	}
	return f
}

// Person is the middle of one person's templates.
func (f *Faces) Person() []float64 {
	centre := make([]float64, len(f.between))
	for i, deviation := range f.between {
		centre[i] = f.mean + deviation*f.random.NormFloat64()
	}
	return centre
}

// Template is that of one picture of a person.
func (f *Faces) Template(person []float64) []float32 {
	vector := make([]float32, len(person))
	for i, deviation := range f.within {
		vector[i] = float32(person[i] + deviation*f.random.NormFloat64())
	}
	return vector
}
