package accuracy

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"facesearch/pkg/plot"
)

// WriteHTML writes the report as one page that loads nothing.
func (r *Report) WriteHTML(to io.Writer) error {
	page := plot.Page{
		Title: "How far to trust it: " + r.Name, Lead: r.lead() + " " + r.advice(),
		When:   fmt.Sprintf("%s, %.0f s", r.Started.Format("2006-01-02 15:04 MST"), r.Seconds),
		Tables: r.tables(),
		Notes: []string{
			"The first picture of each person is enrolled; every further one is searched with its person enrolled, and the first one of each with everybody else enrolled.",
			"Intervals are Wilson's at 95 %, with as many trials as people, because pictures of one person are not independent.",
			"expected_false_matches says of a match how many strangers can be expected to be as near, in this gallery and to this picture.",
		},
	}
	if r.Calibrated {
		page.Warnings = append(page.Warnings, "With so few people, rates have wide intervals and expected_false_matches follows from the model's calibration.")
	}
	for _, chart := range r.charts() {
		page.Charts = append(page.Charts, chart.Draw())
	}
	for _, each := range []struct {
		title string
		pairs []Pair
	}{{"Strangers who look most alike", r.WorstStrangers}, {"Pictures of one person that look least alike", r.WorstMates}} {
		pairs := plot.Pairs{Title: each.title}
		for _, pair := range each.pairs {
			pairs.List = append(pairs.List, plot.Pair{
				Left: r.picture(pair.Left), Right: r.picture(pair.Right), LeftText: pair.Left, RightText: pair.Right,
				Caption: fmt.Sprintf("%.1f %% (distance %.3f)", pair.Similarity, pair.Distance),
			})
		}
		if len(pairs.List) > 0 {
			page.Pairs = append(page.Pairs, pairs)
		}
	}
	return page.Write(to)
}

// picture is a thumbnail as an address that holds it; empty where there is none.
func (r *Report) picture(file string) template.URL {
	if len(r.thumbs[file]) == 0 {
		return ""
	}
	return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(r.thumbs[file]))
}

func (r *Report) charts() []plot.Chart {
	return []plot.Chart{r.detChart(), r.distanceChart(), r.growthChart(), r.claimsChart()}
}

// detChart is the detection error trade-off, on logarithmic axes.
func (r *Report) detChart() plot.Chart {
	chart := plot.Chart{Title: "Errors against each other (DET)", XTitle: "FPIR, FMR", YTitle: "FNIR, FNMR"}
	identification := plot.Series{Name: "search: FNIR against FPIR", Line: true, Look: 0}
	comparison := plot.Series{Name: "pair: FNMR against FMR", Line: true, Dashed: true, Look: 1}
	var xs, ys []float64
	for _, point := range r.Curve {
		add := func(series *plot.Series, x, y float64) {
			if x > 0 && y > 0 {
				series.Points = append(series.Points, plot.Point{X: x, Y: y})
				xs, ys = append(xs, x), append(ys, y)
			}
		}
		add(&identification, point.FPIR, point.FNIR)
		add(&comparison, point.FMR, point.FNMR)
	}
	chart.X, chart.Y = plot.Fit(xs, true, percentOf), plot.Fit(ys, true, percentOf)
	chart.Series = []plot.Series{identification, comparison}
	return chart
}

func (r *Report) distanceChart() plot.Chart {
	chart := plot.Chart{Title: "Distances", XTitle: "distance", YTitle: "share of the pairs"}
	strangers := plot.Series{Name: "strangers", Line: true, Look: 1}
	mates := plot.Series{Name: "one person", Line: true, Look: 0}
	var xs, ys []float64
	for _, bin := range r.Distances {
		x := bin.Distance + binsShown/2
		strangers.Points = append(strangers.Points, plot.Point{X: x, Y: bin.Strangers})
		mates.Points = append(mates.Points, plot.Point{X: x, Y: bin.Mates})
		xs, ys = append(xs, x), append(ys, bin.Strangers, bin.Mates)
	}
	chart.X, chart.Y = plot.Fit(xs, false, plot.PlainNumber), plot.Fit(append(ys, 0), false, percentOf)
	chart.Series = []plot.Series{mates, strangers}
	return chart
}

func (r *Report) growthChart() plot.Chart {
	chart := plot.Chart{Title: "The threshold that a gallery needs", XTitle: "people", YTitle: "similarity, %"}
	needed := plot.Series{Name: "by these pictures", Line: true, Marks: true, Look: 0}
	auto := plot.Series{Name: "auto", Line: true, Dashed: true, Marks: true, Look: 1}
	var xs, ys []float64
	for _, g := range r.Growth {
		needed.Points = append(needed.Points, plot.Point{X: float64(g.People), Y: g.Needed})
		auto.Points = append(auto.Points, plot.Point{X: float64(g.People), Y: g.Auto})
		xs, ys = append(xs, float64(g.People)), append(ys, g.Needed, g.Auto)
	}
	chart.X, chart.Y = plot.Fit(xs, true, thousands), plot.Fit(ys, false, plot.PlainNumber)
	chart.Series = []plot.Series{needed, auto}
	return chart
}

func (r *Report) claimsChart() plot.Chart {
	chart := plot.Chart{Title: "Expected false matches", XTitle: "claimed", YTitle: "observed per search"}
	observed := plot.Series{Name: "observed", Line: true, Marks: true, Look: 0}
	right := plot.Series{Name: "as claimed", Line: true, Dashed: true, Look: 7}
	var xs, ys []float64
	for _, claim := range r.Claims {
		right.Points = append(right.Points, plot.Point{X: claim.Claimed, Y: claim.Claimed})
		xs, ys = append(xs, claim.Claimed), append(ys, claim.Claimed)
		if claim.Observed > 0 {
			observed.Points = append(observed.Points, plot.Point{X: claim.Claimed, Y: claim.Observed})
			ys = append(ys, claim.Observed)
		}
	}
	chart.X, chart.Y = plot.Fit(xs, true, plot.PlainNumber), plot.Fit(ys, true, plot.PlainNumber)
	chart.Series = []plot.Series{observed, right}
	return chart
}

// thousands is short enough for the end of an axis.
func thousands(value float64) string {
	switch {
	case value >= 1e6:
		return plot.PlainNumber(value/1e6) + " M"
	case value >= 1e3:
		return plot.PlainNumber(value/1e3) + " k"
	}
	return plot.PlainNumber(value)
}
