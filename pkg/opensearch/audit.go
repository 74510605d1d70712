package opensearch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"facesearch/pkg/face"
)

// The audit log is one chain for the store. An entry is a record whose place follows from its
// number, so that of several servers one writes it; the head is a record that says which is the
// last. Whoever finds an entry after the head, because the server that wrote it died or is about
// to, moves the head on to it and begins anew.
//
// An entry is written when its change is made, before the call is answered. A server that dies
// between the two has made a change that has no entry; an entry without its change there is
// never. Erasures are an exception: the record that decides one holds its entry, so that who
// finishes the erasure writes it.

// auditHead is the last entry.
type auditHead struct {
	Number uint64      `json:"number"`
	Hash   face.Digest `json:"hash"`
}

// auditBody is an entry as it is hashed, so that each byte of it counts.
type auditBody struct {
	Entry []byte      `json:"entry"`
	Hash  face.Digest `json:"hash"`
}

// A pendingEntry is one that is to be written. Event is its own name, by which it is found to be
// there already.
type pendingEntry struct {
	Tenant      string    `json:"tenant"` // see tenants.go; empty where it belongs to no application that there is
	Application string    `json:"application"`
	At          time.Time `json:"at"`
	Actor       string    `json:"actor"`
	Action      string    `json:"action"`
	Object      string    `json:"object"`
	Detail      string    `json:"detail"`
	Event       string    `json:"event"`
}

func newEntry(ctx context.Context, tenant, action, object, detail string) pendingEntry {
	return pendingEntry{tenant, nameOf(tenant), time.Now().UTC(), face.ActorOf(ctx).ID, action, object, detail, rand.Text()}
}

// audit writes an entry for what was done.
func (s *Store) audit(ctx context.Context, tenant, action, object, detail string) (face.AuditEntry, error) {
	return s.writeEntry(ctx, newEntry(ctx, tenant, action, object, detail), false)
}

// writeEntry carries on when the caller does not wait: the change is made. An entry that several
// servers may write is written once: who finds it returns it. It is looked for each time after the
// head was read, so that one which is there is found, and one that comes after takes the place
// that this one wants.
func (s *Store) writeEntry(ctx context.Context, pending pendingEntry, once bool) (face.AuditEntry, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	s.auditMu.Lock()
	defer s.auditMu.Unlock()
	for {
		head, last, err := s.auditHead(ctx)
		if err != nil {
			return face.AuditEntry{}, err
		}
		if once {
			if entry, written, err := s.entryWritten(ctx, pending.Event); err != nil || written {
				return entry, err
			}
		}
		entry := face.AuditEntry{
			Number: last.Number + 1, At: pending.At, Application: pending.Application, Actor: pending.Actor,
			Action: pending.Action, Object: pending.Object, Detail: pending.Detail, Previous: last.Hash,
		}
		entry.Hash = entry.Sum()
		err = s.appendEntry(ctx, head, entry, pending.Tenant, pending.Event)
		if !errors.Is(err, errTaken) {
			return entry, err
		}
		s.auditLast = nil
		if err := errors.Join(s.moveHead(ctx), pause(ctx)); err != nil {
			return face.AuditEntry{}, err
		}
	}
}

// auditHead is remembered: when another server has moved it on, the next entry is taken. The
// caller holds auditMu.
func (s *Store) auditHead(ctx context.Context) (record, auditHead, error) {
	if s.auditLast != nil {
		return s.auditLast.record, s.auditLast.head, nil
	}
	return s.readHead(ctx)
}

// A knownHead is the head as a server has left it.
type knownHead struct {
	record record
	head   auditHead
}

func (s *Store) readHead(ctx context.Context) (r record, head auditHead, err error) {
	r, found, err := s.getRecord(ctx, kindAuditHead, "", "", &head)
	if err == nil && !found {
		r = record{Kind: kindAuditHead}
	}
	return r, head, err
}

func auditName(number uint64) string { return strconv.FormatUint(number, 10) }

func (s *Store) auditPlace(number uint64) place {
	return s.recordPlace(kindAudit, "", auditName(number))
}

// appendEntry returns errTaken when there is an entry of its number. The head may be moved on by
// somebody else as well.
func (s *Store) appendEntry(ctx context.Context, head record, entry face.AuditEntry, tenant, event string) error {
	body, err := bodyOf(auditBody{entry.Encode(), entry.Hash})
	if err != nil {
		return err
	}
	stamp := newStamp()
	r := record{
		Kind: kindAudit, Application: tenant, Name: event, Number: entry.Number,
		Born: stamp, Stamp: stamp, CreatedAt: nowMillis(), Body: body,
	}
	if _, err := s.put(ctx, s.auditPlace(entry.Number), version{}, stamp, r, false); err != nil {
		return err
	}
	next := auditHead{entry.Number, entry.Hash}
	head, err = s.writeRecord(ctx, head, next, false)
	if errors.Is(err, errTaken) {
		s.auditLast = nil
		return s.moveHead(ctx)
	}
	if err == nil {
		s.auditLast = &knownHead{head, next}
	}
	return err
}

