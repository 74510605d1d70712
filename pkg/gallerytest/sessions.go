package gallerytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"facesearch/pkg/face"
)

func testEnrol(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	one := newEnrolment(newID())
	t.Run("OK", func(t *testing.T) {
		want := one.Session
		want.Number = 1
		requireSame(t, "what Enrol returned", f.enrol(ours, one), want)
		f.requireStored(t, one, 1)
	})
	t.Run("OK the number is the gallery's", func(t *testing.T) {
		other := newEnrolment(newID())
		other.Session.Number = 77
		if got := f.enrol(ours, other); got.Number != 2 {
			t.Fatalf("number %d", got.Number)
		}
		f.requireStored(t, other, 2)
	})
	t.Run("OK again", func(t *testing.T) {
		for range 2 {
			before := f.state(ours)
			again := one
			again.Template, again.Picture.Data = templateOf("elsewhere"), []byte("another picture")
			session, created, err := f.store.Enrol(t.Context(), ours, again)
			if err != nil || created || session.Number != 1 {
				t.Fatalf("%+v, created %v, %v", session, created, err)
			}
			requireSame(t, "state", f.state(ours), before)
			f.requireStored(t, one, 1) // the template and the picture are the first ones
			f.reopen()
		}
	})
	t.Run("ErrConflict", func(t *testing.T) {
		for range 2 {
			before := f.state(ours)
			other := newEnrolment(one.Session.ID)
			other.Session.Fingerprint = "of other content"
			other.Session.PictureID, other.Template = "picture-"+newID(), templateOf("elsewhere")
			_, created, err := f.store.Enrol(t.Context(), ours, other)
			requireCode(t, "Enrol", err, face.CodeConflict)
			if created {
				t.Fatal("refused, and created")
			}
			requireSame(t, "state", f.state(ours), before)
			f.requireStored(t, one, 1)
			_, err = f.store.Picture(t.Context(), ours, other.Session.PictureID)
			requireCode(t, "the refused picture", err, face.CodeNotFound)
			f.reopen()
		}
	})
	for name, value := range notFinite() {
		t.Run("ErrTemplate "+name, func(t *testing.T) { f.requireTemplateRefused(t, value) })
	}
	t.Run("OK numbers have no gaps after refusals", func(t *testing.T) {
		for number := uint64(3); number < 6; number++ {
			if got := f.enrol(ours, newEnrolment(newID())).Number; got != number {
				t.Fatalf("number %d, want %d", got, number)
			}
			f.reopen()
		}
	})
	t.Run("OK each application counts for itself", func(t *testing.T) {
		f.createApplication(theirs)
		if got := f.enrol(theirs, newEnrolment(newID())).Number; got != 1 {
			t.Fatalf("the first one has number %d", got)
		}
	})
	t.Run("OK without picture, details and vendor data", func(t *testing.T) {
		bare := face.Enrolment{
			Session:  face.Session{ID: newID(), Status: face.Approved, VerifiedAt: moment(0), CreatedAt: moment(0)},
			Template: templateOf("bare"),
		}
		want := bare.Session
		want.Number = f.enrol(ours, bare).Number
		got, err := f.store.Session(t.Context(), ours, bare.Session.ID)
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, "session", got, want)
	})
}

// requireStored wants an approved enrolment to be there in every way in which it can be asked for.
func (f *fixture) requireStored(t testing.TB, enrolment face.Enrolment, number uint64) {
	t.Helper()
	want := enrolment.Session
	want.Number = number
	got, err := f.store.Session(f.Context(), ours, want.ID)
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, "session", got, want)
	picture, err := f.store.Picture(f.Context(), ours, want.PictureID)
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, "picture", picture, enrolment.Picture)
	found := f.candidates(ours, enrolment.Template, 0, 5)
	if found.Total != 1 || len(found.List) != 1 {
		t.Fatalf("%d candidates at distance 0, %d listed, want the one enrolled", found.Total, len(found.List))
	}
	requireSame(t, "candidate", found.List[0], face.Candidate{Session: want})
}

