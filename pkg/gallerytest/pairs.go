package gallerytest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"facesearch/pkg/face"
)

func testPairs(t *testing.T, place func(testing.TB) Harness) {
	t.Run("OK empty gallery", func(t *testing.T) {
		f := open(t, place)
		if pairs := f.pairs(everything, 10, 10); len(pairs) != 0 {
			t.Fatalf("%+v", pairs)
		}
	})
	t.Run("OK against the oracle", func(t *testing.T) { testPairsAgainstOracle(t, place) })
	t.Run("OK as it is now", func(t *testing.T) {
		f := open(t, place)
		var ids []string
		for range 4 {
			enrolment := newEnrolment(newID())
			enrolment.Template = axis(3, 1)
			ids = append(ids, f.enrol(ours, enrolment).ID)
		}
		want := func(what string, pairs int) {
			t.Helper()
			if got := f.pairs(0, 2, 2); len(got) != pairs {
				t.Fatalf("%s: %d pairs, want %d", what, len(got), pairs)
			}
		}
		want("four alike", 6)
		f.change(t, ids[1], func(s *face.Session) { s.Status = face.Declined })
		want("one has left", 3)
		f.change(t, ids[1], func(s *face.Session) { s.Blocklisted = true })
		want("it is blocklisted", 6)
		if _, err := f.store.Erase(t.Context(), ours, []string{ids[0], ids[3]}); err != nil {
			t.Fatal(err)
		}
		want("two were erased", 1)
		f.reopen()
		want("after a restart", 1)
	})
	t.Run("ErrUnknownApplication", func(t *testing.T) {
		f := open(t, place)
		_, _, err := f.store.Pairs(t.Context(), theirs, 1, 0, 1, 1)
		requireCode(t, "Pairs", err, face.CodeNotFound)
	})
}

// pairs asks for all pairs, a few sessions at a time.
func (f *fixture) pairs(distanceMax float64, sessionsMax, pairsMax int) (all []face.Pair) {
	f.Helper()
	after, last := uint64(0), uint64(0)
	for {
		pairs, next, err := f.store.Pairs(f.Context(), ours, distanceMax, after, sessionsMax, pairsMax)
		if err != nil {
			f.Fatal("Pairs:", err)
		}
		for _, pair := range pairs {
			if pair.B.Number <= after || next != 0 && pair.B.Number > next {
				f.Fatalf("session %d is not among those after %d and up to %d", pair.B.Number, after, next)
			}
			last = pair.B.Number
		}
		all = append(all, pairs...)
		if next == 0 {
			return all
		}
		if next <= after || next < last {
			f.Fatalf("to go on after %d, having begun after %d", next, after)
		}
		after = next
	}
}

func testPairsAgainstOracle(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	oracle := f.populate(rand.New(rand.NewPCG(9, 9)), 12, 5)
	f.createApplication(theirs)
	other := newEnrolment(newID())
	other.Template = oracle.members[0].template
	f.enrol(theirs, other)
	for _, radius := range []float64{-1, 0, 0.45, everything} {
		var want []string
		for i := range oracle.members {
			later := &oracle.members[i]
			if !later.session.InGallery() {
				continue
			}
			earlier := &Oracle{members: oracle.members[:i]}
			near := map[uint64]float64{}
			for _, candidate := range earlier.Near(later.template, radius) {
				near[candidate.Session.Number] = candidate.Distance
			}
			for _, m := range oracle.members[:i] {
				if distance, ok := near[m.session.Number]; ok {
					want = append(want, pairText(m.session, later.session, distance))
				}
			}
		}
		if radius == 0.45 && len(want) < 20 {
			t.Fatalf("only %d pairs to find", len(want))
		}
		for _, step := range [][2]int{{1, 1}, {7, 1 << 20}, {1 << 20, 3}, {1 << 20, 1 << 20}} {
			var got []string
			for _, pair := range f.pairs(radius, step[0], step[1]) {
				got = append(got, pairText(pair.A, pair.B, pair.Distance))
			}
			requireSame(t, fmt.Sprint("pairs within ", radius, " by ", step), got, want)
		}
	}
}

func pairText(a, b face.Session, distance float64) string {
	return fmt.Sprintf("%d %s %s, %d %s %s, %.9f", a.Number, a.ID, a.Status, b.Number, b.ID, b.Status, distance)
}
