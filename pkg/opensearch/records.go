package opensearch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// A kind of record. Each record belongs to an application, or to the store where that is empty,
// and is found by its kind, application and name.
type kind string

// The kinds.
const (
	kindSecret      kind = "secret"      // of the store, one
	kindApplication kind = "application" // named by its ID
	kindSettings    kind = "settings"    // one an application; without it the defaults are in force
	kindRegister    kind = "register"    // one an application: the last session number, see enrol.go
	kindKey         kind = "key"         // named by the key's ID
	kindDigest      kind = "digest"      // of the store, named by a key's digest: whose it is
	kindErasure     kind = "erasure"     // of the store, named by chance: see erase.go
	kindSwept       kind = "swept"       // of the store, one: see sweep.go
	kindCredits     kind = "credits"     // one an application; without it there are none
	kindAccount     kind = "account"     // of the store, named by a keyed hash of the address
	kindAudit       kind = "audit"       // placed by its number, see audit.go
	kindAuditHead   kind = "audit_head"  // of the store, one
	kindDropped     kind = "dropped"     // of the store, named by a tenant: see delete.go
)

// listed reports whether records of a kind are listed, so that a list has to see each at once.
func (k kind) listed() bool {
	switch k {
	case kindApplication, kindKey, kindErasure, kindAccount, kindDropped:
		return true
	}
	return false
}

// A record is a small document. What it holds is not searched for.
type record struct {
	Kind        kind            `json:"kind"`
	Application string          `json:"application"`
	Name        string          `json:"name"`
	Born        string          `json:"born"`
	Stamp       string          `json:"stamp"`
	CreatedAt   int64           `json:"created_at"`       // milliseconds
	Number      uint64          `json:"number,omitempty"` // of an audit entry
	Body        json.RawMessage `json:"body"`

	version version
}

func (r *record) read(body any) error {
	if err := json.Unmarshal(r.Body, body); err != nil {
		return fmt.Errorf("a stored record of kind %s is damaged", r.Kind)
	}
	return nil
}

func (s *Store) recordPlace(kind kind, application, name string) place {
	return place{s.names.records, hashOf("record", string(kind), application, name)}
}

// getRecord reads one into body.
func (s *Store) getRecord(ctx context.Context, kind kind, application, name string, body any) (r record, found bool, err error) {
	document, err := s.get(ctx, s.recordPlace(kind, application, name))
	if err != nil || !document.Found {
		return record{}, false, err
	}
	r, err = recordOf(document)
	if err == nil {
		err = r.read(body)
	}
	return r, err == nil, err
}

func recordOf(document document) (r record, err error) {
	err = document.read(&r)
	r.version = document.version()
	return r, err
}

// createRecord returns errTaken when there is one.
func (s *Store) createRecord(ctx context.Context, kind kind, application, name string, body any) error {
	_, err := s.writeRecord(ctx, record{Kind: kind, Application: application, Name: name}, body, kind.listed())
	return err
}

// writeRecord creates a record, or replaces it as it was read, and returns it as it then is; or
// errTaken. Only one that is refreshed is in lists at once.
func (s *Store) writeRecord(ctx context.Context, r record, body any, refresh bool) (record, error) {
	var err error
	if r.Body, err = json.Marshal(body); err != nil {
		return r, err
	}
	r.Stamp = newStamp()
	if r.version == (version{}) {
		r.Born, r.CreatedAt = r.Stamp, nowMillis()
	}
	r.version, err = s.put(ctx, s.recordPlace(r.Kind, r.Application, r.Name), r.version, r.Stamp, r, refresh)
	return r, err
}

// changeRecord reads a record, lets change change it, and writes it, again and again until nobody
// came between. found is false, and body is zero, when there is no such record yet. What change
// returns as an error changes nothing.
func changeRecord[T any](ctx context.Context, s *Store, kind kind, application, name string, change func(body *T, found bool) error) error {
	for {
		var body T
		r, found, err := s.getRecord(ctx, kind, application, name, &body)
		if err != nil {
			return err
		}
		if !found {
			r = record{Kind: kind, Application: application, Name: name}
		}
		if err := change(&body, found); err != nil {
			return err
		}
		_, err = s.writeRecord(ctx, r, body, kind.listed())
		if !errors.Is(err, errTaken) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// pauseMax is how long somebody steps back at most who was overtaken by another writer.
const pauseMax = 20 * time.Millisecond

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return busy(errors.New("others changed the same document all the time"))
	case <-time.After(rand.N(pauseMax)):
		return nil
	}
}