// moveHead moves the head on to the last entry there is.
func (s *Store) moveHead(ctx context.Context) error {
	for {
		r, head, err := s.readHead(ctx)
		if err != nil {
			return err
		}
		document, err := s.get(ctx, s.auditPlace(head.Number+1))
		if err != nil || !document.Found {
			return err
		}
		entry, err := entryOf(document, head.Number+1)
		if err != nil {
			return err
		}
		_, err = s.writeRecord(ctx, r, auditHead{entry.Number, entry.Hash}, false)
		if err != nil && !errors.Is(err, errTaken) {
			return err
		}
	}
}

// entryOf reads a stored entry. Of one that is damaged there is the number alone, and the hash
// that it was stored with.
func entryOf(document document, number uint64) (face.AuditEntry, error) {
	r, err := recordOf(document)
	if err != nil {
		return face.AuditEntry{}, err
	}
	var body auditBody
	if r.read(&body) != nil {
		return face.AuditEntry{Number: number}, nil
	}
	entry, err := face.DecodeAuditEntry(body.Entry)
	if err != nil {
		entry = face.AuditEntry{Number: number}
	}
	entry.Hash = body.Hash
	return entry, nil
}

// entryWritten looks for the entry of an event.
func (s *Store) entryWritten(ctx context.Context, event string) (entry face.AuditEntry, written bool, err error) {
	if err := s.refresh(ctx, s.names.records); err != nil {
		return entry, false, err
	}
	page, err := s.search(ctx, s.names.records, object{
		"query": object{"bool": object{"filter": []object{term("kind", kindAudit), term("name", event)}}}, "size": 1,
	})
	if err != nil || len(page.Hits.Hits) == 0 {
		return entry, false, err
	}
	found := page.Hits.Hits[0]
	entry, err = entryOf(document{place: found.place, Found: true, Source: found.Source}, 0)
	return entry, err == nil, err
}

// AuditWhole implements face.Gallery. Entries that were taken out are left out of the list, and
// counted.
func (s *Store) AuditWhole(ctx context.Context, page face.AuditPage) ([]face.AuditEntry, int, error) {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer cancel()
	_, head, err := s.readHead(ctx)
	if err != nil {
		return nil, 0, err
	}
	var numbers []uint64
	for i := uint64(page.Offset); i < head.Number && len(numbers) < page.Limit; i++ {
		if page.OldestFirst {
			numbers = append(numbers, i+1)
		} else {
			numbers = append(numbers, head.Number-i)
		}
	}
	list := []face.AuditEntry{}
	for part := range slices.Chunk(numbers, pageSize) {
		entries, err := s.entries(ctx, part)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, entries...)
	}
	return list, int(head.Number), nil
}

func (s *Store) entries(ctx context.Context, numbers []uint64) (list []face.AuditEntry, err error) {
	places := make([]place, len(numbers))
	for i, number := range numbers {
		places[i] = s.auditPlace(number)
	}
	documents, err := s.getAll(ctx, places)
	if err != nil {
		return nil, err
	}
	for i, document := range documents {
		if !document.Found {
			continue
		}
		entry, err := entryOf(document, numbers[i])
		if err != nil {
			return nil, err
		}
		list = append(list, entry)
	}
	return list, nil
}

// Audit implements face.Gallery.
func (s *Store) Audit(ctx context.Context, application string, page face.AuditPage) ([]face.AuditEntry, int, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return nil, 0, err
	}
	defer cancel()
	if err := s.refresh(ctx, s.names.records); err != nil {
		return nil, 0, err
	}
	list := []face.AuditEntry{}
	query := object{
		"query": object{"bool": object{"filter": []object{term("kind", kindAudit), term("application", application)}}},
		"sort":  []object{{"number": order(page.OldestFirst)}},
	}
	total, err := s.pageOf(ctx, s.names.records, query, page.Offset, page.Limit, func(each hit) error {
		document := document{place: each.place, Found: true, Source: each.Source}
		entry, err := entryOf(document, 0)
		if err != nil {
			return fmt.Errorf("an entry of the audit log is damaged: %w", err)
		}
		list = append(list, entry)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return list, total, nil
}

func order(oldestFirst bool) string {
	if oldestFirst {
		return "asc"
	}
	return "desc"
}
