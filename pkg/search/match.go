package search

import (
	"context"
	"math"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// find adds to the evidence who in the gallery is near the template, and what is needed to
// decide who of them is a match. threshold is the similarity in percent down to which it looked.
func (s *Service) find(ctx context.Context, application string, settings face.Settings, template face.Template, evidence *policy.Evidence) (threshold float64, err error) {
	byExpected := settings.MatchRule == face.ByExpectedFalseMatches
	if byExpected || settings.ShowExpectedFalseMatches {
		if evidence.Strangers, err = s.strangers(ctx, application, template); err != nil {
			return 0, err
		}
	}
	distanceMax, listMax := 0.0, settings.MaxMatches
	if evidence.ByPerson {
		listMax = groupedMax
	}
	if byExpected {
		// Who of them is a match depends on each one's own crowd, so all of them are needed.
		distanceMax, listMax = evidence.Strangers.Radius(settings.ExpectedFalseMatches), math.MaxInt
		threshold = policy.Percentage(s.embedder.Calibration.Similarity(distanceMax))
	} else {
		if threshold, err = s.threshold(ctx, application, settings); err != nil {
			return 0, err
		}
		distanceMax = s.embedder.Calibration.Distance(threshold)
	}
	evidence.Candidates, err = s.gallery.Candidates(ctx, application, template, distanceMax, listMax)
	if err == nil && evidence.ByPerson {
		err = groupable(evidence.Candidates.Total)
	}
	if err != nil || evidence.Strangers == nil {
		return threshold, err
	}
	if evidence.Strangers.Calibrated() { // the candidates' side says nothing either
		evidence.Crowds = make([]face.Crowd, len(evidence.Candidates.List))
		return threshold, nil
	}
	evidence.Crowds, err = s.gallery.CandidateCrowds(ctx, application, evidence.Candidates.List)
	return threshold, err
}

func (s *Service) strangers(ctx context.Context, application string, template face.Template) (*policy.Strangers, error) {
	people, err := s.gallery.Size(ctx, application)
	if err != nil {
		return nil, err
	}
	crowd, err := s.gallery.Crowd(ctx, application, template)
	if err != nil {
		return nil, err
	}
	return policy.NewStrangers(s.embedder.Calibration, people, crowd), nil
}
