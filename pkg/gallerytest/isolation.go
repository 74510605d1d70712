package gallerytest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"facesearch/pkg/face"
)

// things are the names of one of each thing that an application holds.
type things struct {
	session, picture, search, searchPicture, key string
}

// fill stores one of each thing in an application.
func (f *fixture) fill(application string) things {
	f.Helper()
	enrolment := newEnrolment(newID())
	f.enrol(application, enrolment)
	search, picture := newSearch(newID())
	if err := f.store.SaveSearch(f.Context(), application, search, picture); err != nil {
		f.Fatal("SaveSearch:", err)
	}
	if _, err := f.store.AddCredits(f.Context(), application, 10); err != nil {
		f.Fatal("AddCredits:", err)
	}
	key := newKey(application, "key-"+newID())
	if err := f.store.CreateKey(f.Context(), key); err != nil {
		f.Fatal("CreateKey:", err)
	}
	return things{enrolment.Session.ID, enrolment.Session.PictureID, search.ID, search.PictureID, key.ID}
}

// A call is one method with its arguments filled in.
type call struct {
	name string
	call func(ctx context.Context, store Store, application string) error
}

// calls are all methods that take an application. Those that read or change a thing name the
// given ones.
func calls(names things) []call {
	return []call{
		{"Settings", func(ctx context.Context, store Store, application string) error {
			_, err := store.Settings(ctx, application)
			return err
		}},
		{"PutSettings", func(ctx context.Context, store Store, application string) error {
			settings := face.DefaultSettings()
			settings.MaxMatches = 42
			return store.PutSettings(ctx, application, settings)
		}},
		{"Credits", func(ctx context.Context, store Store, application string) error {
			_, err := store.Credits(ctx, application)
			return err
		}},
		{"AddCredits", func(ctx context.Context, store Store, application string) error {
			_, err := store.AddCredits(ctx, application, -1)
			return err
		}},
		{"Charge", func(ctx context.Context, store Store, application string) error {
			_, err := store.Charge(ctx, application, 1)
			return err
		}},
		{"CreateKey", func(ctx context.Context, store Store, application string) error {
			return store.CreateKey(ctx, newKey(application, "key-"+newID()))
		}},
		{"Keys", func(ctx context.Context, store Store, application string) error {
			_, err := store.Keys(ctx, application)
			return err
		}},
		{"RevokeKey", func(ctx context.Context, store Store, application string) error {
			return store.RevokeKey(ctx, application, names.key)
		}},
		{"ChangeKey", func(ctx context.Context, store Store, application string) error {
			_, err := store.ChangeKey(ctx, application, names.key, func(key *face.Key) error {
				key.Name += "+"
				return nil
			})
			return err
		}},
		{"RenameApplication", func(ctx context.Context, store Store, application string) error {
			return store.RenameApplication(ctx, application, "another name")
		}},
		{"Enrol", func(ctx context.Context, store Store, application string) error {
			_, _, err := store.Enrol(ctx, application, newEnrolment(newID()))
			return err
		}},
		{"Enrol again", func(ctx context.Context, store Store, application string) error {
			_, _, err := store.Enrol(ctx, application, newEnrolment(names.session))
			return err
		}},
		{"Session", func(ctx context.Context, store Store, application string) error {
			_, err := store.Session(ctx, application, names.session)
			return err
		}},
		{"Change", func(ctx context.Context, store Store, application string) error {
			_, err := store.Change(ctx, application, names.session, looks[2].give)
			return err
		}},
		{"Sessions", func(ctx context.Context, store Store, application string) error {
			_, _, err := store.Sessions(ctx, application, face.SessionFilter{Limit: 5})
			return err
		}},
		{"Size", func(ctx context.Context, store Store, application string) error {
			_, err := store.Size(ctx, application)
			return err
		}},
		{"Crowd", func(ctx context.Context, store Store, application string) error {
			_, err := store.Crowd(ctx, application, origin)
			return err
		}},
		{"CandidateCrowds", func(ctx context.Context, store Store, application string) error {
			_, err := store.CandidateCrowds(ctx, application, nil)
			return err
		}},
		{"Candidates", func(ctx context.Context, store Store, application string) error {
			_, err := store.Candidates(ctx, application, origin, everything, 5)
			return err
		}},
		{"SaveSearch", func(ctx context.Context, store Store, application string) error {
			search, picture := newSearch(newID())
			return store.SaveSearch(ctx, application, search, picture)
		}},
		{"SavedSearch", func(ctx context.Context, store Store, application string) error {
			_, err := store.SavedSearch(ctx, application, names.search)
			return err
		}},
		{"Picture", func(ctx context.Context, store Store, application string) error {
			_, err := store.Picture(ctx, application, names.picture)
			return err
		}},
		{"Searches", func(ctx context.Context, store Store, application string) error {
			_, _, err := store.Searches(ctx, application, face.SearchFilter{Limit: 5})
			return err
		}},
		{"ReviewSearch", func(ctx context.Context, store Store, application string) error {
			_, err := store.ReviewSearch(ctx, application, names.search, newReview(face.Approved))
			return err
		}},
		{"Audit", func(ctx context.Context, store Store, application string) error {
			_, _, err := store.Audit(ctx, application, face.AuditPage{Limit: 5})
			return err
		}},
		{"EraseBefore", func(ctx context.Context, store Store, application string) error {
			_, err := store.EraseBefore(ctx, application, moment(-1), moment(-1), 5)
			return err
		}},
		// Last, as the others need what these erase.
		{"EraseOwners", func(ctx context.Context, store Store, application string) error {
			_, err := store.EraseOwners(ctx, application, []string{newEnrolment(names.session).Session.VendorData})
			return err
		}},
		{"Erase", func(ctx context.Context, store Store, application string) error {
			_, err := store.Erase(ctx, application, []string{names.search})
			return err
		}},
	}
}

