package opensearch

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"facesearch/pkg/face"
)

// A sessionDocument is a session with its template and its place on the blocklist, so that they
// change together. One that is staged has no application, so that no search sees it: see enrol.go.
type sessionDocument struct {
	Application string        `json:"application,omitempty"`
	Number      uint64        `json:"number,omitempty"`
	Status      face.Status   `json:"status,omitempty"`
	Blocklisted bool          `json:"blocklisted"`
	InGallery   bool          `json:"in_gallery"`
	Owner       string        `json:"owner,omitempty"`      // see ownerOf
	Lottery     int32         `json:"lottery"`              // see crowd.go
	CreatedAt   int64         `json:"created_at,omitempty"` // milliseconds
	At          int64         `json:"at,omitempty"`         // the same in nanoseconds, see nanosOf
	Session     *face.Session `json:"session,omitempty"`
	Template    face.Template `json:"template,omitempty"`

	Staged   *staged `json:"staged,omitempty"`
	StagedAt int64   `json:"staged_at,omitempty"` // milliseconds

	Born  string `json:"born"`
	Stamp string `json:"stamp"`

	version version // in which it was read
}

// final reports whether the session is there for everybody to see.
func (d *sessionDocument) final() bool { return d.Staged == nil && d.Session != nil }

// describe sets what is searched for from the session.
func (d *sessionDocument) describe(application string, session face.Session) {
	d.Application, d.Number, d.Status = application, session.Number, session.Status
	d.Blocklisted, d.InGallery = session.Blocklisted, session.InGallery()
	d.Owner, d.CreatedAt = ownerOf(application, session.VendorData), session.CreatedAt.UnixMilli()
	d.Lottery, d.At = lotteryPlace(application, session.ID), nanosOf(session.CreatedAt)
	d.Session = &session
}

// ownerOf stands for a vendor_data, which may be of any length; empty for none.
func ownerOf(application, vendorData string) string {
	if vendorData == "" {
		return ""
	}
	return hashOf("owner", application, vendorData)
}

func (s *Store) sessionPlace(application, id string) place {
	return place{s.names.sessions, hashOf("session", application, id)}
}

func readSession(document document) (*sessionDocument, error) {
	if !document.Found {
		return nil, nil
	}
	var session sessionDocument
	if err := document.read(&session); err != nil {
		return nil, err
	}
	session.version = document.version()
	return &session, nil
}

// readFinal returns nil for one that is staged.
func readFinal(document document) (*sessionDocument, error) {
	session, err := readSession(document)
	if err != nil || session == nil || !session.final() {
		return nil, err
	}
	return session, nil
}

func unknownSession() error { return face.NotFound("There is no session of that ID.") }

// Session implements face.Gallery.
func (s *Store) Session(ctx context.Context, application, id string) (face.Session, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Session{}, err
	}
	defer cancel()
	document, err := s.get(ctx, s.sessionPlace(application, id))
	if err != nil {
		return face.Session{}, err
	}
	session, err := readFinal(document)
	if err != nil {
		return face.Session{}, err
	}
	if session == nil {
		return face.Session{}, unknownSession()
	}
	return *session.Session, nil
}

// Change implements face.Gallery. Whoever is overtaken by another change begins anew.
func (s *Store) Change(ctx context.Context, application, id string, change func(*face.Session)) (face.Session, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Session{}, err
	}
	defer cancel()
	for {
		session, err := s.changeOnce(ctx, application, id, change)
		if !errors.Is(err, errTaken) {
			return session, err
		}
		if err := pause(ctx); err != nil {
			return face.Session{}, err
		}
	}
}

func (s *Store) changeOnce(ctx context.Context, application, id string, change func(*face.Session)) (face.Session, error) {
	at := s.sessionPlace(application, id)
	document, err := s.get(ctx, at)
	if err != nil {
		return face.Session{}, err
	}
	stored, err := readFinal(document)
	if err != nil {
		return face.Session{}, err
	}
	if stored == nil {
		return face.Session{}, unknownSession()
	}
	before := *stored.Session
	session := before
	change(&session)
	if !changeable(*stored.Session, session) {
		return face.Session{}, errors.New("only status, comment, blocklist and details of a session can change, and the status to one that there is")
	}
	if session == *stored.Session {
		return session, nil
	}
	if len(stored.Template) == 0 && session.InGallery() {
		return face.Session{}, face.Conflict("The session has no template of the embedding model in use, so that no search could find it: enrol the person again from a picture.")
	}
	stored.describe(application, session)
	stored.Stamp = newStamp()
	if _, err := s.put(ctx, at, document.version(), stored.Stamp, stored, true); err != nil {
		return face.Session{}, err
	}
	return session, s.auditChange(ctx, application, before, session)
}

// changeable reports whether a session became another only in what may change.
func changeable(from, to face.Session) bool {
	from.Status, from.Blocklisted, from.Details, from.Comment = to.Status, to.Blocklisted, to.Details, to.Comment
	return from == to && to.Status.Valid()
}

func term(field string, value any) object { return object{"term": object{field: value}} }

