package bench

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"facesearch/index"
)

// Latency is in milliseconds.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
}

// Latency sums up durations.
func (d Durations) Latency() Latency {
	return Latency{d.Percentile(0.5), d.Percentile(0.9), d.Percentile(0.99)}
}

// A Phase is what was measured of an index in one state. A recall is nil where there was nothing to find.
type Phase struct {
	Recall1 *float64 `json:"recall_at_1"`
	// Of the probes whose mate is in the gallery, and of the others.
	Recall1Mates     *float64 `json:"recall_at_1_mates"`
	Recall1Strangers *float64 `json:"recall_at_1_strangers"`
	RecallK          *float64 `json:"recall_at_k"`
	RadiusRecall     *float64 `json:"radius_recall"`
	RadiusNeighbours int      `json:"radius_neighbours"` // that there were to find, over all probes
	WrongHits        int      `json:"wrong_hits"`        // not stored, named twice, or at another distance
	WrongTotals      int      `json:"wrong_totals"`      // answers that counted the neighbours in the radius wrongly

	// Radius searches that the index called exact; of an approximate engine, those are the ones that its scan answered.
	ExactAnswers int `json:"exact_answers"`

	// On one core, one search after the other.
	Nearest1 Latency `json:"nearest_1"`
	NearestK Latency `json:"nearest_k"`
	Within   Latency `json:"within"`
	// On all cores, one search after the other; nil where there is one core only.
	WithinAllCores *Latency `json:"within_all_cores,omitempty"`

	Throughput []Throughput `json:"throughput,omitempty"` // of radius searches
	// Bytes that a radius search reads, and the share of ReadBytesPerSecond at which it does; nil where unknown.
	BytesPerSearch *float64 `json:"bytes_per_search,omitempty"`
	BandwidthShare *float64 `json:"bandwidth_share,omitempty"`
}

// Throughput is how many searches a second that many threads finish.
type Throughput struct {
	Threads   int     `json:"threads"`
	PerSecond float64 `json:"searches_per_second"`
}

// ratio is nil for a share of nothing.
func ratio(part, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	share := float64(part) / float64(whole)
	return &share
}

// A questionnaire is what an index is asked.
type questionnaire struct {
	probes []Probe
	k      int
	radius float64
	list   int // hits that a radius search lists
}

type tally struct{ right, all int }

func (t *tally) add(right, all int) {
	t.right += right
	t.all += all
}

func (t tally) ratio() *float64 { return ratio(t.right, t.all) }

// measure asks everything and compares with the truth.
func (q *questionnaire) measure(ctx context.Context, x index.Index, g *gallery, truths []truth, readPerSecond float64, progress Progress) (Phase, error) {
	var phase Phase
	restore := runtime.GOMAXPROCS(1)
	err := q.measureOneCore(ctx, x, g, truths, readPerSecond, &phase, progress)
	runtime.GOMAXPROCS(restore)
	if err != nil || restore == 1 {
		return phase, err
	}
	durations, err := q.ask(ctx, progress, "radius searches on all cores", func(i int) (index.Result, error) {
		return x.Within(ctx, q.probes[i].Vector, q.radius, q.list)
	}, func(int, index.Result) {})
	latency := durations.Latency()
	phase.WithinAllCores = &latency
	return phase, err
}

func (q *questionnaire) measureOneCore(ctx context.Context, x index.Index, g *gallery, truths []truth, readPerSecond float64, phase *Phase, progress Progress) error {
	durations, err := q.ask(ctx, progress, "searches for the nearest", func(i int) (index.Result, error) {
		return x.Nearest(ctx, q.probes[i].Vector, 1)
	}, q.checkNearest1(g, truths, phase))
	if err != nil {
		return err
	}
	phase.Nearest1 = durations.Latency()

	check, recallK := q.checkNearestK(g, truths, phase)
	durations, err = q.ask(ctx, progress, "searches for the k nearest", func(i int) (index.Result, error) {
		return x.Nearest(ctx, q.probes[i].Vector, q.k)
	}, check)
	if err != nil {
		return err
	}
	phase.NearestK, phase.RecallK = durations.Latency(), recallK.ratio()
	return q.measureWithin(ctx, x, g, truths, readPerSecond, phase, progress)
}

// checkNearest1 sums recall@1 up over the answers that it is given.
func (q *questionnaire) checkNearest1(g *gallery, truths []truth, phase *Phase) func(int, index.Result) {
	var all, mates, strangers tally
	return func(i int, result index.Result) {
		if len(truths[i].nearest) == 0 {
			return
		}
		right, wrong := g.check(q.probes[i].Vector, result.Hits, truths[i].nearest[0])
		right = min(right, 1)
		phase.WrongHits += wrong
		all.add(right, 1)
		if g.holds(q.probes[i].Mate) {
			mates.add(right, 1)
		} else {
			strangers.add(right, 1)
		}
		phase.Recall1, phase.Recall1Mates, phase.Recall1Strangers = all.ratio(), mates.ratio(), strangers.ratio()
	}
}