func testUnknownApplication(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	names := f.fill(ours)
	before := f.state(ours)
	for _, c := range calls(names) {
		t.Run(c.name, func(t *testing.T) {
			// A part of the known name, and what a store that builds paths out of names might fall for.
			for _, unknown := range []string{"unknown", "", ours[:len(ours)-1], ours + "x", ours + "/sessions", "../" + ours, "sessions", ours + "\x00"} {
				requireCode(t, unknown, c.call(t.Context(), f.store, unknown), face.CodeNotFound)
			}
			if c.name != "RevokeKey" { // after which there is no such key
				if err := c.call(t.Context(), f.store, ours); err != nil {
					t.Fatal("the same call for an application that there is:", err)
				}
			}
		})
	}
	after := open(t, place)
	if list, err := after.store.Applications(t.Context()); err != nil || len(list) != 1 {
		t.Fatalf("another store has %v, %v", list, err)
	}
	if list, err := f.store.Applications(t.Context()); err != nil || len(list) != 1 {
		t.Fatalf("calls for unknown applications made some: %v, %v; before them %s", list, err, before)
	}
}

func testOtherApplication(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	names := f.fill(ours)
	before := f.state(ours)
	ctx := t.Context()
	requireUntouched := func(t *testing.T) {
		t.Helper()
		requireSame(t, "the state of the other application", f.state(ours), before)
		f.requireStored(t, newEnrolment(names.session), 1)
	}
	for _, when := range []string{"", " after a restart"} {
		t.Run("ErrNotFound"+when, func(t *testing.T) {
			f.requireNotTheirs(t, names)
			requireUntouched(t)
		})
		t.Run("OK nothing is found or listed"+when, func(t *testing.T) {
			found := f.candidates(theirs, newEnrolment(names.session).Template, everything, 5)
			if found.Total != 0 || len(found.List) != 0 || len(found.Blocklisted) != 0 || f.size(theirs) != 0 {
				t.Fatalf("%+v, size %d", found, f.size(theirs))
			}
			for _, vendorData := range []string{"", newEnrolment(names.session).Session.VendorData} {
				if list, total := f.sessions(theirs, face.SessionFilter{VendorData: vendorData, Limit: 5}); len(list) != 0 || total != 0 {
					t.Fatalf("%v, %d in all", list, total)
				}
			}
			if list, total, err := f.store.Searches(ctx, theirs, face.SearchFilter{Limit: 5}); err != nil || len(list) != 0 || total != 0 {
				t.Fatalf("%v, %d in all, %v", list, total, err)
			}
			if entries, total, err := f.store.Audit(ctx, theirs, face.AuditPage{Limit: 5}); err != nil || total != len(entries) ||
				slices.ContainsFunc(entries, func(entry face.AuditEntry) bool { return entry.Application != theirs }) {
				t.Fatalf("%v, %d in all, %v", entries, total, err)
			}
			if keys, err := f.store.Keys(ctx, theirs); err != nil || len(keys) != 0 {
				t.Fatalf("%v, %v", keys, err)
			}
		})
		f.reopen()
	}
	t.Run("OK the same names are free", func(t *testing.T) {
		mine := newEnrolment(names.session)
		mine.Session.Fingerprint, mine.Session.Status, mine.Session.Blocklisted = "of other content", face.Declined, true
		mine.Template, mine.Picture.Data = templateOf("elsewhere"), []byte("another picture")
		if got := f.enrol(theirs, mine); got.Number != 1 {
			t.Fatalf("number %d", got.Number)
		}
		search, picture := newSearch(names.search)
		search.VendorData, picture.Data = "another vendor", []byte("another picture")
		if err := f.store.SaveSearch(ctx, theirs, search, picture); err != nil {
			t.Fatal(err)
		}
		key := newKey(theirs, "of another secret")
		key.ID = names.key
		if err := f.store.CreateKey(ctx, key); err != nil {
			t.Fatal(err)
		}
		if err := f.store.RevokeKey(ctx, theirs, key.ID); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			requireUntouched(t)
			wanted, _ := newSearch(names.search)
			got, err := f.store.SavedSearch(ctx, ours, names.search)
			if err != nil {
				t.Fatal(err)
			}
			requireSame(t, "the other application's search", got, wanted)
			f.reopen()
		}
	})
}

