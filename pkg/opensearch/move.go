package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"facesearch/pkg/face"
)

// moveBatch is how many documents, each with a picture of up to some megabytes, are read at once.
const moveBatch = 10

// LastNumber is the highest session number that was ever given in an application.
func (s *Store) LastNumber(ctx context.Context, application string) (uint64, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return 0, err
	}
	defer cancel()
	var body registerBody
	_, _, err = s.getRecord(ctx, kindRegister, application, "", &body)
	return body.Number, err
}

// RaiseLastNumber keeps sessions enrolled from now on above a number.
func (s *Store) RaiseLastNumber(ctx context.Context, application string, number uint64) error {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return err
	}
	defer cancel()
	return s.raiseLastNumber(ctx, application, number)
}

func (s *Store) raiseLastNumber(ctx context.Context, application string, number uint64) error {
	err := changeRecord(ctx, s, kindRegister, application, "", func(body *registerBody, _ bool) error {
		if body.Number >= number {
			return errUnchanged
		}
		if _, err := s.settle(ctx, *body); err != nil {
			return err
		}
		*body = registerBody{Number: number}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// EachSession visits the sessions above a number, in order, with their templates and pictures.
func (s *Store) EachSession(ctx context.Context, application string, after uint64, visit func(face.Enrolment) error) error {
	for {
		batch, err := s.sessionsAfter(ctx, application, after)
		if err != nil || len(batch) == 0 {
			return err
		}
		for _, enrolment := range batch {
			if err := visit(enrolment); err != nil {
				return err
			}
			after = enrolment.Session.Number
		}
	}
}

func (s *Store) sessionsAfter(ctx context.Context, application string, after uint64) ([]face.Enrolment, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return nil, err
	}
	defer cancel()
	page, err := s.search(ctx, s.names.sessions, object{
		"query": object{"bool": object{"filter": []object{term("application", application), {"range": object{"number": object{"gt": after}}}}}},
		"size":  moveBatch, "sort": []object{{"number": "asc"}},
	})
	if err != nil {
		return nil, err
	}
	batch := make([]face.Enrolment, len(page.Hits.Hits))
	ids := make([]string, len(batch))
	for i, each := range page.Hits.Hits {
		var document sessionDocument
		if json.Unmarshal(each.Source, &document) != nil || !document.final() {
			return nil, errors.New("a stored session is damaged")
		}
		batch[i] = face.Enrolment{Session: *document.Session, Template: document.Template}
		ids[i] = document.Session.PictureID
	}
	pictures, err := s.picturesOf(ctx, application, ids)
	for i := range pictures {
		batch[i].Picture = pictures[i]
	}
	return batch, err
}

// picturesOf reads pictures in the order of their IDs; an empty ID has none.
func (s *Store) picturesOf(ctx context.Context, application string, ids []string) ([]face.Picture, error) {
	var places []place
	for _, id := range ids {
		if id != "" {
			places = append(places, s.picturePlace(application, id))
		}
	}
	documents, err := s.getAll(ctx, places)
	if err != nil {
		return nil, err
	}
	pictures := make([]face.Picture, len(ids))
	for i, id := range ids {
		if id == "" {
			continue
		}
		var document pictureDocument
		if !documents[0].Found || documents[0].read(&document) != nil {
			return nil, errors.New("a kept picture is missing or damaged")
		}
		pictures[i], documents = document.Picture, documents[1:]
	}
	return pictures, nil
}

// Restore stores sessions under the numbers that they have. Those that are there already are
// left alone. CodeConflict: one is there with another number or other content, or its number or
// picture is another one's; then some of the sessions may have been stored.
func (s *Store) Restore(ctx context.Context, application string, sessions []face.Enrolment) error {
	if len(sessions) == 0 {
		return nil
	}
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return err
	}
	defer cancel()
	places := make([]place, len(sessions))
	numbers := make([]uint64, len(sessions))
	for i := range sessions {
		places[i], numbers[i] = s.sessionPlace(application, sessions[i].Session.ID), sessions[i].Session.Number
	}
	if err := s.raiseLastNumber(ctx, application, slices.Max(numbers)); err != nil {
		return err
	}
	documents, err := s.getAll(ctx, places)
	if err != nil {
		return err
	}
	taken, err := s.numbersTaken(ctx, application, numbers)
	if err != nil {
		return err
	}
	var missing []face.Enrolment
	for i, document := range documents {
		known, err := readSession(document)
		if err != nil {
			return err
		}
		session := sessions[i].Session
		if known != nil && known.final() && known.Number == session.Number && known.Session.Fingerprint == session.Fingerprint {
			continue
		}
		if known != nil || taken[session.Number] || session.Number == 0 {
			return face.Conflict("Session number %d is taken, or is there as another one.", session.Number)
		}
		missing = append(missing, sessions[i])
	}
	return s.restore(ctx, application, missing)
}

func (s *Store) numbersTaken(ctx context.Context, application string, numbers []uint64) (map[uint64]bool, error) {
	page, err := s.search(ctx, s.names.sessions, object{
		"query": object{"bool": object{"filter": []object{term("application", application), {"terms": object{"number": numbers}}}}},
		"size":  len(numbers), "_source": []string{"number"},
	})
	taken := map[uint64]bool{}
	for _, each := range page.Hits.Hits {
		var document sessionDocument
		if err := json.Unmarshal(each.Source, &document); err != nil {
			return nil, errors.New("a stored session is damaged")
		}
		taken[document.Number] = true
	}
	return taken, err
}

// restore stores the pictures, and then the sessions that own them. A session is born the same
// each time, so that a picture which a run before has left is its own.
func (s *Store) restore(ctx context.Context, application string, sessions []face.Enrolment) error {
	var pictures, documents bulkLines
	for _, enrolment := range sessions {
		session := enrolment.Session
		// One that lost its template when the gallery changed its model is in no search.
		if enrolment.Template != nil || session.InGallery() {
			if err := s.model.Accepts(enrolment.Template); err != nil {
				return err
			}
		}
		at := s.sessionPlace(application, session.ID)
		document := sessionDocument{Template: enrolment.Template, Born: hashOf("restored", at.ID, fmt.Sprint(session.Number), session.Fingerprint)}
		document.describe(application, session)
		document.Stamp = document.Born
		documents.create(at, document.Born, document)
		if session.PictureID == "" {
			continue
		}
		pictures.create(s.picturePlace(application, session.PictureID), document.Born, pictureDocument{
			Application: application, CreatedAt: nowMillis(), Owner: pictureOwner{at, document.Born},
			Picture: enrolment.Picture, Born: document.Born, Stamp: document.Born,
		})
	}
	if err := s.createAll(ctx, pictures, false); err != nil {
		return err
	}
	return s.createAll(ctx, documents, true)
}

// bulkLines are documents to create.
type bulkLines struct {
	lines  bytes.Buffer
	places []place
	stamps []string
	err    error
}

func (b *bulkLines) create(at place, stamp string, document any) {
	encoder := json.NewEncoder(&b.lines)
	b.err = errors.Join(b.err, encoder.Encode(object{"create": at}), encoder.Encode(document))
	b.places, b.stamps = append(b.places, at), append(b.stamps, stamp)
}

// createAll creates documents. CodeConflict: another one is in the way.
func (s *Store) createAll(ctx context.Context, b bulkLines, refresh bool) error {
	if b.err != nil || len(b.places) == 0 {
		return b.err
	}
	results, err := s.bulk(ctx, b.lines.Bytes(), refresh)
	if err != nil {
		return err
	}
	var there []place
	var stamps []string
	for i, result := range results {
		switch {
		case result.Status == http.StatusConflict:
			there, stamps = append(there, b.places[i]), append(stamps, b.stamps[i])
		case result.Status >= 300:
			return result.failure()
		}
	}
	documents, err := s.getAll(ctx, there)
	if err != nil {
		return err
	}
	for i, document := range documents {
		var stamped struct {
			Stamp string `json:"stamp"`
		}
		if !document.Found || document.read(&stamped) != nil || stamped.Stamp != stamps[i] {
			return face.Conflict("A session or a picture is in the way of one with the same ID.")
		}
	}
	return nil
}

// EachSearch visits the saved searches, each with its picture.
func (s *Store) EachSearch(ctx context.Context, application string, visit func(face.SavedSearch, face.Picture) error) error {
	within, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.refresh(within, s.names.searches); err != nil {
		return err
	}
	query := object{
		"query": object{"bool": object{"filter": []object{term("application", application)}}},
		"size":  moveBatch, "sort": []object{{"born": "asc"}},
	}
	return s.still(ctx, s.names.searches, func(pages func(object) (page, error)) error {
		return walk(pages, query, func(each hit) error {
			var document searchDocument
			if json.Unmarshal(each.Source, &document) != nil {
				return errors.New("a saved search is damaged")
			}
			pictures, err := s.picturesOf(ctx, application, []string{document.Search.PictureID})
			if err != nil {
				return err
			}
			return visit(document.Search, pictures[0])
		})
	})
}

// RestoreApplication stores an application that was made in another store; one that is there already
// is left alone.
func (s *Store) RestoreApplication(ctx context.Context, application face.Application) error {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.createApplication(ctx, application); face.CodeOf(err) != face.CodeConflict {
		return err
	}
	return nil
}

// RestoreAudit appends entries of another store's audit log, as they are; those that are there
// already are passed over. own says which are those of an application that there is. CodeConflict:
// they are not what follows, or another entry is in the place of one; then some may have been stored.
func (s *Store) RestoreAudit(ctx context.Context, entries []face.AuditEntry, own func(face.AuditEntry) bool) error {
	s.auditMu.Lock()
	defer s.auditMu.Unlock()
	for _, entry := range entries {
		if err := s.restoreEntry(ctx, entry, own(entry)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) restoreEntry(ctx context.Context, entry face.AuditEntry, own bool) error {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	head, last, err := s.auditHead(ctx)
	if err != nil {
		return err
	}
	if entry.Number <= last.Number {
		there, err := s.entries(ctx, []uint64{entry.Number})
		if err == nil && (len(there) == 0 || there[0].Hash != entry.Hash) {
			err = face.Conflict("The audit logs differ at entry %d: begin with an empty store.", entry.Number)
		}
		return err
	}
	if entry.Number != last.Number+1 || entry.Previous != last.Hash || entry.Hash != entry.Sum() {
		return face.Conflict("The audit log is damaged at entry %d.", entry.Number)
	}
	tenant := ""
	if own {
		if tenant, err = s.tenant(ctx, entry.Application); err != nil {
			return err
		}
	}
	return s.appendEntry(ctx, head, entry, tenant, newStamp())
}
