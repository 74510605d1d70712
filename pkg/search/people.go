package search

import (
	"context"

	"facesearch/pkg/face"
)

// groupedMax bounds the matches that are grouped by person: that many sessions are read. A
// variable for its test alone.
var groupedMax = 10_000

// candidates are those at or above a similarity: the nearest ones that the settings want listed,
// or all of them to be grouped by person. CodeInvalid: these are more than groupedMax.
func (s *Service) candidates(ctx context.Context, application string, template *face.Template, threshold float64, settings face.Settings, byPerson bool) (face.Candidates, error) {
	listMax := settings.MaxMatches
	if byPerson {
		listMax = groupedMax
	}
	found, err := s.gallery.Candidates(ctx, application, template, s.options.Calibration.Distance(threshold), listMax)
	if err != nil {
		return face.Candidates{}, err
	}
	if byPerson && found.Total > groupedMax {
		return face.Candidates{}, face.Invalid("%d sessions match, and at most %d can be grouped by person: raise similarity_threshold, or leave group_by_person out.", found.Total, groupedMax)
	}
	return found, nil
}
