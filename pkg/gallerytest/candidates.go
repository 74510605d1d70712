package gallerytest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"facesearch/pkg/face"
)

func testCandidates(t *testing.T, place func(testing.TB) Harness) {
	t.Run("OK empty gallery", func(t *testing.T) {
		f := open(t, place)
		for range 2 {
			found := f.candidates(ours, origin, everything, 5)
			if len(found.List) != 0 || len(found.Blocklisted) != 0 || found.Total != 0 || !found.Exact {
				t.Fatalf("%+v", found)
			}
			f.reopen()
		}
	})
	t.Run("OK against the oracle", func(t *testing.T) { testAgainstOracle(t, place) })
	t.Run("OK at the radius", func(t *testing.T) { testAtTheRadius(t, place) })
	t.Run("OK ties by number", func(t *testing.T) { testTies(t, place) })
	t.Run("OK blocklisted beyond the list", func(t *testing.T) { testBlocklistedBeyondTheList(t, place) })
	for name, value := range notFinite() {
		t.Run("ErrTemplate "+name, func(t *testing.T) {
			f := open(t, place)
			f.enrol(ours, newEnrolment(newID()))
			probe := templateOf("probe")
			probe[face.TemplateDim-1] = value
			if found, err := f.store.Candidates(t.Context(), ours, probe, everything, 5); err == nil {
				t.Fatalf("a template that has no distance to anything found %+v", found)
			}
		})
	}
	t.Run("OK or ErrRadius NaN finds nobody", func(t *testing.T) {
		f := open(t, place)
		f.enrol(ours, newEnrolment(newID()))
		found, err := f.store.Candidates(t.Context(), ours, origin, math.NaN(), 5)
		if err == nil && (found.Total != 0 || len(found.List) != 0 || len(found.Blocklisted) != 0) {
			t.Fatalf("no distance is at most NaN, yet there is %+v", found)
		}
	})
}

// check asks the gallery and holds its answer against the oracle.
func (f *fixture) check(t testing.TB, oracle *Oracle, probe face.Template, distanceMax float64, listMax int) {
	t.Helper()
	found := f.candidates(ours, probe, distanceMax, listMax)
	if !found.Exact && !f.harness.Approximate {
		t.Fatal("an exact gallery says that it may have missed someone")
	}
	oracle.Check(t, found, probe, distanceMax, listMax)
}

// populate enrols people with several pictures each, of all statuses, some blocklisted, and
// now and then a picture a second time.
func (f *fixture) populate(random *rand.Rand, people, pictures int) *Oracle {
	f.Helper()
	oracle := &Oracle{}
	last := origin
	for range people {
		person := randomTemplate(random)
		for range pictures {
			enrolment := newEnrolment(newID())
			enrolment.Picture, enrolment.Session.PictureID = face.Picture{}, ""
			enrolment.Session.Status = []face.Status{face.Approved, face.Approved, face.InReview, face.Declined}[random.IntN(4)]
			enrolment.Session.Blocklisted = random.IntN(8) == 0
			noise := randomTemplate(random)
			for i := range enrolment.Template {
				enrolment.Template[i] = person[i] + noise[i]*0.45 // one person's pictures are about 0.39 apart
			}
			if random.IntN(10) == 0 {
				enrolment.Template = last
			}
			last = enrolment.Template
			oracle.Add(f.enrol(ours, enrolment), enrolment.Template)
		}
	}
	return oracle
}

func testAgainstOracle(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	random := rand.New(rand.NewPCG(5, 5))
	oracle := f.populate(random, 45, 4)
	for _, when := range []string{"enrolled", "after a restart"} {
		t.Run(when, func(t *testing.T) {
			for range 12 {
				probe := slices.Clone(oracle.members[random.IntN(len(oracle.members))].template)
				switch random.IntN(3) {
				case 0: // a stranger
					probe = randomTemplate(random)
				case 1: // a mate
					probe[random.IntN(len(probe))] += 0.2
				}
				radii := []float64{0, 0.3, 0.5, 0.85, everything, -1}
				all := oracle.Near(probe, everything)
				for range 3 { // between two neighbours, so that the number of candidates is as random as can be
					at := random.IntN(len(all) - 1)
					radii = append(radii, (all[at].Distance+all[at+1].Distance)/2)
				}
				for _, radius := range radii {
					for _, listMax := range []int{0, 1, 5, 10_000} {
						f.check(t, oracle, probe, radius, listMax)
					}
				}
			}
		})
		f.reopen()
	}
}

