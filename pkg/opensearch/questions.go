package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// A question is a search of an index.
type question struct {
	index string
	body  object
}

// searchAll asks several questions in one request, and returns the answers in their order. Like
// search, it takes none that is of some shards only.
func (s *Store) searchAll(ctx context.Context, questions []question) ([]page, error) {
	if len(questions) == 0 {
		return nil, nil
	}
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, each := range questions {
		header := object{"index": each.index, "allow_partial_search_results": false}
		if err := errors.Join(encoder.Encode(header), encoder.Encode(each.body)); err != nil {
			return nil, err
		}
	}
	var answer struct {
		Responses []struct {
			page
			Status int             `json:"status"`
			Error  json.RawMessage `json:"error"`
		} `json:"responses"`
	}
	if err := s.engine.call(ctx, http.MethodPost, "/_msearch", lines.Bytes(), &answer); err != nil {
		return nil, err
	}
	pages := make([]page, len(questions))
	if len(answer.Responses) != len(questions) {
		return nil, errors.New("OpenSearch has not answered every question")
	}
	for i, each := range answer.Responses {
		if each.Error != nil {
			return nil, bulkResult{each.Status, each.Error}.failure()
		}
		if each.TimedOut {
			return nil, busy(errors.New("a search timed out"))
		}
		if err := each.Shards.whole(); err != nil {
			return nil, err
		}
		pages[i] = each.page
	}
	return pages, nil
}