// Sessions implements face.Gallery.
func (s *Store) Sessions(ctx context.Context, application string, filter face.SessionFilter) ([]face.Session, int, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return nil, 0, err
	}
	defer cancel()
	terms := []object{term("application", application)}
	if filter.Status != "" {
		terms = append(terms, term("status", filter.Status))
	}
	if filter.Blocklisted != nil {
		terms = append(terms, term("blocklisted", *filter.Blocklisted))
	}
	if filter.VendorData != "" {
		terms = append(terms, term("owner", ownerOf(application, filter.VendorData)))
	}
	if filter.Number > math.MaxInt64 {
		return []face.Session{}, 0, nil
	}
	if filter.Number != 0 {
		terms = append(terms, term("number", filter.Number))
	}
	query := object{"bool": object{"filter": terms}}
	if filter.Name != "" {
		return s.listFitting(ctx, query, filter)
	}
	if from, size := max(filter.Offset, 0), max(filter.Limit, 0); from+size <= windowMax {
		return s.listAtOnce(ctx, query, from, size)
	}
	return s.listInPages(ctx, query, filter.Offset, filter.Limit)
}

// windowMax is how far into its hits OpenSearch lists by offset.
const windowMax = 10_000

func listQuery(query object, size int) object {
	return object{
		"query": query, "size": size, "track_total_hits": true, "_source": []string{"session"},
		"sort": []object{{"number": "desc"}},
	}
}

func (s *Store) listAtOnce(ctx context.Context, query object, from, size int) ([]face.Session, int, error) {
	body := listQuery(query, size)
	body["from"] = from
	page, err := s.search(ctx, s.names.sessions, body)
	if err != nil {
		return nil, 0, err
	}
	list, err := sessionsOf(page.Hits.Hits)
	return list, page.Hits.Total.Value, err
}

func sessionsOf(hits []hit) ([]face.Session, error) {
	list := make([]face.Session, 0, len(hits))
	for _, hit := range hits {
		var document sessionDocument
		if json.Unmarshal(hit.Source, &document) != nil || document.Session == nil {
			return nil, errors.New("a stored session is damaged")
		}
		list = append(list, *document.Session)
	}
	return list, nil
}

// errEnough ends a walk through pages.
var errEnough = errors.New("enough")

func (s *Store) listInPages(ctx context.Context, query object, offset, limit int) (list []face.Session, total int, err error) {
	list = []face.Session{}
	passed := 0
	err = s.still(ctx, s.names.sessions, func(pages func(object) (page, error)) error {
		counted := func(query object) (page, error) {
			page, err := pages(query)
			total = page.Hits.Total.Value
			return page, err
		}
		return walk(counted, listQuery(query, pageSize), func(each hit) error {
			if passed++; passed <= offset {
				return nil
			}
			if len(list) >= limit {
				return errEnough
			}
			session, err := sessionsOf([]hit{each})
			list = append(list, session...)
			return err
		})
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err != nil {
		return nil, 0, err
	}
	return list, total, nil
}

// listFitting reads every session that passes the query, to look at the parts of the filter that
// are not indexed.
func (s *Store) listFitting(ctx context.Context, query object, filter face.SessionFilter) (list []face.Session, total int, err error) {
	list = []face.Session{}
	fitting := func(each hit) error {
		session, err := sessionsOf([]hit{each})
		if err != nil || !filter.Fits(&session[0]) {
			return err
		}
		if total++; total > filter.Offset && len(list) < filter.Limit {
			list = append(list, session[0])
		}
		return nil
	}
	first, err := s.search(ctx, s.names.sessions, listQuery(query, pageSize))
	switch {
	case err != nil:
	case first.Hits.Total.Value == len(first.Hits.Hits):
		err = visitAll(first.Hits.Hits, fitting)
	default:
		err = s.still(ctx, s.names.sessions, func(pages func(object) (page, error)) error {
			return walk(pages, listQuery(query, pageSize), fitting)
		})
	}
	if err != nil {
		return nil, 0, err
	}
	return list, total, nil
}

// Size implements face.Gallery.
func (s *Store) Size(ctx context.Context, application string) (int, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return 0, err
	}
	defer cancel()
	return s.size(ctx, application)
}

func (s *Store) size(ctx context.Context, application string) (int, error) {
	return s.count(ctx, s.names.sessions, gallery(application))
}

func (s *Store) count(ctx context.Context, index string, filter []object) (int, error) {
	var answer struct {
		Count  int          `json:"count"`
		Shards shardsReport `json:"_shards"`
	}
	query := object{"query": object{"bool": object{"filter": filter}}}
	if err := s.engine.call(ctx, http.MethodPost, "/"+index+"/_count", query, &answer); err != nil {
		return 0, err
	}
	return answer.Count, answer.Shards.whole()
}

// gallery passes the sessions that searches of an application compare with.
func gallery(application string) []object {
	return []object{term("application", application), term("in_gallery", true)}
}

// auditChange writes an entry for each thing that was changed about a session.
func (s *Store) auditChange(ctx context.Context, tenant string, from, to face.Session) error {
	var failures []error
	write := func(changed bool, action, detail string) {
		if changed {
			_, err := s.audit(ctx, tenant, action, to.ID, detail)
			failures = append(failures, err)
		}
	}
	write(from.Status != to.Status || from.Comment != to.Comment, face.AuditStatus,
		face.AuditDetail("from", string(from.Status), "to", string(to.Status)))
	write(from.Blocklisted != to.Blocklisted, face.AuditBlocklist, face.AuditDetail("blocklisted", strconv.FormatBool(to.Blocklisted)))
	write(from.Details != to.Details, face.AuditDetails, "")
	return errors.Join(failures...)
}
