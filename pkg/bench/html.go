package bench

import (
	"fmt"
	"io"
	"time"

	"facesearch/pkg/plot"
)

func when(started time.Time, seconds float64) string {
	return fmt.Sprintf("%s, %.0f s", started.Format("2006-01-02 15:04 MST"), seconds)
}

// WriteHTML writes the report as one page that loads nothing.
func (report *IndexReport) WriteHTML(to io.Writer) error {
	p := plot.Page{
		Title: "Index benchmark", When: when(report.Started, report.Seconds),
		Lead: "Indexes for face templates, side by side in one run. Every answer was compared with that of a scan in float64.",
		Notes: []string{
			latencyNote,
			"A recall is the share of the true neighbours that an answer has. Radius recall counts those within the radius, up to the length of the list.",
			fmt.Sprintf("One core reads %.1f GB/s of memory in order; bandwidth is the share of that at which a radius search reads, and may be over 100 %% where the index fits into the processor's caches.", report.ReadBytesPerSecond/1e9),
			"Peers are built on all cores and search on one. Graphs have M = 16 and efConstruction = 200; ef was doubled from 16 until recall@1 was 0.99 on probes of their own; its radius search asks for as many neighbours as are listed and keeps those within.",
			report.Machine.String(),
		},
	}
	if report.Interrupted {
		p.Warnings = append(p.Warnings, "The run was interrupted; this is what it had finished.")
	}
	for _, line := range report.LeftOut {
		p.Warnings = append(p.Warnings, "Left out: "+line)
	}
	for i := range report.Runs {
		run := &report.Runs[i]
		p.Tables = append(p.Tables, plot.Table{Title: run.title(), Lead: run.subtitle(), Heading: answerColumns, Rows: run.answers(), Notes: run.wrong()},
			plot.Table{Title: "What it takes, " + run.title(), Heading: costColumns, Rows: run.costs()})
	}
	for _, c := range report.charts() {
		p.Charts = append(p.Charts, c.Draw())
	}
	return p.Write(to)
}

// WriteHTML writes the report as one page that loads nothing.
func (report *HTTPReport) WriteHTML(to io.Writer) error {
	p := plot.Page{
		Title: "Load benchmark", Lead: report.subtitle(), When: when(report.Started, report.Seconds),
		Notes:  []string{report.note(), "The load came from: " + report.Machine.String()},
		Tables: []plot.Table{{Title: "Latency and errors", Heading: httpColumns, Rows: report.rows()}},
	}
	if report.Interrupted {
		p.Warnings = append(p.Warnings, "The run was interrupted; this is what was sent until then.")
	}
	if rows := report.stepRows(); len(rows) > 0 {
		p.Tables = append(p.Tables, plot.Table{Title: "Steps of the server's work", Lead: "From the header Server-Timing.", Heading: stepColumns, Rows: rows})
	}
	if report.Memory != nil {
		p.Tables = append(p.Tables, plot.Table{Title: "Memory", Notes: report.Memory.lines()})
	}
	if report.Agreement != nil {
		p.Tables = append(p.Tables, plot.Table{Title: "Agreement of the two servers", Notes: report.Agreement.lines()})
	}
	for _, c := range report.charts() {
		p.Charts = append(p.Charts, c.Draw())
	}
	return p.Write(to)
}