// checkNearestK sums recall@k up over the answers that it is given.
func (q *questionnaire) checkNearestK(g *gallery, truths []truth, phase *Phase) (func(int, index.Result), *tally) {
	recall := &tally{}
	return func(i int, result index.Result) {
		nearest := truths[i].nearest
		if len(nearest) == 0 {
			return
		}
		right, wrong := g.check(q.probes[i].Vector, result.Hits, nearest[len(nearest)-1])
		recall.add(min(right, len(nearest)), len(nearest))
		phase.WrongHits += wrong
	}, recall
}

// checkWithin sums radius recall up over the answers that it is given. What is beyond the length of the list cannot be
// found, and is not asked for.
func (q *questionnaire) checkWithin(g *gallery, truths []truth, phase *Phase) (func(int, index.Result), *tally) {
	recall := &tally{}
	return func(i int, result index.Result) {
		right, wrong := g.check(q.probes[i].Vector, result.Hits, q.radius)
		want := min(truths[i].within, q.list)
		recall.add(min(right, want), want)
		phase.WrongHits += wrong
		phase.RadiusNeighbours += truths[i].within
		if result.Total != truths[i].within {
			phase.WrongTotals++
		}
		if result.Exact {
			phase.ExactAnswers++
		}
	}, recall
}

func (q *questionnaire) measureWithin(ctx context.Context, x index.Index, g *gallery, truths []truth, readPerSecond float64, phase *Phase, progress Progress) error {
	counter, counts := x.(byteCounter)
	var before uint64
	if counts {
		before = counter.BytesRead()
	}
	check, recall := q.checkWithin(g, truths, phase)
	durations, err := q.ask(ctx, progress, "radius searches", func(i int) (index.Result, error) {
		return x.Within(ctx, q.probes[i].Vector, q.radius, q.list)
	}, check)
	if err != nil {
		return err
	}
	phase.Within, phase.RadiusRecall = durations.Latency(), recall.ratio()
	if !counts || counter.BytesRead() == before {
		return nil
	}
	perSearch := float64(counter.BytesRead()-before) / float64(len(durations)+min(warmUps, len(durations)))
	share := perSearch / (durations.mean().Seconds() * readPerSecond)
	phase.BytesPerSearch = &perSearch
	if !math.IsNaN(share) && !math.IsInf(share, 0) {
		phase.BandwidthShare = &share
	}
	return nil
}

// warmUps are asked before time is taken.
const warmUps = 20

// ask times the search for each probe, and hands over the answers outside of that time.
func (q *questionnaire) ask(ctx context.Context, progress Progress, what string, search func(int) (index.Result, error), check func(int, index.Result)) (Durations, error) {
	for i := range min(warmUps, len(q.probes)) {
		if _, err := search(i); err != nil {
			return nil, err
		}
	}
	durations := make(Durations, 0, len(q.probes))
	for i := range q.probes {
		if i%64 == 0 {
			progress(what, i, len(q.probes))
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		started := time.Now()
		result, err := search(i)
		durations = append(durations, time.Since(started))
		if err != nil {
			return nil, err
		}
		check(i, result)
	}
	return durations, nil
}

func (d Durations) mean() time.Duration {
	var sum time.Duration
	for _, each := range d {
		sum += each
	}
	return sum / time.Duration(max(1, len(d)))
}

// throughput counts the radius searches that threads finish in a time, for 1, 2, 4, … threads up to the number of cores.
func (q *questionnaire) throughput(ctx context.Context, x index.Index, lasts time.Duration, progress Progress) ([]Throughput, error) {
	restore := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(restore)
	var results []Throughput
	for _, threads := range threadCounts(restore) {
		progress("searches by threads", threads, restore)
		runtime.GOMAXPROCS(threads)
		perSecond, err := q.keepBusy(ctx, x, threads, lasts)
		if err != nil {
			return nil, err
		}
		results = append(results, Throughput{threads, perSecond})
	}
	return results, nil
}

func threadCounts(most int) (counts []int) {
	for threads := 1; threads < most; threads *= 2 {
		counts = append(counts, threads)
	}
	return append(counts, most)
}

func (q *questionnaire) keepBusy(ctx context.Context, x index.Index, threads int, lasts time.Duration) (float64, error) {
	var group sync.WaitGroup
	var finished atomic.Int64
	failures := make(chan error, threads)
	started := time.Now()
	for thread := range threads {
		group.Go(func() {
			for i := thread; time.Since(started) < lasts; i += threads {
				if _, err := x.Within(ctx, q.probes[i%len(q.probes)].Vector, q.radius, q.list); err != nil {
					failures <- err
					return
				}
				finished.Add(1)
			}
		})
	}
	group.Wait()
	close(failures)
	return float64(finished.Load()) / time.Since(started).Seconds(), <-failures
}
