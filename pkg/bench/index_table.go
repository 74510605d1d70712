package bench

import (
	"fmt"
	"io"
	"math"
	"strings"

	"facesearch/pkg/plot"
)

// missing stands where nothing was measured.
const missing = plot.Missing

// answerColumns head the table of what engines answer, and how fast on one core; costColumns that of what they take.
var (
	answerColumns = []string{"engine", "recall@1", "recall@k", "radius recall", "nearest 1, ms", "nearest k, ms", "radius, ms"}
	costColumns   = []string{"engine", "radius on all cores, ms", "searches/s by threads", "bandwidth", "build s", "start s", "bytes/row"}
)

const afterChurn = "  after churn"

// answers are a line for each engine, and one more for its state after the churn.
func (run *IndexRun) answers() [][]string {
	var rows [][]string
	for i := range run.Engines {
		engine := &run.Engines[i]
		rows = append(rows, engine.Fresh.answers(engine.FullName()))
		if engine.Churned != nil {
			rows = append(rows, engine.Churned.answers(afterChurn))
		}
	}
	return rows
}

func (p *Phase) answers(name string) []string {
	return []string{name, share(p.Recall1), share(p.RecallK), share(p.RadiusRecall), p.Nearest1.text(), p.NearestK.text(), p.Within.text()}
}

// costs have the lines of answers; the build after the churn is the churn itself.
func (run *IndexRun) costs() [][]string {
	var rows [][]string
	for i := range run.Engines {
		engine := &run.Engines[i]
		perRow := missing
		if bytes := engine.MemoryBytes(); bytes > 0 {
			perRow = fmt.Sprintf("%.0f", float64(bytes)/float64(run.N))
		}
		rows = append(rows, append(engine.Fresh.costs(engine.FullName()),
			fmt.Sprintf("%.2f", engine.BuildSeconds), optional("%.2f", engine.StartSeconds), perRow))
		if engine.Churned != nil {
			rows = append(rows, append(engine.Churned.costs(afterChurn), optional("%.2f", engine.ChurnSeconds), missing, missing))
		}
	}
	return rows
}

func (p *Phase) costs(name string) []string {
	return []string{name, p.WithinAllCores.text(), throughputText(p.Throughput), percent(p.BandwidthShare)}
}

// FullName has the engine's parameters.
func (e *EngineResult) FullName() string {
	if e.Parameters == "" {
		return e.Name
	}
	return e.Name + " " + e.Parameters
}

// text is the three percentiles.
func (l *Latency) text() string {
	if l == nil {
		return missing
	}
	return milliseconds(l.P50) + " / " + milliseconds(l.P90) + " / " + milliseconds(l.P99)
}

// milliseconds has three significant digits, and no more than three decimals.
func milliseconds(value float64) string {
	decimals := 2 - int(math.Floor(math.Log10(math.Max(value, 1e-9))))
	return fmt.Sprintf("%.*f", min(max(decimals, 0), 3), value)
}

func optional(format string, value *float64) string {
	if value == nil {
		return missing
	}
	return fmt.Sprintf(format, *value)
}

// share rounds down: what is written as 1 is 1.
func share(value *float64) string {
	if value == nil {
		return missing
	}
	if *value == 1 {
		return "1"
	}
	return fmt.Sprintf("%.4f", math.Floor(*value*1e4)/1e4)
}

func percent(value *float64) string {
	if value == nil {
		return missing
	}
	return fmt.Sprintf("%.0f %%", 100**value)
}

func throughputText(list []Throughput) string {
	if len(list) == 0 {
		return missing
	}
	var parts []string
	for _, each := range list {
		parts = append(parts, fmt.Sprintf("%d: %.0f", each.Threads, each.PerSecond))
	}
	return strings.Join(parts, ", ")
}

// title says what a run was over.
func (run *IndexRun) title() string {
	return fmt.Sprintf("%s rows of %d dimensions", plot.Grouped(run.N), run.Dim)
}

// subtitle says what was asked.
func (run *IndexRun) subtitle() string {
	text := fmt.Sprintf("%s; %d probes with a mate and %d without; k = %d; radius %.3f, up to %d listed",
		run.Data, run.Mates, run.Strangers, run.K, run.Radius, run.List)
	if run.ChurnShare > 0 {
		text += fmt.Sprintf("; churn: %.0f %% removed and as many added", 100*run.ChurnShare)
	}
	return text
}

// wrong names what must not be in an answer, empty when there was none.
func (run *IndexRun) wrong() []string {
	var lines []string
	for i := range run.Engines {
		engine := &run.Engines[i]
		for j, phase := range []*Phase{&engine.Fresh, engine.Churned} {
			state := [...]string{"", ", after churn,"}[j]
			if phase != nil && phase.WrongHits > 0 {
				lines = append(lines, fmt.Sprintf("%s%s answered with %d wrong hits", engine.FullName(), state, phase.WrongHits))
			}
			if phase != nil && engine.Approximate && phase.ExactAnswers > 0 {
				lines = append(lines, fmt.Sprintf("%s%s answered %d radius searches by its exact scan", engine.FullName(), state, phase.ExactAnswers))
			}
			if phase != nil && phase.WrongTotals > 0 {
				lines = append(lines, fmt.Sprintf("%s%s counted the neighbours in the radius wrongly for %d of %d probes",
					engine.FullName(), state, phase.WrongTotals, run.Mates+run.Strangers))
			}
		}
		if engine.Note != "" {
			lines = append(lines, engine.FullName()+": "+engine.Note)
		}
	}
	return lines
}

const latencyNote = "Latencies are p50 / p90 / p99 of single searches, on one core but for the column of all cores; peers are called from Python."

// WriteTable writes the report for a terminal.
func (report *IndexReport) WriteTable(to io.Writer) error {
	for i := range report.Runs {
		run := &report.Runs[i]
		fmt.Fprintf(to, "\n%s (%s)\n\n", run.title(), run.subtitle())
		if err := writeCells(to, answerColumns, run.answers()); err != nil {
			return err
		}
		fmt.Fprintln(to)
		if err := writeCells(to, costColumns, run.costs()); err != nil {
			return err
		}
		for _, line := range run.wrong() {
			fmt.Fprintln(to, line)
		}
	}
	fmt.Fprintf(to, "\n%s\nOne core reads %.1f GB/s of memory in order. %s\n", latencyNote, report.ReadBytesPerSecond/1e9, report.Machine)
	for _, line := range report.LeftOut {
		fmt.Fprintln(to, "left out:", line)
	}
	if report.Interrupted {
		fmt.Fprintln(to, "The run was interrupted; what it had finished is above.")
	}
	return nil
}

// String is for people.
func (m Machine) String() string {
	text := fmt.Sprintf("%s, %d cores, %s", m.System, m.Cores, m.Go)
	if m.Processor != "" {
		text = m.Processor + ", " + text
	}
	return text
}
