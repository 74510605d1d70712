package accuracy

import (
	"context"
	"math"
	"math/rand/v2"

	"facesearch/index"
	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// A Size is what searches of people who are not enrolled found in a gallery of that size: half
// of the real people, as far as there is room, and synthetic strangers. The searches are of the
// other half.
type Size struct {
	People    int     `json:"people"`
	Real      int     `json:"real_people"`
	Searches  int     `json:"searches"`
	Threshold float64 `json:"threshold"` // automatic
	// Strangers per search at the threshold, and the share of searches that found any.
	Strangers float64 `json:"strangers_per_search"`
	FPIR      *Rate   `json:"fpir"`
	// The same by expected_false_matches; Calibrated where the gallery is too small for it.
	StrangersExpected float64 `json:"strangers_per_search_by_expected_false_matches"`
	FPIRExpected      *Rate   `json:"fpir_by_expected_false_matches"`
	Calibrated        bool    `json:"calibrated"`
}

// syntheticSearches are made beside those of real people.
const syntheticSearches = 1000

func (s *study) sizes(ctx context.Context) ([]Size, error) {
	list := []Size{}
	if len(s.options.Sizes) == 0 {
		return list, nil
	}
	random := rand.New(rand.NewPCG(s.options.Seed, 7))
	var real []face.Template
	for i := range s.people {
		real = append(real, s.first(i))
	}
	random.Shuffle(len(real), func(i, j int) { real[i], real[j] = real[j], real[i] })
	made := newStrangers(random, real, s)
	half := len(real) / 2
	for _, people := range s.options.Sizes {
		size, err := s.size(ctx, people, real[:half], real[half:], made)
		if err != nil {
			return nil, err
		}
		list = append(list, size)
	}
	return list, nil
}

func (s *study) size(ctx context.Context, people int, real, probes []face.Template, made *strangers) (Size, error) {
	c := s.options.Calibration
	size := Size{People: people, Real: min(len(real), people), Threshold: c.AutoThreshold(people, s.options.Expected)}
	x := index.NewExact(len(s.first(0)))
	keys, vectors := make([]uint64, people), make([][]float32, people)
	for i := range people {
		keys[i] = uint64(i)
		if i < size.Real {
			vectors[i] = real[i]
			continue
		}
		if i%1000 == 0 {
			s.options.Progress("making up strangers", i, people)
			if err := ctx.Err(); err != nil {
				return size, err
			}
		}
		vectors[i] = made.draw()
	}
	if err := x.PutAll(keys, vectors); err != nil {
		return size, err
	}
	for range syntheticSearches {
		probes = append(probes, made.draw())
	}
	size.Searches = len(probes)
	g := &grown{index: x, vectors: vectors, calibration: c, crowds: map[uint64]face.Crowd{}}
	found, foundExpected, any, anyExpected := 0, 0, 0, 0
	for i := range probes {
		s.options.Progress("searching "+plural(people), i, len(probes))
		bySimilarity, byExpected, calibrated, err := g.search(ctx, probes[i], c.Distance(size.Threshold), s.options.Expected)
		if err != nil {
			return size, err
		}
		size.Calibrated = calibrated
		found, any = found+bySimilarity, any+min(bySimilarity, 1)
		foundExpected, anyExpected = foundExpected+byExpected, anyExpected+min(byExpected, 1)
	}
	size.Strangers, size.FPIR = float64(found)/float64(len(probes)), rateOf(any, len(probes), len(probes))
	size.StrangersExpected, size.FPIRExpected = float64(foundExpected)/float64(len(probes)), rateOf(anyExpected, len(probes), len(probes))
	return size, nil
}

// grown is a gallery that a server could have.
type grown struct {
	index       *index.Exact
	vectors     [][]float32
	calibration policy.Calibration
	crowds      map[uint64]face.Crowd
}

// search does what a server does, under both rules, and counts the strangers.
func (g *grown) search(ctx context.Context, probe face.Template, distanceMax, expected float64) (bySimilarity, byExpected int, calibrated bool, err error) {
	crowd, err := g.crowd(ctx, probe)
	if err != nil {
		return 0, 0, false, err
	}
	fitted := policy.NewStrangers(g.calibration, len(g.vectors), crowd)
	radius := fitted.Radius(expected)
	within, err := g.index.Within(ctx, probe, max(distanceMax, radius), math.MaxInt)
	if err != nil {
		return 0, 0, false, err
	}
	for _, hit := range within.Hits {
		if hit.Distance <= distanceMax {
			bySimilarity++
		}
		if hit.Distance > radius {
			continue
		}
		if _, known := g.crowds[hit.Key]; !known {
			if g.crowds[hit.Key], err = g.crowd(ctx, g.vectors[hit.Key]); err != nil {
				return 0, 0, false, err
			}
		}
		if fitted.Expected(hit.Distance, g.crowds[hit.Key]) <= expected {
			byExpected++
		}
	}
	return bySimilarity, byExpected, fitted.Calibrated(), nil
}

func (g *grown) crowd(ctx context.Context, point []float32) (face.Crowd, error) {
	distances, err := g.index.SampleDistances(ctx, [][]float32{point}, face.CrowdRows)
	if err != nil {
		return face.Crowd{}, err
	}
	return face.NewCrowd(distances[0]), nil
}

// strangers makes up templates with the mean and the covariance of real ones, whose distance
// from the mean is spread so that as many pairs come as near to each other as of the real ones.
type strangers struct {
	random *rand.Rand
	mean   []float64
	from   [][]float64 // real templates about the mean
	spread float64     // standard deviation of the logarithm of the distance
}

const (
	// nearPairs of real strangers set the spread: few enough to be the near tail, enough to count.
	nearPairs = 50
	// To set it, twice as many made-up strangers as there are real ones are compared in pairs, but
	// no more than spreadSample.
	spreadSample = 2000
	spreadMax    = 0.2
)

func newStrangers(random *rand.Rand, real []face.Template, s *study) *strangers {
	made := &strangers{random: random, mean: make([]float64, len(s.first(0)))}
	for _, template := range real {
		for j, v := range template {
			made.mean[j] += float64(v) / float64(len(real))
		}
	}
	for _, template := range real {
		about := make([]float64, len(made.mean))
		for j, v := range template {
			about[j] = (float64(v) - made.mean[j]) / math.Sqrt(float64(max(1, len(real)-1)))
		}
		made.from = append(made.from, about)
	}
	distance := 0.0
	for s.strangers.within(distance) < nearPairs && distance < 1 {
		distance += binWidth
	}
	made.setSpread(distance, s.strangers.share(distance))
	return made
}

// setSpread looks for the spread at which that share of pairs is within a distance.
func (m *strangers) setSpread(distance, share float64) {
	count := min(2*len(m.from), spreadSample)
	shapes, lengths := make([][]float64, count), make([]float64, count)
	for i := range shapes {
		shapes[i], lengths[i] = m.shape(), m.random.NormFloat64()
	}
	low, high := 0.0, spreadMax
	for range 8 {
		m.spread = (low + high) / 2
		sample := make([]face.Template, count)
		for i := range sample {
			sample[i] = m.template(shapes[i], lengths[i])
		}
		var counted histogram
		for i := range sample {
			for j := range i {
				counted.add(sample[i].Distance(sample[j]))
			}
		}
		if counted.share(distance) < share {
			low = m.spread
		} else {
			high = m.spread
		}
	}
}

// shape is a sum of the real templates about their mean with random weights, which has exactly
// their covariance.
func (m *strangers) shape() []float64 {
	sum := make([]float64, len(m.mean))
	for i := range m.from {
		weight := m.random.NormFloat64()
		for j, v := range m.from[i] {
			sum[j] += weight * v
		}
	}
	return sum
}

func (m *strangers) template(shape []float64, length float64) face.Template {
	template := make(face.Template, len(shape))
	// The mean of the squared factor is 1.
	factor := math.Exp(m.spread*length - m.spread*m.spread)
	for j, v := range shape {
		template[j] = float32(m.mean[j] + factor*v)
	}
	return template
}

func (m *strangers) draw() face.Template {
	return m.template(m.shape(), m.random.NormFloat64())
}
