package bench

import (
	"fmt"
	"slices"
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
func (report *IndexReport) charts() []chart {
	var known looks
	var charts []chart
	for i := range report.Runs {
		charts = append(charts, report.Runs[i].recallChart(&known))
	}
	return append(charts, report.sizeCharts(&known)...)
}

func (run *IndexRun) recallChart(known *looks) chart {
	c := chart{Title: "Recall against latency, " + run.title(), XTitle: "p50 of a search for the nearest, ms, one core", YTitle: "recall@1"}
	var xs, ys []float64
	for i := range run.Engines {
		engine := &run.Engines[i]
		look := known.of(engine.FullName())
		if engine.Peer {
			look = known.of(engine.Name) // its parameter differs by size
		}
		var tuning []xy
		for _, point := range engine.Tuning {
			tuning = append(tuning, xy{point.P50, point.Recall1})
		}
		if engine.Fresh.Recall1 == nil {
			continue
		}
		point := xy{engine.Fresh.Nearest1.P50, *engine.Fresh.Recall1}
		c.series = append(c.series, series{Name: engine.FullName(), Points: []xy{point}, Marks: true, Look: look})
		if len(tuning) > 1 {
			c.series = append(c.series, series{Name: engine.Name + ", ef from 16 up", Points: tuning, Line: true, Dashed: true, Look: look})
		}
		for _, p := range append(tuning, point) {
			xs, ys = append(xs, p.X), append(ys, p.Y)
		}
	}
	c.x = fit(xs, true, plainNumber)
	c.y = fit(append(ys, 1), false, plainNumber)
	c.y.low = max(0, c.y.low-0.05*(c.y.high-c.y.low))
	return c
}

// sizeCharts are latency by size on two logarithmic axes, one for each dimension of which there are several sizes.
func (report *IndexReport) sizeCharts(known *looks) []chart {
	var charts []chart
	var dimensions []int
	for _, run := range report.Runs {
		if !slices.Contains(dimensions, run.Dim) {
			dimensions = append(dimensions, run.Dim)
		}
	}
	for _, dim := range dimensions {
		c := chart{Title: fmt.Sprintf("Latency by size of the gallery, %d dimensions", dim), XTitle: "rows", YTitle: "p50 of a radius search, ms, one core"}
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
				point := xy{float64(run.N), engine.Fresh.Within.P50}
				c.add(name, known.of(name), point)
				xs, ys = append(xs, point.X), append(ys, point.Y)
			}
		}
		c.x, c.y = fit(xs, true, plainNumber), fit(ys, true, plainNumber)
		if slices.Min(append(xs, 1e300)) < slices.Max(append(xs, 0)) {
			charts = append(charts, c)
		}
	}
	return charts
}

// add puts a point at the end of the series of that name.
func (c *chart) add(name string, look int, point xy) {
	for i := range c.series {
		if c.series[i].Name == name {
			c.series[i].Points = append(c.series[i].Points, point)
			return
		}
	}
	c.series = append(c.series, series{Name: name, Points: []xy{point}, Line: true, Marks: true, Look: look})
}

// Points of one series that a chart shows at most, so that a page stays small.
const pointsMax = 1500

// charts are those of an HTTP report: the latency's distribution, and its course.
func (report *HTTPReport) charts() []chart {
	distribution := chart{Title: "How many answers took at most so long", XTitle: "latency, ms", YTitle: "share of answers"}
	course := chart{Title: "Latency over time", XTitle: "seconds since the start, when the request was due", YTitle: "latency, ms"}
	var latencies, due []float64
	for i, server := range report.Servers {
		var sorted []float64
		var good, bad []xy
		for _, point := range server.Points {
			due = append(due, point.Due)
			switch point.Ended {
			case endedOK:
				sorted = append(sorted, point.Latency)
				good = append(good, xy{point.Due, point.Latency})
				latencies = append(latencies, point.Latency)
			case endedNotSent, endedStopped:
			default:
				bad = append(bad, xy{point.Due, point.Latency})
				latencies = append(latencies, point.Latency)
			}
		}
		slices.Sort(sorted)
		var steps []xy
		for j, latency := range sorted {
			steps = append(steps, xy{latency, float64(j+1) / float64(len(sorted))})
		}
		distribution.series = append(distribution.series, series{Name: server.Name, Points: thin(steps), Line: true, Look: i})
		course.series = append(course.series, series{Name: server.Name, Points: thin(good), Marks: true, Look: i})
		if len(bad) > 0 {
			course.series = append(course.series, series{Name: server.Name + ", failed", Points: thin(bad), Marks: true, Look: i + len(report.Servers)})
		}
	}
	distribution.x = fit(latencies, true, plainNumber)
	distribution.y = scale{low: 0, high: 1, text: plainNumber}
	course.x = fit(append(due, 0), false, plainNumber)
	course.y = fit(latencies, true, plainNumber)
	return []chart{distribution, course}
}

// thin leaves pointsMax points, evenly chosen, the last one among them.
func thin(points []xy) []xy {
	if len(points) <= pointsMax {
		return points
	}
	thinned := make([]xy, pointsMax)
	for i := range thinned {
		thinned[i] = points[(i+1)*len(points)/pointsMax-1]
	}
	return thinned
}
