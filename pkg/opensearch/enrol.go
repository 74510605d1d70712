package opensearch

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"facesearch/pkg/face"
)

// An enrolment needs a number that nobody else has, with no gap before it, and a session that
// appears with all that belongs to it or not at all. OpenSearch changes one document at a time,
// so it goes like this:
//
//  1. The picture is stored. It does not count before its owner is there.
//  2. The session is staged: stored under its ID, where no search sees it.
//  3. The application's register, one document, is changed from "number n was given to somebody"
//     to "number n+1 was given to this session". This decides.
//  4. The session takes the number and is visible.
//
// Whoever wants to move the register on does step 4 for the last session first, in case that
// its server died. So a session which is staged while the register names another one has no
// number yet.
//
// Who takes back what was staged writes the register anew first, as it is, so that a write of it
// which is still under way comes too late; and who goes on with what another staged writes that
// anew first, so that it is no longer taken back.

// staged is a session that waits for its number.
type staged struct {
	Application string        `json:"application"`
	Session     face.Session  `json:"session"`
	Template    face.Template `json:"template"`
}

// registerBody is the last number that was given, and the document that it was given to, as that
// was born: a session that is enrolled again under the ID of one that was erased is another one.
type registerBody struct {
	Number  uint64 `json:"number"`
	Session string `json:"session"` // the document's name
	Born    string `json:"born"`
}

// A register is what a server keeps of an application's register: enrolments of one server wait
// for each other here, which is quicker than to be overtaken in the cluster.
type register struct {
	mu sync.Mutex
	// settled is a number whose session is known to have it.
	settled uint64
	// credits: those who change an application's credits wait for each other in the same way.
	credits sync.Mutex
	// keys: those who change its keys.
	keys sync.Mutex
}

func (s *Store) register(application string) *register {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.registers[application] == nil {
		s.registers[application] = &register{}
	}
	return s.registers[application]
}

// Enrol implements face.Gallery.
func (s *Store) Enrol(ctx context.Context, application string, enrolment face.Enrolment) (face.Session, bool, error) {
	if enrolment.Session.ID == "" || !enrolment.Session.Status.Valid() {
		return face.Session{}, false, errors.New("an enrolment needs a session ID and a status")
	}
	if err := s.model.Accepts(enrolment.Template); err != nil {
		return face.Session{}, false, err
	}
	if err := ctx.Err(); err != nil {
		return face.Session{}, false, err
	}
	// An enrolment that has begun is carried through, whether or not the caller waits for it.
	name := application
	ctx, application, cancel, err := s.within(context.WithoutCancel(ctx), application)
	if err != nil {
		return face.Session{}, false, err
	}
	defer cancel()
	register := s.register(application)
	register.mu.Lock()
	defer register.mu.Unlock()
	// It may have been deleted while this one waited.
	if now, err := s.tenant(ctx, name); err != nil || now != application {
		return face.Session{}, false, errors.Join(err, notFoundIf(err == nil))
	}
	e := enrolling{Store: s, application: application, register: register, at: s.sessionPlace(application, enrolment.Session.ID)}
	session, created, err := e.enrol(ctx, enrolment)
	if err != nil {
		return face.Session{}, false, s.unlessDeleted(ctx, name, application, err)
	}
	if created {
		_, err := s.audit(ctx, application, face.AuditEnrol, session.ID, face.AuditDetail("number", strconv.FormatUint(session.Number, 10),
			"status", string(session.Status), "blocklisted", strconv.FormatBool(session.Blocklisted)))
		if err != nil {
			return face.Session{}, false, err
		}
	}
	if !created && session.Fingerprint != enrolment.Session.Fingerprint {
		return face.Session{}, false, face.Conflict("There is a session with this session_id already, with other content.")
	}
	return session, created, nil
}

// enrolling is one enrolment under way.
type enrolling struct {
	*Store
	application string
	register    *register
	at          place
	last        record // the register as it was read
	body        registerBody
}

