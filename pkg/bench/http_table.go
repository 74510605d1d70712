package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// httpColumns head the table of servers.
var httpColumns = []string{"server", "due", "sent", "not sent", "succeeded", "succeeded/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "errors"}

func (report *HTTPReport) rows() [][]string {
	var rows [][]string
	for i := range report.Servers {
		s := &report.Servers[i]
		row := []string{s.Name, fmt.Sprint(s.Due), fmt.Sprint(s.Sent), fmt.Sprint(s.NotSent), fmt.Sprint(s.Succeeded), fmt.Sprintf("%.1f", s.Achieved)}
		for _, value := range []float64{s.Latency.P50, s.Latency.P90, s.Latency.P99, s.Latency.P999, s.Latency.Max} {
			if s.Succeeded == 0 {
				row = append(row, missing)
			} else {
				row = append(row, milliseconds(value))
			}
		}
		rows = append(rows, append(row, s.errorText()))
	}
	return rows
}

func (s *ServerResult) errorText() string {
	if len(s.Errors) == 0 {
		return "none"
	}
	var parts []string
	for _, each := range s.Errors {
		parts = append(parts, fmt.Sprintf("%s: %d", each.Kind, each.Count))
	}
	return strings.Join(parts, ", ")
}

// stepColumns head the table of steps.
var stepColumns = []string{"server", "step", "answers", "p50 ms", "p90 ms", "p99 ms"}

func (report *HTTPReport) stepRows() [][]string {
	var rows [][]string
	for _, s := range report.Servers {
		for _, step := range s.Steps {
			rows = append(rows, []string{s.Name, step.Step, fmt.Sprint(step.Count), milliseconds(step.P50), milliseconds(step.P90), milliseconds(step.P99)})
		}
	}
	return rows
}

// lines say in words what two servers have in common.
func (a *Agreement) lines() []string {
	if a == nil {
		return nil
	}
	rank := missing
	if a.Similarity != nil {
		rank = fmt.Sprintf("%.3f", *a.Similarity)
	}
	return []string{
		fmt.Sprintf("%d searches were answered by both.", a.Compared),
		fmt.Sprintf("Same status: %s.", share(a.Status)),
		fmt.Sprintf("Same first match, by vendor_data: %s, of %d that could be compared.", share(a.FirstMatch), a.FirstMatchCompared),
		fmt.Sprintf("Rank correlation of similarity (Spearman): %s, over %d matches that both list.", rank, a.SimilarityPairs),
	}
}

func (report *HTTPReport) subtitle() string {
	text := fmt.Sprintf("%g requests a second for %g s, %s arrivals, %d pictures in turn, at most %d under way, timeout %g s",
		report.Rate, report.Duration, report.Arrivals, report.Pictures, report.InFlightMax, report.Timeout)
	if report.Clients > 0 {
		text = fmt.Sprintf("%d clients for %g s, each sends when it has its answer, %d pictures in turn, timeout %g s",
			report.Clients, report.Duration, report.Pictures, report.Timeout)
	}
	if report.Rotate {
		text += ", rotate_image"
	}
	return text
}

const httpNote = "A latency counts from the moment at which the request was due, so that waiting to be sent is part of it; it is of the answers that succeeded."

const clientsNote = "A latency counts from the moment at which the request was sent, and is of the answers that succeeded. A client that was refused pauses for as long as Retry-After says."

func (report *HTTPReport) note() string {
	if report.Clients > 0 {
		return clientsNote
	}
	return httpNote
}

// WriteTable writes the report for a terminal.
func (report *HTTPReport) WriteTable(to io.Writer) error {
	fmt.Fprintf(to, "%s\n\n", report.subtitle())
	if err := writeCells(to, httpColumns, report.rows()); err != nil {
		return err
	}
	if steps := report.stepRows(); len(steps) > 0 {
		fmt.Fprintln(to)
		if err := writeCells(to, stepColumns, steps); err != nil {
			return err
		}
	}
	fmt.Fprintln(to)
	for _, line := range append(report.Agreement.lines(), report.Memory.lines()...) {
		fmt.Fprintln(to, line)
	}
	_, err := fmt.Fprintln(to, report.note())
	if report.Interrupted {
		_, err = fmt.Fprintln(to, "The run was interrupted; what was sent until then is above.")
	}
	return err
}

func writeCells(to io.Writer, heading []string, rows [][]string) error {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{heading}, rows...) {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}
