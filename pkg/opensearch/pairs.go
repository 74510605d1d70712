package opensearch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"facesearch/pkg/face"
)

// pairsBatch is how many sessions are compared with all before them in one request.
const pairsBatch = 16

// Pairs implements face.Gallery. The graph is passed over: every comparison is exact.
func (s *Store) Pairs(ctx context.Context, application string, distanceMax float64, after uint64, sessionsMax, pairsMax int) ([]face.Pair, uint64, error) {
	if sessionsMax < 1 || pairsMax < 1 || math.IsNaN(distanceMax) {
		return nil, 0, errors.New("pairs are looked for in one session at least, at most a finite distance apart")
	}
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return nil, 0, err
	}
	defer cancel()
	pairs := []face.Pair{}
	if distanceMax < 0 || after > math.MaxInt64 {
		return pairs, 0, nil
	}
	for looked := 0; ; {
		batch, more, err := s.galleryAfter(ctx, application, after, min(pairsBatch, sessionsMax-looked))
		if err != nil {
			return nil, 0, err
		}
		found, err := s.earlier(ctx, application, batch, distanceMax)
		if err != nil {
			return nil, 0, err
		}
		pairs = append(pairs, found...)
		if looked += len(batch); !more {
			return pairs, 0, nil
		}
		after = batch[len(batch)-1].Number
		if looked >= sessionsMax || len(pairs) >= pairsMax {
			return pairs, after, nil
		}
	}
}

// galleryAfter lists the next sessions of the gallery; more tells whether there are further ones.
func (s *Store) galleryAfter(ctx context.Context, application string, after uint64, limit int) (batch []sessionDocument, more bool, err error) {
	found, err := s.search(ctx, s.names.sessions, object{
		"query": object{"bool": object{"filter": append(gallery(application), object{"range": object{"number": object{"gt": after}}})}},
		"size":  limit + 1, "sort": []object{{"number": "asc"}}, "_source": []string{"number", "session", "template"},
	})
	if err != nil {
		return nil, false, err
	}
	for _, each := range found.Hits.Hits {
		var document sessionDocument
		if json.Unmarshal(each.Source, &document) != nil || document.Session == nil || document.Template == nil {
			return nil, false, errors.New("a stored session is damaged")
		}
		batch = append(batch, document)
	}
	if more = len(batch) > limit; more {
		batch = batch[:limit]
	}
	return batch, more, nil
}

// earlier finds, for each of some sessions, those before it within the distance. Those that have
// more near than one answer holds are asked for again, from an index that stands still.
func (s *Store) earlier(ctx context.Context, application string, batch []sessionDocument, distanceMax float64) (pairs []face.Pair, err error) {
	if len(batch) == 0 {
		return nil, nil
	}
	probes, pages, err := s.nearEarlier(ctx, application, batch, distanceMax)
	if err != nil {
		return nil, err
	}
	for i, answer := range pages {
		var list []face.Candidate
		if len(answer.Hits.Hits) == answer.Hits.Total.Value {
			list, err = probes[i].near(answer.Hits.Hits)
		} else {
			err = s.still(ctx, s.names.sessions, func(ask func(object) (page, error)) (err error) {
				list, err = probes[i].all(ask, before(batch[i].Number))
				return err
			})
		}
		if err != nil {
			return nil, err
		}
		slices.SortFunc(list, func(a, b face.Candidate) int { return cmp.Compare(a.Session.Number, b.Session.Number) })
		for _, each := range list {
			pairs = append(pairs, face.Pair{A: each.Session, B: *batch[i].Session, Distance: each.Distance})
		}
	}
	return pairs, nil
}

func before(number uint64) object {
	return object{"range": object{"number": object{"lt": number}}}
}

// nearEarlier asks all questions in one request.
func (s *Store) nearEarlier(ctx context.Context, application string, batch []sessionDocument, distanceMax float64) ([]probe, []page, error) {
	probes, questions := make([]probe, len(batch)), make([]question, len(batch))
	for i, each := range batch {
		probes[i] = probe{
			Store: s, application: application, template: each.Template, distanceMax: distanceMax, band: bandOf(distanceMax),
		}
		questions[i] = question{s.names.sessions, probes[i].query(spare, before(each.Number))}
	}
	pages, err := s.searchAll(ctx, questions)
	return probes, pages, err
}
