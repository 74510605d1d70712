//go:build opensearch

package opensearch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
	"facesearch/pkg/opensearch/opensearchtest"
)

const application = "application"

// person makes a session with a template and a picture of its own.
func person(id string, at int) face.Enrolment {
	enrolment := face.Enrolment{
		Session: face.Session{
			ID: id, Status: face.Approved, VendorData: "vendor of " + id, PictureID: "picture-" + id, Fingerprint: id,
			CreatedAt: time.Unix(1_750_000_000, 0).UTC(), VerifiedAt: time.Unix(1_750_000_000, 0).UTC(),
		},
		Picture: face.Picture{ContentType: "image/jpeg", Data: []byte("picture of " + id)},
	}
	enrolment.Template = make(face.Template, face.TemplateDim)
	enrolment.Template[at%face.TemplateDim] = float32(1 + at/face.TemplateDim)
	return enrolment
}

func createApplication(t testing.TB, store *opensearch.Store) {
	t.Helper()
	if err := store.CreateApplication(t.Context(), face.Application{ID: application, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func enrol(t testing.TB, store *opensearch.Store, enrolment face.Enrolment) face.Session {
	t.Helper()
	session, created, err := store.Enrol(t.Context(), application, enrolment)
	if err != nil || !created {
		t.Fatalf("enrolling: created %v, %v", created, err)
	}
	return session
}

// everyCall are calls that each need the cluster.
func everyCall(store *opensearch.Store, enrolment face.Enrolment, fresh string) map[string]func(context.Context) error {
	template := enrolment.Template
	candidates := []face.Candidate{{Session: enrolment.Session}}
	return map[string]func(context.Context) error{
		"Candidates": func(ctx context.Context) error {
			_, err := store.Candidates(ctx, application, template, 0.5, 5)
			return err
		},
		"Enrol": func(ctx context.Context) error {
			_, _, err := store.Enrol(ctx, application, person(fresh, 90))
			return err
		},
		"Change": func(ctx context.Context) error {
			_, err := store.Change(ctx, application, enrolment.Session.ID, func(s *face.Session) { s.Comment += "x" })
			return err
		},
		"Session": func(ctx context.Context) error {
			_, err := store.Session(ctx, application, enrolment.Session.ID)
			return err
		},
		"Sessions": func(ctx context.Context) error {
			_, _, err := store.Sessions(ctx, application, face.SessionFilter{Limit: 5})
			return err
		},
		"Size": func(ctx context.Context) error { _, err := store.Size(ctx, application); return err },
		"Crowd": func(ctx context.Context) error {
			_, err := store.Crowd(ctx, application, template)
			return err
		},
		"CandidateCrowds": func(ctx context.Context) error {
			_, err := store.CandidateCrowds(ctx, application, candidates)
			return err
		},
		"Stats": func(ctx context.Context) error { _, err := store.Stats(ctx); return err },
		"Erase": func(ctx context.Context) error {
			_, err := store.Erase(ctx, application, []string{enrolment.Session.ID})
			return err
		},
		"SaveSearch": func(ctx context.Context) error {
			return store.SaveSearch(ctx, application, face.SavedSearch{ID: fresh}, face.Picture{})
		},
		"Credits": func(ctx context.Context) error { _, err := store.Credits(ctx, application); return err },
		"KeyByDigest": func(ctx context.Context) error {
			_, err := store.KeyByDigest(ctx, [32]byte{1})
			return err
		},
	}
}

// requireBusy wants a refusal that a client can act on.
func requireBusy(t *testing.T, name string, err error) {
	t.Helper()
	var refusal *face.Error
	if !errors.As(err, &refusal) || refusal.Code != face.CodeBusy || refusal.RetryAfter <= 0 {
		t.Errorf("%s gave %v, want CodeBusy with a time to ask again", name, err)
	}
}

// whole wants everything of one session to be there, or nothing of it.
func requireWhole(t *testing.T, store *opensearch.Store, enrolment face.Enrolment) (there bool) {
	t.Helper()
	_, err := store.Session(t.Context(), application, enrolment.Session.ID)
	if err != nil && face.CodeOf(err) != face.CodeNotFound {
		t.Fatal(err)
	}
	there = err == nil
	_, err = store.Picture(t.Context(), application, enrolment.Session.PictureID)
	found, searchErr := store.Candidates(t.Context(), application, enrolment.Template, 0, 5)
	if (err == nil) != there || searchErr != nil || (found.Total == 1) != there {
		t.Errorf("%s: session %v, picture %v, found %d times, %v", enrolment.Session.ID, there, err, found.Total, searchErr)
	}
	return there
}

// TestEngineInTrouble puts a proxy before the cluster which answers in its place.
func TestEngineInTrouble(t *testing.T) {
	trouble := map[string]http.HandlerFunc{
		"TooManyRequests": refuse(http.StatusTooManyRequests, `{"error":{"type":"opensearch_rejected_execution_exception"},"status":429}`),
		"Error":           refuse(http.StatusInternalServerError, `{"error":{"type":"exception"},"status":500}`),
		"Unavailable":     refuse(http.StatusServiceUnavailable, `{"error":{"type":"no_shard_available_action_exception"},"status":503}`),
		"Full":            refuse(http.StatusForbidden, `{"error":{"type":"cluster_block_exception"},"status":403}`),
		"NotJSON":         refuse(http.StatusBadGateway, "<html>bad gateway</html>"),
		"Slow": func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"CutOff": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"cut`)
		},
	}
	for name, handler := range trouble {
		t.Run(name, func(t *testing.T) {
			var inTrouble atomic.Bool
			proxy := newProxy(t, func(w http.ResponseWriter, r *http.Request, through http.Handler) {
				if inTrouble.Load() {
					handler(w, r)
				} else {
					through.ServeHTTP(w, r)
				}
			})
			options := optionsFor(newPrefix(t), opensearch.ExactIndex)
			options.URLs, options.Timeout = []string{proxy}, 900*time.Millisecond
			if name != "Slow" {
				options.Timeout = 0
			}
			store := openStore(t, options)
			defer store.Close()
			createApplication(t, store)
			first := person("first", 1)
			enrol(t, store, first)

			inTrouble.Store(true)
			var calls sync.WaitGroup
			for call, do := range everyCall(store, first, "fresh") {
				calls.Go(func() { requireBusy(t, call, do(t.Context())) })
			}
			calls.Wait()
			inTrouble.Store(false)

			if !requireWhole(t, store, first) {
				t.Error("an erasure that was refused was carried out")
			}
			requireWhole(t, store, person("fresh", 90))
			if got := enrol(t, store, person("after", 2)).Number; got != 2 {
				t.Errorf("the next number is %d", got)
			}
		})
	}
}

func refuse(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// firstNode passes requests on to the first node.
func firstNode(t testing.TB) http.Handler {
	t.Helper()
	target, err := url.Parse(cluster.Nodes[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(target)
}

// newProxy stands before the first node.
func newProxy(t testing.TB, handle func(http.ResponseWriter, *http.Request, http.Handler)) string {
	t.Helper()
	through := firstNode(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, through) }))
	t.Cleanup(server.Close)
	return server.URL
}

// TestEveryWriteFails lets each write of an enrolment and of an erasure fail in turn, before it
// reaches the cluster and after it. What is then there is whole, the call can be made again, and
// no number is given twice or left out.
func TestEveryWriteFails(t *testing.T) {
	t.Parallel()
	var left atomic.Int64 // writes until one fails; negative for never
	var lose atomic.Bool  // whether the failing write is carried out and its answer lost
	left.Store(-1)
	proxy := newProxy(t, func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		if !isWrite(r) || left.Add(-1) != 0 {
			through.ServeHTTP(w, r)
			return
		}
		if lose.Load() {
			through.ServeHTTP(httptest.NewRecorder(), r)
		}
		refuse(http.StatusInternalServerError, `{"error":{"type":"exception"},"status":500}`)(w, r)
	})
	options := optionsFor(newPrefix(t), opensearch.ExactIndex)
	options.URLs = []string{proxy}
	store := openStore(t, options)
	createApplication(t, store)
	number := uint64(0)
	for at := range 12 {
		lose.Store(at%2 == 1)
		one := person("person-"+string(rune('a'+at)), at)
		left.Store(int64(at/2 + 1))
		_, _, err := store.Enrol(t.Context(), application, one)
		left.Store(-1)
		there := requireWhole(t, store, one)
		if err == nil && !there {
			t.Fatalf("write %d: enrolled and not there", at/2)
		}
		if err != nil {
			requireBusy(t, "Enrol", err)
		}
		// The picture's name is another one when a request comes again.
		again := one
		if !there {
			again.Session.PictureID += "-again"
		}
		session, _, err := store.Enrol(t.Context(), application, again)
		if err != nil {
			t.Fatalf("write %d: again: %v", at/2, err)
		}
		if number++; session.Number != number {
			t.Fatalf("write %d: number %d, want %d", at/2, session.Number, number)
		}
		left.Store(int64(at/2 + 1))
		_, err = store.Erase(t.Context(), application, []string{one.Session.ID})
		left.Store(-1)
		if err != nil {
			requireBusy(t, "Erase", err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		store = openStore(t, options) // finishes what was decided
		// The first write decides, whether or not its answer is lost; what comes after is finished later.
		decided := at > 0
		if there := requireWhole(t, store, again); there == decided {
			t.Fatalf("write %d, lost %v: there %v", at/2, at%2 == 1, there)
		}
	}
	store.Close()
}

func isWrite(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/_doc/") || strings.HasSuffix(r.URL.Path, "/_bulk")
}

// TestAnswerIsLost loses the answer to every write, so that the client sends it again.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	proxy := newProxy(t, func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		if isWrite(r) && seen.Add(1)%2 == 1 {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			through.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		through.ServeHTTP(w, r)
	})
	options := optionsFor(newPrefix(t), opensearch.ExactIndex)
	options.URLs = []string{proxy}
	store := openStore(t, options)
	defer store.Close()
	createApplication(t, store)
	for at := range 5 {
		one := person("person-"+string(rune('a'+at)), at)
		if got := enrol(t, store, one).Number; got != uint64(at)+1 {
			t.Fatalf("number %d", got)
		}
		if _, err := store.Change(t.Context(), application, one.Session.ID, func(s *face.Session) { s.Blocklisted = true }); err != nil {
			t.Fatal(err)
		}
		if at == 2 {
			if _, err := store.Erase(t.Context(), application, []string{one.Session.ID}); err != nil {
				t.Fatal(err)
			}
		}
		if there := requireWhole(t, store, one); there != (at != 2) {
			t.Errorf("person %d: there %v", at, there)
		}
	}
	if seen.Load() < 40 {
		t.Errorf("only %d writes were seen", seen.Load())
	}
}

