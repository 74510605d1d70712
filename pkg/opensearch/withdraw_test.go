//go:build opensearch

package opensearch_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"facesearch/pkg/opensearch"
)

// TestLateNumber lets the write that gives an enrolment its number come only when the enrolment
// was given up and taken back. It is too late, and no number is left out.
func TestLateNumber(t *testing.T) {
	prefix := newPrefix(t)
	for _, name := range []string{"the first of all", "a later one"} {
		t.Run(name, func(t *testing.T) {
			var holding atomic.Bool
			late := make(chan *http.Request, 10)
			options := optionsFor(prefix, opensearch.ExactIndex)
			options.URLs = []string{newProxy(t, func(w http.ResponseWriter, r *http.Request, through http.Handler) {
				body := bodyOf(r)
				if !holding.Load() || !bytes.Contains(body, []byte(`"kind":"register"`)) {
					through.ServeHTTP(w, r)
					return
				}
				held := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
				held.Header = r.Header.Clone()
				holding.Store(false)
				late <- held
				refuse(http.StatusInternalServerError, `{"error":{"type":"exception"},"status":500}`)(w, r)
			})}
			store := openStore(t, options)
			if name == "the first of all" {
				createApplication(t, store)
			}
			before, err := store.Size(t.Context(), application)
			if err != nil {
				t.Fatal(err)
			}
			holding.Store(true)
			_, _, err = store.Enrol(t.Context(), application, person(name, 80))
			requireBusy(t, "Enrol", err)
			if err := store.Close(); err != nil { // when it has taken back what it staged
				t.Fatal(err)
			}
			firstNode(t).ServeHTTP(httptest.NewRecorder(), <-late)

			store = openStore(t, optionsFor(prefix, opensearch.ExactIndex))
			defer store.Close()
			if requireWhole(t, store, person(name, 80)) {
				t.Error("it was taken back, and is there")
			}
			if got := enrol(t, store, person("after "+name, 1+before)).Number; got != uint64(before)+1 {
				t.Errorf("the next number is %d, want %d", got, before+1)
			}
		})
	}
}

// TestTakenOver lets a second server go on with an enrolment while the first, which has given it
// up, is about to take it back.
func TestTakenOver(t *testing.T) {
	prefix := newPrefix(t)
	one := person("one", 1)
	var failing atomic.Bool
	about, goOn, withdrawn := make(chan struct{}, 10), make(chan struct{}), make(chan struct{}, 10)
	options := optionsFor(prefix, opensearch.ExactIndex)
	options.URLs = []string{newProxy(t, func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		body := bodyOf(r)
		switch {
		case failing.Load() && bytes.Contains(body, []byte(`"kind":"register"`)):
			failing.Store(false)
			refuse(http.StatusInternalServerError, `{"error":{"type":"exception"},"status":500}`)(w, r)
		case strings.HasSuffix(r.URL.Path, "/_bulk"): // it takes back what it staged
			about <- struct{}{}
			<-goOn
			through.ServeHTTP(w, r)
			withdrawn <- struct{}{}
		default:
			through.ServeHTTP(w, r)
		}
	})}
	first := openStore(t, options)
	defer first.Close()
	createApplication(t, first)

	// The second has given the number, and is about to let the session be seen.
	var once atomic.Bool
	options.URLs = []string{newProxy(t, func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		if body := bodyOf(r); bytes.Contains(body, []byte(`"in_gallery":true`)) && once.CompareAndSwap(false, true) {
			close(goOn)
			<-withdrawn
		}
		through.ServeHTTP(w, r)
	})}
	second := openStore(t, options)
	defer second.Close()

	failing.Store(true)
	_, _, err := first.Enrol(t.Context(), application, one)
	requireBusy(t, "Enrol", err)
	<-about
	session, _, err := second.Enrol(t.Context(), application, one)
	if err != nil || session.Number != 1 {
		t.Errorf("number %d, %v", session.Number, err)
	}
	if !requireWhole(t, second, one) {
		t.Error("it was enrolled, and is not there")
	}
	if got := enrol(t, second, person("after", 2)).Number; got != 2 {
		t.Errorf("the next number is %d", got)
	}
}

// bodyOf reads what is sent, and leaves it there.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil // its sender gave up
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}
