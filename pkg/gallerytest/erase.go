package gallerytest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"facesearch/pkg/face"
)

// requireGone wants nothing of a session, or of a saved search, to be found in any way.
func (f *fixture) requireGone(t testing.TB, enrolment face.Enrolment) {
	t.Helper()
	ctx, session := f.Context(), enrolment.Session
	_, err := f.store.Session(ctx, ours, session.ID)
	requireCode(t, "Session", err, face.CodeNotFound)
	_, err = f.store.Picture(ctx, ours, session.PictureID)
	requireCode(t, "Picture", err, face.CodeNotFound)
	_, err = f.store.Change(ctx, ours, session.ID, func(*face.Session) {})
	requireCode(t, "Change", err, face.CodeNotFound)
	_, err = f.store.Erase(ctx, ours, []string{session.ID})
	requireCode(t, "Erase", err, face.CodeNotFound)
	if found := f.candidates(ours, enrolment.Template, 0, 5); found.Total != 0 || len(found.List) != 0 || len(found.Blocklisted) != 0 {
		t.Fatalf("a search finds who was erased: %+v", found)
	}
	for _, vendorData := range []string{"", session.VendorData} {
		list, _ := f.sessions(ours, face.SessionFilter{VendorData: vendorData, Limit: 1 << 20})
		for _, listed := range list {
			if listed.ID == session.ID {
				t.Fatalf("who was erased is listed under vendor_data %q: %+v", vendorData, listed)
			}
		}
	}
}

func (f *fixture) requireSearchGone(t testing.TB, search face.SavedSearch) {
	t.Helper()
	_, err := f.store.SavedSearch(f.Context(), ours, search.ID)
	requireCode(t, "SavedSearch", err, face.CodeNotFound)
	_, err = f.store.Picture(f.Context(), ours, search.PictureID)
	requireCode(t, "Picture", err, face.CodeNotFound)
}

func (f *fixture) requireSearch(t testing.TB, application string, want face.SavedSearch, picture face.Picture) {
	t.Helper()
	got, err := f.store.SavedSearch(f.Context(), application, want.ID)
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, "search", got, want)
	kept, err := f.store.Picture(f.Context(), application, want.PictureID)
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, "picture", kept, picture)
}

// save keeps a search; what is changed about it is up to the caller.
func (f *fixture) save(application, vendorData string) (face.SavedSearch, face.Picture) {
	f.Helper()
	search, picture := newSearch(newID())
	search.VendorData = vendorData
	if err := f.store.SaveSearch(f.Context(), application, search, picture); err != nil {
		f.Fatal("SaveSearch:", err)
	}
	return search, picture
}

func (f *fixture) erase(t testing.TB, ids ...string) {
	t.Helper()
	if _, err := f.store.Erase(f.Context(), ours, ids); err != nil {
		t.Fatal("Erase:", err)
	}
}

func testErase(t *testing.T, place func(testing.TB) Harness) {
	for _, l := range looks {
		t.Run("OK "+l.String(), func(t *testing.T) { testEraseLook(t, place, l) })
	}
	f := open(t, place)
	f.createApplication(theirs)
	stays := newEnrolment(newID())
	f.enrol(ours, stays) // number 1
	t.Run("OK a saved search", func(t *testing.T) {
		search, _ := f.save(ours, stays.Session.VendorData)
		other, picture := f.save(ours, stays.Session.VendorData)
		f.erase(t, search.ID)
		for range 2 {
			f.requireSearchGone(t, search)
			f.requireSearch(t, ours, other, picture)
			f.requireStored(t, stays, 1)
			f.reopen()
		}
	})
	t.Run("OK a search and a session of the same ID", func(t *testing.T) {
		enrolment := newEnrolment(newID())
		search, picture := newSearch(enrolment.Session.ID)
		search.PictureID = "picture-" + newID()
		if err := f.store.SaveSearch(t.Context(), ours, search, picture); err != nil {
			t.Fatal(err)
		}
		f.enrol(ours, enrolment) // number 2
		f.erase(t, enrolment.Session.ID)
		f.requireGone(t, enrolment)
		f.requireSearchGone(t, search)
	})
	t.Run("OK several", func(t *testing.T) {
		one, two := newEnrolment(newID()), newEnrolment(newID())
		f.enrol(ours, one) // 3
		f.enrol(ours, two) // 4
		search, _ := f.save(ours, "")
		f.erase(t, one.Session.ID, search.ID, two.Session.ID, one.Session.ID, search.ID)
		f.requireGone(t, one)
		f.requireGone(t, two)
		f.requireSearchGone(t, search)
		f.requireStored(t, stays, 1)
	})
	t.Run("OK none", func(t *testing.T) {
		before := f.state(ours)
		f.erase(t)
		requireSame(t, "state", f.state(ours), before)
	})
	t.Run("ErrNotFound one of several", func(t *testing.T) {
		before := f.state(ours)
		search, picture := f.save(ours, "")
		foreign := newEnrolment(newID())
		f.enrol(theirs, foreign)
		for name, id := range map[string]string{"unknown": newID(), "empty": "", "foreign": foreign.Session.ID, "of a picture": stays.Session.PictureID, "number": "1"} {
			for _, ids := range [][]string{{id}, {stays.Session.ID, search.ID, id}, {id, search.ID, stays.Session.ID}} {
				_, err := f.store.Erase(t.Context(), ours, ids)
				requireCode(t, name, err, face.CodeNotFound)
			}
		}
		for range 2 {
			requireSame(t, "state", f.state(ours), before)
			f.requireStored(t, stays, 1)
			f.requireSearch(t, ours, search, picture)
			f.reopen()
		}
	})
	t.Run("OK anew", func(t *testing.T) { f.testEraseAnew(t, 5) })
}

