package bench

import (
	"fmt"
	"math"
	"strings"
)

// A chart is a plot in a report. It is drawn small, so that its letters can be read on a phone.
type chart struct {
	Title          string
	XTitle, YTitle string
	x, y           scale
	series         []series
}

// A series is points of one kind; at most seriesMax kinds look different.
type series struct {
	Name   string
	Points []xy
	Line   bool // joined in their order
	Marks  bool // shown one by one
	Dashed bool
	Look   int // colour and shape
}

type xy struct{ X, Y float64 }

const seriesMax = 8

// The drawing in its own units: about CSS pixels on a phone.
const (
	chartWidth, chartHeight = 420.0, 300.0
	marginLeft, marginRight = 62.0, 14.0
	marginTop, marginBottom = 10.0, 44.0
	markSize, manyMarkSize  = 4.5, 2.2
	manyMarks               = 60
)

// A scale maps values to the drawing.
type scale struct {
	low, high float64
	log       bool
	text      func(float64) string
}

// fit makes a scale that holds values; a logarithmic one passes over what is not above 0.
func fit(values []float64, log bool, text func(float64) string) scale {
	s := scale{low: math.Inf(1), high: math.Inf(-1), log: log, text: text}
	for _, value := range values {
		if log && value <= 0 || math.IsNaN(value) || math.IsInf(value, 0) {
			continue
		}
		s.low, s.high = min(s.low, value), max(s.high, value)
	}
	switch {
	case s.low > s.high: // nothing
		s.low, s.high = 1, 10
	case log:
		s.low, s.high = s.low/1.3, s.high*1.3
	case s.low == s.high:
		s.high = s.low + 1
	}
	return s
}

// at is where a value stands, from 0 to 1.
func (s scale) at(value float64) float64 {
	low, high := s.low, s.high
	if s.log {
		low, high, value = math.Log10(low), math.Log10(high), math.Log10(max(value, 1e-300))
	}
	return min(max((value-low)/(high-low), 0), 1)
}

const ticksMax = 6

// ticks are round values inside the scale.
func (s scale) ticks() []float64 {
	if s.log {
		for _, steps := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
			if ticks := s.logTicks(steps); len(ticks) <= ticksMax {
				return ticks
			}
		}
		return s.logTicks([]float64{1})
	}
	rough := (s.high - s.low) / (ticksMax - 1)
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	step := unit * 10
	for _, factor := range []float64{1, 2, 5} {
		if factor*unit >= rough*(1-1e-9) {
			step = factor * unit
			break
		}
	}
	var ticks []float64
	for i := math.Ceil(s.low/step - 1e-9); i*step <= s.high+step*1e-9; i++ {
		ticks = append(ticks, i*step+0) // +0: not -0
	}
	return ticks
}

func (s scale) logTicks(steps []float64) (ticks []float64) {
	for power := math.Floor(math.Log10(s.low)); power <= math.Log10(s.high); power++ {
		for _, step := range steps {
			if value := step * math.Pow(10, power); value >= s.low && value <= s.high {
				ticks = append(ticks, value)
			}
		}
	}
	return ticks
}

// What the page's template draws, in the units of the drawing.
type (
	drawing struct {
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

func (c *chart) draw() drawing {
	d := drawing{
		Title: c.Title, XTitle: c.XTitle, YTitle: c.YTitle, Width: chartWidth, Height: chartHeight,
		Left: marginLeft, Right: chartWidth - marginRight, Top: marginTop, Bottom: chartHeight - marginBottom,
	}
	d.XMiddle, d.YMiddle = (d.Left+d.Right)/2, (d.Top+d.Bottom)/2
	x := func(value float64) float64 { return tenth(d.Left + c.x.at(value)*(d.Right-d.Left)) }
	y := func(value float64) float64 { return tenth(d.Bottom - c.y.at(value)*(d.Bottom-d.Top)) }
	for _, value := range c.x.ticks() {
		d.XTicks = append(d.XTicks, tick{x(value), c.x.text(value)})
	}
	for _, value := range c.y.ticks() {
		d.YTicks = append(d.YTicks, tick{y(value), c.y.text(value)})
	}
	for _, s := range c.series {
		drawn := drawnSeries{Name: s.Name, Look: s.Look % seriesMax, Dashed: s.Dashed}
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
	corners := [][]xy{
		{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}},       // square
		{{0, -1.3}, {1.2, 0.9}, {-1.2, 0.9}},       // triangle
		{{0, -1.4}, {1.4, 0}, {0, 1.4}, {-1.4, 0}}, // diamond
		{{0, 1.3}, {1.2, -0.9}, {-1.2, -0.9}},      // triangle downwards
		{{-1.4, -0.6}, {1.4, -0.6}, {1.4, 0.6}, {-1.4, 0.6}},
		{{-0.6, -1.4}, {0.6, -1.4}, {0.6, 1.4}, {-0.6, 1.4}},
		{{-1.3, 0}, {0.9, 1.2}, {0.9, -1.2}},
		{{1.3, 0}, {-0.9, 1.2}, {-0.9, -1.2}},
	}[look%seriesMax]
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

// plainNumber writes a tick without needless digits.
func plainNumber(value float64) string {
	if value >= 1000 {
		return grouped(int(math.Round(value)))
	}
	return fmt.Sprintf("%g", math.Round(value*1e6)/1e6)
}
