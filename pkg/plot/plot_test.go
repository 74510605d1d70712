package plot_test

import (
	"bytes"
	"strings"
	"testing"

	"facesearch/pkg/plot"
)

func TestNumbers(t *testing.T) {
	for value, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -999: "-999", -1000: "-1,000", -123456: "-123,456"} {
		if got := plot.Grouped(value); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for value, want := range map[float64]string{0.1: "0.1", 2500: "2,500", 0.30000000000000004: "0.3"} {
		if got := plot.PlainNumber(value); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestThin(t *testing.T) {
	points := make([]plot.Point, 10_000)
	for i := range points {
		points[i].X = float64(i)
	}
	thinned := plot.Thin(points)
	if len(thinned) != 1500 || thinned[1499].X != 9999 || thinned[0].X > 10 {
		t.Errorf("%d points, from %v to %v", len(thinned), thinned[0], thinned[len(thinned)-1])
	}
	if few := plot.Thin(points[:3]); len(few) != 3 {
		t.Errorf("%v", few)
	}
}

// TestPage: everything is shown, in its place, and nothing of it is taken for markup.
func TestPage(t *testing.T) {
	chart := plot.Chart{Title: "a chart", X: plot.Fit([]float64{1, 1000}, true, plot.PlainNumber), Y: plot.Fit([]float64{0, 1}, false, plot.PlainNumber)}
	chart.Series = []plot.Series{{Name: "a line", Points: []plot.Point{{X: 1, Y: 0}, {X: 1000, Y: 1}}, Line: true, Marks: true}}
	page := plot.Page{
		Title: "a <b>title</b>", Charts: []plot.Drawing{chart.Draw()},
		Tables: []plot.Table{{Title: "a table", Heading: []string{"one", "two"}, Rows: [][]string{{"first", "<i>cell</i>"}, {"  indented", plot.Missing}}}},
		Pairs:  []plot.Pairs{{Title: "pairs", List: []plot.Pair{{Left: "data:image/jpeg;base64,AAAA", LeftText: `"left"`, Caption: "a caption"}}}},
	}
	var written bytes.Buffer
	if err := page.Write(&written); err != nil {
		t.Fatal(err)
	}
	text := written.String()
	for _, words := range []string{
		"a &lt;b&gt;title", "a chart", "1,000", "a line", `<td data-heading="two">&lt;i&gt;cell`, `class="indented"`, `class="missing"`,
		`<img src="data:image/jpeg;base64,AAAA" alt="&#34;left&#34;">`, "a caption", "img-src data:",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("nothing of %q", words)
		}
	}
	if strings.Count(text, "<img ") != 1 { // there is no picture on the right
		t.Error("a picture that is not there")
	}
}
