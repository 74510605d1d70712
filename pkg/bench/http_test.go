package bench_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"facesearch/pkg/bench"
	"facesearch/pkg/client"
)

func server(t *testing.T, name string, handle http.HandlerFunc) bench.Target {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server does not see that a client has gone
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return bench.Target{Name: name, Server: client.New(s.URL, "key")}
}

// found is an answer with a match for each pair of vendor_data and similarity.
func found(status string, pairs ...any) string {
	var matches []string
	for i := 0; i < len(pairs); i += 2 {
		matches = append(matches, fmt.Sprintf(`{"vendor_data":%q,"similarity_percentage":%v}`, pairs[i], pairs[i+1]))
	}
	return fmt.Sprintf(`{"face_search":{"status":%q,"matches":[%s]}}`, status, strings.Join(matches, ","))
}

func always(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }
}

func load(targets ...bench.Target) bench.LoadOptions {
	return bench.LoadOptions{
		Targets: targets, Rate: 200, Duration: 200 * time.Millisecond, Timeout: patience, InFlightMax: 100,
		Pictures: []bench.NamedPicture{{Name: "a", Data: []byte("a")}, {Name: "b", Data: []byte("b")}, {Name: "c", Data: []byte("c")}, {Name: "d", Data: []byte("d")}},
	}
}

