package search

import (
	"context"

	"facesearch/pkg/face"
)

// A Threshold is the similarity, in percent, from which a session is a match, and the reason
// in a sentence.
type Threshold struct {
	Similarity float64
	Why        string
}

// Threshold is the one in force, for the gallery as it is now.
func (s *Service) Threshold(ctx context.Context, application string, settings face.Settings) (Threshold, error) {
	s.embedderMu.RLock()
	defer s.embedderMu.RUnlock()
	people, err := s.gallery.Size(ctx, application)
	if err != nil {
		return Threshold{}, err
	}
	if settings.MatchRule == face.ByExpectedFalseMatches {
		c, expected := s.embedder.Calibration, settings.ExpectedFalseMatches
		return Threshold{c.AutoThreshold(people, expected), c.ExplainRule(people, expected)}, nil
	}
	similarity, auto := settings.SimilarityThreshold, settings.SimilarityThreshold == 0
	if auto {
		similarity = s.embedder.Calibration.AutoThreshold(people, settings.ExpectedFalseMatches)
	}
	return Threshold{similarity, s.embedder.Calibration.Explain(people, similarity, auto)}, nil
}

// ChangeSettings changes an application's settings; change is called with those in force, and
// its error ends it. CodeInvalid: a value is out of its range.
func (s *Service) ChangeSettings(ctx context.Context, application string, change func(*face.Settings) error) (face.Settings, error) {
	// Two changes at once of different settings must not undo each other.
	s.settingsMu.Lock()
	defer s.settingsMu.Unlock()
	settings, err := s.gallery.Settings(ctx, application)
	if err != nil {
		return face.Settings{}, err
	}
	if err := change(&settings); err != nil {
		return face.Settings{}, err
	}
	return settings, s.gallery.PutSettings(ctx, application, settings)
}
