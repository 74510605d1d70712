package bolt

import (
	"context"
	"fmt"

	"facesearch/pkg/face"
)

// crowds samples both parts in proportion, as they are at one moment. A point that is nil has
// the zero Crowd.
func (sh *shard) crowds(ctx context.Context, points [][]float32) ([]face.Crowd, error) {
	crowds := make([]face.Crowd, len(points))
	var asked [][]float32
	var places []int
	for i, point := range points {
		if point != nil {
			asked, places = append(asked, point), append(places, i)
		}
	}
	approved, blocklisted := sh.scan(), sh.blocklisted
	rows := min(approved.Len()+blocklisted.Len(), face.CrowdRows)
	blocked := rows * blocklisted.Len() / max(1, approved.Len()+blocklisted.Len())
	distances, err := approved.SampleDistances(ctx, asked, rows-blocked)
	if err != nil {
		return nil, err
	}
	more, err := blocklisted.SampleDistances(ctx, asked, blocked)
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		crowds[place] = face.NewCrowd(append(distances[i], more[i]...))
	}
	return crowds, nil
}

// Crowd implements face.Gallery.
func (s *Store) Crowd(ctx context.Context, application string, template face.Template) (face.Crowd, error) {
	shard, err := s.shard(application)
	if err != nil {
		return face.Crowd{}, err
	}
	shard.moving.RLock()
	defer shard.moving.RUnlock()
	crowds, err := shard.crowds(ctx, [][]float32{template})
	if err != nil {
		return face.Crowd{}, fmt.Errorf("sampling the gallery: %w", err)
	}
	return crowds[0], nil
}

// CandidateCrowds implements face.Gallery.
func (s *Store) CandidateCrowds(ctx context.Context, application string, candidates []face.Candidate) ([]face.Crowd, error) {
	shard, err := s.shard(application)
	if err != nil {
		return nil, err
	}
	shard.moving.RLock()
	defer shard.moving.RUnlock()
	points := make([][]float32, len(candidates))
	for i, candidate := range candidates {
		points[i], _ = shard.vector(candidate.Session.Number)
	}
	crowds, err := shard.crowds(ctx, points)
	if err != nil {
		return nil, fmt.Errorf("sampling the gallery: %w", err)
	}
	return crowds, nil
}
