package index

import (
	"fmt"
	"math"
	"math/rand"
	"slices"

	"github.com/coder/hnsw"
	"github.com/viterin/vek/vek32"
)

const (
	// efSearch is coder/hnsw's size of its list of nodes to expand. Measured at 20, 100 and 400: no change in recall.
	efSearch = 20

	// deadFractionMax is the share of dead nodes above which a graph is built anew: they cost memory and crowd live
	// ones out of a search.
	deadFractionMax = 0.2

	// deadMin dead nodes are always tolerated, so that a small graph is not rebuilt at every delete.
	deadMin = 64
)

// distanceName is what Export writes for euclidean; Import looks the function up by it.
const distanceName = "facesearch-euclidean"

func init() {
	hnsw.RegisterDistanceFunc(distanceName, euclidean)
}

// euclidean orders the graph. It does not decide what is a neighbour, see distance.
func euclidean(a, b []float32) float32 {
	d := vek32.Distance(a, b)
	if d != d { // overflow in vek's AVX2 code; a NaN would compare as nearer than nothing and farther than nothing
		return float32(math.Inf(1))
	}
	return d
}

// graph is coder/hnsw's graph under node ids of our own. A node is never deleted, which coder/hnsw cannot do soundly: it
// is dead once its key maps to another node or to none. Every put makes a new node, as an id used twice makes Add panic.
type graph struct {
	nodes  *hnsw.Graph[uint32]
	keyOf  []uint64          // by node id
	nodeOf map[uint64]uint32 // live nodes only
}

func newGraph(options HNSWOptions, distance hnsw.DistanceFunc) *graph {
	return &graph{
		nodes: &hnsw.Graph[uint32]{
			Distance: distance,
			Rng:      rand.New(rand.NewSource(options.Seed)),
			M:        options.M,
			Ml:       options.Ml,
			EfSearch: efSearch,
		},
		nodeOf: map[uint64]uint32{},
	}
}

// put stores a vector under a key, and makes an older node of the key a dead one. After an error the graph is broken and
// must be thrown away.
func (g *graph) put(key uint64, vector []float32) (err error) {
	defer recovered(&err)
	id := uint32(len(g.keyOf))
	g.keyOf = append(g.keyOf, key)
	g.nodes.Add(hnsw.MakeNode(id, vector))
	g.nodeOf[key] = id
	return nil
}

// drop makes the node of a key, if there is one, a dead one.
func (g *graph) drop(key uint64) {
	delete(g.nodeOf, key)
}

func (g *graph) dead() int {
	return len(g.keyOf) - len(g.nodeOf)
}

func (g *graph) worn() bool {
	return float64(g.dead()) > max(deadMin, deadFractionMax*float64(len(g.keyOf)))
}

// walk asks for the count nodes nearest to the probe. It returns the live ones of what came, nearest first, and the
// distance of the farthest, dead ones included. After an error the graph is broken and must be thrown away.
func (g *graph) walk(probe []float32, count int) (live []Hit, farthest float64, err error) {
	defer recovered(&err)
	if len(g.keyOf) == 0 {
		return nil, 0, nil // Search panics on a graph without nodes
	}
	found := g.nodes.Search(probe, count)
	live = make([]Hit, 0, len(found))
	for _, node := range found {
		d := distance(node.Value, probe)
		farthest = max(farthest, d)
		key := g.keyOf[node.Key]
		if id, ok := g.nodeOf[key]; ok && id == node.Key {
			live = append(live, Hit{Key: key, Distance: d})
		}
	}
	slices.SortFunc(live, compareHits)
	return live, farthest, nil
}

// recovered turns a panic of coder/hnsw, as under a nil neighbour, into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: panic: %v", ErrGraph, r)
	}
}
