// Package plot draws the charts of measurements, and writes reports as one HTML page that loads
// nothing: for light and dark screens, phones and paper.
package plot

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Chart is a plot in a report. It is drawn small, so that its letters can be read on a phone.
type Chart struct {
	Title          string
	XTitle, YTitle string
	X, Y           Scale
	Series         []Series
}

// A Series is points of one kind; at most SeriesMax kinds look different.
type Series struct {
	Name   string
	Points []Point
	Line   bool // joined in their order
	Marks  bool // shown one by one
	Dashed bool
	Look   int // colour and shape
}

// A Point is one value against another.
type Point struct{ X, Y float64 }

// SeriesMax kinds of series look different.
const SeriesMax = 8

// The drawing in its own units: about CSS pixels on a phone.
const (
	chartWidth, chartHeight = 420.0, 300.0
	marginLeft, marginRight = 62.0, 14.0
	marginTop, marginBottom = 10.0, 44.0
	markSize, manyMarkSize  = 4.5, 2.2
	manyMarks               = 60
)

// A Scale maps values to the drawing.
type Scale struct {
	Low, High float64
	Log       bool
	Text      func(float64) string // of a tick
}

// Fit makes a scale that holds values; a logarithmic one passes over what is not above 0.
func Fit(values []float64, log bool, text func(float64) string) Scale {
	s := Scale{Low: math.Inf(1), High: math.Inf(-1), Log: log, Text: text}
	for _, value := range values {
		if log && value <= 0 || math.IsNaN(value) || math.IsInf(value, 0) {
			continue
		}
		s.Low, s.High = min(s.Low, value), max(s.High, value)
	}
	switch {
	case s.Low > s.High: // nothing
		s.Low, s.High = 1, 10
	case log:
		s.Low, s.High = s.Low/1.3, s.High*1.3
	case s.Low == s.High:
		s.High = s.Low + 1
	}
	return s
}

// at is where a value stands, from 0 to 1.
func (s Scale) at(value float64) float64 {
	low, high := s.Low, s.High
	if s.Log {
		low, high, value = math.Log10(low), math.Log10(high), math.Log10(max(value, 1e-300))
	}
	return min(max((value-low)/(high-low), 0), 1)
}

const ticksMax = 6

// ticks are round values inside the scale.
func (s Scale) ticks() []float64 {
	if s.Log {
		for _, steps := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
			if ticks := s.logTicks(steps); len(ticks) <= ticksMax {
				return ticks
			}
		}
		return s.logTicks([]float64{1})
	}
	rough := (s.High - s.Low) / (ticksMax - 1)
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	step := unit * 10
	for _, factor := range []float64{1, 2, 5} {
		if factor*unit >= rough*(1-1e-9) {
			step = factor * unit
			break
		}
	}
	var ticks []float64
	for i := math.Ceil(s.Low/step - 1e-9); i*step <= s.High+step*1e-9; i++ {
		ticks = append(ticks, i*step+0) // +0: not -0
	}
	return ticks
}

func (s Scale) logTicks(steps []float64) (ticks []float64) {
	for power := math.Floor(math.Log10(s.Low)); power <= math.Log10(s.High); power++ {
		for _, step := range steps {
			if value := step * math.Pow(10, power); value >= s.Low && value <= s.High {
				ticks = append(ticks, value)
			}
		}
	}
	return ticks
}

// What the page's template draws, in the units of the drawing.
type (
	// A Drawing is a chart that was laid out.
	Drawing struct {
		Title, XTitle, YTitle    string
		Width, Height            float64
		Left, Right, Top, Bottom float64
		XMiddle, YMiddle         float64
		XTicks, YTicks           []tick
		Series                   []drawnSeries
	}
	tick struct {
		At   float64
		Text string
	}
	drawnSeries struct {
		Name   string
		Look   int
		Dashed bool
		Line   string // points of a polyline
		Marks  string // path of all marks
		Sample string // path of one mark, for the legend
	}
)

