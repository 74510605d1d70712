package opensearch

import (
	"context"

	"facesearch/pkg/face"
)

// Crowd implements face.Gallery. The cluster is not asked for a sample: this gallery cannot tell.
func (s *Store) Crowd(ctx context.Context, application string, template face.Template) (face.Crowd, error) {
	_, _, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Crowd{}, err
	}
	cancel()
	return face.Crowd{}, s.model.Accepts(template)
}

// CandidateCrowds implements face.Gallery.
func (s *Store) CandidateCrowds(ctx context.Context, application string, candidates []face.Candidate) ([]face.Crowd, error) {
	_, _, cancel, err := s.within(ctx, application)
	if err != nil {
		return nil, err
	}
	cancel()
	return make([]face.Crowd, len(candidates)), nil
}
