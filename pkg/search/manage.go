package search

import (
	"context"

	"facesearch/pkg/face"
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