func (e *enrolling) enrol(ctx context.Context, enrolment face.Enrolment) (face.Session, bool, error) {
	known, err := e.look(ctx)
	if err != nil {
		return face.Session{}, false, err
	}
	if known != nil && known.final() {
		return *known.Session, false, nil
	}
	stamp := newStamp()
	if known == nil {
		if known, err = e.stage(ctx, enrolment, stamp); err != nil {
			return face.Session{}, false, err
		}
	}
	// What was staged by somebody else under this ID came first, and is enrolled in his place.
	if !known.final() {
		if known, err = e.number(ctx, known, stamp); err != nil {
			e.withdraw(stamp)
			return face.Session{}, false, err
		}
	}
	created := known.Born == stamp
	if !created {
		e.dropPicture(ctx, e.application, enrolment.Session.PictureID, stamp)
	}
	return *known.Session, created, nil
}

// look reads the register, settles it, and then reads the session; nil when there is none.
func (e *enrolling) look(ctx context.Context) (*sessionDocument, error) {
	documents, err := e.getAll(ctx, []place{e.recordPlace(kindRegister, e.application, ""), e.at})
	if err != nil {
		return nil, err
	}
	e.last, e.body = record{Kind: kindRegister, Application: e.application}, registerBody{}
	if documents[0].Found {
		if e.last, err = recordOf(documents[0]); err == nil {
			err = e.last.read(&e.body)
		}
		if err != nil {
			return nil, err
		}
	}
	if e.body.Number > e.register.settled {
		if _, err := e.settle(ctx, e.body); err != nil {
			return nil, err
		}
		e.register.settled = e.body.Number
	}
	known, err := readSession(documents[1])
	if err != nil || known == nil || known.final() {
		return known, err
	}
	// Staged when it was read, which may have been before the register was.
	document, err := e.get(ctx, e.at)
	if err != nil {
		return nil, err
	}
	return readSession(document)
}

// settle lets the session that the register names have its number, and returns it. It is nil when
// it is gone: erased since, or withdrawn.
func (s *Store) settle(ctx context.Context, body registerBody) (*sessionDocument, error) {
	if body.Session == "" { // the number came from another store
		return nil, nil
	}
	for {
		at := place{s.names.sessions, body.Session}
		document, err := s.get(ctx, at)
		if err != nil {
			return nil, err
		}
		session, err := readSession(document)
		if err != nil || session == nil || session.Born != body.Born {
			return nil, err
		}
		if session.final() {
			return session, nil
		}
		if session, err = s.finish(ctx, at, document.version(), session, body.Number); !errors.Is(err, errTaken) {
			return session, err
		}
	}
}

// finish makes a staged session visible.
func (s *Store) finish(ctx context.Context, at place, from version, waiting *sessionDocument, number uint64) (*sessionDocument, error) {
	final := &sessionDocument{Born: waiting.Born, Stamp: newStamp(), Template: waiting.Staged.Template}
	waiting.Staged.Session.Number = number
	final.describe(waiting.Staged.Application, waiting.Staged.Session)
	_, err := s.put(ctx, at, from, final.Stamp, final, true)
	return final, err
}

// stage stores the picture, and then the session where no search sees it. When another server
// was quicker, it returns what that one stored.
func (e *enrolling) stage(ctx context.Context, enrolment face.Enrolment, stamp string) (*sessionDocument, error) {
	session := enrolment.Session
	owner := pictureOwner{At: e.at, Born: stamp}
	if err := e.putPicture(ctx, e.application, session.PictureID, enrolment.Picture, owner); err != nil {
		return nil, err
	}
	waiting := &sessionDocument{
		Staged:   &staged{e.application, session, enrolment.Template},
		StagedAt: nowMillis(), Born: stamp, Stamp: stamp,
	}
	_, err := e.put(ctx, e.at, version{}, stamp, waiting, false)
	if errors.Is(err, errTaken) {
		document, err := e.get(ctx, e.at)
		if err != nil {
			return nil, err
		}
		waiting, err := readSession(document)
		if err == nil && waiting == nil {
			err = busy(errors.New("a session came and went while it was enrolled"))
		}
		return waiting, err
	}
	if err != nil {
		e.withdraw(stamp)
		return nil, err
	}
	return waiting, nil
}

