package index

import (
	"context"
	"sync/atomic"
)

// A graph cannot know what it misses. So now and then an answer of its is compared with the scan's, as it is given: the
// share of the true nearest neighbours that it named is its recall on the probes that people really send.

// DefaultSampleEvery is how many answers of a graph there are to one that is compared.
const DefaultSampleEvery = 64

// sampleK is how many nearest neighbours are compared.
const sampleK = 10

// A sampler counts what comparing has shown.
type sampler struct {
	answers, samples, wanted, found atomic.Uint64
}

// Recall is the share of true neighbours that the sampled answers named, since NewHNSW; 1 before the first sample.
func (s HNSWStats) Recall() float64 {
	if s.SampledWanted == 0 {
		return 1
	}
	return float64(s.SampledFound) / float64(s.SampledWanted)
}

// sample compares an answer of the graph, nearest first, with the scan, if it is one of those to compare. What the scan
// says is not put into the answer: then the sample would no longer show what the other answers are like.
func (h *HNSW) sample(ctx context.Context, probe []float32, hits []Hit) {
	every := uint64(h.options.SampleEvery)
	if every == 0 || h.sampled.answers.Add(1)%every != 0 {
		return
	}
	truth, err := h.vectors.Nearest(ctx, probe, min(sampleK, len(hits)))
	if err != nil {
		return // the search was given up
	}
	named := map[uint64]bool{}
	for _, hit := range hits {
		named[hit.Key] = true
	}
	for _, hit := range truth.Hits {
		h.sampled.wanted.Add(1)
		if named[hit.Key] {
			h.sampled.found.Add(1)
		}
	}
	h.sampled.samples.Add(1)
	if h.options.OnSample != nil {
		h.options.OnSample(h.Stats())
	}
}
