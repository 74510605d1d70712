package accuracy

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"facesearch/pkg/plot"
)

func plural(people int) string { return plot.Grouped(people) + " people" }

// percent writes a rate with its interval.
func (r *Rate) percent() string {
	if r == nil {
		return plot.Missing
	}
	return fmt.Sprintf("%s (%s–%s)", percentOf(r.Rate), percentOf(r.Low), percentOf(r.High))
}

// percent writes a share with what it is one of.
func (s *Share) percent() string {
	if s == nil {
		return plot.Missing
	}
	return fmt.Sprintf("%s (%s of %s)", percentOf(s.Rate), plot.Grouped(s.Events), plot.Grouped(s.Trials))
}

func percentOf(share float64) string {
	switch {
	case share == 0:
		return "0 %"
	case share < 0.001:
		return fmt.Sprintf("%.2g %%", share*100)
	}
	return fmt.Sprintf("%.3g %%", share*100)
}

func count(value float64) string {
	if value != 0 && value < 0.001 {
		return fmt.Sprintf("%.1e", value)
	}
	return fmt.Sprintf("%.3g", value)
}

func (r *Report) lead() string {
	text := fmt.Sprintf("%s pictures of %s; %s searches of somebody who is enrolled, %s of somebody who is not.",
		plot.Grouped(r.Pictures), plural(r.People), plot.Grouped(r.Mated), plot.Grouped(r.Nonmated))
	if len(r.Failures) > 0 {
		text += fmt.Sprintf(" Pictures that could not be used: %d.", len(r.Failures))
	}
	return text
}

// advice is the threshold that suits these pictures, in a sentence.
func (r *Report) advice() string {
	c := r.Chosen
	text := fmt.Sprintf("For a gallery of %s and %v strangers a search these pictures suggest a similarity_threshold of %.1f (distance %.3f), %s; auto chooses %.1f.",
		plural(c.Gallery), c.Expected, c.Similarity, c.Distance, c.Method, c.Auto)
	if r.Calibrated {
		text += " There are too few people here to fit expected_false_matches, so it follows from the model's calibration."
	}
	return text
}

// tables are the same in the terminal and on the page.
func (r *Report) tables() []plot.Table {
	open := plot.Table{
		Title: "Open-set identification", Lead: "FNIR is the share of searches that miss a person who is enrolled; FPIR of those that find somebody for a person who is not. In brackets the 95 % interval, by person.",
		Heading: []string{"FPIR", "FNIR", "similarity", "distance", "how the threshold was found"},
	}
	for _, o := range r.OpenSet {
		open.Rows = append(open.Rows, []string{percentOf(o.FPIR), o.FNIR.percent(), fmt.Sprintf("%.1f", o.Similarity), fmt.Sprintf("%.3f", o.Distance), o.Method})
	}
	open.Notes = []string{"Rank 1, the nearest is the right person: " + r.Rank1.percent() + "."}
	rules := plot.Table{Title: "Rules", Heading: []string{"rule", "FPIR", "strangers per search", "FNIR", "FMR", "FNMR"}}
	for _, rule := range r.Rules {
		rules.Rows = append(rules.Rows, []string{rule.Name, rule.FPIR.percent(), count(rule.Strangers), rule.FNIR.percent(), rule.FMR.percent(), rule.FNMR.percent()})
	}
	claims := plot.Table{
		Title: "Expected false matches: claimed and observed", Lead: "Strangers that a search found of whom at most so many were expected. The two should be within a factor of 3.",
		Heading: []string{"claimed", "observed per search", "observed / claimed", "strangers"},
	}
	for _, claim := range r.Claims {
		claims.Rows = append(claims.Rows, []string{fmt.Sprint(claim.Claimed), count(claim.Observed), fmt.Sprintf("%.2f", claim.Observed/claim.Claimed), fmt.Sprint(claim.Found)})
	}
	growth := plot.Table{
		Title: "The size of the gallery", Lead: "What these people's distances mean for galleries of other sizes: the false match rate times the size.",
		Heading: []string{"people", "auto threshold", "strangers per search", "threshold needed", "FNIR there", "how it is known"},
	}
	for _, g := range r.Growth {
		growth.Rows = append(growth.Rows, []string{plot.Grouped(g.People), fmt.Sprintf("%.1f", g.Auto), count(g.Strangers), fmt.Sprintf("%.1f", g.Needed), g.FNIR.percent(), g.Method})
	}
	return append([]plot.Table{open, rules, claims, growth}, r.optionalTables()...)
}

