package gallerytest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"facesearch/pkg/face"
)

func testChangeKey(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	first, second := newKey(ours, "key-1"), newKey(ours, "key-2")
	second.CreatedAt = moment(4)
	for _, key := range []face.Key{first, second} {
		if err := f.store.CreateKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	want := first
	want.Name, want.ExpiresAt, want.LastUsedAt = "renamed", time.Now().Add(time.Hour).UTC(), moment(7)
	t.Run("OK", func(t *testing.T) {
		changed, err := f.store.ChangeKey(t.Context(), ours, first.ID, func(key *face.Key) error {
			requireSame(t, "the key that is changed", *key, first)
			*key = want
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, "the changed key", changed, want)
		for range 2 {
			keys, err := f.store.Keys(t.Context(), ours)
			if err != nil {
				t.Fatal(err)
			}
			requireSame(t, "keys", keys, []face.Key{want, second})
			got, err := f.store.KeyByDigest(t.Context(), first.Digest)
			if err != nil {
				t.Fatal(err)
			}
			requireSame(t, "key", got, want)
			f.reopen()
		}
	})
	refused := errors.New("refused by the caller")
	for name, change := range map[string]func(*face.Key) error{
		"its error":   func(key *face.Key) error { key.Name = "x"; return refused },
		"ID":          func(key *face.Key) error { key.ID = "x"; return nil },
		"application": func(key *face.Key) error { key.Application = theirs; return nil },
		"scope":       func(key *face.Key) error { key.Scope = face.ScopeManage; return nil },
		"digest":      func(key *face.Key) error { key.Digest[3]++; return nil },
		"creation":    func(key *face.Key) error { key.CreatedAt = moment(9); return nil },
		"revocation":  func(key *face.Key) error { key.RevokedAt = moment(9); return nil },
	} {
		t.Run("Err"+name, func(t *testing.T) {
			before := f.state(ours)
			_, err := f.store.ChangeKey(t.Context(), ours, first.ID, change)
			if err == nil || name == "its error" && !errors.Is(err, refused) {
				t.Fatal(err)
			}
			requireSame(t, "state", f.state(ours), before)
		})
	}
	t.Run("ErrNotFound", func(t *testing.T) {
		for application, id := range map[string]string{ours: "key-3", theirs: first.ID} {
			_, err := f.store.ChangeKey(t.Context(), application, id, func(*face.Key) error {
				t.Error("change is called")
				return nil
			})
			requireCode(t, "ChangeKey", err, face.CodeNotFound)
		}
	})
	t.Run("OK one after the other", func(t *testing.T) {
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				_, err := f.store.ChangeKey(t.Context(), ours, second.ID, func(key *face.Key) error {
					key.Name += "+"
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		got, err := f.store.KeyByDigest(t.Context(), second.Digest)
		if err != nil || len(got.Name) != len(second.Name)+20 {
			t.Fatalf("%q, %v", got.Name, err)
		}
	})
}

func testKeyScope(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	for _, scope := range face.Scopes {
		key := newKey(ours, "of scope "+string(scope))
		key.Scope = scope
		if err := f.store.CreateKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := f.store.KeyByDigest(t.Context(), key.Digest)
			if err != nil {
				t.Fatal(err)
			}
			requireSame(t, "key", got, key)
			f.reopen()
		}
	}
	for _, scope := range []face.Scope{"", "Manage", "all"} {
		before := f.state(ours)
		key := newKey(ours, "of no scope")
		key.Scope = scope
		requireCode(t, "CreateKey", f.store.CreateKey(t.Context(), key), face.CodeInvalid)
		requireSame(t, "state", f.state(ours), before)
	}
}

func testKeyExpiry(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	for name, expires := range map[string]time.Time{
		"past": time.Now().Add(-time.Millisecond), "long past": moment(0), "to come": time.Now().Add(time.Hour), "never": {},
	} {
		key := newKey(ours, name)
		key.ExpiresAt = expires
		if err := f.store.CreateKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		_, err := f.store.KeyByDigest(t.Context(), key.Digest)
		if expires.IsZero() || expires.After(time.Now()) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		requireCode(t, name, err, face.CodeUnauthorized)
	}
	if keys, err := f.store.Keys(t.Context(), ours); err != nil || len(keys) != 4 {
		t.Fatalf("%d keys are listed, %v", len(keys), err)
	}
}
