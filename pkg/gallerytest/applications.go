package gallerytest

import (
	"math"
	"sync"
	"testing"
	"time"

	"facesearch/pkg/face"
)

func testCreateApplication(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	t.Run("OK", func(t *testing.T) {
		settings, err := f.store.Settings(t.Context(), ours)
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, "settings", settings, face.DefaultSettings())
		keys, err := f.store.Keys(t.Context(), ours)
		if err != nil || len(keys) != 0 || f.size(ours) != 0 {
			t.Fatalf("a new application has %d keys and %d sessions, %v", len(keys), f.size(ours), err)
		}
	})
	t.Run("ErrConflict", func(t *testing.T) {
		f.enrol(ours, newEnrolment(newID()))
		before := f.state(ours)
		err := f.store.CreateApplication(t.Context(), face.Application{ID: ours, Name: "other", CreatedAt: moment(9)})
		requireCode(t, "a second one with the same ID", err, face.CodeConflict)
		requireSame(t, "state", f.state(ours), before)
	})
	t.Run("OK one of many at once", func(t *testing.T) {
		results := make([]error, 8)
		var group sync.WaitGroup
		for i := range results {
			group.Go(func() {
				results[i] = f.store.CreateApplication(t.Context(), face.Application{ID: "contested", CreatedAt: moment(i)})
			})
		}
		group.Wait()
		created := 0
		for _, err := range results {
			if err == nil {
				created++
			} else {
				requireCode(t, "a later one", err, face.CodeConflict)
			}
		}
		if created != 1 {
			t.Fatalf("%d were created", created)
		}
	})
}

