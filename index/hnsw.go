package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/coder/hnsw"
)

// Bounds and defaults of HNSWOptions.
const (
	DefaultM       = 32
	DefaultSearchK = 800
	DefaultMl      = 0.25

	linksMax   = 1024
	searchKMax = 1 << 20
)

// withinMin is how many neighbours Within asks for at least, on top of SearchK.
const withinMin = 64

// HNSWOptions are the settings of a graph. Zero values stand for the defaults, with which, on made-up templates of
// dlib's geometry (128 dimensions, one a person), 1,000 probes with a mate among 10,000 and one thread:
//
//	M   SearchK  recall@1    p50      build
//	32  400      0.40–0.44   0.36 ms  2.1 s
//	32  800      0.50–0.57   0.69 ms  2.1 s   the defaults
//	64  800      0.63–0.64   0.69 ms  6 s
//	64  1600     0.80        1.4 ms   6 s
//	Exact        1           0.03 ms
//
// At 100,000, M 64 and SearchK 800 found 0.23 in 1.7 ms, after 130 s of building on a busy machine.
type HNSWOptions struct {
	// M is the number of links a node keeps on each layer, 2 to 1024. More cost memory and time, mostly in building.
	M int
	// SearchK is how many neighbours are asked of the graph beyond those wanted, at most 1,048,576. It is what recall
	// depends on: coder/hnsw ends a search at the first step without progress once it has as many as it was asked for.
	SearchK int
	// Ml is the share of nodes that also stand on the next layer up, in (0, 1).
	Ml float64
	// Seed is that of the choice of layers. Graphs of the same vectors and seed still differ: coder/hnsw takes the
	// entry point of a search from the order of a map.
	Seed int64
	// SampleEvery is how many answers of the graph there are to one that is compared with the scan, for Stats; negative:
	// none is.
	SampleEvery int
	// OnSample, when not nil, is called after each comparison, by the search that was compared.
	OnSample func(HNSWStats)
}

// Validate returns ErrArgument for a setting out of range.
func (o HNSWOptions) Validate() error {
	o = o.withDefaults()
	if o.M < 2 || o.M > linksMax {
		return fmt.Errorf("%w: M is %d", ErrArgument, o.M)
	}
	if o.SearchK < 0 || o.SearchK > searchKMax {
		return fmt.Errorf("%w: SearchK is %d", ErrArgument, o.SearchK)
	}
	if !(o.Ml > 0 && o.Ml < 1) {
		return fmt.Errorf("%w: Ml is %v", ErrArgument, o.Ml)
	}
	return nil
}

func (o HNSWOptions) withDefaults() HNSWOptions {
	if o.M == 0 {
		o.M = DefaultM
	}
	if o.SearchK == 0 {
		o.SearchK = DefaultSearchK
	}
	if o.Ml == 0 {
		o.Ml = DefaultMl
	}
	switch {
	case o.SampleEvery == 0:
		o.SampleEvery = DefaultSampleEvery
	case o.SampleEvery < 0:
		o.SampleEvery = 0
	}
	return o
}

// HNSW finds neighbours by walking a graph of coder/hnsw, and may miss some: a hit is right, a miss means nothing. Its
// answers say Exact: false, but for those given by a scan: while there is no graph, and when the graph would have to be
// asked for as many neighbours as it has nodes.
//
// The vectors are kept in an Exact, which is the truth; the graph has a copy of its own. A graph that panicked, or in
// which too many nodes are dead, is thrown away and built anew in the background. A deleted vector is never
// found, but stays in the memory of the graph until the next build; Rebuild makes that now.
type HNSW struct {
	dim     int
	options HNSWOptions
	vectors *Exact

	building   context.Context // ended by Close
	stop       context.CancelFunc
	background sync.WaitGroup

	// mu is held for reading by searches of the graph, which may run together, and for writing by whatever changes the
	// vectors or the fields below. It is taken before the lock of vectors.
	mu       sync.RWMutex
	graph    *graph // nil: the scan answers
	build    *build // nil: none is under way
	failure  error  // why the last build was given up
	closed   bool
	rebuilds int
	panics   int
	distance hnsw.DistanceFunc // euclidean, but in tests
	sampled  sampler
}

