package gallerytest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"facesearch/pkg/face"
)

// crowdSlack is how far a distance of a crowd may be from the oracle's: it may be computed in
// float32.
const crowdSlack = 1e-4

// crowd wants the crowds of a template and, where candidates are given, of each of them.
func (f *fixture) crowd(application string, template face.Template, candidates ...face.Candidate) (face.Crowd, []face.Crowd) {
	f.Helper()
	crowd, err := f.store.Crowd(f.Context(), application, template)
	if err != nil {
		f.Fatal("Crowd:", err)
	}
	crowds, err := f.store.CandidateCrowds(f.Context(), application, candidates)
	if err != nil || len(crowds) != len(candidates) {
		f.Fatalf("CandidateCrowds: %d of %d, %v", len(crowds), len(candidates), err)
	}
	return crowd, crowds
}

// Crowd is the one of a gallery in which the sample is everybody.
func (o *Oracle) Crowd(template face.Template) face.Crowd {
	var distances []float32
	for _, candidate := range o.Near(template, everything) {
		distances = append(distances, float32(candidate.Distance))
	}
	return face.NewCrowd(distances)
}

func requireCrowd(t testing.TB, what string, got, want face.Crowd) {
	t.Helper()
	near := func(a, b float64) bool { return math.Abs(a-b) <= crowdSlack }
	if got.Rows != want.Rows || !slices.EqualFunc(got.Nearest, want.Nearest, near) {
		t.Fatalf("%s: the crowd is %+v, want %+v", what, got, want)
	}
}

func testCrowd(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	empty, _ := f.crowd(ours, templateOf("probe"))
	requireCrowd(t, "an empty gallery", empty, face.Crowd{})
	random := rand.New(rand.NewPCG(8, 8))
	oracle := f.populate(random, 40, 4)
	f.enrol(theirs, newEnrolment(newID()))
	for _, when := range []string{"", " after a restart"} {
		t.Run("OK of a template"+when, func(t *testing.T) {
			for range 5 {
				probe := randomTemplate(random)
				got, _ := f.crowd(ours, probe)
				requireCrowd(t, "a stranger", got, oracle.Crowd(probe))
				again, _ := f.crowd(ours, probe)
				requireSame(t, "asked again", again, got)
			}
		})
		t.Run("OK of candidates"+when, func(t *testing.T) {
			probe := oracle.members[3].template
			found := f.candidates(ours, probe, everything, 12)
			slices.Reverse(found.List) // the order is the caller's
			_, crowds := f.crowd(ours, probe, found.List...)
			for i, candidate := range found.List {
				requireCrowd(t, "a candidate", crowds[i], oracle.Crowd(oracle.template(candidate.Session.ID)))
			}
		})
		f.reopen()
	}
	t.Run("OK follows changes", func(t *testing.T) {
		probe := templateOf("another probe")
		found := f.candidates(ours, probe, everything, 3)
		gone, left := found.List[0], found.List[1]
		if _, err := f.store.Erase(t.Context(), ours, []string{gone.Session.ID}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.store.Change(t.Context(), ours, left.Session.ID, func(s *face.Session) { s.Status, s.Blocklisted = face.Declined, false }); err != nil {
			t.Fatal(err)
		}
		oracle.members = slices.DeleteFunc(oracle.members, func(m member) bool {
			return m.session.ID == gone.Session.ID || m.session.ID == left.Session.ID
		})
		crowd, crowds := f.crowd(ours, probe, found.List...)
		requireCrowd(t, "the probe", crowd, oracle.Crowd(probe))
		requireCrowd(t, "who was erased", crowds[0], face.Crowd{})
		requireCrowd(t, "who left the gallery", crowds[1], face.Crowd{})
		requireCrowd(t, "who stays", crowds[2], oracle.Crowd(oracle.template(found.List[2].Session.ID)))
	})
	for name, value := range notFinite() {
		t.Run("ErrTemplate "+name, func(t *testing.T) {
			probe := templateOf("probe")
			probe[0] = value
			if crowd, err := f.store.Crowd(t.Context(), ours, probe); err == nil {
				t.Fatalf("a template that has no distance to anything has %+v", crowd)
			}
		})
	}
}

// template is that of a session.
func (o *Oracle) template(id string) face.Template {
	for i := range o.members {
		if o.members[i].session.ID == id {
			return o.members[i].template
		}
	}
	return nil
}
