package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"facesearch/api"
	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/search"
)

// scrape reads /metrics as Prometheus does, as one value for each name with its labels: of a
// histogram the number of observations.
func scrape(t *testing.T, a *tenant) map[string]float64 {
	t.Helper()
	got := (&tenant{world: a.world, url: a.url}).get(t, "/metrics") // without a key
	if got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	problems, err := promlint.New(bytes.NewReader(got.body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("promlint: %s: %s", problem.Metric, problem.Text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	confidential.Range(func(key, _ any) bool {
		// A status that was sent is no secret.
		if !face.Status(key.(string)).Valid() && bytes.Contains(got.body, []byte(key.(string))) {
			t.Errorf("the metrics hold %q", key)
		}
		return true
	})
	for _, secret := range []string{a.id, a.key} {
		if bytes.Contains(got.body, []byte(secret)) {
			t.Errorf("the metrics hold %q", secret)
		}
	}
	values := map[string]float64{}
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			values[strings.TrimPrefix(strings.Join(append([]string{name}, labels...), " "), "facesearch_")] = valueOf(family.GetType(), metric)
		}
	}
	return values
}

func valueOf(kind dto.MetricType, metric *dto.Metric) float64 {
	switch kind {
	case dto.MetricType_COUNTER:
		return metric.GetCounter().GetValue()
	case dto.MetricType_HISTOGRAM:
		return float64(metric.GetHistogram().GetSampleCount())
	}
	return metric.GetGauge().GetValue()
}

// aloneInStore is a tenant whose store and server are its own, so that totals are its own.
func aloneInStore(t *testing.T, kind bolt.IndexKind, options api.Options) *tenant {
	t.Helper()
	shared := open(t)
	store, err := bolt.Open(t.TempDir(), bolt.Options{Index: kind, Log: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &world{engine: shared.engine, describer: shared.describer, gallery: &counted{Gallery: store}}
	application := face.Application{ID: "application-of-metrics"}
	if err := store.CreateApplication(t.Context(), application); err != nil {
		t.Fatal(err)
	}
	a := &tenant{world: w, id: application.ID, url: w.serve(t, options, w.engine, 1, 10)}
	a.key, _ = a.newKey(t)
	return a
}

func TestMetrics(t *testing.T) {
	a := aloneInStore(t, bolt.ExactIndex, api.Options{})
	begun := scrape(t, a)
	for _, name := range []string{"decisions_total search Approved", "matches_total 90+", "rate_limited_total key", "gallery_sessions", "queue_working"} {
		if value, there := begun[name]; !there || value != 0 {
			t.Errorf("at first %s is %v, %v", name, value, there)
		}
	}
	picture, other := portrait(t, "obama.jpg"), portrait(t, "biden.jpg")
	id := text("session_id", uuid.NewString())
	session := a.enrol(t, picture, id)
	a.post(t, "/v3/sessions/", file("portrait_image", picture), id) // which is there already
	a.post(t, "/v3/blocklist/faces/", file("image", other))
	a.post(t, "/v3/sessions/", file("portrait_image", portrait(t, "astronaut.png")), text("status", "Declined"))
	a.search(t, picture)                         // finds himself
	a.search(t, other)                           // is on the blocklist
	a.search(t, facetest.JPEG(t, plain(64, 64))) // nobody
	a.match(t, picture, facetest.JPEG(t, plain(64, 64)))
	a.post(t, "/v3/face-search/").refused(t, 400, "invalid_request", "")
	a.get(t, "/v3/nothing/made-up")
	a.send(t, "PROPFIND", "/v3/settings/", "", nil)
	a.patch(t, `{"credits_metered": true}`)
	a.post(t, "/v3/face-search/", file("user_image", picture)).refused(t, 403, "insufficient_credits", "")
	a.json(t, http.MethodDelete, "/v3/session/"+session.SessionID+"/delete/", "")
	a.patch(t, `{"requests_per_minute": 1}`)
	a.get(t, "/v3/settings/")
	a.get(t, "/v3/settings/").refused(t, 429, "rate_limited", "")
	got := scrape(t, a)
	for name, want := range map[string]float64{
		"decisions_total search Approved": 0, "decisions_total search In Review": 1, "decisions_total search Declined": 2,
		"decisions_total match Declined": 1, "decisions_total match Approved": 0,
		"warnings_total NO_FACE_DETECTED": 2, "warnings_total FACE_IN_BLOCKLIST": 1,
		"matches_total 90+": 2, "matches_total 70-89": 0, "matches_total under 70": 0,
		"enrolments_total": 3, "erasures_total": 1, "credits_refused_total": 1, "rate_limited_total key": 1, "rate_limited_total address": 0,
		"gallery_sessions": 2, "gallery_searchable_sessions": 1, "gallery_blocklisted_sessions": 1, "index_info exact": 1,
		"queue_working": 0, "queue_waiting": 0, "queue_refused_total": 0, "index_recall_samples_total": 0,
		"step_duration_seconds wait": 7, "step_duration_seconds decode": 7, "step_duration_seconds detect": 7, "step_duration_seconds template": 6,
		"step_duration_seconds attributes": 6, "step_duration_seconds index": 3, "step_duration_seconds store": 6,
		"request_duration_seconds POST /v3/face-search 200": 3, "request_duration_seconds POST /v3/face-search 400": 1,
		"request_duration_seconds POST /v3/face-search 403": 1, "request_duration_seconds GET /v3/settings 429": 1,
		"request_duration_seconds DELETE /v3/session/{id}/delete 204": 1,
		"request_duration_seconds GET none 404":                       1, "request_duration_seconds other none 405": 1,
		"request_duration_seconds GET /metrics 200": 1, // this one is not over yet
	} {
		if value, there := got[name]; !there || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
	if got["index_memory_bytes"] < 512 || got["go_goroutines"] < 1 || got["process_resident_memory_bytes"] < 1 {
		t.Errorf("index %v, goroutines %v, process %v", got["index_memory_bytes"], got["go_goroutines"], got["process_resident_memory_bytes"])
	}
	if t.Failed() {
		var names []string
		for name, value := range got {
			if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
				names = append(names, fmt.Sprintf("%s = %v", name, value))
			}
		}
		sort.Strings(names)
		t.Log(strings.Join(names, "\n"))
	}
}

// TestMetricsBounded: whatever clients make up, no new label comes of it.
func TestMetricsBounded(t *testing.T) {
	a := aloneInStore(t, bolt.ExactIndex, api.Options{})
	ask := func(name string) {
		for _, path := range []string{"/" + name, "/v3/session/" + name + "/decision/", "/v3/" + name + "/", "/v3/media/" + name, "/v3/settings?x=" + name} {
			a.send(t, http.MethodGet, path, "", nil)
			// Such methods are not in the document.
			response, err := http.DefaultTransport.RoundTrip(a.request(t, strings.ToUpper(name), path, "", nil))
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}
	}
	ask("one")
	scrape(t, a)
	before := scrape(t, a) // which knows of the scrape before it
	for _, name := range []string{"two", "three", "four"} {
		ask(name)
	}
	after := scrape(t, a)
	for name := range after {
		if _, there := before[name]; !there && strings.Contains(name, "duration") {
			t.Errorf("%s is new", name)
		}
	}
}

// TestMetricsQueue: who works, waits and is refused shows while it is so.
func TestMetricsQueue(t *testing.T) {
	a := newTenant(t)
	gate := newGate(a.engine)
	one := &tenant{world: a.world, id: a.id, key: a.key, url: a.serve(t, api.Options{}, gate, 1, 1)}
	kind, body := form(file("user_image", facetest.JPEG(t, plain(64, 64))))
	answers := make(chan answer, 3)
	for range 3 {
		request := one.request(t, http.MethodPost, "/v3/face-search/", kind, bytes.NewReader(body))
		go func() {
			got, _ := do(request)
			answers <- got
		}()
	}
	gate.wait(t)
	if got := <-answers; got.status != 503 {
		t.Errorf("%d %s", got.status, got.body)
	}
	got := scrape(t, one)
	for got["queue_waiting"] != 1 { // it may not be in the line yet
		got = scrape(t, one)
	}
	if got["queue_working"] != 1 || got["queue_refused_total"] != 1 {
		t.Errorf("%v working, %v refused", got["queue_working"], got["queue_refused_total"])
	}
	close(gate.open)
	for range 2 {
		if got := <-answers; got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

// A measured gallery says what it holds.
type measured struct {
	face.Gallery
	stats face.Stats
	err   error
}

func (m measured) Stats(context.Context) (face.Stats, error) { return m.stats, m.err }

// TestMetricsIndex: an index that may miss neighbours shows how many it does miss; what is not known
// is left out.
func TestMetricsIndex(t *testing.T) {
	stats := face.Stats{
		Sessions: 7, Searchable: 6, Blocklisted: 5, Index: "hnsw", IndexBytes: 4096, RecallSamples: 30, RecallWanted: 20, RecallFound: 10,
	}
	gallery := map[string]float64{"gallery_sessions": 7, "gallery_searchable_sessions": 6, "gallery_blocklisted_sessions": 5, "index_info hnsw": 1}
	t.Run("OK", func(t *testing.T) {
		index := map[string]float64{
			"index_memory_bytes": 4096, "index_recall_samples_total": 30, "index_recall_neighbours_wanted_total": 20, "index_recall_neighbours_found_total": 10,
		}
		maps.Copy(index, gallery)
		requireGauges(t, measured{stats: stats}, index)
	})
	t.Run("OK elsewhere", func(t *testing.T) {
		remote := stats
		remote.Remote = true
		requireGauges(t, measured{stats: remote}, gallery)
	})
	t.Run("ErrBusy", func(t *testing.T) { requireGauges(t, measured{stats: stats, err: errors.New("gone")}, nil) })
}

// requireGauges wants these figures of a gallery and its index, and no others.
func requireGauges(t *testing.T, gallery measured, want map[string]float64) {
	t.Helper()
	a := newTenant(t)
	gallery.Gallery = a.gallery.Gallery
	server := api.New(api.Options{Log: testLog()})
	if err := server.Ready(t.Context(), gallery, search.New(gallery, a.engine, a.describer, search.Options{Workers: 1})); err != nil {
		t.Fatal(err)
	}
	listening := listen(server)
	t.Cleanup(listening.Close)
	got := scrape(t, &tenant{world: a.world, id: a.id, key: a.key, url: listening.URL})
	maps.DeleteFunc(got, func(name string, _ float64) bool {
		return !strings.HasPrefix(name, "gallery_") && !strings.HasPrefix(name, "index_")
	})
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestMetricsApart: where metrics are answered elsewhere there are none here.
func TestMetricsApart(t *testing.T) {
	server := api.New(api.Options{MetricsApart: true, Log: testLog()})
	routes, err := api.Routes(server)
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range routes {
		if each[1] == "/metrics" {
			t.Error("there is a route for metrics")
		}
	}
}
