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

// The engine scores a session at distance d with 1/(1+d²), in float32. Every session that may be
// within the distance is fetched by a score that is a little lower, and its distance is then
// computed from its template in float64.

// band is the scores that leave open whether a distance is exceeded: at inner and over it is
// not, under outer it is.
type band struct{ outer, inner float64 }

// What the engine's arithmetic may be off by: d² is a sum of 128 rounded squares, each sum
// rounded again, which is 2⁻²⁴ · 130 of it at most; a score is rounded to 2⁻²⁴ of itself.
const (
	sumError   = 1e-5
	scoreError = 2e-7
)

func bandOf(distanceMax float64) band {
	square := distanceMax * distanceMax
	slack := square*sumError + (1+square)*scoreError
	return band{1 / (1 + square + slack), 1 / (1 + max(square-slack, 0)) * (1 + scoreError)}
}

// Candidates implements face.Gallery.
func (s *Store) Candidates(ctx context.Context, application string, template face.Template, distanceMax float64, listMax int) (face.Candidates, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Candidates{}, err
	}
	defer cancel()
	if err := s.model.Accepts(template); err != nil {
		return face.Candidates{}, err
	}
	if !(distanceMax >= 0) {
		return face.Candidates{Exact: s.kind == ExactIndex}, nil
	}
	p := probe{Store: s, application: application, template: template, distanceMax: distanceMax, listMax: max(listMax, 0), band: bandOf(distanceMax)}
	if s.kind == HNSWIndex {
		return p.approximate(ctx)
	}
	return p.exact(ctx)
}

// A probe is one search under way.
type probe struct {
	*Store
	application string
	template    face.Template
	distanceMax float64
	listMax     int
	band        band
}

// spare is how many candidates more than the list needs are fetched at first.
const spare = 64

// query compares with every session that passes the filters.
func (p *probe) query(size int, filter ...object) object {
	return object{
		"size": size, "track_total_hits": true, "min_score": p.band.outer,
		"_source": []string{"session", "template"},
		"sort":    []object{{"_score": "desc"}, {"number": "asc"}},
		"query":   scoredBy(p.template, append(gallery(p.application), filter...)),
	}
}

// scoredBy compares a template with every session that passes a filter.
func scoredBy(template face.Template, filter []object) object {
	return object{"script_score": object{
		"query": object{"bool": object{"filter": filter}},
		"script": object{"lang": "knn", "source": "knn_score", "params": object{
			"field": "template", "query_value": template, "space_type": "l2",
		}},
	}}
}

var blocklisted = term("blocklisted", true)

// exact asks one question where few are near, as is usual; all is then of one moment. Where many
// are, an index that stands still is asked several.
func (p *probe) exact(ctx context.Context) (face.Candidates, error) {
	first, err := p.search(ctx, p.names.sessions, p.query(min(p.listMax+spare, windowMax)))
	if err != nil {
		return face.Candidates{}, err
	}
	if len(first.Hits.Hits) == first.Hits.Total.Value {
		all, err := p.near(first.Hits.Hits)
		if err != nil {
			return face.Candidates{}, err
		}
		found := face.Candidates{List: all[:min(len(all), p.listMax)], Total: len(all), Exact: true}
		found.Blocklisted = slices.DeleteFunc(slices.Clone(all), func(c face.Candidate) bool { return !c.Session.Blocklisted })
		return found, nil
	}
	found := face.Candidates{Exact: true}
	err = p.still(ctx, p.names.sessions, func(pages func(object) (page, error)) (err error) {
		if found.List, err = p.nearest(pages); err != nil {
			return err
		}
		if found.Total, err = p.count(pages); err != nil {
			return err
		}
		found.Blocklisted, err = p.all(pages, blocklisted)
		return err
	})
	return found, err
}

// candidate computes the distance anew.
func (p *probe) candidate(hit hit) (face.Candidate, error) {
	var document sessionDocument
	if json.Unmarshal(hit.Source, &document) != nil || document.Session == nil || document.Template == nil {
		return face.Candidate{}, errors.New("a stored session is damaged")
	}
	return face.Candidate{Session: *document.Session, Distance: p.template.Distance(document.Template)}, nil
}

// near are those of the hits that are within the distance, nearest first, ties by number.
func (p *probe) near(hits []hit) ([]face.Candidate, error) {
	list := make([]face.Candidate, 0, len(hits))
	for _, hit := range hits {
		candidate, err := p.candidate(hit)
		if err != nil {
			return nil, err
		}
		if candidate.Distance <= p.distanceMax {
			list = append(list, candidate)
		}
	}
	rank(list)
	return list, nil
}

