package policy

import (
	"fmt"
	"math"
	"strconv"
)

// FalseMatches is how many strangers a search of a gallery of that many people is expected
// to return at a threshold, in percent, by the calibration's false match rate.
func (c Calibration) FalseMatches(people int, threshold float64) float64 {
	rate := math.Pow(10, c.FMRSlope*c.Distance(threshold)+c.FMRBase)
	return float64(people) * math.Min(rate, 1)
}

// Explain says in a sentence what a threshold means for a gallery of that many people. auto
// says that AutoThreshold chose it.
func (c Calibration) Explain(people int, threshold float64, auto bool) string {
	shown := strconv.FormatFloat(threshold, 'f', -1, 64)
	switch {
	case people < 1 && auto:
		return fmt.Sprintf("The gallery is empty: %s is the lowest that auto chooses.", shown)
	case people < 1:
		return fmt.Sprintf("Set to %s; the gallery is empty.", shown)
	}
	odds := odds(c.FalseMatches(people, threshold))
	if c.extrapolated(threshold) {
		odds += ", by extrapolation"
	}
	switch {
	case !auto:
		return fmt.Sprintf("Set to %s: in a gallery of %s, %s.", shown, grouped(people), odds)
	case threshold == ThresholdMin:
		return fmt.Sprintf("Gallery of %s: at %s, the lowest that auto chooses, %s.", grouped(people), shown, odds)
	}
	return fmt.Sprintf("Gallery of %s: at %s %s.", grouped(people), shown, odds)
}

// ExplainRule says in a sentence what the rule ByExpectedFalseMatches means for a gallery of
// that many people.
func (c Calibration) ExplainRule(people int, expected float64) string {
	allowed := strconv.FormatFloat(expected, 'f', -1, 64)
	auto := strconv.FormatFloat(c.AutoThreshold(people, expected), 'f', -1, 64)
	switch {
	case people < 1:
		return fmt.Sprintf("The gallery is empty; under %d sessions the model's calibration decides, and %s is the lowest that it chooses.", crowdRowsMin, auto)
	case people < crowdRowsMin:
		return fmt.Sprintf("Gallery of %s, too small to count its strangers (under %d), so the model's calibration decides: at %s %s.",
			grouped(people), crowdRowsMin, auto, odds(c.FalseMatches(people, c.AutoThreshold(people, expected))))
	}
	return fmt.Sprintf("Gallery of %s: a session matches when at most %s strangers are expected to be as near, whatever its similarity; for most faces that is about %s.",
		grouped(people), allowed, auto)
}

// oddsMost is where a false match rate that was extrapolated so far says nothing any more.
const oddsMost = 1e9

func odds(falseMatches float64) string {
	switch {
	case falseMatches > 0.6: // "one search in one" would be no sentence
		return "a search returns about " + strconv.FormatFloat(twoDigits(falseMatches), 'f', -1, 64) + " strangers on average"
	case falseMatches*oddsMost < 1:
		return "fewer than one search in a billion returns a stranger"
	}
	in := int(twoDigits(1 / falseMatches))
	words := []string{2: "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
	if in < len(words) {
		return "about one search in " + words[max(in, 2)] + " returns a stranger"
	}
	return "about one search in " + grouped(in) + " returns a stranger"
}

// twoDigits rounds to two significant digits: the rate is not known any better.
func twoDigits(value float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(value))-1)
	if unit < 1 {
		return math.Round(value*10) / 10
	}
	return math.Round(value/unit) * unit
}

// grouped writes 12480 as 12,480.
func grouped(value int) string {
	text := strconv.Itoa(value)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