func testApplications(t *testing.T, place func(testing.TB) Harness) {
	h := place(t)
	f := &fixture{T: t, harness: h, store: h.Open(t)}
	t.Cleanup(func() { f.close() })
	t.Run("OK none", func(t *testing.T) {
		if list, err := f.store.Applications(t.Context()); err != nil || len(list) != 0 {
			t.Fatalf("%v, %v", list, err)
		}
	})
	t.Run("OK oldest first", func(t *testing.T) {
		want := []face.Application{ // the IDs are in another order than the times
			{ID: "m", Name: "1", CreatedAt: moment(1)}, {ID: "z", Name: "2", CreatedAt: moment(2)}, {ID: "a", Name: "3", CreatedAt: moment(3)},
		}
		for _, i := range []int{2, 0, 1} {
			if err := f.store.CreateApplication(t.Context(), want[i]); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			list, err := f.store.Applications(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			requireSame(t, "applications", list, want)
			f.reopen()
		}
	})
}

func testSettings(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	read := func(application string) face.Settings {
		settings, err := f.store.Settings(f.Context(), application)
		if err != nil {
			f.Fatal(err)
		}
		return settings
	}
	changed := face.Settings{
		SimilarityThreshold: 92.5, ExpectedFalseMatches: 0.25, MatchAction: face.Declined, AllowMultipleFaces: true,
		MultipleFacesSeverity: face.ErrorLevel, LowQualitySeverity: face.Warning, MaxMatches: 17, KeepPicture: face.KeepNothing,
	}
	t.Run("OK default", func(t *testing.T) { requireSame(t, "settings", read(ours), face.DefaultSettings()) })
	t.Run("OK", func(t *testing.T) {
		if err := f.store.PutSettings(t.Context(), ours, changed); err != nil {
			t.Fatal(err)
		}
		requireSame(t, "settings", read(ours), changed)
		requireSame(t, "settings of another application", read(theirs), face.DefaultSettings())
		f.reopen()
		requireSame(t, "settings after a restart", read(ours), changed)
	})
	t.Run("OK zero values replace others", func(t *testing.T) {
		auto := changed
		auto.SimilarityThreshold, auto.AllowMultipleFaces = 0, false
		if err := f.store.PutSettings(t.Context(), ours, auto); err != nil {
			t.Fatal(err)
		}
		requireSame(t, "settings", read(ours), auto)
	})
	for name, spoil := range map[string]func(*face.Settings){
		"threshold":     func(s *face.Settings) { s.SimilarityThreshold = 101 },
		"threshold NaN": func(s *face.Settings) { s.SimilarityThreshold = math.NaN() },
		"expected":      func(s *face.Settings) { s.ExpectedFalseMatches = 0 },
		"action":        func(s *face.Settings) { s.MatchAction = "Maybe" },
		"several faces": func(s *face.Settings) { s.MultipleFacesSeverity = "" },
		"low quality":   func(s *face.Settings) { s.LowQualitySeverity = "fatal" },
		"matches":       func(s *face.Settings) { s.MaxMatches = 0 },
		"kept picture":  func(s *face.Settings) { s.KeepPicture = "all" },
	} {
		t.Run("ErrInvalid "+name, func(t *testing.T) {
			before, settings := read(ours), changed
			spoil(&settings)
			requireCode(t, "PutSettings", f.store.PutSettings(t.Context(), ours, settings), face.CodeInvalid)
			requireSame(t, "settings", read(ours), before)
		})
	}
}

func testCreateKey(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	first := newKey(ours, "key-1")
	if err := f.store.CreateKey(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	refused := func(t *testing.T, key face.Key, code face.Code) {
		before, beforeTheirs := f.state(ours), f.state(theirs)
		requireCode(t, "CreateKey", f.store.CreateKey(t.Context(), key), code)
		requireSame(t, "state", f.state(ours), before)
		requireSame(t, "state of the other application", f.state(theirs), beforeTheirs)
	}
	t.Run("OK", func(t *testing.T) {
		got, err := f.store.KeyByDigest(t.Context(), first.Digest)
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, "key", got, first)
	})
	t.Run("ErrConflict ID", func(t *testing.T) {
		key := newKey(ours, "other")
		key.ID = first.ID
		refused(t, key, face.CodeConflict)
		_, err := f.store.KeyByDigest(t.Context(), key.Digest)
		requireCode(t, "the refused key", err, face.CodeUnauthorized)
	})
	t.Run("ErrConflict digest", func(t *testing.T) {
		key := newKey(ours, "key-2")
		key.Digest = first.Digest
		refused(t, key, face.CodeConflict)
	})
	t.Run("ErrConflict digest in another application", func(t *testing.T) {
		key := newKey(theirs, "key-2")
		key.Digest = first.Digest
		refused(t, key, face.CodeConflict)
	})
	t.Run("ErrConflict digest of a revoked key", func(t *testing.T) {
		gone := newKey(ours, "key-3")
		if err := f.store.CreateKey(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		if err := f.store.RevokeKey(t.Context(), ours, gone.ID); err != nil {
			t.Fatal(err)
		}
		again := newKey(ours, "key-4")
		again.Digest = gone.Digest
		refused(t, again, face.CodeConflict)
		_, err := f.store.KeyByDigest(t.Context(), gone.Digest)
		requireCode(t, "the revoked key", err, face.CodeUnauthorized)
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		key := newKey("no such application", "key-5")
		refused(t, key, face.CodeNotFound)
		_, err := f.store.KeyByDigest(t.Context(), key.Digest)
		requireCode(t, "the refused key", err, face.CodeUnauthorized)
	})
}

func testKeys(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	want := make([]face.Key, 5)
	for i := range want {
		want[i] = newKey(ours, string(rune('p'-i))) // the IDs fall as the times rise
		want[i].CreatedAt = moment(i)
	}
	for _, i := range []int{3, 0, 4, 2, 1} {
		if err := f.store.CreateKey(t.Context(), want[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.store.CreateKey(t.Context(), newKey(theirs, "theirs")); err != nil {
		t.Fatal(err)
	}
	list := func() []face.Key {
		keys, err := f.store.Keys(f.Context(), ours)
		if err != nil {
			f.Fatal(err)
		}
		return keys
	}
	t.Run("OK oldest first", func(t *testing.T) { requireSame(t, "keys", list(), want) })
	t.Run("OK revoked ones included", func(t *testing.T) {
		if err := f.store.RevokeKey(t.Context(), ours, want[2].ID); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := list()
			if len(got) != len(want) || got[2].RevokedAt.IsZero() {
				t.Fatalf("got %+v", got)
			}
			got[2].RevokedAt = time.Time{}
			requireSame(t, "keys", got, want)
			f.reopen()
		}
	})
}

func testRevokeKey(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	first, second := newKey(ours, "key-1"), newKey(ours, "key-2")
	for _, key := range []face.Key{first, second} {
		if err := f.store.CreateKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	requireValid := func(t *testing.T, key face.Key) {
		t.Helper()
		if _, err := f.store.KeyByDigest(t.Context(), key.Digest); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("ErrNotFound ID", func(t *testing.T) {
		requireCode(t, "RevokeKey", f.store.RevokeKey(t.Context(), ours, "key-3"), face.CodeNotFound)
	})
	t.Run("ErrNotFound another application's key", func(t *testing.T) {
		requireCode(t, "RevokeKey", f.store.RevokeKey(t.Context(), theirs, first.ID), face.CodeNotFound)
		requireValid(t, first)
	})
	t.Run("OK", func(t *testing.T) {
		if err := f.store.RevokeKey(t.Context(), ours, first.ID); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err := f.store.KeyByDigest(t.Context(), first.Digest)
			requireCode(t, "the revoked key", err, face.CodeUnauthorized)
			requireValid(t, second)
			f.reopen()
		}
	})
	t.Run("OK again changes nothing", func(t *testing.T) {
		before := f.state(ours)
		if err := f.store.RevokeKey(t.Context(), ours, first.ID); err != nil {
			t.Fatal(err)
		}
		requireSame(t, "state", f.state(ours), before)
	})
}

func testKeyByDigest(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	key := newKey(ours, "key-1")
	t.Run("ErrUnauthorized no key at all", func(t *testing.T) {
		_, err := f.store.KeyByDigest(t.Context(), key.Digest)
		requireCode(t, "KeyByDigest", err, face.CodeUnauthorized)
	})
	if err := f.store.CreateKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	t.Run("OK", func(t *testing.T) {
		for range 2 {
			got, err := f.store.KeyByDigest(t.Context(), key.Digest)
			if err != nil {
				t.Fatal(err)
			}
			requireSame(t, "key", got, key)
			f.reopen()
		}
	})
	t.Run("ErrUnauthorized one bit differs", func(t *testing.T) {
		for place := range key.Digest {
			wrong := key.Digest
			wrong[place] ^= 1 << (place % 8)
			_, err := f.store.KeyByDigest(t.Context(), wrong)
			requireCode(t, "KeyByDigest", err, face.CodeUnauthorized)
		}
	})
	t.Run("ErrUnauthorized zero digest", func(t *testing.T) {
		got, err := f.store.KeyByDigest(t.Context(), [32]byte{})
		requireCode(t, "KeyByDigest", err, face.CodeUnauthorized)
		requireSame(t, "key beside the error", got, face.Key{})
	})
}
