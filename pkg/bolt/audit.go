package bolt

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// audit appends an entry to the log, in the transaction of the change that it tells of. An
// empty application stands for the whole store.
func audit(ctx context.Context, tx *bbolt.Tx, application, action, object, detail string) (face.AuditEntry, error) {
	log := tx.Bucket(auditBucket)
	number, err := log.NextSequence()
	if err != nil {
		return face.AuditEntry{}, err
	}
	entry := face.AuditEntry{
		Number: number, At: time.Now().UTC(), Application: application, Actor: face.ActorOf(ctx).ID,
		Action: action, Object: object, Detail: detail,
	}
	if _, last := log.Cursor().Last(); last != nil {
		entry.Previous = auditEntry(0, last).Hash
	}
	entry.Hash = entry.Sum()
	if err := putEntry(log, entry); err != nil {
		return face.AuditEntry{}, err
	}
	return entry, ownEntry(tx, entry)
}

// putEntry stores an entry encoded as it is hashed, so that each byte of it counts.
func putEntry(log *bbolt.Bucket, entry face.AuditEntry) error {
	return log.Put(numberKey(entry.Number), append(entry.Encode(), entry.Hash[:]...))
}

// ownEntry lists an entry as one of its application.
func ownEntry(tx *bbolt.Tx, entry face.AuditEntry) error {
	if entry.Application == "" {
		return nil
	}
	bucket := tx.Bucket(applicationsBucket).Bucket([]byte(entry.Application))
	if bucket == nil { // it was deleted while somebody's registration led to it
		return nil
	}
	own := bucket.Bucket(auditBucket)
	place, err := own.NextSequence()
	if err != nil {
		return err
	}
	return own.Put(numberKey(place), numberKey(entry.Number))
}

func (r records) audit(ctx context.Context, action, object, detail string) (face.AuditEntry, error) {
	return audit(ctx, r.Tx(), r.application, action, object, detail)
}

// auditEntry reads a stored entry. Of one that is damaged there is the number alone, and the
// hash that it was stored with.
func auditEntry(number uint64, stored []byte) face.AuditEntry {
	text := stored[:max(0, len(stored)-sha256.Size)]
	entry, err := face.DecodeAuditEntry(text)
	if err != nil {
		entry = face.AuditEntry{Number: number}
	}
	copy(entry.Hash[:], stored[len(text):])
	return entry
}

// A span is the part of a list that is numbered from 1 without a gap, which a page asks for.
func span(page face.AuditPage, total uint64) (numbers []uint64) {
	for i := uint64(page.Offset); i < total && len(numbers) < page.Limit; i++ {
		if page.OldestFirst {
			numbers = append(numbers, i+1)
		} else {
			numbers = append(numbers, total-i)
		}
	}
	return numbers
}

// Audit implements face.Gallery.
func (s *Store) Audit(ctx context.Context, application string, page face.AuditPage) (list []face.AuditEntry, total int, err error) {
	list = []face.AuditEntry{}
	err = s.view(ctx, application, func(r records) error {
		own := r.Bucket.Bucket(auditBucket)
		total = int(own.Sequence())
		for _, place := range span(page, own.Sequence()) {
			number, err := numberOf(own.Get(numberKey(place)))
			if err != nil {
				return errors.New("the application's list of audit entries is damaged")
			}
			list = append(list, auditEntry(number, r.Tx().Bucket(auditBucket).Get(numberKey(number))))
		}
		return nil
	})
	return list, total, err
}

// AuditWhole implements face.Gallery. Entries that were taken out are left out of the list, and
// counted.
func (s *Store) AuditWhole(ctx context.Context, page face.AuditPage) (list []face.AuditEntry, total int, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	list = []face.AuditEntry{}
	err = s.db.View(func(tx *bbolt.Tx) error {
		log := tx.Bucket(auditBucket)
		total = int(log.Sequence())
		for _, number := range span(page, log.Sequence()) {
			if stored := log.Get(numberKey(number)); stored != nil {
				list = append(list, auditEntry(number, stored))
			}
		}
		return nil
	})
	return list, total, err
}
