package search

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// Saved answers with a saved search again, its matches as their sessions are now. Sessions
// that were erased are left out, and no longer counted; the status is what was decided, or
// what somebody has decided since. CodeNotFound: the application has no such search.
func (s *Service) Saved(ctx context.Context, application, id string) (Result, error) {
	saved, err := s.gallery.SavedSearch(ctx, application, id)
	if err != nil {
		return Result{}, err
	}
	return s.follow(ctx, application, saved)
}

// SavedSearches lists saved searches as Saved answers with them, and counts all that pass the
// filter.
func (s *Service) SavedSearches(ctx context.Context, application string, filter face.SearchFilter) (list []Result, total int, err error) {
	found, total, err := s.gallery.Searches(ctx, application, filter)
	if err != nil {
		return nil, 0, err
	}
	for _, saved := range found {
		result, err := s.follow(ctx, application, saved)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, result)
	}
	return list, total, nil
}

// Review changes the status of a saved search, in the name of the context's actor.
// CodeNotFound: the application has no such search.
func (s *Service) Review(ctx context.Context, application, id string, status face.Status, comment string) (Result, error) {
	saved, err := s.gallery.ReviewSearch(ctx, application, id, face.Review{
		Status: status, Comment: comment, By: face.ActorOf(ctx), At: time.Now().UTC(),
	})
	if err != nil {
		return Result{}, err
	}
	return s.follow(ctx, application, saved)
}

// follow looks up the sessions that a saved search names.
func (s *Service) follow(ctx context.Context, application string, saved face.SavedSearch) (Result, error) {
	result := Result{RequestID: saved.ID, Saved: &saved}
	if err := json.Unmarshal(saved.Result, &result.Outcome); err != nil {
		return Result{}, fmt.Errorf("a saved search is damaged: %w", err)
	}
	result.Outcome.Status = saved.Status
	matches := []Match{}
	for _, match := range result.Outcome.Matches {
		session, there, err := s.sinceSaved(ctx, application, match.SessionID, saved)
		if err != nil {
			return Result{}, err
		}
		if !there {
			result.Outcome.Total--
			continue
		}
		matches = append(matches, match)
		result.Sessions = append(result.Sessions, session)
	}
	result.Outcome.Matches = matches
	for i, warning := range result.Outcome.Warnings {
		if warning.Risk != policy.FaceInBlocklist {
			continue
		}
		_, there, err := s.sinceSaved(ctx, application, warning.Data, saved)
		if err != nil {
			return Result{}, err
		}
		if !there {
			result.Outcome.Warnings[i].Data = ""
		}
	}
	return result, nil
}

// sinceSaved finds a session that a saved search names. One that was made later is somebody
// else's, who was given the ID of a session that was erased.
func (s *Service) sinceSaved(ctx context.Context, application, id string, saved face.SavedSearch) (session face.Session, there bool, err error) {
	session, err = s.gallery.Session(ctx, application, id)
	switch {
	case face.CodeOf(err) == face.CodeNotFound:
		return face.Session{}, false, nil
	case err != nil:
		return face.Session{}, false, err
	}
	return session, !session.CreatedAt.After(saved.CreatedAt), nil
}
