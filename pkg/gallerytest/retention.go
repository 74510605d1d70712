package gallerytest

import (
	"testing"
	"time"

	"facesearch/pkg/face"
)

// testEraseBefore keeps sessions and searches that were created at moments 0 to 9.
func testEraseBefore(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	var sessions []face.Enrolment
	var searches []face.SavedSearch
	for n := range 10 {
		enrolment := newEnrolment(newID())
		looks[n%len(looks)].give(&enrolment.Session)
		enrolment.Session.CreatedAt = moment(9 - n) // the numbers rise as the times fall
		f.enrol(ours, enrolment)
		sessions = append([]face.Enrolment{enrolment}, sessions...)
		search, picture := newSearch(newID())
		search.CreatedAt = moment(n)
		if err := f.store.SaveSearch(t.Context(), ours, search, picture); err != nil {
			t.Fatal(err)
		}
		searches = append(searches, search)
	}
	f.fill(theirs)
	others := f.state(theirs)
	require := func(t *testing.T, sessionsBefore, searchesBefore time.Time, max, wantSessions, wantSearches int) {
		t.Helper()
		erased, err := f.store.EraseBefore(t.Context(), ours, sessionsBefore, searchesBefore, max)
		if err != nil || erased.Sessions != wantSessions || erased.Searches != wantSearches {
			t.Fatalf("%+v, %v, want %d sessions and %d searches", erased, err, wantSessions, wantSearches)
		}
		if (erased.Entry.Number == 0) != (wantSessions+wantSearches == 0) {
			t.Fatalf("audit entry %+v", erased.Entry)
		}
	}
	left := func(t *testing.T, sessionsGone, searchesGone int) {
		t.Helper()
		for range 2 {
			for n := range 10 {
				if n < sessionsGone {
					f.requireGone(t, sessions[n])
				} else if _, err := f.store.Session(t.Context(), ours, sessions[n].Session.ID); err != nil {
					t.Fatal(err)
				}
				if n < searchesGone {
					f.requireSearchGone(t, searches[n])
				} else if _, err := f.store.SavedSearch(t.Context(), ours, searches[n].ID); err != nil {
					t.Fatal(err)
				}
			}
			requireSame(t, "the other application", f.state(theirs), others)
			f.reopen()
		}
	}
	never := time.Time{}
	t.Run("OK nothing", func(t *testing.T) {
		require(t, never, never, 100, 0, 0)
		require(t, moment(0), moment(-5), 100, 0, 0)
		left(t, 0, 0)
	})
	t.Run("OK one kind", func(t *testing.T) {
		require(t, moment(2), never, 100, 2, 0)
		require(t, never, moment(3), 100, 0, 3)
		left(t, 2, 3)
	})
	t.Run("OK in steps", func(t *testing.T) {
		require(t, moment(7), moment(6), 2, 2, 2)
		left(t, 4, 5)
		require(t, moment(7), moment(6), 2, 2, 1)
		require(t, moment(7), moment(6), 2, 1, 0)
		require(t, moment(7), moment(6), 2, 0, 0)
		left(t, 7, 6)
	})
	t.Run("Err no step", func(t *testing.T) {
		if _, err := f.store.EraseBefore(t.Context(), ours, moment(100), moment(100), 0); err == nil {
			t.Fatal("no error")
		}
		left(t, 7, 6)
	})
	t.Run("OK all", func(t *testing.T) {
		require(t, moment(10), moment(10), 100, 3, 4)
		left(t, 10, 10)
	})
}
