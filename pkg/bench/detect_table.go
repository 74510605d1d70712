package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"facesearch/pkg/face"
)

// WriteDetectTable writes what Detect measured for a person to read: how many faces each way
// found, and then what the found ones were said to lack.
func WriteDetectTable(to io.Writer, rows []DetectRow) error {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "copies\tway\tlargest face\tfaces that matter\tfalse faces\tCPU ms a picture")
	for _, row := range rows {
		name := row.Kind
		for _, way := range row.Ways {
			fmt.Fprintf(table, "%s\t%s\t%d/%d\t%d/%d\t%d\t%.0f\n", name, way.Name, way.Largest, row.Largest, way.Matter, row.Matter, way.False, way.CPU)
			name = ""
		}
	}
	fmt.Fprintln(table, "\ncopies\tjudged\tlow quality\treasons")
	for _, row := range rows {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", row.Kind, row.Judged, shareOf(row.Flagged, row.Judged), reasons(row))
	}
	return table.Flush()
}

func shareOf(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}

// reasons are named with their shares, the most frequent first.
func reasons(row DetectRow) string {
	var names []face.Reason
	for name := range row.Reasons {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b face.Reason) int {
		if row.Reasons[a] != row.Reasons[b] {
			return row.Reasons[b] - row.Reasons[a]
		}
		return strings.Compare(string(a), string(b))
	})
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = fmt.Sprintf("%s %s", name, shareOf(row.Reasons[name], row.Judged))
	}
	return strings.Join(words, ", ")
}
