package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"facesearch/pkg/face"
)

// A GalleryStore is a gallery that takes many sessions at once.
type GalleryStore interface {
	face.Gallery
	Restore(ctx context.Context, application string, sessions []face.Enrolment) error
	Close() error
}

// A GalleryEngine is a kind of gallery to measure.
type GalleryEngine struct {
	Name string
	Open func(ctx context.Context) (GalleryStore, error) // an empty one
}

// GalleryOptions say what to measure.
type GalleryOptions struct {
	Sizes    []int
	Seed     uint64
	Probes   int // with a mate in the gallery, and as many without
	K        int // neighbours of a search for the nearest
	List     int // candidates that a radius search lists at most
	Radius   func(n int) float64
	AtOnce   int // enrolments under way at once, for the figure of enrolments a second
	Engines  []GalleryEngine
	Progress Progress
}

func (o *GalleryOptions) validate() error {
	for _, n := range o.Sizes {
		if n < o.K || n < 1 {
			return fmt.Errorf("a gallery of %d has no %d nearest", n, o.K)
		}
	}
	if o.Probes < 1 || o.K < 1 || o.List < 1 || o.AtOnce < 1 {
		return errors.New("there has to be at least one probe, one neighbour to look for, one candidate to list and one enrolment at a time")
	}
	return nil
}

// A GalleryReport is what was measured.
type GalleryReport struct {
	Started     time.Time    `json:"started"`
	Seconds     float64      `json:"seconds"`
	Interrupted bool         `json:"interrupted"`
	Machine     Machine      `json:"machine"`
	K           int          `json:"k"`
	List        int          `json:"list"`
	AtOnce      int          `json:"enrolments_at_once"`
	Runs        []GalleryRun `json:"runs"`
}

// A GalleryRun is one size of the gallery.
type GalleryRun struct {
	N       int             `json:"n"`
	Data    string          `json:"data"`
	Probes  int             `json:"probes"`
	Radius  float64         `json:"radius"`
	Engines []GalleryResult `json:"galleries"`
}

// A GalleryResult is what was measured of one kind of gallery. Times are from the question to the
// sessions' records. A recall is nil where there was nothing to find.
type GalleryResult struct {
	Name        string  `json:"name"`
	FillSeconds float64 `json:"fill_seconds"`
	Within      Latency `json:"within"`  // searches in the radius
	Nearest     Latency `json:"nearest"` // searches for the K nearest

	Recall1          *float64 `json:"recall_at_1"`
	RecallK          *float64 `json:"recall_at_k"`
	RadiusRecall     *float64 `json:"radius_recall"`
	RadiusNeighbours int      `json:"radius_neighbours"` // that there were to find, over all probes
	WrongTotals      int      `json:"wrong_totals"`
	ExactAnswers     int      `json:"exact_answers"` // radius searches that the gallery called exact

	Enrol          Latency `json:"enrol"` // one after the other
	EnrolPerSecond float64 `json:"enrolments_per_second"`
}

const galleryApplication = "bench"

// Galleries measures whole galleries, one after the other, through the interface that searches
// use. The report is of what was finished, even where there is an error.
func Galleries(ctx context.Context, options GalleryOptions) (*GalleryReport, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	report := &GalleryReport{Started: time.Now(), Machine: ThisMachine(), K: options.K, List: options.List, AtOnce: options.AtOnce}
	err := report.measure(ctx, options)
	report.Seconds, report.Interrupted = time.Since(report.Started).Seconds(), ctx.Err() != nil
	return report, err
}

func (report *GalleryReport) measure(ctx context.Context, options GalleryOptions) error {
	for _, n := range options.Sizes {
		progress := options.Progress.in(fmt.Sprint(n))
		data, err := Synthetic(ctx, options.Seed, n, face.TemplateDim, options.Probes, progress)
		if err != nil {
			return err
		}
		run := galleryRun{options: options, data: data, radius: options.Radius(n)}
		if run.truths, err = newGallery(data).oracle(ctx, data.Probes, options.K, run.radius, progress); err != nil {
			return err
		}
		report.Runs = append(report.Runs, GalleryRun{N: n, Data: data.Name, Probes: len(data.Probes), Radius: run.radius})
		into := &report.Runs[len(report.Runs)-1]
		for _, engine := range options.Engines {
			run.progress = progress.in(engine.Name)
			result, err := run.engine(ctx, engine)
			if err != nil {
				return fmt.Errorf("%s at %d: %w", engine.Name, n, err)
			}
			into.Engines = append(into.Engines, result)
		}
	}
	return nil
}

type galleryRun struct {
	options  GalleryOptions
	data     *Data
	radius   float64
	truths   []truth
	progress Progress
}

func (r *galleryRun) engine(ctx context.Context, engine GalleryEngine) (result GalleryResult, err error) {
	result.Name = engine.Name
	store, err := engine.Open(ctx)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.CreateApplication(ctx, face.Application{ID: galleryApplication, CreatedAt: time.Now()}); err != nil {
		return result, err
	}
	started := time.Now()
	if err := r.fill(ctx, store); err != nil {
		return result, err
	}
	result.FillSeconds = time.Since(started).Seconds()
	for _, part := range []func(context.Context, GalleryStore, *GalleryResult) error{r.within, r.nearest, r.enrol, r.enrolAtOnce} {
		if err := part(ctx, store, &result); err != nil {
			return result, err
		}
	}
	return result, nil
}

// fillBatch is how many sessions are stored at once.
const fillBatch = 1000