// testAtTheRadius uses templates whose distances from zero have no rounding in them.
func testAtTheRadius(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	oracle := &Oracle{}
	for at, blocklisted := range []bool{false, true} {
		for _, length := range []float32{0.25, 0.5, 0.75} {
			enrolment := newEnrolment(newID())
			enrolment.Session.Blocklisted = blocklisted
			enrolment.Template = axis(at, length)
			oracle.Add(f.enrol(ours, enrolment), enrolment.Template)
		}
	}
	for _, row := range []struct {
		radius float64
		want   int
	}{
		{0, 0},
		{math.Nextafter(0.25, 0), 0}, {0.25, 2}, {math.Nextafter(0.25, 1), 2},
		{math.Nextafter(0.5, 0), 2}, {0.5, 4}, {math.Nextafter(0.5, 1), 4},
		{math.Nextafter(0.75, 0), 4}, {0.75, 6},
	} {
		t.Run(fmt.Sprint(row.radius), func(t *testing.T) {
			found := f.candidates(ours, origin, row.radius, 10)
			if found.Total != row.want || len(found.List) != row.want || len(found.Blocklisted) != row.want/2 {
				t.Fatalf("%d in all, listed %v, blocklisted %v; want %d, half of them blocklisted",
					found.Total, places(found.List), places(found.Blocklisted), row.want)
			}
			f.check(t, oracle, origin, row.radius, 10)
		})
	}
}

func testTies(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	for n := range 12 { // every third is blocklisted; all are at the same distance, in different directions
		enrolment := newEnrolment(newID())
		enrolment.Session.Blocklisted = n%3 == 2
		enrolment.Template = axis(n, 0.5)
		f.enrol(ours, enrolment)
	}
	for range 2 {
		for listMax := range 14 {
			found := f.candidates(ours, origin, 0.5, listMax)
			if found.Total != 12 || len(found.List) != min(listMax, 12) || len(found.Blocklisted) != 4 {
				t.Fatalf("listMax %d: %d in all, listed %v, blocklisted %v", listMax, found.Total, places(found.List), places(found.Blocklisted))
			}
			for i, candidate := range found.List {
				if candidate.Session.Number != uint64(i)+1 || candidate.Distance != 0.5 {
					t.Fatalf("listMax %d: listed %v", listMax, places(found.List))
				}
			}
			for i, candidate := range found.Blocklisted {
				if candidate.Session.Number != uint64(3*i)+3 {
					t.Fatalf("listMax %d: blocklisted %v", listMax, places(found.Blocklisted))
				}
			}
		}
		f.reopen()
	}
}

// testBlocklistedBeyondTheList: nobody on the blocklist is hidden behind nearer sessions.
func testBlocklistedBeyondTheList(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	oracle := &Oracle{}
	for n := range 20 {
		enrolment := newEnrolment(newID())
		if n >= 14 {
			enrolment.Session.Blocklisted = true
			enrolment.Session.Status = []face.Status{face.Approved, face.InReview, face.Declined}[n%3]
		}
		enrolment.Template = axis(n, 0.125+float32(n)/64)
		oracle.Add(f.enrol(ours, enrolment), enrolment.Template)
	}
	for _, listMax := range []int{0, 1, 5} {
		t.Run(fmt.Sprintf("listMax %d", listMax), func(t *testing.T) {
			found := f.candidates(ours, origin, 1, listMax)
			if len(found.Blocklisted) != 6 || found.Total != 20 || len(found.List) != listMax {
				t.Fatalf("%d in all, listed %v, blocklisted %v", found.Total, places(found.List), places(found.Blocklisted))
			}
			f.check(t, oracle, origin, 1, listMax)
		})
	}
}
