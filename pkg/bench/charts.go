package bench

import (
	"fmt"
	"slices"

	"facesearch/pkg/plot"
)

// looks gives each name the same look in every chart of a report.
type looks []string

func (l *looks) of(name string) int {
	if i := slices.Index(*l, name); i >= 0 {
		return i
	}
	*l = append(*l, name)
	return len(*l) - 1
}

// charts are those of an index report: recall against latency for each gallery, then latency by size of the gallery.
func (report *IndexReport) charts() []plot.Chart {
	var known looks
	var charts []plot.Chart
	for i := range report.Runs {
		charts = append(charts, report.Runs[i].recallChart(&known))
	}
	return append(charts, report.sizeCharts(&known)...)
}

func (run *IndexRun) recallChart(known *looks) plot.Chart {
	c := plot.Chart{Title: "Recall against latency, " + run.title(), XTitle: "p50 of a search for the nearest, ms, one core", YTitle: "recall@1"}
	var xs, ys []float64
	for i := range run.Engines {
		engine := &run.Engines[i]
		look := known.of(engine.FullName())
		if engine.Peer {
			look = known.of(engine.Name) // its parameter differs by size
		}
		var tuning []plot.Point
		for _, point := range engine.Tuning {
			tuning = append(tuning, plot.Point{X: point.P50, Y: point.Recall1})
		}
		if engine.Fresh.Recall1 == nil {
			continue
		}
		point := plot.Point{X: engine.Fresh.Nearest1.P50, Y: *engine.Fresh.Recall1}
		c.Series = append(c.Series, plot.Series{Name: engine.FullName(), Points: []plot.Point{point}, Marks: true, Look: look})
		if len(tuning) > 1 {
			c.Series = append(c.Series, plot.Series{Name: engine.Name + ", ef from 16 up", Points: tuning, Line: true, Dashed: true, Look: look})
		}
		for _, p := range append(tuning, point) {
			xs, ys = append(xs, p.X), append(ys, p.Y)
		}
	}
	c.X = plot.Fit(xs, true, plot.PlainNumber)
	c.Y = plot.Fit(append(ys, 1), false, plot.PlainNumber)
	c.Y.Low = max(0, c.Y.Low-0.05*(c.Y.High-c.Y.Low))
	return c
}

// sizeCharts are latency by size on two logarithmic axes, one for each dimension of which there are several sizes.
func (report *IndexReport) sizeCharts(known *looks) []plot.Chart {
	var charts []plot.Chart
	var dimensions []int
	for _, run := range report.Runs {
		if !slices.Contains(dimensions, run.Dim) {
			dimensions = append(dimensions, run.Dim)
		}
	}
	for _, dim := range dimensions {
		c := plot.Chart{Title: fmt.Sprintf("Latency by size of the gallery, %d dimensions", dim), XTitle: "rows", YTitle: "p50 of a radius search, ms, one core"}
		var xs, ys []float64
		for _, run := range report.Runs {
			for i := range run.Engines {
				engine := &run.Engines[i]
				if run.Dim != dim {
					continue
				}
				name := engine.FullName()
				if engine.Peer {
					name = engine.Name
				}
				point := plot.Point{X: float64(run.N), Y: engine.Fresh.Within.P50}
				add(&c, name, known.of(name), point)
				xs, ys = append(xs, point.X), append(ys, point.Y)
			}
		}
		c.X, c.Y = plot.Fit(xs, true, plot.PlainNumber), plot.Fit(ys, true, plot.PlainNumber)
		if slices.Min(append(xs, 1e300)) < slices.Max(append(xs, 0)) {
			charts = append(charts, c)
		}
	}
	return charts
}

// add puts a point at the end of the series of that name.
func add(c *plot.Chart, name string, look int, point plot.Point) {
	for i := range c.Series {
		if c.Series[i].Name == name {
			c.Series[i].Points = append(c.Series[i].Points, point)
			return
		}
	}
	c.Series = append(c.Series, plot.Series{Name: name, Points: []plot.Point{point}, Line: true, Marks: true, Look: look})
}

// charts are those of an HTTP report: the latency's distribution, and its course.
func (report *HTTPReport) charts() []plot.Chart {
	distribution := plot.Chart{Title: "How many answers took at most so long", XTitle: "latency, ms", YTitle: "share of answers"}
	course := plot.Chart{Title: "Latency over time", XTitle: "seconds since the start, when the request was due", YTitle: "latency, ms"}
	var latencies, due []float64
	for i, server := range report.Servers {
		var sorted []float64
		var good, bad []plot.Point
		for _, point := range server.Points {
			due = append(due, point.Due)
			switch point.Ended {
			case endedOK:
				sorted = append(sorted, point.Latency)
				good = append(good, plot.Point{X: point.Due, Y: point.Latency})
				latencies = append(latencies, point.Latency)
			case endedNotSent, endedStopped:
			default:
				bad = append(bad, plot.Point{X: point.Due, Y: point.Latency})
				latencies = append(latencies, point.Latency)
			}
		}
		slices.Sort(sorted)
		var steps []plot.Point
		for j, latency := range sorted {
			steps = append(steps, plot.Point{X: latency, Y: float64(j+1) / float64(len(sorted))})
		}
		distribution.Series = append(distribution.Series, plot.Series{Name: server.Name, Points: plot.Thin(steps), Line: true, Look: i})
		course.Series = append(course.Series, plot.Series{Name: server.Name, Points: plot.Thin(good), Marks: true, Look: i})
		if len(bad) > 0 {
			course.Series = append(course.Series, plot.Series{Name: server.Name + ", failed", Points: plot.Thin(bad), Marks: true, Look: i + len(report.Servers)})
		}
	}
	distribution.X = plot.Fit(latencies, true, plot.PlainNumber)
	distribution.Y = plot.Scale{Low: 0, High: 1, Text: plot.PlainNumber}
	course.X = plot.Fit(append(due, 0), false, plot.PlainNumber)
	course.Y = plot.Fit(latencies, true, plot.PlainNumber)
	return []plot.Chart{distribution, course}
}