// number moves the register on to the session, and makes it visible. The register was read, and
// is settled, before the session was last seen staged.
func (e *enrolling) number(ctx context.Context, waiting *sessionDocument, stamp string) (*sessionDocument, error) {
	for {
		next := registerBody{e.body.Number + 1, e.at.ID, waiting.Born}
		err := e.takeOver(ctx, waiting, stamp)
		if err == nil {
			_, err = e.writeRecord(ctx, e.last, next, false)
		}
		var known *sessionDocument
		switch {
		case err == nil:
			if known, err = e.settle(ctx, next); err != nil {
				return nil, err
			}
			e.register.settled = next.Number
		case errors.Is(err, errTaken):
			if err = pause(ctx); err == nil {
				known, err = e.look(ctx)
			}
		}
		if err == nil && known == nil {
			err = busy(errors.New("a session was withdrawn or erased while it was enrolled"))
		}
		if err != nil || known.final() {
			return known, err
		}
		waiting = known
	}
}

// takeOver writes what another one staged anew, so that he does not take it back. It returns
// errTaken when he has.
func (e *enrolling) takeOver(ctx context.Context, waiting *sessionDocument, stamp string) error {
	if waiting.Stamp == stamp {
		return nil
	}
	waiting.Stamp, waiting.StagedAt = stamp, nowMillis()
	_, err := e.put(ctx, e.at, waiting.version, stamp, waiting, false)
	return err
}

// withdraw takes back what was staged when the enrolment failed, unless it was given a number
// after all. The caller does not wait for it; where it fails too, the upkeep does it later.
func (e *enrolling) withdraw(stamp string) {
	e.stopped.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), e.timeout)
		defer cancel()
		document, err := e.get(ctx, e.at)
		if err != nil {
			return
		}
		waiting, err := readSession(document)
		if err == nil && waiting != nil && !waiting.final() && waiting.Stamp == stamp {
			_ = e.withdrawStaged(ctx, document, waiting)
		}
	})
}

// withdrawStaged deletes a staged session, with its picture, whose enrolment was given up, unless
// it has a number that it is yet to take.
func (s *Store) withdrawStaged(ctx context.Context, document document, waiting *sessionDocument) error {
	numbered, err := s.closeRegister(ctx, waiting.Staged.Application, document.ID, waiting.Born)
	if err != nil || numbered {
		return err
	}
	if left, err := s.remove(ctx, []removal{{document.place, document.version()}}); err != nil || left > 0 {
		return err
	}
	s.dropPicture(ctx, waiting.Staged.Application, waiting.Staged.Session.PictureID, waiting.Born)
	return nil
}

// closeRegister writes the register anew, as it is, so that no write of it which is under way gives
// the session a number; unless it was given one already.
func (s *Store) closeRegister(ctx context.Context, application, session, born string) (numbered bool, err error) {
	for {
		var last registerBody
		r, found, err := s.getRecord(ctx, kindRegister, application, "", &last)
		if err != nil {
			return false, err
		}
		if last.Session == session && last.Born == born {
			return true, nil
		}
		if !found {
			if now, err := s.readTenant(ctx, nameOf(application)); face.CodeOf(err) == face.CodeNotFound || err == nil && now != application {
				return false, nil // the application was deleted, with its register
			} else if err != nil {
				return false, err
			}
			r = record{Kind: kindRegister, Application: application}
		}
		if _, err := s.writeRecord(ctx, r, last, false); !errors.Is(err, errTaken) {
			return false, err
		}
		if err := pause(ctx); err != nil {
			return false, err
		}
	}
}

// settleRegisters does for every application what the next enrolment would begin with.
func (s *Store) settleRegisters(ctx context.Context) error {
	if err := s.refresh(ctx, s.names.records); err != nil {
		return err
	}
	records, err := s.listRecords(ctx, kindRegister, "")
	if err != nil {
		return err
	}
	for i := range records {
		var body registerBody
		if err := records[i].read(&body); err != nil {
			return err
		}
		if err := s.settleOne(ctx, s.register(records[i].Application), body); err != nil {
			return fmt.Errorf("settling a register: %w", err)
		}
	}
	return nil
}

func (s *Store) settleOne(ctx context.Context, register *register, body registerBody) error {
	register.mu.Lock()
	defer register.mu.Unlock()
	if body.Number <= register.settled {
		return nil
	}
	_, err := s.settle(ctx, body)
	if err == nil {
		register.settled = body.Number
	}
	return err
}
