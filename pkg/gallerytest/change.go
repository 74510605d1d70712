package gallerytest

import (
	"fmt"
	"testing"
	"time"

	"facesearch/pkg/face"
)

// A look is what of a session decides whether searches find it.
type look struct {
	status      face.Status
	blocklisted bool
}

// looks are all there are.
var looks = []look{
	{face.Approved, false}, {face.InReview, false}, {face.Declined, false},
	{face.Approved, true}, {face.InReview, true}, {face.Declined, true},
}

func (l look) give(session *face.Session) {
	session.Status, session.Blocklisted = l.status, l.blocklisted
}

func (l look) String() string {
	if l.blocklisted {
		return string(l.status) + " blocklisted"
	}
	return string(l.status)
}

// change wants the change to be made, and to be all that is new.
func (f *fixture) change(t testing.TB, id string, change func(*face.Session)) face.Session {
	t.Helper()
	want, err := f.store.Session(f.Context(), ours, id)
	if err != nil {
		t.Fatal(err)
	}
	change(&want)
	got, err := f.store.Change(f.Context(), ours, id, change)
	if err != nil {
		t.Fatal("Change:", err)
	}
	requireSame(t, "what Change returned", got, want)
	return got
}

// requireLook wants a session, changed or not, to be seen the same in every way in which it
// can be asked for. Only its own template may be near the enrolment's.
func (f *fixture) requireLook(t testing.TB, want face.Session, enrolment face.Enrolment) {
	t.Helper()
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
	oracle := &Oracle{}
	oracle.Add(want, enrolment.Template)
	f.check(t, oracle, enrolment.Template, 0, 5)
}

func testChange(t *testing.T, place func(testing.TB) Harness) {
	t.Run("OK in all directions", func(t *testing.T) { testChangeLooks(t, place) })
	f := open(t, place)
	one, other := newEnrolment(newID()), newEnrolment(newID())
	first, second := f.enrol(ours, one), f.enrol(ours, other)
	t.Run("OK details", func(t *testing.T) {
		details := face.Details{Name: "another name", DocumentType: "Passport", DocumentNumber: "P-1"}
		first = f.change(t, first.ID, func(session *face.Session) { session.Details, session.Comment = details, "as the person asked" })
		for range 2 {
			f.requireLook(t, first, one)
			f.requireLook(t, second, other)
			f.reopen()
		}
	})
	t.Run("OK nothing at all", func(t *testing.T) {
		before := f.state(ours)
		f.change(t, first.ID, func(*face.Session) {})
		requireSame(t, "state", f.state(ours), before)
	})
	t.Run("OK the enrolment is still known", func(t *testing.T) {
		first = f.change(t, first.ID, looks[2].give)
		got, created, err := f.store.Enrol(t.Context(), ours, one)
		if err != nil || created {
			t.Fatalf("created %v, %v", created, err)
		}
		requireSame(t, "session", got, first)
	})
	for name, spoil := range map[string]func(*face.Session){
		"ID":          func(session *face.Session) { session.ID = newID() },
		"Number":      func(session *face.Session) { session.Number++ },
		"PictureID":   func(session *face.Session) { session.PictureID = "" },
		"VendorData":  func(session *face.Session) { session.VendorData = "somebody else" },
		"Fingerprint": func(session *face.Session) { session.Fingerprint = "of other content" },
		"CreatedAt":   func(session *face.Session) { session.CreatedAt = session.CreatedAt.Add(time.Second) },
		"VerifiedAt":  func(session *face.Session) { session.VerifiedAt = session.VerifiedAt.Add(time.Second) },
		"Status":      func(session *face.Session) { session.Status = "Expired" },
		"no Status":   func(session *face.Session) { session.Status = "" },
	} {
		t.Run("Err"+name, func(t *testing.T) {
			before := f.state(ours)
			_, err := f.store.Change(t.Context(), ours, first.ID, func(session *face.Session) {
				session.Status, session.Blocklisted = face.Approved, true
				session.Details.Name = "a name that is not stored"
				spoil(session)
			})
			if err == nil {
				t.Fatal("changed")
			}
			for range 2 {
				requireSame(t, "state", f.state(ours), before)
				f.requireLook(t, first, one)
				f.reopen()
			}
		})
	}
	search, picture := newSearch(newID())
	if err := f.store.SaveSearch(t.Context(), ours, search, picture); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{"unknown": newID(), "empty": "", "of a search": search.ID} {
		t.Run("ErrNotFound "+name, func(t *testing.T) {
			_, err := f.store.Change(t.Context(), ours, id, func(*face.Session) { t.Error("called with a session that there is not") })
			requireCode(t, "Change", err, face.CodeNotFound)
		})
	}
}