func rank(list []face.Candidate) {
	slices.SortFunc(list, func(a, b face.Candidate) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Session.Number, b.Session.Number))
	})
}

// nearest lists the listMax nearest, having looked as far as scores leave the order open.
func (p *probe) nearest(pages func(object) (page, error)) ([]face.Candidate, error) {
	var hits []hit
	if p.listMax == 0 {
		return nil, nil
	}
	lowest := 0.0
	err := walk(pages, p.query(min(p.listMax+spare, pageSize)), func(each hit) error {
		if len(hits) >= p.listMax && each.Score < lowest {
			return errEnough
		}
		if hits = append(hits, each); len(hits) == p.listMax {
			lowest = bandOf(math.Sqrt(max(1/each.Score-1, 0))).outer
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	list, err := p.near(hits)
	return list[:min(len(list), p.listMax)], err
}

// count leaves out those, at the low end of the scores, that prove to be too far.
func (p *probe) count(pages func(object) (page, error)) (total int, err error) {
	query := p.query(spare)
	query["sort"] = []object{{"_score": "asc"}, {"number": "asc"}}
	beyond := 0
	counted := func(query object) (page, error) {
		page, err := pages(query)
		total = page.Hits.Total.Value
		return page, err
	}
	err = walk(counted, query, func(each hit) error {
		if each.Score > p.band.inner {
			return errEnough
		}
		candidate, err := p.candidate(each)
		if err == nil && candidate.Distance > p.distanceMax {
			beyond++
		}
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return total - beyond, err
}

// all lists everybody near who passes a filter.
func (p *probe) all(pages func(object) (page, error), filter object) ([]face.Candidate, error) {
	var hits []hit
	err := walk(pages, p.query(pageSize, filter), func(each hit) error {
		hits = append(hits, each)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p.near(hits)
}

// The graph is asked for this many at first, and for twice as many again while all of them are
// near, up to graphMax.
const (
	graphFirst = 256
	graphMax   = 8192
)

// approximate asks the graph for those who are not on the blocklist, and compares with everybody
// who is, of one moment. A small gallery is compared with as a whole.
func (p *probe) approximate(ctx context.Context) (face.Candidates, error) {
	size, err := p.size(ctx, p.application)
	if err != nil {
		return face.Candidates{}, err
	}
	if size < p.graphFrom {
		return p.exact(ctx)
	}
	sure, err := p.blocklist(ctx)
	if err != nil {
		return face.Candidates{}, err
	}
	list, err := p.graph(ctx)
	if err != nil {
		return face.Candidates{}, err
	}
	return p.merge(sure, list), nil
}

// merge takes somebody who was put on the blocklist, or taken from it, between the two questions
// to be on it, and lists everybody once.
func (p *probe) merge(sure, list []face.Candidate) face.Candidates {
	known := map[string]bool{}
	for _, candidate := range sure {
		known[candidate.Session.ID] = true
	}
	found := face.Candidates{Blocklisted: sure, List: slices.Clone(sure)}
	for _, candidate := range list {
		if known[candidate.Session.ID] {
			continue
		}
		found.List = append(found.List, candidate)
		if candidate.Session.Blocklisted {
			found.Blocklisted = append(found.Blocklisted, candidate)
		}
	}
	rank(found.Blocklisted)
	rank(found.List)
	found.Total, found.List = len(found.List), found.List[:min(len(found.List), p.listMax)]
	return found
}

// blocklist compares with everybody who is on it.
func (p *probe) blocklist(ctx context.Context) ([]face.Candidate, error) {
	first, err := p.search(ctx, p.names.sessions, p.query(pageSize, blocklisted))
	if err != nil {
		return nil, err
	}
	if len(first.Hits.Hits) == first.Hits.Total.Value {
		return p.near(first.Hits.Hits)
	}
	var all []face.Candidate
	err = p.still(ctx, p.names.sessions, func(pages func(object) (page, error)) (err error) {
		all, err = p.all(pages, blocklisted)
		return err
	})
	return all, err
}

// graph asks Lucene's graph, with the filter inside, so that who is left out takes nobody's place.
func (p *probe) graph(ctx context.Context) ([]face.Candidate, error) {
	for k := graphFirst; ; k *= 2 {
		answer, err := p.search(ctx, p.names.sessions, object{
			"size": k, "min_score": p.band.outer, "_source": []string{"session", "template"},
			"query": object{"knn": object{"template": object{
				"vector": p.template, "k": k, "filter": object{"bool": object{"filter": gallery(p.application)}},
			}}},
		})
		if err != nil {
			return nil, err
		}
		if len(answer.Hits.Hits) < k || k >= graphMax {
			return p.near(answer.Hits.Hits)
		}
	}
}
