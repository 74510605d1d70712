package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"facesearch/pkg/face"
)

// A GalleryStore is a gallery that takes many sessions at once.
type GalleryStore interface {
	face.Gallery
	Restore(ctx context.Context, application string, sessions []face.Enrolment) error
	Close() error
}

// A GalleryEngine is a kind of gallery to measure. The first one is the truth for the others.
type GalleryEngine struct {
	Name string
	Open func(ctx context.Context, n int) (GalleryStore, error) // an empty one
}

// GalleryOptions say what to measure.
type GalleryOptions struct {
	Sizes    []int
	Seed     uint64
	Probes   int // with a mate in the gallery, and as many without
	List     int
	Radius   func(n int) float64
	Engines  []GalleryEngine
	Progress Progress
}

// A GalleryResult is what was measured of one kind of gallery. Times are in milliseconds.
type GalleryResult struct {
	N       int     `json:"n"`
	Name    string  `json:"name"`
	Fill    float64 `json:"fill_seconds"`
	Search  float64 `json:"search_p50"`
	Search9 float64 `json:"search_p99"`
	Enrol   float64 `json:"enrol_p50"`
	Enrol9  float64 `json:"enrol_p99"`
	// Recall is the share of those within the radius who were found, MateRecall that of probes
	// whose mate is within it and was found.
	Recall     float64 `json:"radius_recall"`
	MateRecall float64 `json:"mate_recall"`
}

const galleryApplication = "bench"

// Galleries measures whole galleries, one after the other, through the interface that searches use:
// the time is from the question to the sessions' records.
func Galleries(ctx context.Context, options GalleryOptions) (results []GalleryResult, err error) {
	for _, n := range options.Sizes {
		data, err := Synthetic(ctx, options.Seed, n, face.TemplateDim, options.Probes, options.Progress.in(fmt.Sprint(n)))
		if err != nil {
			return results, err
		}
		run := galleryRun{options: options, data: data, radius: options.Radius(n)}
		for _, engine := range options.Engines {
			result, err := run.engine(ctx, engine)
			if err != nil {
				return results, fmt.Errorf("%s at %d: %w", engine.Name, n, err)
			}
			results = append(results, result)
		}
	}
	return results, nil
}

type galleryRun struct {
	options GalleryOptions
	data    *Data
	radius  float64
	truth   [][]uint64 // the numbers found by the first engine, by probe
}

func (r *galleryRun) engine(ctx context.Context, engine GalleryEngine) (result GalleryResult, err error) {
	n := r.data.Rows()
	progress := r.options.Progress.in(fmt.Sprint(n)).in(engine.Name)
	store, err := engine.Open(ctx, n)
	if err != nil {
		return result, err
	}
	defer store.Close()
	result = GalleryResult{N: n, Name: engine.Name}
	if err := store.CreateApplication(ctx, face.Application{ID: galleryApplication, CreatedAt: time.Now()}); err != nil {
		return result, err
	}
	started := time.Now()
	if err := r.fill(ctx, store, progress); err != nil {
		return result, err
	}
	result.Fill = time.Since(started).Seconds()
	found, times, err := r.search(ctx, store, progress)
	if err != nil {
		return result, err
	}
	result.Search, result.Search9 = times.Percentile(0.5), times.Percentile(0.99)
	if r.truth == nil {
		r.truth = found
	}
	result.Recall, result.MateRecall = r.recall(found)
	times, err = r.enrol(ctx, store, progress)
	result.Enrol, result.Enrol9 = times.Percentile(0.5), times.Percentile(0.99)
	return result, err
}

// fillBatch is how many sessions are stored at once.
const fillBatch = 500

func (r *galleryRun) fill(ctx context.Context, store GalleryStore, progress Progress) error {
	for first := 0; first < r.data.Rows(); first += fillBatch {
		progress("filling", first, r.data.Rows())
		var batch []face.Enrolment
		for i := first; i < min(first+fillBatch, r.data.Rows()); i++ {
			batch = append(batch, madeUp(uint64(i)+1, r.data.Vectors[i*r.data.Dim:]))
		}
		if err := store.Restore(ctx, galleryApplication, batch); err != nil {
			return err
		}
	}
	return nil
}

func madeUp(number uint64, vector []float32) face.Enrolment {
	enrolment := face.Enrolment{Session: face.Session{
		ID: fmt.Sprint("session-", number), Number: number, Status: face.Approved, VendorData: fmt.Sprint("vendor-", number),
		Details: face.Details{Name: "Somebody"}, Fingerprint: fmt.Sprint(number), CreatedAt: time.Now(), VerifiedAt: time.Now(),
	}}
	copy(enrolment.Template[:], vector)
	return enrolment
}

// warmUp searches are made before those that are timed.
const warmUp = 20

func (r *galleryRun) search(ctx context.Context, store GalleryStore, progress Progress) (found [][]uint64, times Durations, err error) {
	for i := -min(warmUp, len(r.data.Probes)); i < len(r.data.Probes); i++ {
		progress("searching", max(i, 0), len(r.data.Probes))
		var template face.Template
		copy(template[:], r.data.Probes[max(i, -i-1)].Vector)
		started := time.Now()
		candidates, err := store.Candidates(ctx, galleryApplication, template, r.radius, r.options.List)
		if err != nil {
			return nil, nil, err
		}
		if i < 0 {
			continue
		}
		times = append(times, time.Since(started))
		numbers := []uint64{}
		for _, candidate := range candidates.List {
			numbers = append(numbers, candidate.Session.Number)
		}
		found = append(found, numbers)
	}
	return found, times, nil
}

func (r *galleryRun) recall(found [][]uint64) (all, mates float64) {
	var near, got, mated, mateGot int
	for i, truth := range r.truth {
		for _, number := range truth {
			hit := slices.Contains(found[i], number)
			near++
			if hit {
				got++
			}
			if mate := r.data.Probes[i].Mate; mate != noMate && number == uint64(mate)+1 {
				mated++
				if hit {
					mateGot++
				}
			}
		}
	}
	return float64(got) / float64(max(near, 1)), float64(mateGot) / float64(max(mated, 1))
}

// enrolments are how many are timed.
const enrolments = 50

func (r *galleryRun) enrol(ctx context.Context, store GalleryStore, progress Progress) (times Durations, err error) {
	for i := range min(enrolments, len(r.data.Fresh)) {
		progress("enrolling", i, enrolments)
		one := madeUp(uint64(r.data.Rows()+i)+1, r.data.Fresh[i])
		started := time.Now()
		if _, _, err := store.Enrol(ctx, galleryApplication, one); err != nil {
			return nil, err
		}
		times = append(times, time.Since(started))
	}
	return times, nil
}