func (f *fixture) requireTemplateRefused(t *testing.T, value float32) {
	before := f.state(ours)
	for _, at := range []int{0, 61, face.TemplateDim - 1} {
		spoilt := newEnrolment(newID())
		spoilt.Template[at] = value
		if _, created, err := f.store.Enrol(t.Context(), ours, spoilt); err == nil || created {
			t.Fatalf("value %v at %d: created %v, %v", value, at, created, err)
		}
		requireSame(t, "state", f.state(ours), before)
		_, err := f.store.Session(t.Context(), ours, spoilt.Session.ID)
		requireCode(t, "the refused session", err, face.CodeNotFound)
		_, err = f.store.Picture(t.Context(), ours, spoilt.Session.PictureID)
		requireCode(t, "the refused picture", err, face.CodeNotFound)
	}
}

// concurrency is how many goroutines enrol at once.
const concurrency = 8

func testEnrolConcurrently(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	t.Run("OK numbers", func(t *testing.T) {
		const each = 15
		numbers := make([][]uint64, concurrency)
		atOnce(t, func(worker int) error {
			for range each {
				number, err := f.enrolAndLook()
				if err != nil {
					return err
				}
				numbers[worker] = append(numbers[worker], number)
			}
			return nil
		})
		for worker, own := range numbers {
			if !slices.IsSorted(own) {
				t.Errorf("worker %d enrolled one after the other and got %v", worker, own)
			}
		}
		all := slices.Sorted(slices.Values(slices.Concat(numbers...)))
		for i, number := range all {
			if number != uint64(i)+1 {
				t.Fatalf("numbers %v, want 1 to %d, each once", all, len(all))
			}
		}
		if len(all) != concurrency*each || f.size(ours) != len(all) {
			t.Fatalf("%d numbers for %d sessions", len(all), f.size(ours))
		}
	})
	t.Run("OK the same content", func(t *testing.T) {
		before, same := f.size(ours), newEnrolment(newID())
		var mu sync.Mutex
		creations := 0
		atOnce(t, func(int) error {
			session, created, err := f.store.Enrol(t.Context(), ours, same)
			if err == nil && session.Number != uint64(before)+1 {
				err = fmt.Errorf("number %d, want %d", session.Number, before+1)
			}
			if err == nil { // whoever was told that it is there finds it
				err = f.look(session, same.Template)
			}
			mu.Lock()
			defer mu.Unlock()
			if created {
				creations++
			}
			return err
		})
		if creations != 1 || f.size(ours) != before+1 {
			t.Fatalf("created %d times, %d sessions more", creations, f.size(ours)-before)
		}
	})
	t.Run("ErrConflict other content", func(t *testing.T) {
		before, id := f.size(ours), newID()
		var mu sync.Mutex
		creations := 0
		atOnce(t, func(worker int) error {
			own := newEnrolment(id)
			own.Session.Fingerprint = fmt.Sprint("content of worker ", worker)
			_, created, err := f.store.Enrol(t.Context(), ours, own)
			mu.Lock()
			defer mu.Unlock()
			if created {
				creations++
			} else if face.CodeOf(err) != face.CodeConflict {
				return fmt.Errorf("neither created nor a conflict: %w", err)
			}
			return nil
		})
		if creations != 1 || f.size(ours) != before+1 {
			t.Fatalf("created %d times, %d sessions more", creations, f.size(ours)-before)
		}
	})
}