// testEraseLook erases a session of one look from among others, one of another application
// with the same names included.
func testEraseLook(t *testing.T, place func(testing.TB) Harness, l look) {
	f := open(t, place)
	f.createApplication(theirs)
	goes, stays := newEnrolment(newID()), newEnrolment(newID())
	l.give(&goes.Session)
	stays.Session.VendorData = goes.Session.VendorData
	f.enrol(ours, goes)
	f.enrol(ours, stays)
	f.enrol(theirs, goes)
	search, picture := f.save(ours, goes.Session.VendorData)
	before := f.state(theirs)
	f.erase(t, goes.Session.ID)
	for range 2 {
		f.requireGone(t, goes)
		f.requireStored(t, stays, 2)
		f.requireSearch(t, ours, search, picture)
		requireSame(t, "the other application", f.state(theirs), before)
		if kept, err := f.store.Picture(t.Context(), theirs, goes.Session.PictureID); err != nil || string(kept.Data) != string(goes.Picture.Data) {
			t.Fatalf("the other application's picture: %v", err)
		}
		list, total := f.sessions(ours, face.SessionFilter{VendorData: goes.Session.VendorData, Limit: 5})
		if size := f.size(ours); size != 1 || total != 1 || len(list) != 1 {
			t.Fatalf("size %d, %d sessions; one is left", size, total)
		}
		f.reopen()
	}
}

// testEraseAnew erases the session with the highest number, which must never come back.
func (f *fixture) testEraseAnew(t *testing.T, number uint64) {
	enrolment := newEnrolment(newID())
	for range 4 {
		if got := f.enrol(ours, enrolment).Number; got != number {
			t.Fatalf("number %d, want %d", got, number)
		}
		f.requireStored(t, enrolment, number)
		f.reopen()
		f.erase(t, enrolment.Session.ID)
		f.requireGone(t, enrolment)
		number++
		if number%2 == 0 {
			f.reopen()
		}
		enrolment.Session.Fingerprint += ", again" // there is nothing left for it to be in conflict with
	}
}

func testEraseOwners(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	vendors := []string{"", "user", "user-1", "user-12", "User-1", "user-1\x00", "user-1/s"}
	sessions, searches := map[string][]face.Enrolment{}, map[string][]face.SavedSearch{}
	for n := range 3 {
		for i, vendorData := range vendors {
			enrolment := newEnrolment(newID())
			looks[(n+i)%len(looks)].give(&enrolment.Session)
			enrolment.Session.VendorData = vendorData
			f.enrol(ours, enrolment)
			sessions[vendorData] = append(sessions[vendorData], enrolment)
			if n > 0 {
				search, _ := f.save(ours, vendorData)
				searches[vendorData] = append(searches[vendorData], search)
			}
		}
	}
	foreign := newEnrolment(newID())
	foreign.Session.VendorData = "user-1"
	f.enrol(theirs, foreign)
	require := func(t *testing.T, vendorData string, wantSessions, wantSearches int) {
		t.Helper()
		erased, err := f.store.EraseOwners(t.Context(), ours, []string{vendorData, vendorData})
		if err != nil || erased.Sessions != wantSessions || erased.Searches != wantSearches {
			t.Fatalf("%+v, want %d sessions and %d searches; %v", erased, wantSessions, wantSearches, err)
		}
	}
	for name, vendorData := range map[string]string{"unknown": "nobody", "empty": "", "a part": "user-", "with a space": "user-1 "} {
		t.Run("OK nothing "+name, func(t *testing.T) {
			before := f.state(ours)
			require(t, vendorData, 0, 0)
			requireSame(t, "state", f.state(ours), before)
		})
	}
	t.Run("OK", func(t *testing.T) {
		f.erase(t, sessions["user-1"][0].Session.ID) // what is erased already does not count
		f.reopen()
		require(t, "user-1", 2, 2)
		require(t, "user-1", 0, 0)
		for range 2 {
			for _, vendorData := range vendors {
				f.requireOwner(t, sessions[vendorData], searches[vendorData], vendorData == "user-1")
			}
			f.reopen()
			require(t, "user-1", 0, 0)
		}
		if f.size(theirs) != 1 {
			t.Fatal("the other application's session of the same vendor_data is gone")
		}
	})
	t.Run("OK a session that was changed", func(t *testing.T) {
		for _, enrolment := range sessions["user-12"] {
			f.change(t, enrolment.Session.ID, looks[5].give)
		}
		require(t, "user-12", 3, 2)
		f.requireOwner(t, sessions["user-12"], searches["user-12"], true)
	})
}

