package opensearch

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// A place is where a document is: an index and a name in it.
type place struct {
	Index string `json:"_index"`
	ID    string `json:"_id"`
}

// A version names one state of a document. The zero value is that of a document that is not
// there.
type version struct{ SeqNo, Term int64 }

// A document is one as it was read.
type document struct {
	place
	Found   bool            `json:"found"`
	SeqNo   int64           `json:"_seq_no"`
	Term    int64           `json:"_primary_term"`
	Source  json.RawMessage `json:"_source"`
	Failure json.RawMessage `json:"error"`
}

func (d *document) version() version { return version{d.SeqNo, d.Term} }

func (d *document) read(into any) error {
	if err := json.Unmarshal(d.Source, into); err != nil {
		return fmt.Errorf("a stored document of %s is damaged", d.Index)
	}
	return nil
}

// errTaken: the document is there already, or is no longer in the state that it was read in.
var errTaken = errors.New("the document was changed by somebody else")

// hashOf makes a short name of any texts. Each has its length before it, so that no two lists
// of texts run into one.
func hashOf(texts ...string) string {
	sum := sha256.New()
	for _, text := range texts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		sum.Write(length[:])
		sum.Write([]byte(text))
	}
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// newStamp is a random name of one write.
func newStamp() string { return rand.Text() }

// get reads the newest state of a document, searchable yet or not.
func (s *Store) get(ctx context.Context, at place) (document, error) {
	documents, err := s.getAll(ctx, []place{at})
	if err != nil {
		return document{}, err
	}
	return documents[0], nil
}

// getAll reads several, in the order of the places.
func (s *Store) getAll(ctx context.Context, places []place) ([]document, error) {
	if len(places) == 0 {
		return nil, nil
	}
	var answer struct {
		Docs []document `json:"docs"`
	}
	if err := s.engine.call(ctx, http.MethodPost, "/_mget", map[string]any{"docs": places}, &answer); err != nil {
		return nil, err
	}
	if len(answer.Docs) != len(places) {
		return nil, fmt.Errorf("OpenSearch was asked for %d documents and answered with %d", len(places), len(answer.Docs))
	}
	for i := range answer.Docs {
		if failure := answer.Docs[i].Failure; failure != nil {
			kind, _ := causeOf(failure)
			return nil, busy(fmt.Errorf("reading a document of %s failed: %s", places[i].Index, kind))
		}
	}
	return answer.Docs, nil
}

// put writes a document if it is in the given state, and returns errTaken if it is in another
// one. The stamp is in the document, under "stamp", and is new with each write: when an answer
// is lost and the request is sent again, the document in the way is found to be this one.
func (s *Store) put(ctx context.Context, at place, from version, stamp string, source any, refresh bool) (version, error) {
	var answer struct {
		SeqNo int64 `json:"_seq_no"`
		Term  int64 `json:"_primary_term"`
	}
	query := url.Values{}
	if refresh {
		query.Set("refresh", "true")
	}
	if from == (version{}) {
		query.Set("op_type", "create")
	} else {
		query.Set("if_seq_no", fmt.Sprint(from.SeqNo))
		query.Set("if_primary_term", fmt.Sprint(from.Term))
	}
	err := s.engine.call(ctx, http.MethodPut, "/"+at.Index+"/_doc/"+at.ID+"?"+query.Encode(), source, &answer)
	if !isConflict(err) {
		return version{answer.SeqNo, answer.Term}, err
	}
	there, err := s.get(ctx, at)
	if err != nil {
		return version{}, err
	}
	var stamped struct {
		Stamp string `json:"stamp"`
	}
	if there.Found {
		err = there.read(&stamped)
	}
	if err != nil {
		return version{}, err
	}
	if stamped.Stamp != stamp {
		return version{}, errTaken
	}
	if refresh { // the answer that was lost may have been an error of the refresh
		err = s.refresh(ctx, at.Index)
	}
	return there.version(), err
}

// A removal is a document to delete, in the state in which it was read.
type removal struct {
	place
	version
}

// remove deletes documents that are still in the state that is given. left counts those that
// were not, and are still there.
func (s *Store) remove(ctx context.Context, removals []removal) (left int, err error) {
	if len(removals) == 0 {
		return 0, nil
	}
	var lines bytes.Buffer
	for _, r := range removals {
		line := map[string]any{"delete": map[string]any{
			"_index": r.Index, "_id": r.ID, "if_seq_no": r.SeqNo, "if_primary_term": r.Term,
		}}
		if err := json.NewEncoder(&lines).Encode(line); err != nil {
			return 0, err
		}
	}
	results, err := s.bulk(ctx, lines.Bytes(), true)
	if err != nil {
		return 0, err
	}
	for _, result := range results {
		switch {
		case result.Status == http.StatusConflict:
			left++
		case result.Status >= 300 && result.Status != http.StatusNotFound:
			return 0, result.failure()
		}
	}
	return left, nil
}

// A bulkResult is what became of one line of a bulk request.
type bulkResult struct {
	Status int             `json:"status"`
	Error  json.RawMessage `json:"error"`
}

func (r bulkResult) failure() error {
	kind, reason := causeOf(r.Error)
	return (&engineError{r.Status, kind, reason}).judge()
}

func (s *Store) bulk(ctx context.Context, lines []byte, refresh bool) ([]bulkResult, error) {
	var answer struct {
		Items []map[string]bulkResult `json:"items"`
	}
	if err := s.engine.call(ctx, http.MethodPost, fmt.Sprintf("/_bulk?refresh=%t", refresh), lines, &answer); err != nil {
		return nil, err
	}
	results := make([]bulkResult, 0, len(answer.Items))
	for _, item := range answer.Items {
		for _, result := range item { // each holds one, under the name of what was done
			results = append(results, result)
		}
	}
	return results, nil
}

// refresh lets searches see everything that was written so far.
func (s *Store) refresh(ctx context.Context, index string) error {
	var answer struct {
		Shards shardsReport `json:"_shards"`
	}
	if err := s.engine.call(ctx, http.MethodPost, "/"+index+"/_refresh", nil, &answer); err != nil {
		return err
	}
	return answer.Shards.whole()
}
