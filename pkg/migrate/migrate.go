// Package migrate moves everything from one store to another, of another kind or not: the
// applications with their keys and settings, the sessions with their numbers, templates and
// pictures, the saved searches, the accounts of those who registered, the audit log and the
// store's own secrets. It can be stopped and run again, and checks what it did.
package migrate

import (
	"context"
	"fmt"

	"facesearch/pkg/face"
)

// A Store is a gallery that hands out everything it holds, and takes it in.
type Store interface {
	face.Gallery
	// Model is what made the templates.
	Model() face.Model
	// Secrets are the store's own.
	Secrets(ctx context.Context) (face.Secrets, error)
	// RestoreSecrets puts another store's in their place. Where Secrets.Accounts is another one,
	// there may be no application and no account.
	RestoreSecrets(ctx context.Context, secrets face.Secrets) error
	// Accounts are all that there are, those included that are to be forgotten.
	Accounts(ctx context.Context) (map[face.AccountName]face.Account, error)
	// RestoreAccounts stores accounts under the names that they have, in the place of those that
	// are there, without an entry in the audit log. An error may leave some of them stored.
	RestoreAccounts(ctx context.Context, accounts map[face.AccountName]face.Account) error
	// RestoreApplication stores an application that was made in another store, without an entry in
	// the audit log; one that is there already is left alone.
	RestoreApplication(ctx context.Context, application face.Application) error
	// RestoreAudit appends entries of another store's audit log, as they are; those that are there
	// already are passed over. own says which are those of an application that there is.
	// CodeConflict: they are not what follows, or another entry is in the place of one.
	RestoreAudit(ctx context.Context, entries []face.AuditEntry, own func(face.AuditEntry) bool) error
	// LastNumber is the highest session number that was ever given in an application.
	LastNumber(ctx context.Context, application string) (uint64, error)
	// RaiseLastNumber keeps sessions enrolled from now on above a number.
	RaiseLastNumber(ctx context.Context, application string, number uint64) error
	// EachSession visits the sessions above a number, in order, with what belongs to them.
	EachSession(ctx context.Context, application string, after uint64, visit func(face.Enrolment) error) error
	// Restore stores sessions under the numbers that they have. Those that are there already are
	// left alone. CodeConflict: one is there with another number or other content, or its number
	// or picture is another one's; then some of the sessions may have been stored.
	Restore(ctx context.Context, application string, sessions []face.Enrolment) error
	// EachSearch visits the saved searches, in any order, each with its picture.
	EachSearch(ctx context.Context, application string, visit func(face.SavedSearch, face.Picture) error) error
}

// batchSize is how many sessions are stored at once.
const batchSize = 100

// A Progress is told after each step how far an application is.
type Progress func(application string, sessions, of, searches int)

// Move copies everything that is not there yet. Nobody else may use either store meanwhile.
func Move(ctx context.Context, from, to Store, progress Progress) error {
	if err := moveSecrets(ctx, from, to); err != nil {
		return fmt.Errorf("the store's secrets: %w", err)
	}
	applications, err := from.Applications(ctx)
	if err != nil {
		return err
	}
	for _, application := range applications {
		if err := to.RestoreApplication(ctx, application); err != nil {
			return fmt.Errorf("application %s: %w", application.ID, err)
		}
	}
	if err := moveAudit(ctx, from, to, applications); err != nil {
		return fmt.Errorf("the audit log: %w", err)
	}
	for _, application := range applications {
		m := mover{from: from, to: to, application: application.ID, progress: progress}
		if err := m.move(ctx); err != nil {
			return fmt.Errorf("application %s: %w", application.ID, err)
		}
	}
	if err := moveAccounts(ctx, from, to); err != nil {
		return fmt.Errorf("the accounts: %w", err)
	}
	return nil
}

type mover struct {
	from, to           Store
	application        string
	progress           Progress
	sessions, searches int
	of                 int
}

func (m *mover) move(ctx context.Context) error {
	for _, step := range []func(context.Context) error{m.numbers, m.settings, m.credits, m.moveSessions, m.moveSearches, m.keys} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// numbers takes the last number over first: an application that has another one is not what an
// earlier run has left.
func (m *mover) numbers(ctx context.Context) error {
	last, err := m.from.LastNumber(ctx, m.application)
	if err != nil {
		return err
	}
	there, err := m.to.LastNumber(ctx, m.application)
	if err != nil {
		return err
	}
	if there != 0 && there != last {
		return face.Conflict("The other store has sessions of this application that were not moved there: begin with an empty store.")
	}
	return m.to.RaiseLastNumber(ctx, m.application, last)
}

func (m *mover) settings(ctx context.Context) error {
	settings, err := m.from.Settings(ctx, m.application)
	if err != nil {
		return err
	}
	return m.to.PutSettings(ctx, m.application, settings)
}

func (m *mover) credits(ctx context.Context) error {
	credits, err := m.from.Credits(ctx, m.application)
	if err != nil {
		return err
	}
	there, err := m.to.Credits(ctx, m.application)
	if err != nil || there == credits {
		return err
	}
	_, err = m.to.Charge(ctx, m.application, there-credits) // which has no entry of its own
	return err
}

// keys come last: with them the application can be used.
func (m *mover) keys(ctx context.Context) error {
	keys, err := m.from.Keys(ctx, m.application)
	if err != nil {
		return err
	}
	there, err := m.to.Keys(ctx, m.application)
	if err != nil {
		return err
	}
	known := map[string]face.Key{}
	for _, key := range there {
		known[key.ID] = key
	}
	for _, key := range keys {
		if known[key.ID].Digest == key.Digest && known[key.ID].ID != "" {
			continue
		}
		if err := m.to.CreateKey(ctx, key); err != nil {
			return fmt.Errorf("key %s: %w", key.ID, err)
		}
	}
	return nil
}

func (m *mover) moveSessions(ctx context.Context) error {
	var err error
	if _, m.of, err = m.from.Sessions(ctx, m.application, face.SessionFilter{}); err != nil {
		return err
	}
	after, err := m.resumeAfter(ctx)
	if err != nil {
		return err
	}
	var batch []face.Enrolment
	store := func() error {
		if err := m.to.Restore(ctx, m.application, batch); err != nil {
			return err
		}
		m.sessions += len(batch)
		batch = batch[:0]
		m.progress(m.application, m.sessions, m.of, m.searches)
		return nil
	}
	err = m.from.EachSession(ctx, m.application, after, func(session face.Enrolment) error {
		if batch = append(batch, session); len(batch) < batchSize {
			return nil
		}
		return store()
	})
	if err != nil {
		return err
	}
	return store()
}

// resumeAfter is the number up to which all is there: sessions arrive in order of their numbers,
// but for those of the last batch.
func (m *mover) resumeAfter(ctx context.Context) (uint64, error) {
	newest, total, err := m.to.Sessions(ctx, m.application, face.SessionFilter{Limit: batchSize + 1})
	if err != nil || len(newest) <= batchSize {
		return 0, err
	}
	m.sessions = total - batchSize
	return newest[batchSize].Number, nil
}

func (m *mover) moveSearches(ctx context.Context) error {
	return m.from.EachSearch(ctx, m.application, func(search face.SavedSearch, picture face.Picture) error {
		err := m.to.SaveSearch(ctx, m.application, search, picture)
		if face.CodeOf(err) == face.CodeConflict {
			_, err = m.to.SavedSearch(ctx, m.application, search.ID) // moved by an earlier run
		}
		m.searches++
		m.progress(m.application, m.sessions, m.of, m.searches)
		return err
	})
}