func loaded(t *testing.T, o bench.LoadOptions) *bench.HTTPReport {
	t.Helper()
	report, err := bench.HTTP(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestHTTPCounts(t *testing.T) {
	var number atomic.Int64
	target := server(t, "one", func(w http.ResponseWriter, r *http.Request) {
		switch number.Add(1) % 5 {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 1:
			io.WriteString(w, "{ not JSON")
		case 2:
			panic(http.ErrAbortHandler) // breaks the connection
		default:
			w.Header().Set("Server-Timing", `detect;dur=12.5, odd, ;dur=1, index;desc="x";dur=0.25, bad;dur=x`)
			io.WriteString(w, found("Approved"))
		}
	})
	report := loaded(t, load(target))
	one := report.Servers[0]
	if one.Due != 40 || one.Sent != 40 || one.NotSent != 0 || one.Succeeded != 16 || len(one.Points) != 40 || number.Load() != 40 {
		t.Errorf("%+v, %d received", one, number.Load())
	}
	if got := fmt.Sprint(one.Errors); got != "[{answer 8} {connection 8} {status 503 8}]" {
		t.Error(got)
	}
	if got := fmt.Sprint(one.Steps); got != "[{detect 16 {12.5 12.5 12.5}} {index 16 {0.25 0.25 0.25}}]" {
		t.Error(got)
	}
	if one.Achieved <= 0 || one.Achieved > 16/0.19 {
		t.Errorf("%f a second", one.Achieved)
	}
}

// The first answer takes long, and only one request may be under way: the rest is counted as not sent.
func TestHTTPNotSent(t *testing.T) {
	target := server(t, "slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(400 * time.Millisecond)
		io.WriteString(w, found("Approved"))
	})
	o := load(target)
	o.InFlightMax = 1
	slow := loaded(t, o).Servers[0]
	if slow.Due != 40 || slow.Sent+slow.NotSent != 40 || slow.NotSent < 30 || slow.Succeeded != slow.Sent || len(slow.Errors) != 0 {
		t.Errorf("%+v", slow)
	}
}

// One slow search at a time: what waits in the server's queue counts, from when it was due.
func TestHTTPWaiting(t *testing.T) {
	var turn = make(chan struct{}, 1)
	target := server(t, "queue", func(w http.ResponseWriter, _ *http.Request) {
		turn <- struct{}{}
		time.Sleep(20 * time.Millisecond)
		<-turn
		io.WriteString(w, found("Approved"))
	})
	queue := loaded(t, load(target)).Servers[0]
	if queue.Succeeded != 40 || queue.Latency.Max < 550 || queue.Latency.P50 < 200 {
		t.Errorf("40 searches of 20 ms due within 200 ms, and the last one took %.0f ms, half of them %.0f", queue.Latency.Max, queue.Latency.P50)
	}
}

func TestHTTPTimeout(t *testing.T) {
	release := make(chan struct{})
	target := server(t, "stuck", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	o := load(target)
	o.Timeout = 50 * time.Millisecond
	stuck := loaded(t, o).Servers[0]
	if got := fmt.Sprint(stuck.Errors); got != "[{timeout 40}]" || stuck.Succeeded != 0 {
		t.Errorf("%s, %+v", got, stuck)
	}
}

func TestHTTPNobodyThere(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	report := loaded(t, load(bench.Target{Name: "gone", Server: client.New(gone.URL, "key")}))
	if got := fmt.Sprint(report.Servers[0].Errors); got != "[{connection 40}]" {
		t.Error(got)
	}
	var page bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
}

func TestHTTPStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	target := server(t, "a", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	o := load(target)
	o.Duration = 100 * time.Second
	report, err := bench.HTTP(ctx, o)
	if !errors.Is(err, context.Canceled) || !report.Interrupted || report.Servers[0].Due > 10_000 {
		t.Fatalf("%v, %+v", err, report)
	}
	if got := report.Servers[0].Errors; len(got) != 1 || got[0].Kind != "stopped" {
		t.Errorf("%v", got)
	}
}

func TestHTTPArrivals(t *testing.T) {
	o := load(server(t, "a", always(found("Approved"))))
	o.Poisson, o.Rate, o.Seed = true, 500, 3
	first, second := loaded(t, o).Servers[0], loaded(t, o).Servers[0]
	if first.Due != second.Due || first.Due < 60 || first.Due > 140 {
		t.Errorf("%d and %d requests of 100 on average", first.Due, second.Due)
	}
	gaps := map[float64]bool{}
	for i := 1; i < len(first.Points); i++ {
		if first.Points[i].Due != second.Points[i].Due {
			t.Fatal("the same seed has other arrivals")
		}
		gaps[first.Points[i].Due-first.Points[i-1].Due] = true
	}
	if len(gaps) < 20 {
		t.Error("the gaps are not at random")
	}
}

func TestHTTPRefuses(t *testing.T) {
	target := server(t, "a", always(found("Approved")))
	for name, change := range map[string]func(*bench.LoadOptions){
		"ErrTooManyRequests":  func(o *bench.LoadOptions) { o.Rate, o.Duration = 1e4, time.Minute },
		"ErrTooManyRequests∞": func(o *bench.LoadOptions) { o.Rate = 1e300 },
		"Err no rate":         func(o *bench.LoadOptions) { o.Rate = 0 },
		"Err no duration":     func(o *bench.LoadOptions) { o.Duration = 0 },
		"Err no pictures":     func(o *bench.LoadOptions) { o.Pictures = nil },
		"Err no server":       func(o *bench.LoadOptions) { o.Targets = nil },
		"Err nothing at once": func(o *bench.LoadOptions) { o.InFlightMax = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := load(target)
			change(&o)
			report, err := bench.HTTP(context.Background(), o)
			if err == nil || report != nil || strings.HasPrefix(name, "ErrToo") != errors.Is(err, bench.ErrTooManyRequests) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestHTTPAgreement(t *testing.T) {
	whole := func(name string, texts map[string]string) bench.Target {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			file, _, err := r.FormFile("user_image")
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			picture, _ := io.ReadAll(file)
			io.WriteString(w, texts[string(picture)])
		}))
		t.Cleanup(s.Close)
		return bench.Target{Name: name, Server: client.New(s.URL, "key")}
	}
	one := whole("one", map[string]string{
		"a": found("In Review", "anna", 95, "ben", 80), "b": found("Approved"), "c": found("In Review", "carl", 90), "d": found("Declined", "dora", 70),
	})
	other := whole("<b>other</b>", map[string]string{
		"a": found("In Review", "anna", 99, "ben", 60), "b": found("Approved"), "c": found("In Review", "cora", 90), "d": found("In Review", "dora", 65),
	})
	report := loaded(t, load(one, other))
	a := report.Agreement
	if a == nil || a.Compared != 40 || *a.Status != 0.75 || *a.FirstMatch != 0.75 || a.FirstMatchCompared != 40 || a.SimilarityPairs != 3 {
		t.Fatalf("%+v", a)
	}
	within(t, "the rank correlation", *a.Similarity, 0.5, 1e-12) // of 95, 80, 70 and 99, 60, 65
	var page, table bytes.Buffer
	if err := errors.Join(report.WriteHTML(&page), report.WriteTable(&table)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), "<b>") || !strings.Contains(page.String(), "&lt;b&gt;other") {
		t.Error("a name was not escaped")
	}
	requireClosed(t, page.String())
	if !strings.Contains(table.String(), "Same first match, by vendor_data: 0.7500, of 40 that could be compared.") {
		t.Error(table.String())
	}
	requireSameJSON(t, report, &bench.HTTPReport{})
}
