package index_test

import (
	"math"
	"math/rand/v2"
)

const dimFace = 128

// faces imitates dlib's templates: norm 1.4, pictures of one person about 0.39 apart, strangers 0.86, and variance spread
// over the axes as if there were 57 of them.
type faces struct {
	rng  *rand.Rand
	mean []float64
	// standard deviation by axis, of people and of the pictures of one person
	between, within []float64
}

func newFaces(seed uint64) *faces {
	const (
		normSquared      = 1.4 * 1.4
		strangersSquared = 0.86*0.86 + 0.015 // 0.015: the variance of that distance
		picturesSquared  = 0.39*0.39 + 0.001
		decay            = 29.0 // axes; gives a participation ratio of 57
	)
	f := &faces{
		rng:     rand.New(rand.NewPCG(seed, 1)),
		mean:    make([]float64, dimFace),
		between: make([]float64, dimFace),
		within:  make([]float64, dimFace),
	}
	sum := 0.0
	for i := range dimFace {
		sum += math.Exp(-float64(i) / decay)
	}
	for i := range dimFace {
		share := math.Exp(-float64(i)/decay) / sum
		f.between[i] = math.Sqrt(share * (strangersSquared - picturesSquared) / 2)
		f.within[i] = math.Sqrt(share * picturesSquared / 2)
		f.mean[i] = math.Sqrt((normSquared - strangersSquared/2) / dimFace)
	}
	return f
}

func (f *faces) person() []float64 {
	centre := make([]float64, dimFace)
	for i := range centre {
		centre[i] = f.mean[i] + f.between[i]*f.rng.NormFloat64()
	}
	return centre
}

func (f *faces) picture(person []float64) []float32 {
	vector := make([]float32, dimFace)
	for i := range vector {
		vector[i] = float32(person[i] + f.within[i]*f.rng.NormFloat64())
	}
	return vector
}

// gallery is n people with one vector each under the keys 0 to n-1, and for the first probes of them another picture.
func (f *faces) gallery(n, probes int) (keys []uint64, vectors, mates [][]float32) {
	for i := range n {
		person := f.person()
		keys = append(keys, uint64(i))
		vectors = append(vectors, f.picture(person))
		if i < probes {
			mates = append(mates, f.picture(person))
		}
	}
	return keys, vectors, mates
}
