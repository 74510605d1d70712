package opensearch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"facesearch/pkg/face"
)

// An erasure is of several documents: people, and their pictures. A record that names them all
// decides that they go; it is there until the last one is gone, so that whoever comes after a
// crash goes on. It then stays, as one that is only due to be purged, until the cluster's files
// hold nothing of them either: see purge.go.

// erasureBody names what goes. A document that was stored later under the same name was born
// anew, and stays.
type erasureBody struct {
	Doomed []doomed `json:"doomed,omitempty"`
	// Entry is that of the audit log.
	Entry *pendingEntry `json:"entry,omitempty"`
	// Deleted is when the last one was, in milliseconds; 0 before.
	Deleted int64 `json:"deleted,omitempty"`
}

type doomed struct {
	At   place  `json:"at"`
	Born string `json:"born"`
}

// A doomedList is what an erasure erases, and what its audit entry says of it.
type doomedList struct {
	doomed             []doomed
	sessions, searches int
	object             string
	pairs              []string
	onlySome           bool // it writes no entry where there is nothing to erase
}

// Erase implements face.Gallery.
func (s *Store) Erase(ctx context.Context, application string, ids []string) (face.Erasure, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Erasure{}, err
	}
	defer cancel()
	list := doomedList{pairs: []string{"ids", strings.Join(ids, ",")}}
	if len(ids) == 1 {
		list.object, list.pairs = ids[0], nil
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	places := make([]place, 0, 2*len(ids))
	for _, id := range ids {
		places = append(places, s.sessionPlace(application, id), s.searchPlace(application, id))
	}
	documents, err := s.getAll(ctx, places)
	if err != nil {
		return face.Erasure{}, err
	}
	for i := range ids {
		before := list.sessions + list.searches
		if err := s.doom(application, documents[2*i:2*i+2], &list); err != nil {
			return face.Erasure{}, err
		}
		if before == list.sessions+list.searches {
			return face.Erasure{}, face.NotFound("There is no session or saved search of that ID.")
		}
	}
	return s.erase(ctx, application, face.AuditErase, list)
}

// doom names those of the documents that are there, and their pictures.
func (s *Store) doom(application string, documents []document, list *doomedList) error {
	for _, document := range documents {
		if !document.Found {
			continue
		}
		var one struct {
			Born    string            `json:"born"`
			Staged  json.RawMessage   `json:"staged"`
			Session *face.Session     `json:"session"`
			Search  *face.SavedSearch `json:"search"`
		}
		if err := document.read(&one); err != nil {
			return err
		}
		if one.Staged != nil {
			continue // not there for anybody yet
		}
		list.doomed = append(list.doomed, doomed{document.place, one.Born})
		picture := ""
		switch {
		case one.Session != nil:
			picture = one.Session.PictureID
			list.sessions++
		case one.Search != nil:
			picture = one.Search.PictureID
			list.searches++
		}
		if picture != "" { // it was born with its owner
			list.doomed = append(list.doomed, doomed{s.picturePlace(application, picture), one.Born})
		}
	}
	return nil
}

// erase decides that documents go, and lets them. It carries on when the caller does not wait.
func (s *Store) erase(ctx context.Context, tenant, action string, list doomedList) (face.Erasure, error) {
	if ctx.Err() != nil {
		return face.Erasure{}, ctx.Err()
	}
	erasure := face.Erasure{Sessions: list.sessions, Searches: list.searches}
	if list.onlySome && len(list.doomed) == 0 {
		return erasure, nil
	}
	entry := newEntry(ctx, tenant, action, list.object, face.ErasureDetail(list.sessions, list.searches, list.pairs...))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	var err error
	if len(list.doomed) == 0 {
		erasure.Entry, err = s.writeEntry(ctx, entry, false)
	} else {
		body := erasureBody{Doomed: list.doomed, Entry: &entry}
		var r record
		if r, err = s.writeRecord(ctx, record{Kind: kindErasure, Name: newStamp()}, body, true); err == nil {
			erasure.Entry, err = s.finishErasure(ctx, r, body)
		}
	}
	if err != nil {
		return face.Erasure{}, err
	}
	return erasure, nil
}