func (r *Report) optionalTables() []plot.Table {
	var tables []plot.Table
	if len(r.Sizes) > 0 {
		sizes := plot.Table{
			Title: "Galleries filled up with synthetic strangers", Lead: "Half of the people and made-up templates with the geometry of all are enrolled; the other half and 1,000 made-up people, none of them enrolled, are searched.",
			Heading: []string{"people", "auto threshold", "strangers per search", "FPIR", "strangers by expected_false_matches", "FPIR by it"},
		}
		for _, size := range r.Sizes {
			by, fpir := count(size.StrangersExpected), size.FPIRExpected.percent()
			if size.Calibrated {
				by += " (calibration)"
			}
			sizes.Rows = append(sizes.Rows, []string{plot.Grouped(size.People), fmt.Sprintf("%.1f", size.Threshold), count(size.Strangers), size.FPIR.percent(), by, fpir})
		}
		tables = append(tables, sizes)
	}
	if len(r.Cohorts) > 0 {
		cohorts := plot.Table{
			Title:   "Cohorts",
			Lead:    fmt.Sprintf("At the same similarity of %.1f for all, and by expected_false_matches of %v. Intervals of 95 %%.", r.Chosen.Similarity, r.Chosen.Expected),
			Heading: []string{"cohort", "people", "FMR within", "FPIR", "FNIR", "FPIR, expected", "FNIR, expected"},
		}
		for _, c := range r.Cohorts {
			cohorts.Rows = append(cohorts.Rows, []string{c.Name, plot.Grouped(c.People), c.FMR.percent(), c.FPIR.percent(), c.FNIR.percent(), c.FPIRExpected.percent(), c.FNIRExpected.percent()})
		}
		tables = append(tables, cohorts)
	}
	if len(r.Failures)+len(r.EmptyFaces) > 0 || r.Empty > 0 {
		failures := plot.Table{Title: "Pictures without a usable face", Lead: "Share of the pictures that should show one: " + r.FailureRate.percent() + ".", Heading: []string{"picture", "why"}}
		for _, failure := range r.Failures {
			failures.Rows = append(failures.Rows, []string{failure.File, failure.Reason})
		}
		for _, file := range r.EmptyFaces {
			failures.Rows = append(failures.Rows, []string{file, "shows nobody, and a face was found"})
		}
		if r.Empty > 0 {
			failures.Notes = []string{fmt.Sprintf("A face was found in %d of %d pictures that show nobody.", len(r.EmptyFaces), r.Empty)}
		}
		tables = append(tables, failures)
	}
	return tables
}

// worst are the pairs to look at.
func (r *Report) worst() []plot.Table {
	var tables []plot.Table
	for _, each := range []struct {
		title string
		pairs []Pair
	}{{"Strangers who look most alike", r.WorstStrangers}, {"Pictures of one person that look least alike", r.WorstMates}} {
		table := plot.Table{Title: each.title, Heading: []string{"similarity", "distance", "one", "other"}}
		for _, pair := range each.pairs {
			table.Rows = append(table.Rows, []string{fmt.Sprintf("%.1f", pair.Similarity), fmt.Sprintf("%.3f", pair.Distance), pair.Left, pair.Right})
		}
		if len(table.Rows) > 0 {
			tables = append(tables, table)
		}
	}
	return tables
}

// WriteTable writes the report for a terminal.
func (r *Report) WriteTable(to io.Writer) error {
	fmt.Fprintf(to, "%s: %s\n", r.Name, r.lead())
	for _, table := range append(r.tables(), r.worst()...) {
		fmt.Fprintf(to, "\n%s\n", table.Title)
		if len(table.Rows) > 0 {
			aligned := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
			fmt.Fprintln(aligned, "  "+strings.Join(table.Heading, "\t"))
			for _, row := range table.Rows {
				fmt.Fprintln(aligned, "  "+strings.Join(row, "\t"))
			}
			if err := aligned.Flush(); err != nil {
				return err
			}
		}
		for _, note := range table.Notes {
			fmt.Fprintln(to, "  "+note)
		}
	}
	_, err := fmt.Fprintf(to, "\n%s\n", r.advice())
	return err
}