// NewHNSW returns an empty index for vectors of dim components, with an empty graph that is ready. It panics unless
// 1 <= dim <= DimensionMax and the options are valid. Close it when it is no longer used.
func NewHNSW(dim int, options HNSWOptions) *HNSW {
	if err := options.Validate(); err != nil {
		panic(err)
	}
	h := &HNSW{
		dim:      dim,
		options:  options.withDefaults(),
		vectors:  NewExact(dim),
		distance: euclidean,
	}
	h.building, h.stop = context.WithCancel(context.Background())
	h.graph = newGraph(h.options, h.distance)
	return h
}

// Put adds or replaces a vector, see Index. Searches wait while the graph takes it in.
func (h *HNSW) Put(key uint64, vector []float32) error {
	if err := checkVector(vector, h.dim); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.vectors.put(key, vector)
	h.changed(key)
	return nil
}

// PutAll adds or replaces many vectors, as Put for each in turn would, and throws the graph away: the scan answers until
// Rebuild or Restore is called. It returns ErrDimension, ErrNotFinite, or ErrArgument when there are not as many keys as
// vectors, and has then changed nothing.
func (h *HNSW) PutAll(keys []uint64, vectors [][]float32) error {
	if err := checkVectors(keys, vectors, h.dim); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.vectors.putAll(keys, vectors)
	h.setGraph(nil)
	return nil
}

// Load is PutAll in portions, see Exact.Load. Each of them throws the graph away.
func (h *HNSW) Load(fill func(put func(keys []uint64, vectors [][]float32) error) error) error {
	return h.vectors.Load(func(put func([]uint64, [][]float32) error) error {
		return fill(func(keys []uint64, vectors [][]float32) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			err := put(keys, vectors)
			if err == nil {
				h.setGraph(nil)
			}
			return err
		})
	})
}

// Delete removes a vector, see Index.
func (h *HNSW) Delete(key uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.vectors.Delete(key) {
		return false
	}
	if h.build != nil {
		h.build.deleted = true
	}
	h.changed(key)
	return true
}

// changed brings the graph, or the one being built, up to date with what is stored under a key. The caller holds mu.
func (h *HNSW) changed(key uint64) {
	if h.build != nil {
		h.build.changed[key] = struct{}{}
	}
	if h.graph == nil {
		return
	}
	if err := h.graph.update(key, h.vectors); err != nil {
		h.panics++
		h.setGraph(nil)
		h.startBuild()
	} else if h.graph.worn() && !h.closed {
		h.startBuild()
	}
}

// Scan is the exact index beside the graph, which holds the same vectors. It must not be changed.
func (h *HNSW) Scan() *Exact { return h.vectors }

// Len is the number of vectors stored.
func (h *HNSW) Len() int {
	return h.vectors.Len()
}

// Nearest returns the k vectors nearest to the probe that the graph finds, see Index. The context is looked at before
// each walk of the graph, not during one.
func (h *HNSW) Nearest(ctx context.Context, probe []float32, k int) (Result, error) {
	if err := checkSearch(probe, h.dim, 0, k); err != nil {
		return Result{}, err
	}
	hits, ok, err := h.search(ctx, probe, k, func(live []Hit, _ float64) bool { return len(live) >= k })
	if err != nil {
		return Result{}, err
	}
	if !ok {
		return h.vectors.Nearest(ctx, probe, k)
	}
	h.sample(ctx, probe, hits)
	return Result{Hits: slices.Clone(hits[:k]), Total: k}, nil
}

