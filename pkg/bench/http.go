package bench

import (
	"context"
	"slices"
	"time"

	"facesearch/pkg/client"
)

// An HTTPReport is what load on one or two servers gave.
type HTTPReport struct {
	Kind        string         `json:"kind"` // "http"
	Started     time.Time      `json:"started"`
	Seconds     float64        `json:"seconds"` // until the last answer
	Machine     Machine        `json:"machine"` // that the load came from
	Clients     int            `json:"clients"` // that each wait for their answer; 0: requests come at Rate
	Rate        float64        `json:"rate"`    // requests a second, to each server
	Arrivals    string         `json:"arrivals"`
	Duration    float64        `json:"duration_seconds"`
	Pictures    int            `json:"pictures"`
	Rotate      bool           `json:"rotate"`
	Timeout     float64        `json:"timeout_seconds"`
	InFlightMax int            `json:"in_flight_max"`
	Servers     []ServerResult `json:"servers"`
	Agreement   *Agreement     `json:"agreement,omitempty"`
	Memory      *MemoryUse     `json:"memory,omitempty"` // of the server's process
	Interrupted bool           `json:"interrupted"`
}

// A ServerResult is what one server did.
type ServerResult struct {
	Name      string  `json:"name"`
	Due       int     `json:"due"` // requests that the rate asked for
	Sent      int     `json:"sent"`
	NotSent   int     `json:"not_sent"` // because in_flight_max were under way
	Succeeded int     `json:"succeeded"`
	Achieved  float64 `json:"succeeded_per_second"`
	// Of the successful ones, from when each was due.
	Latency HTTPLatency `json:"latency"`
	// As the server gives them in Server-Timing, in its order.
	Steps  []StepLatency `json:"steps"`
	Errors []ErrorCount  `json:"errors"`
	// Every arrival, for plots.
	Points []Point `json:"points"`
}

// HTTPLatency is in milliseconds.
type HTTPLatency struct {
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p99_9_ms"`
	Max  float64 `json:"max_ms"`
}

// A StepLatency is that of one step of the server's work.
type StepLatency struct {
	Step    string `json:"step"`
	Count   int    `json:"count"`
	Latency `json:"latency"`
}

// An ErrorCount is how often requests ended in one way: "status 503", "timeout", "connection", "answer", "stopped".
type ErrorCount struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

// A Point is one arrival.
type Point struct {
	Due     float64 `json:"due_s"`
	Latency float64 `json:"latency_ms"` // 0 for one that was not sent
	Ended   string  `json:"ended"`
}

// An Agreement compares the answers of two servers to the same pictures. A share is nil where there is nothing to compare.
type Agreement struct {
	Compared int      `json:"compared"` // arrivals that both answered
	Status   *float64 `json:"same_status"`
	// Arrivals in which the first match of both is the same vendor_data, or neither has a match. Those with a first match
	// without vendor_data are not compared.
	FirstMatch         *float64 `json:"same_first_match"`
	FirstMatchCompared int      `json:"first_match_compared"`
	// Spearman's, over pairs of picture and vendor_data that both servers list, each picture once.
	Similarity      *float64 `json:"similarity_rank_correlation"`
	SimilarityPairs int      `json:"similarity_pairs"`
}

// HTTP puts load on servers. When ctx ends, the report is of what was sent until then.
func HTTP(ctx context.Context, options LoadOptions) (*HTTPReport, error) {
	if options.Progress == nil {
		options.Progress = func(string, int, int) {}
	}
	if err := options.validate(); err != nil {
		return nil, err
	}
	report := &HTTPReport{
		Kind: "http", Started: time.Now().UTC(), Machine: ThisMachine(), Clients: options.Clients, Rate: options.Rate, Arrivals: "constant",
		Duration: options.Duration.Seconds(), Pictures: len(options.Pictures), Rotate: options.Rotate,
		Timeout: options.Timeout.Seconds(), InFlightMax: options.InFlightMax,
	}
	switch {
	case options.Clients > 0:
		report.Rate, report.Arrivals, report.InFlightMax = 0, "clients", options.Clients
	case options.Poisson:
		report.Arrivals = "poisson"
	}
	memory := func() *MemoryUse { return nil }
	if options.Process != 0 {
		var err error
		if memory, err = watchMemory(ctx, options.Process); err != nil {
			return nil, err
		}
	}
	for i := range options.Targets {
		options.Targets[i].Server.Once = true // a second try would hide the first one's failure
	}
	started := time.Now()
	var outcomes [][]outcome
	if options.Clients > 0 {
		outcomes = [][]outcome{options.loadClients(ctx)}
	} else {
		outcomes = options.load(ctx)
	}
	report.Seconds = time.Since(started).Seconds()
	report.Memory = memory()
	for i, target := range options.Targets {
		report.Servers = append(report.Servers, serverResult(target.Name, outcomes[i], report.Seconds))
	}
	if len(outcomes) == 2 {
		report.Agreement = agreement(outcomes[0], outcomes[1], len(options.Pictures))
	}
	report.Interrupted = ctx.Err() != nil
	return report, context.Cause(ctx)
}