// atOnce calls work on several goroutines that begin together.
func atOnce(t *testing.T, work func(worker int) error) {
	t.Helper()
	var group sync.WaitGroup
	begin := make(chan struct{})
	failures := make([]error, concurrency)
	for worker := range concurrency {
		group.Go(func() {
			<-begin
			failures[worker] = work(worker)
		})
	}
	close(begin)
	group.Wait()
	for worker, err := range failures {
		if err != nil {
			t.Errorf("worker %d: %v", worker, err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// enrolAndLook enrols one session and wants every later call to see it at once. It is called
// on goroutines that may not end the test.
func (f *fixture) enrolAndLook() (uint64, error) {
	ctx, enrolment := f.Context(), newEnrolment(newID())
	session, created, err := f.store.Enrol(ctx, ours, enrolment)
	if err != nil || !created {
		return 0, fmt.Errorf("enrolling: created %v, %w", created, err)
	}
	if err := f.look(session, enrolment.Template); err != nil {
		return 0, err
	}
	stored, err := f.store.Session(ctx, ours, session.ID)
	if err != nil || stored.Number != session.Number {
		return 0, fmt.Errorf("session %d was enrolled and is stored as %+v, %w", session.Number, stored, err)
	}
	if size, err := f.store.Size(ctx, ours); err != nil || uint64(size) < session.Number {
		return 0, fmt.Errorf("session %d was enrolled and the size is %d, %w", session.Number, size, err)
	}
	return session.Number, nil
}

func (f *fixture) look(session face.Session, template face.Template) error {
	found, err := f.store.Candidates(f.Context(), ours, template, 0, 1)
	if err != nil {
		return fmt.Errorf("searching: %w", err)
	}
	if found.Total != 1 || len(found.List) != 1 || found.List[0].Session.ID != session.ID {
		return fmt.Errorf("session %d was enrolled and a search with its template found %+v", session.Number, found)
	}
	return nil
}

func testSession(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	t.Run("OK every status", func(t *testing.T) {
		var want []face.Session
		for _, status := range []face.Status{face.Approved, face.InReview, face.Declined} {
			for _, blocklisted := range []bool{false, true} {
				enrolment := newEnrolment(newID())
				enrolment.Session.Status, enrolment.Session.Blocklisted = status, blocklisted
				want = append(want, f.enrol(ours, enrolment))
			}
		}
		for range 2 {
			for _, session := range want {
				got, err := f.store.Session(t.Context(), ours, session.ID)
				if err != nil {
					t.Fatal(err)
				}
				requireSame(t, "session", got, session)
			}
			f.reopen()
		}
	})
	search, picture := newSearch(newID())
	if err := f.store.SaveSearch(t.Context(), ours, search, picture); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{"unknown": newID(), "empty": "", "a number": "1", "of a search": search.ID} {
		t.Run("ErrNotFound "+name, func(t *testing.T) {
			_, err := f.store.Session(t.Context(), ours, id)
			requireCode(t, "Session", err, face.CodeNotFound)
		})
	}
}

func testSize(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	want := 0
	requireSize := func(t *testing.T) {
		t.Helper()
		if got := f.size(ours); got != want {
			t.Fatalf("size %d, want %d", got, want)
		}
	}
	t.Run("OK empty", requireSize)
	for _, status := range []face.Status{face.Approved, face.InReview, face.Declined} {
		for _, blocklisted := range []bool{false, true} {
			t.Run(fmt.Sprintf("OK %s blocklisted %v", status, blocklisted), func(t *testing.T) {
				enrolment := newEnrolment(newID())
				enrolment.Session.Status, enrolment.Session.Blocklisted = status, blocklisted
				f.enrol(ours, enrolment)
				if enrolment.Session.InGallery() {
					want++
				}
				requireSize(t)
				f.reopen()
				requireSize(t)
			})
		}
	}
}

func testSavedSearch(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	session := f.enrol(ours, newEnrolment(newID()))
	requireSaved := func(t *testing.T, want face.SavedSearch) {
		t.Helper()
		got, err := f.store.SavedSearch(t.Context(), ours, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, "search", got, want)
	}
	t.Run("OK", func(t *testing.T) {
		before := f.state(ours)
		search, picture := newSearch(newID())
		if err := f.store.SaveSearch(t.Context(), ours, search, picture); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			requireSaved(t, search)
			got, err := f.store.Picture(t.Context(), ours, search.PictureID)
			if err != nil {
				t.Fatal(err)
			}
			requireSame(t, "picture", got, picture)
			// Its template is kept, but it is nobody in the gallery.
			requireSame(t, "state", f.state(ours), before)
			f.reopen()
		}
	})
	t.Run("OK no face, no picture", func(t *testing.T) {
		search, _ := newSearch(newID())
		search.Template, search.PictureID, search.VendorData, search.Status = nil, "", "", face.Declined
		if err := f.store.SaveSearch(t.Context(), ours, search, face.Picture{}); err != nil {
			t.Fatal(err)
		}
		requireSaved(t, search)
	})
	t.Run("ErrConflict", func(t *testing.T) { f.testSavedSearchConflict(t, session) })
	t.Run("ErrResult", func(t *testing.T) {
		search, picture := newSearch(newID())
		search.Result = json.RawMessage(`{"cut short`)
		if err := f.store.SaveSearch(t.Context(), ours, search, picture); err == nil {
			t.Fatal("a result that is no JSON was stored")
		}
		_, err := f.store.SavedSearch(t.Context(), ours, search.ID)
		requireCode(t, "the refused search", err, face.CodeNotFound)
		_, err = f.store.Picture(t.Context(), ours, search.PictureID)
		requireCode(t, "the refused search's picture", err, face.CodeNotFound)
	})
	for name, id := range map[string]string{"unknown": newID(), "empty": "", "of a session": session.ID} {
		t.Run("ErrNotFound "+name, func(t *testing.T) {
			_, err := f.store.SavedSearch(t.Context(), ours, id)
			requireCode(t, "SavedSearch", err, face.CodeNotFound)
		})
	}
}

// testSavedSearchConflict: what is kept is not replaced, nor is a picture of something else.
func (f *fixture) testSavedSearchConflict(t *testing.T, session face.Session) {
	first, picture := newSearch(newID())
	if err := f.store.SaveSearch(t.Context(), ours, first, picture); err != nil {
		t.Fatal(err)
	}
	other, another := newSearch(newID())
	other.ID = first.ID
	requireCode(t, "an ID that is taken", f.store.SaveSearch(t.Context(), ours, other, another), face.CodeConflict)
	_, err := f.store.Picture(t.Context(), ours, other.PictureID)
	requireCode(t, "the refused search's picture", err, face.CodeNotFound)
	other.ID = newID()
	for _, taken := range []string{first.PictureID, session.PictureID} {
		other.PictureID = taken
		requireCode(t, "a picture's ID that is taken", f.store.SaveSearch(t.Context(), ours, other, another), face.CodeConflict)
		_, err := f.store.SavedSearch(t.Context(), ours, other.ID)
		requireCode(t, "the refused search", err, face.CodeNotFound)
	}
	enrolment := newEnrolment(newID())
	enrolment.Session.PictureID = first.PictureID
	_, _, err = f.store.Enrol(t.Context(), ours, enrolment)
	requireCode(t, "an enrolment with it", err, face.CodeConflict)
	_, err = f.store.Session(t.Context(), ours, enrolment.Session.ID)
	requireCode(t, "the refused session", err, face.CodeNotFound)
	f.requireSearch(t, ours, first, picture)
}

func testPicture(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	enrolment := newEnrolment(newID())
	enrolment.Picture.ContentType = "image/webp"
	enrolment.Picture.Data = bytes.Repeat([]byte{0, 1, 254, 255, 7}, 600_000) // 3 MB
	want := face.Picture{ContentType: "image/webp", Data: bytes.Clone(enrolment.Picture.Data)}
	f.enrol(ours, enrolment)
	requirePicture := func(t *testing.T) face.Picture {
		t.Helper()
		got, err := f.store.Picture(t.Context(), ours, enrolment.Session.PictureID)
		if err != nil || got.ContentType != want.ContentType || !bytes.Equal(got.Data, want.Data) {
			t.Fatalf("%s, %d bytes, %v", got.ContentType, len(got.Data), err)
		}
		return got
	}
	t.Run("OK", func(t *testing.T) {
		requirePicture(t)
		f.reopen()
		requirePicture(t)
	})
	t.Run("OK the caller has a copy", func(t *testing.T) {
		clear(enrolment.Picture.Data)
		clear(requirePicture(t).Data)
		requirePicture(t)
	})
	for name, id := range map[string]string{"unknown": newID(), "empty": "", "of a session": enrolment.Session.ID} {
		t.Run("ErrNotFound "+name, func(t *testing.T) {
			_, err := f.store.Picture(t.Context(), ours, id)
			requireCode(t, "Picture", err, face.CodeNotFound)
		})
	}
}
