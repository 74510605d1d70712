package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
	"facesearch/pkg/search"
)

// The buckets of the histograms, in seconds: a step takes from a tenth of a millisecond, a
// request up to the time after which its client is given up.
var (
	stepBuckets    = []float64{.0001, .0003, .001, .003, .01, .02, .03, .05, .1, .2, .5, 1, 3, 10}
	requestBuckets = []float64{.001, .003, .01, .03, .05, .1, .2, .3, .5, 1, 2, 5, 10, 30, 120}
)

// The operations that decide something.
const (
	searchOperation = "search"
	matchOperation  = "match"
)

// metrics are what GET /metrics shows. They are over all applications: no label tells one from
// another, and none has a value that a client can choose.
type metrics struct {
	registry       *prometheus.Registry
	requests       *prometheus.HistogramVec
	steps          *prometheus.HistogramVec
	decisions      *prometheus.CounterVec
	warnings       *prometheus.CounterVec
	matches        *prometheus.CounterVec
	rateLimited    *prometheus.CounterVec
	enrolments     prometheus.Counter
	erasures       prometheus.Counter
	creditsRefused prometheus.Counter
}

func newMetrics(s *Server) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "facesearch_" + name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "facesearch_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "facesearch_" + name, Help: help, Buckets: buckets}, labels)
	}
	m := &metrics{
		registry:       prometheus.NewRegistry(),
		requests:       histogram("request_duration_seconds", "How long requests took, to the last byte of the answer.", requestBuckets, "route", "method", "status"),
		steps:          histogram("step_duration_seconds", "How long each step of answered searches, comparisons and enrolments took.", stepBuckets, "step"),
		decisions:      counters("decisions_total", "Answered searches and comparisons, by what was decided.", "operation", "status"),
		warnings:       counters("warnings_total", "Warnings in answers to searches and comparisons.", "risk"),
		matches:        counters("matches_total", "Matches that searches listed, by similarity in percent.", "band"),
		rateLimited:    counters("rate_limited_total", "Requests refused with 429, by what had sent too many.", "by"),
		enrolments:     counter("enrolments_total", "New sessions, those of the blocklist included."),
		erasures:       counter("erasures_total", "Sessions and saved searches erased, by requests and because of their age."),
		creditsRefused: counter("credits_refused_total", "Requests refused because no credit was left."),
	}
	m.begin()
	m.registry.MustRegister(m.requests, m.steps, m.decisions, m.warnings, m.matches, m.rateLimited,
		m.enrolments, m.erasures, m.creditsRefused, gauges{s},
		collectors.NewBuildInfoCollector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// begin lets what can be counted start at 0, so that a first event is seen as a change.
func (m *metrics) begin() {
	for _, operation := range []string{searchOperation, matchOperation} {
		for _, status := range []face.Status{face.Approved, face.InReview, face.Declined} {
			m.decisions.WithLabelValues(operation, string(status))
		}
	}
	for _, step := range search.Steps {
		m.steps.WithLabelValues(string(step))
	}
	for _, similarity := range []float64{0, possibleMatch, strongMatch} {
		m.matches.WithLabelValues(band(similarity))
	}
	for _, by := range []string{"key", "address"} {
		m.rateLimited.WithLabelValues(by)
	}
}

// The similarities in percent from which a match is a possible and a strong one.
const (
	possibleMatch = 70
	strongMatch   = 90
)

func band(similarity float64) string {
	switch {
	case similarity >= strongMatch:
		return "90+"
	case similarity >= possibleMatch:
		return "70-89"
	}
	return "under 70"
}

// Erased counts what was erased without a request.
func (s *Server) Erased(sessionsAndSearches int) {
	s.metrics.erasures.Add(float64(sessionsAndSearches))
}

// Metrics answers GET /metrics, in Prometheus' text format.
func (s *Server) Metrics() http.Handler {
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// withRequests times every request. What a client may make up, a path or a method that there is
// not, becomes one word.
func (m *metrics) withRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		wrapped := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(wrapped, r)
		route, method, status := chi.RouteContext(r.Context()).RoutePattern(), r.Method, wrapped.Status()
		if route == "" || status == http.StatusNotFound && route == "/" || status == http.StatusMethodNotAllowed {
			route = "none"
		}
		switch method {
		case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		default:
			method = "other"
		}
		if status == 0 { // nothing was written, which net/http sends as this
			status = http.StatusOK
		}
		m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(time.Since(started).Seconds())
	})
}

func (m *metrics) timed(timings search.Timings) {
	for step, took := range timings {
		m.steps.WithLabelValues(string(step)).Observe(took.Seconds())
	}
}

func (m *metrics) decided(operation string, status face.Status, warnings []policy.Warning, timings search.Timings) {
	m.decisions.WithLabelValues(operation, string(status)).Inc()
	for _, warning := range warnings {
		m.warnings.WithLabelValues(string(warning.Risk)).Inc()
	}
	m.timed(timings)
}

func (m *metrics) searched(result search.Result) {
	m.decided(searchOperation, result.Outcome.Status, result.Outcome.Warnings, result.Timings)
	for _, match := range result.Outcome.Matches {
		m.matches.WithLabelValues(band(match.Similarity)).Inc()
	}
}

func (m *metrics) compared(result search.CompareResult) {
	m.decided(matchOperation, result.Comparison.Status, result.Comparison.Warnings, result.Timings)
}

func (m *metrics) enrolled(result search.EnrolResult) {
	if result.Created {
		m.enrolments.Inc()
	}
	m.timed(result.Timings)
}

func (m *metrics) limited(by string) { m.rateLimited.WithLabelValues(by).Inc() }