// Within counts and lists the vectors within a distance of the probe that the graph finds, see Index. It asks for more
// neighbours until one lies beyond the distance. The context is looked at before each walk of the graph, not during one.
func (h *HNSW) Within(ctx context.Context, probe []float32, distanceMax float64, limit int) (Result, error) {
	if err := checkSearch(probe, h.dim, distanceMax, limit); err != nil {
		return Result{}, err
	}
	hits, ok, err := h.search(ctx, probe, max(limit, withinMin), func(_ []Hit, farthest float64) bool {
		return farthest > distanceMax
	})
	if err != nil {
		return Result{}, err
	}
	if !ok {
		return h.vectors.Within(ctx, probe, distanceMax, limit)
	}
	h.sample(ctx, probe, hits)
	total := 0
	for total < len(hits) && hits[total].Distance <= distanceMax {
		total++
	}
	return Result{Hits: slices.Clone(hits[:min(limit, total)]), Total: total}, nil
}

// search walks the graph, asking for twice as many neighbours each time, until enough says that the answer is in. It
// returns false when the scan has to answer: there is no graph, it panicked, or it would have to return all its nodes,
// which takes longer than a scan and still misses those that no link leads to.
func (h *HNSW) search(ctx context.Context, probe []float32, want int, enough func([]Hit, float64) bool) ([]Hit, bool, error) {
	h.mu.RLock()
	g := h.graph
	hits, ok, err := h.walks(ctx, g, probe, want, enough)
	h.mu.RUnlock()
	if !errors.Is(err, ErrGraph) {
		return hits, ok, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.panics++
	if h.graph == g { // another search may have thrown it away already
		h.setGraph(nil)
		h.startBuild()
	}
	return nil, false, nil
}

func (h *HNSW) walks(ctx context.Context, g *graph, probe []float32, want int, enough func([]Hit, float64) bool) ([]Hit, bool, error) {
	if g == nil || want >= len(g.nodeOf) {
		return nil, false, nil
	}
	nodes := len(g.keyOf)
	ask := want + h.options.SearchK
	ask += ask * g.dead() / len(g.nodeOf) // room for the dead nodes expected among them
	for ; ask < nodes; ask *= 2 {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		hits, farthest, err := g.walk(probe, ask)
		if err != nil {
			return nil, false, err
		}
		if enough(hits, farthest) {
			return hits, true, nil
		}
	}
	return nil, false, nil
}

// Ready reports whether the graph answers searches, rather than the scan.
func (h *HNSW) Ready() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.graph != nil
}

// HNSWStats say how a graph is doing.
type HNSWStats struct {
	Nodes    int // in the graph, dead ones included; 0 while there is none
	Dead     int // nodes whose vector was deleted or replaced
	Rebuilds int // builds finished, those asked for included
	Panics   int // of coder/hnsw, recovered from
	// Samples is how many answers were compared with the scan, SampledWanted how many neighbours those should have named,
	// SampledFound how many they did.
	Samples, SampledWanted, SampledFound uint64
	Bytes                                int64 // of memory, about
}

// linksBytes is about what the links of one node take beside its vector. coder/hnsw keeps them in maps, which cannot be
// measured from here: it is what the bench found with DefaultM.
const linksBytes = 1800

// Stats are the figures of this moment and the counts since NewHNSW.
func (h *HNSW) Stats() HNSWStats {
	h.mu.RLock()
	defer h.mu.RUnlock()
	stats := HNSWStats{
		Rebuilds: h.rebuilds, Panics: h.panics, Samples: h.sampled.samples.Load(),
		SampledWanted: h.sampled.wanted.Load(), SampledFound: h.sampled.found.Load(),
		Bytes: h.vectors.MemoryBytes(),
	}
	if h.graph != nil {
		stats.Nodes, stats.Dead = len(h.graph.keyOf), h.graph.dead()
		stats.Bytes += int64(stats.Nodes) * int64(4*h.dim+linksBytes)
	}
	return stats
}
