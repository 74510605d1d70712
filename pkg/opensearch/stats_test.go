//go:build opensearch

package opensearch_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
)

// TestStats counts on servers that have not been asked before.
func TestStats(t *testing.T) {
	options := optionsFor(newPrefix(t), opensearch.ExactIndex)
	require := func(want face.Stats) {
		t.Helper()
		store := openStore(t, options)
		defer store.Close()
		want.Index, want.Remote = "exact", true
		if got, err := store.Stats(t.Context()); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	require(face.Stats{})
	store := openStore(t, options)
	defer store.Close()
	createApplication(t, store)
	for at, session := range []face.Session{
		{Status: face.Approved}, {Status: face.Approved}, {Status: face.Declined, Blocklisted: true}, {Status: face.InReview},
	} {
		one := person("person-"+string(rune('a'+at)), at)
		one.Session.Status, one.Session.Blocklisted = session.Status, session.Blocklisted
		enrol(t, store, one)
	}
	require(face.Stats{Applications: 1, Sessions: 4, Searchable: 3, Blocklisted: 1})
	if _, err := store.Erase(t.Context(), application, []string{"person-a", "person-c"}); err != nil {
		t.Fatal(err)
	}
	require(face.Stats{Applications: 1, Sessions: 2, Searchable: 1})
}

// TestStatsOften: whoever asks often asks the cluster once, also while it does not answer.
func TestStatsOften(t *testing.T) {
	var asked atomic.Int64
	var gone atomic.Bool
	proxy := newProxy(t, func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		if strings.HasPrefix(r.URL.Path, "/_msearch") {
			asked.Add(1)
			if gone.Load() {
				refuse(http.StatusTooManyRequests, `{"error":{"type":"circuit_breaking_exception"},"status":429}`)(w, r)
				return
			}
		}
		through.ServeHTTP(w, r)
	})
	for name, refused := range map[string]bool{"OK": false, "ErrBusy": true} {
		t.Run(name, func(t *testing.T) {
			gone.Store(false)
			options := optionsFor(newPrefix(t), opensearch.ExactIndex)
			options.URLs = []string{proxy}
			store := openStore(t, options)
			defer store.Close()
			gone.Store(refused)
			asked.Store(0)
			var scrapes sync.WaitGroup
			for range 20 {
				scrapes.Go(func() {
					if _, err := store.Stats(t.Context()); face.CodeOf(err) == face.CodeBusy != refused {
						t.Error(err)
					}
				})
			}
			scrapes.Wait()
			if got := asked.Load(); got != 1 {
				t.Errorf("the cluster was asked %d times", got)
			}
		})
	}
}