func serverResult(name string, outcomes []outcome, seconds float64) ServerResult {
	result := ServerResult{Name: name, Due: len(outcomes), Steps: []StepLatency{}, Errors: []ErrorCount{}, Points: []Point{}}
	var latencies Durations
	steps := map[string]Durations{}
	var order []string // of steps, as they were first named
	failures := map[string]int{}
	for _, o := range outcomes {
		result.Points = append(result.Points, Point{o.due.Seconds(), o.latency.Seconds() * 1000, o.ended})
		switch o.ended {
		case endedNotSent:
			result.NotSent++
			continue
		case endedOK:
			latencies = append(latencies, o.latency)
			for _, step := range o.steps {
				if steps[step.name] == nil {
					if len(order) == 2*timingStepsMax {
						continue // a server that makes up new ones
					}
					order = append(order, step.name)
				}
				steps[step.name] = append(steps[step.name], step.took)
			}
		default:
			failures[o.ended]++
		}
		result.Sent++
	}
	result.Succeeded = len(latencies)
	result.Achieved = float64(result.Succeeded) / max(seconds, 1e-9)
	result.Latency = HTTPLatency{latencies.Percentile(0.5), latencies.Percentile(0.9), latencies.Percentile(0.99),
		latencies.Percentile(0.999), latencies.Percentile(1)}
	for _, step := range order {
		result.Steps = append(result.Steps, StepLatency{step, len(steps[step]), steps[step].Latency()})
	}
	for _, kind := range sortedKeys(failures) {
		result.Errors = append(result.Errors, ErrorCount{kind, failures[kind]})
	}
	return result
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func agreement(a, b []outcome, pictures int) *Agreement {
	result := &Agreement{}
	var status, first tally
	var x, y []float64
	seen := make([]bool, pictures)
	for i := range a {
		if a[i].ended != endedOK || b[i].ended != endedOK {
			continue
		}
		result.Compared++
		one, other := a[i].answer.FaceSearch, b[i].answer.FaceSearch
		status.add(truth01(one.Status == other.Status), 1)
		if same, comparable := sameFirst(one.Matches, other.Matches); comparable {
			first.add(truth01(same), 1)
		}
		if !seen[i%pictures] {
			seen[i%pictures] = true
			x, y = appendSimilarities(x, y, one.Matches, other.Matches)
		}
	}
	result.Status, result.FirstMatch, result.FirstMatchCompared = status.ratio(), first.ratio(), first.all
	result.Similarity, result.SimilarityPairs = Spearman(x, y), len(x)
	return result
}

func truth01(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func sameFirst(a, b []client.Match) (same, comparable bool) {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b), true
	}
	if a[0].VendorData == nil || b[0].VendorData == nil {
		return false, false
	}
	return *a[0].VendorData == *b[0].VendorData, true
}

// appendSimilarities pairs the best similarity of each vendor_data that both list, in the order of the first.
func appendSimilarities(x, y []float64, a, b []client.Match) ([]float64, []float64) {
	best := map[string]float64{}
	for _, match := range b {
		if match.VendorData != nil {
			best[*match.VendorData] = max(best[*match.VendorData], match.SimilarityPercentage)
		}
	}
	used := map[string]bool{}
	for _, match := range a { // nearest first
		if match.VendorData == nil || used[*match.VendorData] {
			continue
		}
		used[*match.VendorData] = true
		if other, ok := best[*match.VendorData]; ok {
			x, y = append(x, match.SimilarityPercentage), append(y, other)
		}
	}
	return x, y
}