// testChangeLooks takes one session from every look to every other.
func testChangeLooks(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	bystander, enrolment := newEnrolment(newID()), newEnrolment(newID())
	f.enrol(ours, bystander)
	session := f.enrol(ours, enrolment)
	for _, from := range looks {
		for _, to := range looks {
			f.change(t, session.ID, from.give)
			session = f.change(t, session.ID, to.give)
			size := 1
			if session.InGallery() {
				size = 2
			}
			require := func() {
				t.Helper()
				f.requireLook(t, session, enrolment)
				f.requireStored(t, bystander, 1)
				if got := f.size(ours); got != size {
					t.Fatalf("from %v to %v: size %d, want %d", from, to, got, size)
				}
			}
			require()
			if from != to {
				continue
			}
			f.reopen() // once with each look
			require()
		}
	}
}

// testChangeConcurrently lets every worker change a session of its own, and see it at once.
func testChangeConcurrently(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	t.Run("OK each its own", func(t *testing.T) {
		const each = 12
		enrolments := make([]face.Enrolment, concurrency)
		last := make([]face.Session, concurrency)
		for worker := range enrolments {
			enrolments[worker] = newEnrolment(newID())
			f.enrol(ours, enrolments[worker])
		}
		atOnce(t, func(worker int) error {
			for n := range each {
				var err error
				want := looks[(worker+5*n)%len(looks)]
				if last[worker], err = f.changeAndLook(enrolments[worker], want); err != nil {
					return fmt.Errorf("%v: %w", want, err)
				}
			}
			return nil
		})
		for range 2 {
			size := 0
			for worker, session := range last {
				f.requireLook(t, session, enrolments[worker])
				if session.InGallery() {
					size++
				}
			}
			if got := f.size(ours); got != size {
				t.Fatalf("size %d, want %d", got, size)
			}
			f.reopen()
		}
	})
	t.Run("OK the same one", func(t *testing.T) { f.testChangeSame(t) })
	t.Run("OK nobody is missed on the way to the blocklist", func(t *testing.T) { f.testChangeInSight(t) })
}

// changeAndLook is called on goroutines that may not end the test.
func (f *fixture) changeAndLook(enrolment face.Enrolment, want look) (face.Session, error) {
	session, err := f.store.Change(f.Context(), ours, enrolment.Session.ID, want.give)
	if err != nil {
		return session, err
	}
	found, err := f.store.Candidates(f.Context(), ours, enrolment.Template, 0, 5)
	if err != nil {
		return session, err
	}
	total, blocklisted := 0, 0
	if session.InGallery() {
		total = 1
	}
	if session.Blocklisted {
		blocklisted = 1
	}
	if found.Total != total || len(found.List) != total || len(found.Blocklisted) != blocklisted {
		return session, fmt.Errorf("a search found %+v", found)
	}
	if total == 1 && found.List[0].Session.Status != want.status {
		return session, fmt.Errorf("a search found it %v", found.List[0].Session.Status)
	}
	return session, nil
}

// testChangeSame: no change is lost to another one of the same session.
func (f *fixture) testChangeSame(t *testing.T) {
	const each = 10
	enrolment := newEnrolment(newID())
	enrolment.Session.Details.Name = ""
	f.enrol(ours, enrolment)
	atOnce(t, func(int) error {
		for range each {
			_, err := f.store.Change(t.Context(), ours, enrolment.Session.ID, func(session *face.Session) { session.Details.Name += "x" })
			if err != nil {
				return err
			}
		}
		return nil
	})
	session, err := f.store.Session(t.Context(), ours, enrolment.Session.ID)
	if err != nil || len(session.Details.Name) != concurrency*each {
		t.Fatalf("%d of %d changes are left, %v", len(session.Details.Name), concurrency*each, err)
	}
}

// testChangeInSight: someone who is in the gallery all the time is found by every search, and
// once, while he is put on the blocklist and taken from it.
func (f *fixture) testChangeInSight(t *testing.T) {
	enrolment := newEnrolment(newID())
	f.enrol(ours, enrolment)
	ended := make(chan struct{})
	atOnce(t, func(worker int) error {
		if worker == 0 {
			defer close(ended)
			for n := range 40 {
				if _, err := f.changeAndLook(enrolment, look{face.Approved, n%2 == 0}); err != nil {
					return err
				}
			}
			return nil
		}
		for {
			select {
			case <-ended:
				return nil
			default:
			}
			found, err := f.store.Candidates(t.Context(), ours, enrolment.Template, 0, 5)
			if err != nil {
				return err
			}
			if found.Total != 1 || len(found.List) != 1 || len(found.Blocklisted) > 1 {
				return fmt.Errorf("a search found %+v", found)
			}
		}
	})
}
