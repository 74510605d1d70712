package search

import (
	"context"
	"encoding/json"
	"fmt"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// SetStatus changes a session's status, and its comment unless that is empty: the session
// enters or leaves the gallery at once. CodeNotFound: the application has no such session.
func (s *Service) SetStatus(ctx context.Context, application, id string, status face.Status, comment string) (face.Session, error) {
	return s.gallery.Change(ctx, application, id, func(session *face.Session) {
		session.Status = status
		if comment != "" {
			session.Comment = comment
		}
	})
}

// SetBlocklisted puts a session on the blocklist or takes it off. CodeNotFound: the
// application has no such session.
func (s *Service) SetBlocklisted(ctx context.Context, application, id string, blocklisted bool) (face.Session, error) {
	return s.gallery.Change(ctx, application, id, func(session *face.Session) { session.Blocklisted = blocklisted })
}

// EraseOwners erases every session and saved search of some people, and counts them. An error
// leaves those erased that were erased before it: to call it again does the rest.
func (s *Service) EraseOwners(ctx context.Context, application string, vendorData []string) (sessions, searches int, err error) {
	for _, each := range vendorData {
		ofSessions, ofSearches, err := s.gallery.EraseOwner(ctx, application, each)
		if err != nil {
			return sessions, searches, err
		}
		sessions, searches = sessions+ofSessions, searches+ofSearches
	}
	return sessions, searches, nil
}

// Saved answers with a saved search again, its matches as their sessions are now. Sessions
// that were erased are left out, and no longer counted; the status stays what was decided.
// CodeNotFound: the application has no such search.
func (s *Service) Saved(ctx context.Context, application, id string) (Result, error) {
	saved, err := s.gallery.SavedSearch(ctx, application, id)
	if err != nil {
		return Result{}, err
	}
	result := Result{RequestID: saved.ID}
	if err := json.Unmarshal(saved.Result, &result.Outcome); err != nil {
		return Result{}, fmt.Errorf("a saved search is damaged: %w", err)
	}
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
