package search

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// Which searches Effects looks at again, so that it takes about a second at most.
const (
	EffectDays        = 7
	effectSearchesMax = 200 // the newest
	effectNearestMax  = 100 // sessions near each
)

// Effects is what thresholds would have made of recent searches.
type Effects struct {
	People   int // whom searches compare with
	Saved    int // searches of the last EffectDays
	Searches int // of these, how many were looked at
	Were     policy.StatusCounts
	Effects  []policy.Effect
}

// Effects looks at the saved searches of the last EffectDays again, in the gallery as it is now.
func (s *Service) Effects(ctx context.Context, application string, now time.Time) (Effects, error) {
	s.embedderMu.RLock()
	defer s.embedderMu.RUnlock()
	settings, err := s.gallery.Settings(ctx, application)
	if err != nil {
		return Effects{}, err
	}
	result := Effects{}
	if result.People, err = s.gallery.Size(ctx, application); err != nil {
		return Effects{}, err
	}
	filter := face.SearchFilter{From: now.AddDate(0, 0, -EffectDays), Limit: effectSearchesMax}
	list, saved, err := s.gallery.Searches(ctx, application, filter)
	if err != nil {
		return Effects{}, err
	}
	result.Saved = saved
	past := make([]policy.Past, 0, len(list))
	for _, each := range list {
		if cmp.Or(each.Model, face.DefaultModel.ID) != s.embedder.Model.ID {
			continue // nothing in the gallery can be compared with it any more
		}
		one, err := s.past(ctx, application, each)
		if err != nil {
			return Effects{}, err
		}
		past = append(past, one)
		result.Were.Add(one.Status)
	}
	result.Searches = len(past)
	result.Effects = s.embedder.Calibration.Effects(settings, result.People, past)
	return result, nil
}

// past looks at a saved search again.
func (s *Service) past(ctx context.Context, application string, saved face.SavedSearch) (policy.Past, error) {
	var before Outcome
	if err := json.Unmarshal(saved.Result, &before); err != nil {
		return policy.Past{}, fmt.Errorf("a saved search is damaged: %w", err)
	}
	past := policy.Past{Status: before.Status, Warnings: before.Warnings}
	if saved.Template == nil {
		return past, nil
	}
	calibration := s.embedder.Calibration
	near, err := s.gallery.Candidates(ctx, application, saved.Template, calibration.Distance(policy.EffectLeast), effectNearestMax)
	if err != nil {
		return policy.Past{}, err
	}
	for _, each := range near.List {
		past.Similarities = append(past.Similarities, policy.Percentage(calibration.Similarity(each.Distance)))
	}
	if len(near.Blocklisted) > 0 {
		past.Blocklisted = policy.Percentage(calibration.Similarity(near.Blocklisted[0].Distance))
	}
	return past, nil
}

// A Day is how many searches of one day, in UTC, are saved.
type Day struct {
	Date     time.Time
	Searches int
}

// Usage counts the saved searches of each of the last days, today included, oldest first.
func (s *Service) Usage(ctx context.Context, application string, now time.Time, days int) ([]Day, error) {
	today := now.UTC().Truncate(24 * time.Hour)
	list := make([]Day, 0, days)
	for day := today.AddDate(0, 0, 1-days); !day.After(today); day = day.AddDate(0, 0, 1) {
		_, total, err := s.gallery.Searches(ctx, application, face.SearchFilter{From: day, To: day.AddDate(0, 0, 1)})
		if err != nil {
			return nil, err
		}
		list = append(list, Day{day, total})
	}
	return list, nil
}