// TestNodeStops suspends a node, kills it, and starts it again.
func TestNodeStops(t *testing.T) {
	own, err := opensearchtest.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	patient := openStore(t, opensearch.Options{URLs: own.URLs(), Timeout: time.Minute})
	defer patient.Close()
	createApplication(t, patient)
	first := person("first", 1)
	enrol(t, patient, first)
	// On a busy machine, this one is told to come again also while nothing is wrong.
	store := openStore(t, opensearch.Options{URLs: own.URLs(), Timeout: 3 * time.Second})
	defer store.Close()
	node := own.Nodes[0]

	recover := func(fresh face.Enrolment) {
		t.Helper()
		awaitRecovery(t, store, first)
		if !requireWhole(t, patient, first) {
			t.Error("who was enrolled is gone")
		}
		requireWhole(t, patient, fresh)
	}
	if err := node.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"Candidates", "Enrol"} {
		requireBusy(t, call, everyCall(store, first, "suspended")[call](t.Context()))
	}
	if err := node.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	recover(person("suspended", 90))

	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	for call, do := range everyCall(store, first, "killed") {
		requireBusy(t, call, do(t.Context()))
	}
	if err := errors.Join(node.Start(), own.Await()); err != nil {
		t.Fatal(err)
	}
	recover(person("killed", 90))
	enrol(t, patient, person("after", 2))
}

