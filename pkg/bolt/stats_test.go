package bolt_test

import (
	"context"
	"fmt"
	"testing"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
)

func TestStats(t *testing.T) {
	for _, kind := range []bolt.IndexKind{bolt.ExactIndex, bolt.HNSWIndex} {
		t.Run(string(kind), func(t *testing.T) {
			directory := t.TempDir()
			store, err := bolt.Open(directory, quiet(kind))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := store.Stats(t.Context()); err != nil || got.Applications != 0 || got.Sessions != 0 || got.Index != string(kind) {
				t.Errorf("an empty store: %+v, %v", got, err)
			}
			ids := fillForStats(t, store)
			want := [4]int{2, 5, 4, 1}
			requireStats(t, store, want)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			if store, err = bolt.Open(directory, quiet(kind)); err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			requireStats(t, store, want)
			if _, err := store.Erase(context.Background(), "a", ids[:2]); err != nil {
				t.Fatal(err)
			}
			requireStats(t, store, [4]int{2, 3, 2, 1})
		})
	}
}

// fillForStats enrols three approved, one blocklisted and one declined person.
func fillForStats(t *testing.T, store *bolt.Store) (ids []string) {
	t.Helper()
	for _, application := range []string{"a", "b"} {
		if err := store.CreateApplication(t.Context(), face.Application{ID: application}); err != nil {
			t.Fatal(err)
		}
	}
	for i, session := range []face.Session{
		{Status: face.Approved}, {Status: face.Approved}, {Status: face.Declined, Blocklisted: true}, {Status: face.Declined}, {Status: face.Approved},
	} {
		application := "a"
		if i == 4 {
			application = "b"
		}
		session.ID = fmt.Sprint("session-", i)
		enrolment := face.Enrolment{Session: session, Template: make(face.Template, face.TemplateDim)}
		enrolment.Template[0] = float32(i)
		for range 2 { // the second time it is there already
			if _, _, err := store.Enrol(t.Context(), application, enrolment); err != nil {
				t.Fatal(err)
			}
		}
		ids = append(ids, session.ID)
	}
	return ids
}

func requireStats(t *testing.T, store *bolt.Store, want [4]int) {
	t.Helper()
	got, err := store.Stats(t.Context())
	if err != nil || got.Remote || [4]int{got.Applications, got.Sessions, got.Searchable, got.Blocklisted} != want || got.IndexBytes < 4*512 {
		t.Errorf("%+v, %v, want %v", got, err, want)
	}
}