func (r *galleryRun) fill(ctx context.Context, store GalleryStore) error {
	rows := r.data.Rows()
	for first := 0; first < rows; first += fillBatch {
		r.progress("filling", first, rows)
		var batch []face.Enrolment
		for i := first; i < min(first+fillBatch, rows); i++ {
			batch = append(batch, madeUp(i, r.data.Vectors[i*r.data.Dim:(i+1)*r.data.Dim]))
		}
		if err := store.Restore(ctx, galleryApplication, batch); err != nil {
			return err
		}
	}
	return nil
}

// madeUp is the session of a row. Its number is the row's and one.
func madeUp(row int, vector []float32) face.Enrolment {
	now := time.Now()
	return face.Enrolment{Session: face.Session{
		ID: fmt.Sprint("session-", row), Number: uint64(row) + 1, Status: face.Approved, VendorData: fmt.Sprint("vendor-", row),
		Details: face.Details{Name: "Somebody"}, Fingerprint: fmt.Sprint(row), CreatedAt: now, VerifiedAt: now,
	}, Template: slices.Clone(vector)}
}

// warmUp searches are made before those that are timed.
const warmUp = 20

// ask searches for every probe, one after the other.
func (r *galleryRun) ask(ctx context.Context, store GalleryStore, what string, radius func(probe int) float64, list int, check func(probe int, found face.Candidates)) (times Durations, err error) {
	probes := r.data.Probes
	for i := -min(warmUp, len(probes)); i < len(probes); i++ {
		r.progress(what, max(i, 0), len(probes))
		probe := max(i, -i-1)
		started := time.Now()
		found, err := store.Candidates(ctx, galleryApplication, probes[probe].Vector, radius(probe), list)
		if err != nil {
			return nil, err
		}
		if i >= 0 {
			times = append(times, time.Since(started))
			check(probe, found)
		}
	}
	return times, nil
}

func (r *galleryRun) within(ctx context.Context, store GalleryStore, result *GalleryResult) error {
	var radius tally
	times, err := r.ask(ctx, store, "searching the radius", func(int) float64 { return r.radius }, r.options.List, func(i int, found face.Candidates) {
		want := r.truths[i].within
		radius.add(r.right(i, found, r.radius), min(want, r.options.List))
		result.RadiusNeighbours += want
		if found.Total != want {
			result.WrongTotals++
		}
		if found.Exact {
			result.ExactAnswers++
		}
	})
	result.Within, result.RadiusRecall = times.Latency(), radius.ratio()
	return err
}

// nearest asks for everybody as near as the K-th neighbour, who is known.
func (r *galleryRun) nearest(ctx context.Context, store GalleryStore, result *GalleryResult) error {
	k := r.options.K
	reach := func(i int) float64 { return r.truths[i].nearest[k-1] * (1 + distanceSlack) }
	var first, all tally
	times, err := r.ask(ctx, store, "searching the nearest", reach, k, func(i int, found face.Candidates) {
		all.add(r.right(i, found, reach(i)), k)
		first.add(min(1, r.right(i, found, r.truths[i].nearest[0]*(1+distanceSlack))), 1)
	})
	result.Nearest, result.Recall1, result.RecallK = times.Latency(), first.ratio(), all.ratio()
	return err
}

// right counts the different rows of the gallery among the candidates that are within the radius.
func (r *galleryRun) right(probe int, found face.Candidates, radius float64) (right int) {
	seen := map[uint64]bool{}
	for _, candidate := range found.List {
		number := candidate.Session.Number
		if number < 1 || number > uint64(r.data.Rows()) || seen[number] {
			continue
		}
		seen[number] = true
		row := int(number-1) * r.data.Dim
		if distance(r.data.Vectors[row:row+r.data.Dim], r.data.Probes[probe].Vector) <= radius {
			right++
		}
	}
	return right
}

// How many are enrolled one after the other, and how many at once.
const (
	enrolments       = 50
	enrolmentsAtOnce = 400
)

func (r *galleryRun) enrol(ctx context.Context, store GalleryStore, result *GalleryResult) error {
	var times Durations
	for i := range min(enrolments, len(r.data.Fresh)) {
		r.progress("enrolling one after the other", i, enrolments)
		started := time.Now()
		if _, _, err := store.Enrol(ctx, galleryApplication, madeUp(r.data.Rows()+i, r.data.Fresh[i])); err != nil {
			return err
		}
		times = append(times, time.Since(started))
	}
	result.Enrol = times.Latency()
	return nil
}

func (r *galleryRun) enrolAtOnce(ctx context.Context, store GalleryStore, result *GalleryResult) error {
	fresh := r.data.Fresh[min(enrolments, len(r.data.Fresh)):]
	fresh = fresh[:min(enrolmentsAtOnce, len(fresh))]
	var next atomic.Int64
	var group sync.WaitGroup
	failures := make([]error, r.options.AtOnce)
	started := time.Now()
	for worker := range r.options.AtOnce {
		group.Go(func() {
			for failures[worker] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(fresh) {
					return
				}
				r.progress("enrolling several at once", i, len(fresh))
				_, _, failures[worker] = store.Enrol(ctx, galleryApplication, madeUp(r.data.Rows()+enrolments+i, fresh[i]))
			}
		})
	}
	group.Wait()
	if len(fresh) > 0 {
		result.EnrolPerSecond = float64(len(fresh)) / time.Since(started).Seconds()
	}
	return errors.Join(failures...)
}
