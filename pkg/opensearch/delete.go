package opensearch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"facesearch/pkg/face"
)

// To delete an application, a record that names its tenant is written first, which decides it;
// then its own record goes, and with that everything that is under the tenant is out of reach.
// The record stays for a while, in which whatever other servers still write there is deleted too.

// dropBody is a tenant that goes.
type dropBody struct {
	Tenant string       `json:"tenant"`
	Entry  pendingEntry `json:"entry"`
	// Deleted is when everything was first deleted, in milliseconds; 0 before.
	Deleted int64 `json:"deleted,omitempty"`
}

// dropMax is how long it may take to delete everything of an application.
const dropMax = 10 * time.Minute

// DeleteApplication implements face.Gallery. It takes as long as it needs to.
func (s *Store) DeleteApplication(ctx context.Context, application string) error {
	bounded, cancel, err := s.bounded(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	tenant, err := s.readTenant(bounded, application)
	if err != nil {
		return err
	}
	register := s.register(tenant)
	register.mu.Lock() // nobody enrols meanwhile through this server
	defer register.mu.Unlock()
	if now, err := s.readTenant(bounded, application); err != nil || now != tenant {
		return errors.Join(err, notFoundIf(err == nil))
	}
	if err := s.refresh(bounded, s.names.searches); err != nil {
		return err
	}
	ours := []object{term("application", tenant)}
	sessions, err := s.count(bounded, s.names.sessions, ours)
	if err != nil {
		return err
	}
	searches, err := s.count(bounded, s.names.searches, ours)
	if err != nil {
		return err
	}
	entry := newEntry(ctx, tenant, face.AuditApplicationDelete, application, face.ErasureDetail(sessions, searches))
	body := dropBody{Tenant: tenant, Entry: entry}
	long, cancelLong := context.WithTimeout(context.WithoutCancel(ctx), dropMax)
	defer cancelLong()
	r, err := s.writeRecord(long, record{Kind: kindDropped, Name: tenant}, body, true)
	if errors.Is(err, errTaken) { // by another server, at this moment
		return busy(errors.New("the application is being deleted"))
	}
	if err != nil {
		return err
	}
	return s.finishDrop(long, r, body)
}

// finishDrop deletes everything, and writes the entry, unless somebody else has.
func (s *Store) finishDrop(ctx context.Context, r record, body dropBody) error {
	if err := s.dropApplication(ctx, body.Tenant); err != nil {
		return err
	}
	if err := s.deleteTenant(ctx, body.Tenant); err != nil {
		return err
	}
	if body.Deleted != 0 {
		return nil
	}
	if _, err := s.writeEntry(ctx, body.Entry, true); err != nil {
		return err
	}
	// The files of the cluster hold it for a while, as after an erasure: see purge.go.
	_, err := s.writeRecord(ctx, record{Kind: kindErasure, Name: newStamp()}, erasureBody{Deleted: nowMillis()}, true)
	if err != nil {
		return err
	}
	body.Deleted = nowMillis()
	if _, err = s.writeRecord(ctx, r, body, true); errors.Is(err, errTaken) {
		err = nil
	}
	return err
}

// dropApplication deletes the application's own record, unless it is that of another tenant, and
// the accounts.
func (s *Store) dropApplication(ctx context.Context, tenant string) error {
	name := nameOf(tenant)
	var there face.Application
	for {
		r, found, err := s.getRecord(ctx, kindApplication, name, name, &there)
		if err != nil {
			return err
		}
		if !found || tenantOf(r) != tenant {
			break
		}
		err = s.deleteAccounts(ctx, func(account face.Account) bool { return account.Application == name })
		if err == nil {
			err = s.deleteRecord(ctx, r)
		}
		if err != nil {
			return err
		}
	}
	s.tenants.forget()
	s.settingsOf.forget()
	s.keys.forget()
	return nil
}

// deleteTenant deletes what is under a tenant, but for its entries in the audit log.
func (s *Store) deleteTenant(ctx context.Context, tenant string) error {
	for _, index := range s.names.all() {
		if err := s.refresh(ctx, index); err != nil {
			return err
		}
		for {
			left, err := s.deleteFrom(ctx, index, tenant)
			if err != nil {
				return err
			}
			if left == 0 {
				break
			}
			if err := pause(ctx); err != nil { // some were changed in between
				return err
			}
		}
	}
	return nil
}

// deleteFrom deletes what an index holds of a tenant; left counts what was changed meanwhile.
func (s *Store) deleteFrom(ctx context.Context, index, tenant string) (left int, err error) {
	fields := []string{"born"}
	if index == s.names.records {
		fields = append(fields, "kind")
	}
	var removals []removal
	err = s.each(ctx, index, []object{term("application", tenant)}, func(each hit) error {
		var one struct {
			Kind kind `json:"kind"`
		}
		if json.Unmarshal(each.Source, &one) != nil {
			return errors.New("a stored document is damaged")
		}
		if one.Kind != kindAudit {
			removals = append(removals, removal{each.place, version{each.SeqNo, each.Term}})
		}
		return nil
	}, fields...)
	for part := range slices.Chunk(removals, pageSize) {
		if err != nil {
			return 0, err
		}
		var more int
		more, err = s.remove(ctx, part)
		left += more
	}
	return left, err
}

// finishDrops goes on with those that were decided at least some time ago, and forgets those whose
// tenants nobody writes to any more.
func (s *Store) finishDrops(ctx context.Context, age time.Duration) error {
	records, err := s.listRecords(ctx, kindDropped, "")
	if err != nil {
		return err
	}
	for _, r := range records {
		var body dropBody
		if err := r.read(&body); err != nil {
			return err
		}
		if nowMillis()-r.CreatedAt < age.Milliseconds() {
			continue
		}
		if err := s.finishDrop(ctx, r, body); err != nil {
			return fmt.Errorf("deleting an application: %w", err)
		}
		if body.Deleted != 0 && nowMillis()-body.Deleted > abandonedAfter.Milliseconds() {
			if err := s.deleteRecord(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}