// finishErasure deletes what is still there, and writes the entry, unless somebody else has.
// Whoever else does the same at the same moment is in nobody's way.
func (s *Store) finishErasure(ctx context.Context, r record, body erasureBody) (entry face.AuditEntry, err error) {
	for part := range slices.Chunk(body.Doomed, pageSize) {
		if err := s.deleteDoomed(ctx, part); err != nil {
			return entry, err
		}
	}
	if body.Entry != nil {
		if entry, err = s.writeEntry(ctx, *body.Entry, true); err != nil {
			return entry, err
		}
	}
	_, err = s.writeRecord(ctx, r, erasureBody{Deleted: nowMillis()}, true)
	if errors.Is(err, errTaken) {
		err = nil
	}
	return entry, err
}

func (s *Store) deleteDoomed(ctx context.Context, goes []doomed) error {
	places := make([]place, len(goes))
	for i := range goes {
		places[i] = goes[i].At
	}
	for {
		documents, err := s.getAll(ctx, places)
		if err != nil {
			return err
		}
		var removals []removal
		for i, document := range documents {
			if !document.Found {
				continue
			}
			var one struct {
				Born string `json:"born"`
			}
			if err := document.read(&one); err != nil {
				return err
			}
			if one.Born == goes[i].Born {
				removals = append(removals, removal{document.place, document.version()})
			}
		}
		left, err := s.remove(ctx, removals)
		if err != nil || left == 0 {
			return err
		}
		if err := pause(ctx); err != nil { // one was changed in between
			return err
		}
	}
}

// finishErasures goes on with those that were decided at least some time ago.
func (s *Store) finishErasures(ctx context.Context, age time.Duration) error {
	records, err := s.listRecords(ctx, kindErasure, "")
	if err != nil {
		return err
	}
	for _, r := range records {
		var body erasureBody
		if err := r.read(&body); err != nil {
			return err
		}
		if body.Deleted != 0 || nowMillis()-r.CreatedAt < age.Milliseconds() {
			continue
		}
		if _, err := s.finishErasure(ctx, r, body); err != nil {
			return fmt.Errorf("finishing an erasure: %w", err)
		}
	}
	return nil
}

// EraseOwners implements face.Gallery.
func (s *Store) EraseOwners(ctx context.Context, application string, vendorData []string) (face.Erasure, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Erasure{}, err
	}
	defer cancel()
	// Sessions are refreshed whenever they are written, searches are not.
	if err := s.refresh(ctx, s.names.searches); err != nil {
		return face.Erasure{}, err
	}
	list := doomedList{pairs: []string{"people", strconv.Itoa(len(vendorData))}}
	for _, each := range slices.Compact(slices.Sorted(slices.Values(vendorData))) {
		if each == "" {
			continue
		}
		filter := []object{term("application", application), term("owner", ownerOf(application, each))}
		for _, index := range []string{s.names.sessions, s.names.searches} {
			err := s.each(ctx, index, filter, func(each hit) error {
				return s.doom(application, []document{{place: each.place, Found: true, Source: each.Source}}, &list)
			})
			if err != nil {
				return face.Erasure{}, err
			}
		}
	}
	return s.erase(ctx, application, face.AuditErasePeople, list)
}

// EraseBefore implements face.Gallery.
func (s *Store) EraseBefore(ctx context.Context, application string, sessions, searches time.Time, max int) (face.Erasure, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Erasure{}, err
	}
	defer cancel()
	if max < 1 {
		return face.Erasure{}, errors.New("at least one has to be erased at a time")
	}
	if err := s.refresh(ctx, s.names.searches); err != nil {
		return face.Erasure{}, err
	}
	list := doomedList{onlySome: true}
	for _, kind := range []struct {
		index, pair string
		before      time.Time
	}{{s.names.sessions, "sessions_before", sessions}, {s.names.searches, "searches_before", searches}} {
		if kind.before.IsZero() {
			continue
		}
		list.pairs = append(list.pairs, kind.pair, kind.before.UTC().Format(time.RFC3339))
		page, err := s.search(ctx, kind.index, object{
			"query": object{"bool": object{"filter": []object{
				term("application", application), {"range": object{"at": object{"lt": nanosOf(kind.before)}}},
			}}},
			"size": min(max, pageSize), "sort": []object{{"at": "asc"}}, "_source": []string{"born", "session", "search"},
		})
		if err != nil {
			return face.Erasure{}, err
		}
		for _, each := range page.Hits.Hits {
			if err := s.doom(application, []document{{place: each.place, Found: true, Source: each.Source}}, &list); err != nil {
				return face.Erasure{}, err
			}
		}
	}
	return s.erase(ctx, application, face.AuditRetention, list)
}