// awaitRecovery waits until calls that need the sessions, the pictures and the records succeed: each
// index is back on its own, and after a while.
func awaitRecovery(t *testing.T, store *opensearch.Store, one face.Enrolment) {
	t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, sessions := store.Size(t.Context(), application)
		_, pictures := store.Picture(t.Context(), application, one.Session.PictureID)
		_, records := store.Credits(t.Context(), application)
		err := errors.Join(sessions, pictures, records)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not recover:", err)
		}
	}
}

// TestFullDisk blocks writes as OpenSearch does when a disk is full.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	prefix := newPrefix(t)
	store := openStore(t, optionsFor(prefix, opensearch.ExactIndex))
	defer store.Close()
	createApplication(t, store)
	first := person("first", 1)
	enrol(t, store, first)
	block(t, prefix, true)
	calls := everyCall(store, first, "fresh")
	for _, call := range []string{"Enrol", "Change", "SaveSearch"} {
		requireBusy(t, call, calls[call](t.Context()))
	}
	if err := calls["Candidates"](t.Context()); err != nil {
		t.Error("a search, which writes nothing:", err)
	}
	block(t, prefix, nil)
	if requireWhole(t, store, person("fresh", 90)) {
		t.Error("refused, and enrolled")
	}
	if got := enrol(t, store, person("after", 2)).Number; got != 2 {
		t.Errorf("the next number is %d", got)
	}
}

func block(t *testing.T, prefix string, to any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"index.blocks.read_only_allow_delete": to})
	if err != nil {
		t.Fatal(err)
	}
	put(t, "/"+prefix+"-*/_settings", string(body))
}

// put sends something to the cluster itself.
func put(t testing.TB, path, body string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPut, cluster.Nodes[0].URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		t.Fatalf("PUT %s: %s %s", path, response.Status, answer)
	}
}