// Draw lays a chart out.
func (c *Chart) Draw() Drawing {
	d := Drawing{
		Title: c.Title, XTitle: c.XTitle, YTitle: c.YTitle, Width: chartWidth, Height: chartHeight,
		Left: marginLeft, Right: chartWidth - marginRight, Top: marginTop, Bottom: chartHeight - marginBottom,
	}
	d.XMiddle, d.YMiddle = (d.Left+d.Right)/2, (d.Top+d.Bottom)/2
	x := func(value float64) float64 { return tenth(d.Left + c.X.at(value)*(d.Right-d.Left)) }
	y := func(value float64) float64 { return tenth(d.Bottom - c.Y.at(value)*(d.Bottom-d.Top)) }
	for _, value := range c.X.ticks() {
		d.XTicks = append(d.XTicks, tick{x(value), c.X.Text(value)})
	}
	for _, value := range c.Y.ticks() {
		d.YTicks = append(d.YTicks, tick{y(value), c.Y.Text(value)})
	}
	for _, s := range c.Series {
		drawn := drawnSeries{Name: s.Name, Look: s.Look % SeriesMax, Dashed: s.Dashed}
		size := markSize
		if len(s.Points) > manyMarks {
			size = manyMarkSize
		}
		var line, marks strings.Builder
		for _, point := range s.Points {
			if s.Line {
				fmt.Fprintf(&line, "%g,%g ", x(point.X), y(point.Y))
			}
			if s.Marks {
				marks.WriteString(mark(s.Look, x(point.X), y(point.Y), size))
			}
		}
		drawn.Line, drawn.Marks = strings.TrimSpace(line.String()), marks.String()
		if s.Marks {
			drawn.Sample = mark(s.Look, 12, 7, markSize)
		}
		d.Series = append(d.Series, drawn)
	}
	return d
}

func tenth(value float64) float64 { return math.Round(value*10) / 10 }

// mark is a closed path around a point; each look has another shape, for paper without colours.
func mark(look int, x, y, size float64) string {
	corners := [][]Point{
		{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}},       // square
		{{0, -1.3}, {1.2, 0.9}, {-1.2, 0.9}},       // triangle
		{{0, -1.4}, {1.4, 0}, {0, 1.4}, {-1.4, 0}}, // diamond
		{{0, 1.3}, {1.2, -0.9}, {-1.2, -0.9}},      // triangle downwards
		{{-1.4, -0.6}, {1.4, -0.6}, {1.4, 0.6}, {-1.4, 0.6}},
		{{-0.6, -1.4}, {0.6, -1.4}, {0.6, 1.4}, {-0.6, 1.4}},
		{{-1.3, 0}, {0.9, 1.2}, {0.9, -1.2}},
		{{1.3, 0}, {-0.9, 1.2}, {-0.9, -1.2}},
	}[look%SeriesMax]
	var path strings.Builder
	for i, corner := range corners {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&path, "%s%g %g", command, tenth(x+corner.X*size), tenth(y+corner.Y*size))
	}
	return path.String() + "Z"
}

// PlainNumber writes a tick without needless digits.
func PlainNumber(value float64) string {
	if value >= 1000 {
		return Grouped(int(math.Round(value)))
	}
	return fmt.Sprintf("%g", math.Round(value*1e6)/1e6)
}

// Grouped puts a comma between thousands.
func Grouped(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// pointsMax of one series are shown at most, so that a page stays small.
const pointsMax = 1500

// Thin leaves as many points as a chart should have, evenly chosen, the last one among them.
func Thin(points []Point) []Point {
	if len(points) <= pointsMax {
		return points
	}
	thinned := make([]Point, pointsMax)
	for i := range thinned {
		thinned[i] = points[(i+1)*len(points)/pointsMax-1]
	}
	return thinned
}
