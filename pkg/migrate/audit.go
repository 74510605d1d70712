package migrate

import (
	"context"
	"fmt"

	"facesearch/pkg/face"
)

// auditStep is how many entries are moved at once.
const auditStep = 500

// moveAudit moves the whole chain, before anything is done that has an entry of its own: what the
// move itself enters comes after it.
func moveAudit(ctx context.Context, from, to Store, applications []face.Application) error {
	// The entries of an application that was deleted are not those of another one under its ID.
	since := map[string]uint64{}
	for _, application := range applications {
		since[application.ID] = 0
	}
	err := eachEntries(ctx, from, func(entries []face.AuditEntry) error {
		for _, entry := range entries {
			if _, there := since[entry.Application]; there && entry.Action == face.AuditApplication {
				since[entry.Application] = entry.Number
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	own := func(entry face.AuditEntry) bool {
		first, there := since[entry.Application]
		return there && entry.Number >= first
	}
	return eachEntries(ctx, from, func(entries []face.AuditEntry) error { return to.RestoreAudit(ctx, entries, own) })
}

func eachEntries(ctx context.Context, store Store, visit func([]face.AuditEntry) error) error {
	for offset := 0; ; offset += auditStep {
		entries, total, err := store.AuditWhole(ctx, face.AuditPage{Offset: offset, Limit: auditStep, OldestFirst: true})
		if err != nil {
			return err
		}
		if err := visit(entries); err != nil {
			return err
		}
		if offset+auditStep >= total {
			return nil
		}
	}
}

// verifyAudit compares the last entry of the old store, whose hash stands for all before it.
func verifyAudit(ctx context.Context, from, to Store) error {
	last, total, err := from.AuditWhole(ctx, face.AuditPage{Limit: 1})
	if err != nil || total == 0 {
		return err
	}
	there, _, err := to.AuditWhole(ctx, face.AuditPage{Offset: total - 1, Limit: 1, OldestFirst: true})
	if err == nil && (len(last) != 1 || len(there) != 1 || last[0].Hash != there[0].Hash) {
		err = fmt.Errorf("entry %d of the audit log is another one in the new store", total)
	}
	return err
}
