package bench_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"facesearch/pkg/bench"
)

// patience is for what ends at once unless the machine is overloaded.
const patience = 2 * time.Minute

// Clients wait for their answers: so many requests are under way at once, and never more.
func TestHTTPClients(t *testing.T) {
	const clients = 5
	started := time.Now()
	var underWay, most, received atomic.Int64
	target := server(t, "one", func(w http.ResponseWriter, _ *http.Request) {
		received.Add(1)
		now := underWay.Add(1)
		for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
		}
		for most.Load() < clients && time.Since(started) < patience {
			time.Sleep(time.Millisecond) // until all have begun
		}
		time.Sleep(10 * time.Millisecond)
		underWay.Add(-1)
		io.WriteString(w, found("Approved"))
	})
	o := load(target)
	o.Clients, o.Rate, o.Process = clients, 1e6, os.Getpid() // the rate counts for nothing
	o.Duration = time.Second
	report := loaded(t, o)
	one := report.Servers[0]
	if most.Load() != clients || one.Sent != int(received.Load()) || one.Succeeded != one.Sent || one.Sent < 2*clients || len(one.Errors) != 0 {
		t.Errorf("%d at once, %d received, %+v", most.Load(), received.Load(), one)
	}
	for i, point := range one.Points {
		if point.Latency < 10 || i > 0 && point.Due < one.Points[i-1].Due {
			t.Fatalf("request %d: %+v", i, point)
		}
	}
	if m := report.Memory; m == nil || m.Start < 1<<20 || m.End < 1<<20 || m.Max < max(m.Start, m.End) {
		t.Errorf("%+v", m)
	}
	var page, table bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"5 clients for 1 s", "from the moment at which the request was sent", "resident memory: "} {
		if !strings.Contains(table.String(), words) || !strings.Contains(page.String(), words) {
			t.Errorf("the report lacks %q:\n%s", words, &table)
		}
	}
	requireClosed(t, page.String())
	requireSameJSON(t, report, &bench.HTTPReport{})
}

// A client that is refused waits for as long as it is told.
func TestHTTPClientsRefused(t *testing.T) {
	target := server(t, "busy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	o := load(target)
	o.Clients, o.Duration = 3, time.Second
	report := loaded(t, o)
	if got := fmt.Sprint(report.Servers[0].Errors); got != "[{status 503 3}]" {
		t.Error(got)
	}
}

func TestHTTPClientsRefuses(t *testing.T) {
	target := server(t, "a", always(found("Approved")))
	for name, change := range map[string]func(*bench.LoadOptions){
		"Err negative":    func(o *bench.LoadOptions) { o.Clients = -1 },
		"Err too many":    func(o *bench.LoadOptions) { o.Clients = bench.ClientsMax + 1 },
		"Err two servers": func(o *bench.LoadOptions) { o.Targets = append(o.Targets, target) },
		"Err no process":  func(o *bench.LoadOptions) { o.Process = 1 << 30 },
	} {
		t.Run(name, func(t *testing.T) {
			o := load(target)
			o.Clients = 1
			change(&o)
			if report, err := bench.HTTP(t.Context(), o); err == nil || report != nil {
				t.Errorf("%+v", report)
			}
		})
	}
}