// requireNotTheirs calls every method that takes an ID with those of the other application.
func (f *fixture) requireNotTheirs(t *testing.T, names things) {
	t.Helper()
	ctx := t.Context()
	_, err := f.store.Session(ctx, theirs, names.session)
	requireCode(t, "Session", err, face.CodeNotFound)
	_, err = f.store.SavedSearch(ctx, theirs, names.search)
	requireCode(t, "SavedSearch", err, face.CodeNotFound)
	for _, picture := range []string{names.picture, names.searchPicture} {
		_, err = f.store.Picture(ctx, theirs, picture)
		requireCode(t, "Picture", err, face.CodeNotFound)
	}
	requireCode(t, "RevokeKey", f.store.RevokeKey(ctx, theirs, names.key), face.CodeNotFound)
	_, err = f.store.ChangeKey(ctx, theirs, names.key, func(key *face.Key) error {
		key.Name = "theirs"
		return nil
	})
	requireCode(t, "ChangeKey", err, face.CodeNotFound)
	_, err = f.store.Change(ctx, theirs, names.session, looks[3].give)
	requireCode(t, "Change", err, face.CodeNotFound)
	for _, id := range []string{names.session, names.search} {
		_, err = f.store.Erase(ctx, theirs, []string{id})
		requireCode(t, "Erase", err, face.CodeNotFound)
		_, err = f.store.ReviewSearch(ctx, theirs, id, newReview(face.Declined))
		requireCode(t, "ReviewSearch", err, face.CodeNotFound)
	}
	for _, id := range []string{names.session, names.search} {
		erased, err := f.store.EraseOwners(ctx, theirs, []string{"vendor of " + id})
		if err != nil || erased.Sessions != 0 || erased.Searches != 0 {
			t.Fatalf("EraseOwners: %+v, %v", erased, err)
		}
	}
}

// testCancelledContext leaves out MediaSecrets and ReceiptKey, which have nothing to wait for.
func testCancelledContext(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	names := f.fill(ours)
	list := append(calls(names),
		call{"CreateApplication", func(ctx context.Context, store Store, _ string) error {
			return store.CreateApplication(ctx, face.Application{ID: newID(), CreatedAt: moment(0)})
		}},
		call{"Applications", func(ctx context.Context, store Store, _ string) error {
			_, err := store.Applications(ctx)
			return err
		}},
		call{"DeleteApplication", func(ctx context.Context, store Store, application string) error {
			return store.DeleteApplication(ctx, application)
		}},
		call{"ChangeAccount", func(ctx context.Context, store Store, _ string) error {
			_, err := store.ChangeAccount(ctx, "somebody@example.org", func(*face.Account) error { return nil })
			return err
		}},
		call{"RotateMediaSecret", func(ctx context.Context, store Store, _ string) error {
			return store.RotateMediaSecret(ctx, true)
		}},
		call{"AuditWhole", func(ctx context.Context, store Store, _ string) error {
			_, _, err := store.AuditWhole(ctx, face.AuditPage{Limit: 5})
			return err
		}},
		call{"KeyByDigest", func(ctx context.Context, store Store, _ string) error {
			_, err := store.KeyByDigest(ctx, newKey(ours, names.key).Digest)
			return err
		}},
	)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range list {
		t.Run("Err"+c.name, func(t *testing.T) {
			before := f.state(ours)
			if err := c.call(ctx, f.store, ours); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want the context's error", err)
			}
			requireSame(t, "state", f.state(ours), before)
		})
	}
	t.Run("OK numbers have no gap", func(t *testing.T) {
		if got := f.enrol(ours, newEnrolment(newID())).Number; got != 2 {
			t.Fatalf("number %d", got)
		}
	})
}

// testReopen restarts a store that holds some of everything.
func testReopen(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	for _, application := range []string{ours, theirs, ours} {
		f.fill(application)
	}
	settings := face.DefaultSettings()
	settings.SimilarityThreshold = 88.8
	if err := f.store.PutSettings(t.Context(), theirs, settings); err != nil {
		t.Fatal(err)
	}
	want := []string{f.state(ours), f.state(theirs)}
	for range 3 {
		f.reopen()
		requireSame(t, "both applications", []string{f.state(ours), f.state(theirs)}, want)
	}
	for application, number := range map[string]uint64{ours: 3, theirs: 2} {
		if got := f.enrol(application, newEnrolment(newID())).Number; got != number {
			t.Errorf("%s: the next number is %d, want %d", application, got, number)
		}
	}
}
