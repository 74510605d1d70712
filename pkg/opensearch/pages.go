package opensearch

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"
)

func bodyOf(body any) (json.RawMessage, error) { return json.Marshal(body) }

// nanosOf is a time as a number that sorts, and the nearest that there is for times beyond the
// year 2262 or before 1678.
func nanosOf(at time.Time) int64 {
	switch {
	case at.Year() > 2261:
		return 1<<63 - 1
	case at.Year() < 1678:
		return -1 << 63
	}
	return at.UnixNano()
}

// pageOf visits the part of a sorted list that a page asks for, and counts the whole list.
func (s *Store) pageOf(ctx context.Context, index string, query object, offset, limit int, visit func(hit) error) (total int, err error) {
	query = maps.Clone(query)
	query["track_total_hits"] = true
	offset, limit = max(offset, 0), max(limit, 0)
	if offset+limit <= windowMax {
		query["from"], query["size"] = offset, limit
		page, err := s.search(ctx, index, query)
		if err != nil {
			return 0, err
		}
		return page.Hits.Total.Value, visitAll(page.Hits.Hits, visit)
	}
	query["size"] = pageSize
	passed := 0
	err = s.still(ctx, index, func(pages func(object) (page, error)) error {
		counted := func(query object) (page, error) {
			page, err := pages(query)
			total = page.Hits.Total.Value
			return page, err
		}
		return walk(counted, query, func(each hit) error {
			if passed++; passed <= offset {
				return nil
			}
			if passed > offset+limit {
				return errEnough
			}
			return visit(each)
		})
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return total, err
}
