package search

import "facesearch/pkg/face"

// groupedMax bounds the matches that are grouped by person: that many sessions are read. A
// variable for its test alone.
var groupedMax = 10_000

// groupable refuses to group so many matches by person. CodeInvalid: these are more than groupedMax.
func groupable(matches int) error {
	if matches <= groupedMax {
		return nil
	}
	return face.Invalid("%d sessions match, and at most %d can be grouped by person: raise similarity_threshold, or leave group_by_person out.", matches, groupedMax)
}