func (f *fixture) requireOwner(t *testing.T, enrolments []face.Enrolment, searches []face.SavedSearch, gone bool) {
	t.Helper()
	for _, enrolment := range enrolments {
		if gone {
			f.requireGone(t, enrolment)
		} else if _, err := f.store.Session(t.Context(), ours, enrolment.Session.ID); err != nil {
			t.Fatalf("vendor_data %q: %v", enrolment.Session.VendorData, err)
		}
	}
	for _, search := range searches {
		if gone {
			f.requireSearchGone(t, search)
		} else if _, err := f.store.SavedSearch(t.Context(), ours, search.ID); err != nil {
			t.Fatalf("vendor_data %q: %v", search.VendorData, err)
		}
	}
}

// testEraseConcurrently: whoever reads while others erase is told of a person, or that there
// is none, and of nothing else.
func testEraseConcurrently(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	const people = 24
	enrolments, searches := make([]face.Enrolment, people), make([]face.SavedSearch, people)
	for i := range people {
		enrolments[i] = newEnrolment(newID())
		f.enrol(ours, enrolments[i])
		searches[i], _ = f.save(ours, enrolments[i].Session.VendorData)
	}
	var next, erasing atomic.Int64
	erasing.Store(concurrency / 2)
	atOnce(t, func(worker int) error {
		if worker%2 == 1 {
			return f.readWhile(&erasing, enrolments, searches)
		}
		defer erasing.Add(-1)
		for i := next.Add(1) - 1; i < people; i = next.Add(1) - 1 {
			if i%3 == 0 {
				continue // these stay
			}
			erased, err := f.store.EraseOwners(t.Context(), ours, []string{enrolments[i].Session.VendorData})
			if err != nil || erased.Sessions != 1 || erased.Searches != 1 {
				return fmt.Errorf("erased %+v, %w", erased, err)
			}
			if _, err := f.store.Session(t.Context(), ours, enrolments[i].Session.ID); face.CodeOf(err) != face.CodeNotFound {
				return fmt.Errorf("who was erased gives %w", err)
			}
		}
		return nil
	})
	for range 2 {
		for i, enrolment := range enrolments {
			if i%3 == 0 {
				f.requireStored(t, enrolment, uint64(i)+1)
			} else {
				f.requireGone(t, enrolment)
				f.requireSearchGone(t, searches[i])
			}
		}
		if f.size(ours) != people/3 {
			t.Fatalf("size %d, want %d", f.size(ours), people/3)
		}
		f.reopen()
	}
}

// readWhile asks for everybody, in every way, for as long as somebody erases.
func (f *fixture) readWhile(erasing *atomic.Int64, enrolments []face.Enrolment, searches []face.SavedSearch) error {
	ctx := f.Context()
	for n := 0; erasing.Load() > 0; n++ {
		enrolment, search := enrolments[n%len(enrolments)], searches[n%len(searches)]
		_, sessionErr := f.store.Session(ctx, ours, enrolment.Session.ID)
		_, pictureErr := f.store.Picture(ctx, ours, enrolment.Session.PictureID)
		_, searchErr := f.store.SavedSearch(ctx, ours, search.ID)
		for _, err := range []error{sessionErr, pictureErr, searchErr} {
			if err != nil && face.CodeOf(err) != face.CodeNotFound {
				return err
			}
		}
		found, err := f.store.Candidates(ctx, ours, enrolment.Template, 0, 5)
		if err != nil || found.Total > 1 || found.Total != len(found.List) {
			return fmt.Errorf("a search found %+v, %w", found, err)
		}
		list, total, err := f.store.Sessions(ctx, ours, face.SessionFilter{Limit: 1000})
		if err != nil || len(list) != total {
			return fmt.Errorf("%d sessions listed of %d, %w", len(list), total, err)
		}
	}
	return nil
}
