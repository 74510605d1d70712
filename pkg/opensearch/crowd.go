package opensearch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"facesearch/pkg/face"
)

// Every session has a place in a lottery, drawn from its application and its ID. The sample that
// tells a crowd are those of the gallery whose place is below a bound, which leaves about
// face.CrowdRows of them. So it is the same for every template, and on every server.

// lotteryPlaces is how many places there are.
const lotteryPlaces = 1 << 31

func lotteryPlace(application, id string) int32 {
	sum := sha256.Sum256([]byte(hashOf("lottery", application, id)))
	return int32(binary.BigEndian.Uint32(sum[:]) % lotteryPlaces)
}

// sample passes the sample, which has about that many rows. The bound is that of a gallery as large
// as it was at most cacheLife ago.
func (s *Store) sample(ctx context.Context, application string) (filter []object, rows int, err error) {
	size, err := s.sizes.get(application, func() (int, error) { return s.size(ctx, application) })
	if err != nil {
		return nil, 0, err
	}
	filter = gallery(application)
	if size > face.CrowdRows {
		filter = append(filter, object{"range": object{"lottery": object{"lt": lotteryPlaces * face.CrowdRows / size}}})
	}
	return filter, min(size, face.CrowdRows), nil
}

// Crowd implements face.Gallery. A distance is computed from its score, which is a float32: it is
// off by 1e-4 at most from 0.001 on, by 1e-5 from 0.1 on, and may be taken for 0 below 3e-4.
func (s *Store) Crowd(ctx context.Context, application string, template face.Template) (face.Crowd, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Crowd{}, err
	}
	defer cancel()
	if err := s.model.Accepts(template); err != nil {
		return face.Crowd{}, err
	}
	crowds, err := s.crowds(ctx, application, []face.Template{template})
	if err != nil {
		return face.Crowd{}, err
	}
	return crowds[0], nil
}

// crowdsBatch is how many crowds one request asks for; an answer has about 15 kB for each.
const crowdsBatch = 64

// CandidateCrowds implements face.Gallery. It costs two requests for every crowdsBatch candidates:
// their templates are read first.
func (s *Store) CandidateCrowds(ctx context.Context, application string, candidates []face.Candidate) ([]face.Crowd, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return nil, err
	}
	defer cancel()
	crowds := make([]face.Crowd, 0, len(candidates))
	for batch := range slices.Chunk(candidates, crowdsBatch) {
		templates, err := s.templatesInGallery(ctx, application, batch)
		if err != nil {
			return nil, err
		}
		more, err := s.crowds(ctx, application, templates)
		if err != nil {
			return nil, err
		}
		crowds = append(crowds, more...)
	}
	return crowds, nil
}

// templatesInGallery has nil in the place of who has left the gallery.
func (s *Store) templatesInGallery(ctx context.Context, application string, candidates []face.Candidate) ([]face.Template, error) {
	places := make([]place, len(candidates))
	for i := range candidates {
		places[i] = s.sessionPlace(application, candidates[i].Session.ID)
	}
	documents, err := s.getAll(ctx, places)
	if err != nil {
		return nil, err
	}
	templates := make([]face.Template, len(candidates))
	for i := range documents {
		session, err := readFinal(documents[i])
		if err != nil {
			return nil, err
		}
		if session != nil && session.InGallery {
			templates[i] = session.Template
		}
	}
	return templates, nil
}

// crowds asks for all of them in one request. A template that is nil has the zero Crowd.
func (s *Store) crowds(ctx context.Context, application string, templates []face.Template) ([]face.Crowd, error) {
	crowds := make([]face.Crowd, len(templates))
	filter, rows, err := s.sample(ctx, application)
	if err != nil {
		return nil, err
	}
	var questions []question
	var places []int
	for i, template := range templates {
		if template != nil {
			questions = append(questions, question{s.names.sessions, crowdQuery(filter, template, nearestOf(rows)+spare)})
			places = append(places, i)
		}
	}
	pages, err := s.searchAll(ctx, questions)
	if err != nil {
		return nil, err
	}
	for i, at := range places {
		crowd, whole := crowdOf(pages[i])
		if !whole { // many have this very picture, or the gallery has just grown by a lot
			all, err := s.search(ctx, s.names.sessions, crowdQuery(filter, templates[at], windowMax))
			if err != nil {
				return nil, err
			}
			crowd, _ = crowdOf(all)
		}
		crowds[at] = crowd
	}
	return crowds, nil
}

// nearestOf is how many of a sample are told.
func nearestOf(rows int) int { return int(math.Ceil(face.CrowdShare * float64(rows))) }

// crowdQuery asks for nothing but scores.
func crowdQuery(filter []object, template face.Template, size int) object {
	return object{
		"size": size, "track_total_hits": true, "_source": false, "stored_fields": "_none_",
		"query": scoredBy(template, filter),
	}
}

// crowdOf reads the answer; whole is false when it ends too early.
func crowdOf(answer page) (crowd face.Crowd, whole bool) {
	hits := answer.Hits.Hits
	strangers := slices.IndexFunc(hits, func(each hit) bool { return each.Score < 1 }) // after those at distance 0
	if strangers < 0 {
		strangers = len(hits)
	}
	crowd.Rows = answer.Hits.Total.Value - strangers
	want := nearestOf(crowd.Rows)
	for _, each := range hits[strangers:min(strangers+want, len(hits))] {
		crowd.Nearest = append(crowd.Nearest, math.Sqrt(1/each.Score-1))
	}
	return crowd, len(crowd.Nearest) == want
}
