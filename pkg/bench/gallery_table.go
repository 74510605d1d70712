package bench

import (
	"fmt"
	"io"

	"facesearch/pkg/plot"
)

func (report *GalleryReport) columns() []string {
	return []string{
		"gallery", "radius p50 / p90 / p99 ms", fmt.Sprintf("nearest %d p50 / p90 / p99 ms", report.K), "radius recall", "recall@1",
		fmt.Sprintf("recall@%d", report.K), "wrong totals", "exact answers", "enrol p50 / p90 / p99 ms", fmt.Sprintf("enrolments/s, %d at once", report.AtOnce), "filled in s",
	}
}

func (run *GalleryRun) rows() (rows [][]string) {
	for i := range run.Engines {
		e := &run.Engines[i]
		rows = append(rows, []string{
			e.Name, e.Within.text(), e.Nearest.text(), share(e.RadiusRecall), share(e.Recall1), share(e.RecallK), fmt.Sprint(e.WrongTotals),
			fmt.Sprint(e.ExactAnswers), e.Enrol.text(), fmt.Sprintf("%.0f", e.EnrolPerSecond), fmt.Sprintf("%.1f", e.FillSeconds),
		})
	}
	return rows
}

func (run *GalleryRun) title() string { return fmt.Sprintf("%s people", plot.Grouped(run.N)) }

func (run *GalleryRun) subtitle() string {
	neighbours := 0
	if len(run.Engines) > 0 {
		neighbours = run.Engines[0].RadiusNeighbours
	}
	return fmt.Sprintf("%s; %d probes, radius %.4f with %d neighbours in it", run.Data, run.Probes, run.Radius, neighbours)
}

func (report *GalleryReport) notes() []string {
	return []string{
		fmt.Sprintf("A search is one call of the gallery, from the template to the records of the people found, one after the other. A radius search lists up to %d; a search for the nearest has the radius of the true %dth neighbour.", report.List, report.K),
		"The truth is a scan in float64. Radius recall is the share of those within the radius, up to the length of the list, that were found. A wrong total is an answer that counted those within the radius wrongly.",
		"An enrolment is answered when it is stored for good and found by the next search; it writes an entry in the audit log as well.",
		report.Machine.String(),
	}
}

// WriteTable writes the report for a terminal.
func (report *GalleryReport) WriteTable(to io.Writer) error {
	for i := range report.Runs {
		run := &report.Runs[i]
		fmt.Fprintf(to, "%s (%s)\n\n", run.title(), run.subtitle())
		if err := writeCells(to, report.columns(), run.rows()); err != nil {
			return err
		}
		fmt.Fprintln(to)
	}
	if report.Interrupted {
		fmt.Fprintln(to, "The run was interrupted; this is what it had finished.")
	}
	for _, note := range report.notes() {
		if _, err := fmt.Fprintln(to, note); err != nil {
			return err
		}
	}
	return nil
}

// WriteHTML writes the report as one page that loads nothing.
func (report *GalleryReport) WriteHTML(to io.Writer) error {
	p := plot.Page{
		Title: "Gallery benchmark", When: when(report.Started, report.Seconds),
		Lead:  "Whole galleries with the same people in them, side by side in one run.",
		Notes: report.notes(),
	}
	if report.Interrupted {
		p.Warnings = append(p.Warnings, "The run was interrupted; this is what it had finished.")
	}
	for i := range report.Runs {
		run := &report.Runs[i]
		p.Tables = append(p.Tables, plot.Table{Title: run.title(), Lead: run.subtitle(), Heading: report.columns(), Rows: run.rows()})
	}
	if c := report.sizeChart(); len(report.Runs) > 1 {
		p.Charts = append(p.Charts, c.Draw())
	}
	return p.Write(to)
}

// sizeChart is latency by size on two logarithmic axes.
func (report *GalleryReport) sizeChart() plot.Chart {
	c := plot.Chart{Title: "Latency by size of the gallery", XTitle: "people", YTitle: "p50 of a radius search, ms"}
	var known looks
	var xs, ys []float64
	for _, run := range report.Runs {
		for _, engine := range run.Engines {
			point := plot.Point{X: float64(run.N), Y: engine.Within.P50}
			add(&c, engine.Name, known.of(engine.Name), point)
			xs, ys = append(xs, point.X), append(ys, point.Y)
		}
	}
	c.X, c.Y = plot.Fit(xs, true, plot.PlainNumber), plot.Fit(ys, true, plot.PlainNumber)
	return c
}
