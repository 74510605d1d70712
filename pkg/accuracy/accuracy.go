// Package accuracy measures how often a search misses a person and how often it finds a
// stranger, over pictures of which one knows whom they show.
//
// The words are those of ISO/IEC 19795: FNIR is the share of searches with a mate in the
// gallery that do not find it, FPIR the share of those without one that find somebody, FMR and
// FNMR the same for pairs of pictures.
package accuracy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// A Picture is a template of which one knows whom it shows.
type Picture struct {
	Person   string
	Cohort   string // of the person; empty when there are none
	File     string
	Template face.Template
	Thumb    []byte // JPEG; may be empty
}

// A Failure is a picture without a template.
type Failure struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Input is what is evaluated.
type Input struct {
	Name     string
	Pictures []Picture
	Failures []Failure
	// Empty pictures were said to show nobody; in EmptyFaces of them a face was found.
	Empty      int
	EmptyFaces []string
}

// Options configures Evaluate.
type Options struct {
	Calibration policy.Calibration
	// Expected is how many strangers a search may return, for the threshold that is chosen.
	Expected float64
	// Gallery is the number of sessions that the threshold is chosen for; 0: the people here.
	Gallery int
	// Sizes of galleries that are filled up with synthetic strangers.
	Sizes    []int
	Seed     uint64
	Progress func(what string, done, total int)
}

// A study is what is known of each search before anything is counted.
type study struct {
	input   *Input
	options Options
	people  []person
	// searches without a mate: the first picture of each person among those of all others.
	searches []search
	// probes with a mate: every further picture, among the first ones of all.
	probes    []probe
	strangers histogram // distances of the first pictures of different people
	mates     histogram // distances of a person's pictures from each other
}

type person struct {
	name, cohort string
	pictures     []int // the first is in the gallery
}

type search struct {
	nearest float64
	who     int
	crowd   face.Crowd
	fitted  *policy.Strangers
	near    []neighbour // all who could be as rare as claimMax
}

type neighbour struct {
	person   int
	distance float64
	expected float64 // strangers as near, of those in search.near
}

type probe struct {
	picture, person int
	mate            float64 // distance of the mate
	rank            int     // of the mate, from 1
	fitted          *policy.Strangers
	expected        float64 // strangers as near as the mate
}

// calibratedRadius is far enough for claims of the calibration.
const calibratedRadius = 0.7

// claimMax is the largest claim that is compared with what is observed.
const claimMax = 1.0

// Evaluate measures. It needs two people at least.
func Evaluate(ctx context.Context, input *Input, options Options) (*Report, error) {
	started := time.Now()
	if options.Progress == nil {
		options.Progress = func(string, int, int) {}
	}
	s := &study{input: input, options: options, people: peopleOf(input.Pictures)}
	if len(s.people) < 2 {
		return nil, fmt.Errorf("%d people have a usable picture, and two are needed at least", len(s.people))
	}
	if err := s.searchStrangers(ctx); err != nil {
		return nil, err
	}
	if err := s.searchMates(ctx); err != nil {
		return nil, err
	}
	report := s.report()
	sizes, err := s.sizes(ctx)
	if err != nil {
		return nil, err
	}
	report.Sizes = sizes
	report.Started, report.Seconds = started, time.Since(started).Seconds()
	return report, nil
}

// peopleOf groups pictures by person, in the order of their first ones.
func peopleOf(pictures []Picture) []person {
	var people []person
	numbers := map[string]int{}
	for i, picture := range pictures {
		number, known := numbers[picture.Person]
		if !known {
			number = len(people)
			numbers[picture.Person] = number
			people = append(people, person{name: picture.Person, cohort: picture.Cohort})
		}
		people[number].pictures = append(people[number].pictures, i)
	}
	return people
}

func (s *study) first(person int) face.Template {
	return s.input.Pictures[s.people[person].pictures[0]].Template
}

// searchStrangers searches each person's first picture among everybody else's.
func (s *study) searchStrangers(ctx context.Context) error {
	s.searches = make([]search, len(s.people))
	var mu sync.Mutex
	err := s.parallel(ctx, "comparing strangers", len(s.people), func(i int) {
		distances, all := s.distances(s.first(i), i)
		var counted histogram
		found := search{nearest: distances[0].distance, who: distances[0].person}
		for _, each := range distances {
			if each.distance < found.nearest {
				found.nearest, found.who = each.distance, each.person
			}
			if each.person > i { // each pair once
				counted.add(each.distance)
			}
		}
		found.crowd = face.NewCrowd(all)
		found.fitted = policy.NewStrangers(s.options.Calibration, len(distances), found.crowd)
		radius := found.fitted.Radius(claimMax)
		if found.fitted.Calibrated() { // whose radius has a floor, and claims have none
			radius = calibratedRadius
		}
		for _, each := range distances {
			if each.distance <= radius {
				found.near = append(found.near, each)
			}
		}
		s.searches[i] = found
		mu.Lock()
		defer mu.Unlock()
		s.strangers.merge(&counted)
	})
	if err != nil {
		return err
	}
	// Both sides have a say, so everybody's crowd has to be known.
	return s.parallel(ctx, "counting strangers", len(s.people), func(i int) {
		at := &s.searches[i]
		for n := range at.near {
			at.near[n].expected = at.fitted.Expected(at.near[n].distance, s.searches[at.near[n].person].crowd)
		}
	})
}

// distances are those from a template to the first pictures of all but one person; and the
// same as the sample of a crowd.
func (s *study) distances(from face.Template, without int) ([]neighbour, []float32) {
	list := make([]neighbour, 0, len(s.people))
	sample := make([]float32, 0, len(s.people))
	for j := range s.people {
		if j != without {
			distance := from.Distance(s.first(j))
			list, sample = append(list, neighbour{person: j, distance: distance}), append(sample, float32(distance))
		}
	}
	return list, sample
}

// searchMates searches every further picture of a person among the first ones of all.
func (s *study) searchMates(ctx context.Context) error {
	for i, person := range s.people {
		for at, picture := range person.pictures {
			for _, other := range person.pictures[:at] {
				s.mates.add(s.input.Pictures[picture].Template.Distance(s.input.Pictures[other].Template))
			}
			if at > 0 {
				s.probes = append(s.probes, probe{picture: picture, person: i})
			}
		}
	}
	return s.parallel(ctx, "searching for mates", len(s.probes), func(i int) {
		p := &s.probes[i]
		template := s.input.Pictures[p.picture].Template
		p.mate, p.rank = template.Distance(s.first(p.person)), 1
		others, sample := s.distances(template, p.person)
		for _, each := range others {
			if each.distance < p.mate {
				p.rank++
			}
		}
		p.fitted = policy.NewStrangers(s.options.Calibration, len(others), face.NewCrowd(sample))
		p.expected = p.fitted.Expected(p.mate, s.searches[p.person].crowd)
	})
}

// parallel calls work for each number below n, on all cores.
func (s *study) parallel(ctx context.Context, what string, n int, work func(i int)) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	next := 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == n || ctx.Err() != nil {
			return 0, false
		}
		s.options.Progress(what, next, n)
		next++
		return next - 1, true
	}
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				work(i)
			}
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return nil
}
