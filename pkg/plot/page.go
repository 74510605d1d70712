package plot

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

// html/template escapes everything that is put into the page, by where it is put.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"columns": columns}).Parse(pageText))

// A Page is a report for people.
type Page struct {
	Title, Lead string
	When        string
	Warnings    []string
	Charts      []Drawing
	Tables      []Table
	Pairs       []Pairs
	Notes       []string
}

// A Table is shown with each cell under its heading, and on a phone with it beside. A cell of
// Missing is left out there; a first cell that begins with a space belongs to the row before.
type Table struct {
	Title, Lead string
	Heading     []string
	Rows        [][]string
	Notes       []string
}

// Pairs are pictures side by side.
type Pairs struct {
	Title, Lead string
	List        []Pair
}

// A Pair is two pictures, as data URIs, with what is to be said of them.
type Pair struct {
	Left, Right         template.URL
	LeftText, RightText string
	Caption             string
}

// Missing stands where nothing was measured.
const Missing = "–"

// Looks are as many as there are colours.
func (Page) Looks() [SeriesMax]struct{} { return [SeriesMax]struct{}{} }

// Write writes the page.
func (p Page) Write(to io.Writer) error { return pageTemplate.Execute(to, p) }

// columns pairs the cells of a row with their headings, for the narrow layout, where each cell has its own.
func columns(heading, row []string) []column {
	var pairs []column
	for i, cell := range row {
		pairs = append(pairs, column{heading[i], strings.TrimSpace(cell), cell == Missing, strings.HasPrefix(cell, " ")})
	}
	return pairs
}

type column struct {
	Heading, Cell string
	Missing       bool
	Indented      bool // belongs to the row before
}