// deleteRecord deletes it as it was read, and does nothing when it is gone or another one.
func (s *Store) deleteRecord(ctx context.Context, r record) error {
	_, err := s.remove(ctx, []removal{{s.recordPlace(r.Kind, r.Application, r.Name), r.version}})
	return err
}

// listRecords reads all of a kind, of one application or, where that is empty, of all of them,
// in no order.
func (s *Store) listRecords(ctx context.Context, kind kind, application string) (list []record, err error) {
	filter := []object{{"term": object{"kind": kind}}}
	if application != "" {
		filter = append(filter, object{"term": object{"application": application}})
	}
	err = s.each(ctx, s.names.records, filter, func(hit hit) error {
		var r record
		if err := json.Unmarshal(hit.Source, &r); err != nil {
			return fmt.Errorf("a stored record of kind %s is damaged", kind)
		}
		r.version = version{hit.SeqNo, hit.Term}
		list = append(list, r)
		return nil
	})
	return list, err
}

// A hit is a document that a search found.
type hit struct {
	place
	Score  float64         `json:"_score"`
	SeqNo  int64           `json:"_seq_no"`
	Term   int64           `json:"_primary_term"`
	Source json.RawMessage `json:"_source"`
	Sort   []any           `json:"sort"`
}

// A page is the answer to a search.
type page struct {
	Shards shardsReport `json:"_shards"`
	Hits   struct {
		Total struct {
			Value int `json:"value"`
		} `json:"total"`
		Hits []hit `json:"hits"`
	} `json:"hits"`
	TimedOut bool   `json:"timed_out"`
	PIT      string `json:"pit_id"`
}

// search asks all shards, and takes no answer that is of some of them only.
func (s *Store) search(ctx context.Context, index string, body object) (page, error) {
	var answer page
	path := "/_search"
	if index != "" {
		path = "/" + index + path
	}
	err := s.engine.call(ctx, http.MethodPost, path+"?allow_partial_search_results=false", body, &answer)
	if err != nil {
		return page{}, err
	}
	if answer.TimedOut {
		return page{}, busy(errors.New("a search timed out"))
	}
	return answer, answer.Shards.whole()
}

// pageSize is how many documents are read at once; OpenSearch allows 10,000.
const pageSize = 1000

// each visits every document that passes the filters, as they are at one moment, in no order. Of
// a document it reads these fields, or all.
func (s *Store) each(ctx context.Context, index string, filter []object, visit func(hit) error, fields ...string) error {
	query := object{
		"size": pageSize, "query": object{"bool": object{"filter": filter}},
		"seq_no_primary_term": true, "sort": []object{{"_doc": "asc"}},
	}
	if len(fields) > 0 {
		query["_source"] = fields
	}
	first, err := s.search(ctx, index, query)
	if err != nil {
		return err
	}
	if len(first.Hits.Hits) < pageSize {
		return visitAll(first.Hits.Hits, visit)
	}
	return s.still(ctx, index, func(pages func(object) (page, error)) error {
		query["sort"] = []object{{"born": "asc"}}
		return walk(pages, query, visit)
	})
}

func visitAll(hits []hit, visit func(hit) error) error {
	for _, hit := range hits {
		if err := visit(hit); err != nil {
			return err
		}
	}
	return nil
}

// walk turns the pages of a query, which has a size and a sort, until the last one.
func walk(pages func(object) (page, error), query object, visit func(hit) error) error {
	size := query["size"].(int)
	for {
		page, err := pages(query)
		if err != nil {
			return err
		}
		hits := page.Hits.Hits
		if err := visitAll(hits, visit); err != nil {
			return err
		}
		if len(hits) < size {
			return nil
		}
		query["search_after"] = hits[len(hits)-1].Sort
	}
}

// stillSeconds is how long a still index is kept between two questions.
const stillSeconds = "60s"

// still holds an index as it is now, so that several questions are answered from one state.
func (s *Store) still(ctx context.Context, index string, ask func(pages func(object) (page, error)) error) error {
	var point struct {
		ID string `json:"pit_id"`
	}
	path := "/" + index + "/_search/point_in_time?keep_alive=" + stillSeconds + "&allow_partial_pit_creation=false"
	if err := s.engine.call(ctx, http.MethodPost, path, nil, &point); err != nil {
		return err
	}
	defer func() {
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
		defer cancel()
		// When this fails, it is released by itself after a while.
		_ = s.engine.call(release, http.MethodDelete, "/_search/point_in_time", object{"pit_id": []string{point.ID}}, nil)
	}()
	return ask(func(query object) (page, error) {
		query["pit"] = object{"id": point.ID, "keep_alive": stillSeconds}
		return s.search(ctx, "", query)
	})
}
