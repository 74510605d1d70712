package opensearch

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"facesearch/pkg/face"
)

// CreateApplication implements face.Gallery.
func (s *Store) CreateApplication(ctx context.Context, application face.Application) error {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.createApplication(ctx, application); err != nil {
		return err
	}
	tenant, err := s.readTenant(ctx, application.ID)
	if err == nil {
		_, err = s.audit(ctx, tenant, face.AuditApplication, application.ID, "")
	}
	return err
}

func (s *Store) createApplication(ctx context.Context, application face.Application) error {
	if application.ID == "" {
		return face.Invalid("An application needs an ID.")
	}
	err := s.createRecord(ctx, kindApplication, application.ID, application.ID, application)
	if errors.Is(err, errTaken) {
		return face.Conflict("There is an application with this ID already.")
	}
	return err
}

// RenameApplication implements face.Gallery.
func (s *Store) RenameApplication(ctx context.Context, application, name string) error {
	ctx, tenant, cancel, err := s.within(ctx, application)
	if err != nil {
		return err
	}
	defer cancel()
	err = changeRecord(ctx, s, kindApplication, application, application, func(stored *face.Application, found bool) error {
		switch {
		case !found:
			return unknownApplication()
		case stored.Name == name:
			return errUnchanged
		}
		stored.Name = name
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil {
		_, err = s.audit(ctx, tenant, face.AuditApplicationRename, application, "")
	}
	return err
}

// Applications implements face.Gallery.
func (s *Store) Applications(ctx context.Context) ([]face.Application, error) {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	records, err := s.listRecords(ctx, kindApplication, "")
	if err != nil {
		return nil, err
	}
	list := make([]face.Application, len(records))
	for i := range records {
		if err := records[i].read(&list[i]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b face.Application) int {
		return oldestFirst(a.CreatedAt, b.CreatedAt, a.ID, b.ID)
	})
	return list, nil
}

func oldestFirst(a, b time.Time, aID, bID string) int {
	if order := a.Compare(b); order != 0 {
		return order
	}
	if aID < bID {
		return -1
	}
	return 1
}

// Settings implements face.Gallery.
func (s *Store) Settings(ctx context.Context, application string) (face.Settings, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.DefaultSettings(), err
	}
	defer cancel()
	return s.settingsOf.get(application, func() (face.Settings, error) {
		settings := face.DefaultSettings()
		_, _, err := s.getRecord(ctx, kindSettings, application, "", &settings)
		return settings, err
	})
}

// PutSettings implements face.Gallery.
func (s *Store) PutSettings(ctx context.Context, application string, settings face.Settings) error {
	if err := settings.Validate(); err != nil {
		return err
	}
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return err
	}
	defer cancel()
	var changed string
	err = changeRecord(ctx, s, kindSettings, application, "", func(stored *storedSettings, found bool) (err error) {
		before := face.DefaultSettings()
		if found {
			before = face.Settings(*stored)
		}
		if changed, err = face.SettingsDetail(before, settings); err == nil && changed == "" {
			return errUnchanged
		}
		*stored = storedSettings(settings)
		return err
	})
	s.settingsOf.forget()
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil {
		_, err = s.audit(ctx, application, face.AuditSettings, "", changed)
	}
	return err
}

// storedSettings begin as the defaults, for those that were stored before there was a setting.
type storedSettings face.Settings

func (s *storedSettings) UnmarshalJSON(data []byte) error {
	settings := face.DefaultSettings()
	err := json.Unmarshal(data, &settings)
	*s = storedSettings(settings)
	return err
}

// A digestBody says whose key a digest is. The key itself decides.
type digestBody struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id"`
}

func digestName(digest [32]byte) string { return hex.EncodeToString(digest[:]) }

// CreateKey implements face.Gallery. The digest is claimed first: a claim without its key, left
// by a crash, opens nothing, and may be claimed anew.
func (s *Store) CreateKey(ctx context.Context, key face.Key) error {
	if !key.Scope.Valid() {
		return face.Invalid("The scope of a key is search, enrol or manage.")
	}
	ctx, tenant, cancel, err := s.within(ctx, key.Application)
	if err != nil {
		return err
	}
	defer cancel()
	var there face.Key
	if _, found, err := s.getRecord(ctx, kindKey, tenant, key.ID, &there); err != nil || found {
		return errors.Join(err, conflictIf(found, "There is a key with this ID already."))
	}
	err = changeRecord(ctx, s, kindDigest, "", digestName(key.Digest), func(claim *digestBody, found bool) error {
		if found {
			_, err := s.claimed(ctx, *claim, key.Digest)
			if face.CodeOf(err) != face.CodeUnauthorized {
				return errors.Join(err, conflictIf(err == nil, "This key is there already."))
			}
		}
		*claim = digestBody{tenant, key.ID}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.createRecord(ctx, kindKey, tenant, key.ID, key)
	if errors.Is(err, errTaken) {
		return face.Conflict("There is a key with this ID already.")
	}
	if err == nil {
		_, err = s.audit(ctx, tenant, face.AuditKeyCreate, key.ID, face.KeyDetail(key))
	}
	return err
}

func conflictIf(is bool, sentence string) error {
	if !is {
		return nil
	}
	return face.Conflict("%s", sentence)
}

// claimed reads the key that a digest was claimed for, revoked or not. CodeUnauthorized: there
// is none, or its application was deleted.
func (s *Store) claimed(ctx context.Context, claim digestBody, digest [32]byte) (face.Key, error) {
	application := nameOf(claim.Tenant)
	documents, err := s.getAll(ctx, []place{
		s.recordPlace(kindKey, claim.Tenant, claim.ID), s.recordPlace(kindApplication, application, application),
	})
	if err != nil {
		return face.Key{}, err
	}
	if !documents[0].Found || !documents[1].Found {
		return face.Key{}, unauthorized()
	}
	stored, keyErr := recordOf(documents[0])
	tenant, tenantErr := recordOf(documents[1])
	var key face.Key
	if err := errors.Join(keyErr, tenantErr); err != nil {
		return face.Key{}, err
	}
	if err := stored.read(&key); err != nil {
		return face.Key{}, err
	}
	if subtle.ConstantTimeCompare(key.Digest[:], digest[:]) != 1 || tenantOf(tenant) != claim.Tenant {
		return face.Key{}, unauthorized()
	}
	return key, nil
}

func unauthorized() error {
	return &face.Error{Code: face.CodeUnauthorized, Detail: "The API key is not one of this server, or was revoked, or has expired."}
}

// Keys implements face.Gallery.
func (s *Store) Keys(ctx context.Context, application string) ([]face.Key, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return nil, err
	}
	defer cancel()
	records, err := s.listRecords(ctx, kindKey, application)
	if err != nil {
		return nil, err
	}
	list := make([]face.Key, len(records))
	for i := range records {
		if err := records[i].read(&list[i]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b face.Key) int { return oldestFirst(a.CreatedAt, b.CreatedAt, a.ID, b.ID) })
	return list, nil
}

// RevokeKey implements face.Gallery.
func (s *Store) RevokeKey(ctx context.Context, application, id string) error {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = s.changeKey(ctx, application, id, func(key *face.Key) (action, detail string, err error) {
		if key.RevokedAt.IsZero() {
			key.RevokedAt = time.Now().UTC()
		}
		return face.AuditKeyRevoke, "", nil
	})
	return err
}

// ChangeKey implements face.Gallery.
func (s *Store) ChangeKey(ctx context.Context, application, id string, change func(*face.Key) error) (face.Key, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Key{}, err
	}
	defer cancel()
	return s.changeKey(ctx, application, id, func(key *face.Key) (action, detail string, err error) {
		before := *key
		if err := change(key); err != nil {
			return "", "", err
		}
		if detail = face.KeyChangeDetail(before, *key); detail != "" {
			action = face.AuditKeyChange
		}
		before.Name, before.ExpiresAt, before.LastUsedAt = key.Name, key.ExpiresAt, key.LastUsedAt
		if before != *key {
			err = errors.New("only name, expiry and last use of a key can change")
		}
		return action, detail, err
	})
}

// changeKey stores what change makes of a key, with an entry where change names an action.
func (s *Store) changeKey(ctx context.Context, tenant, id string, change func(*face.Key) (action, detail string, err error)) (changed face.Key, err error) {
	register := s.register(tenant)
	register.keys.Lock()
	defer register.keys.Unlock()
	var action, detail string
	err = changeRecord(ctx, s, kindKey, tenant, id, func(key *face.Key, found bool) (err error) {
		if !found {
			return face.NotFound("This application has no key of that ID.")
		}
		before := *key
		if action, detail, err = change(key); err != nil {
			return err
		}
		if changed = *key; changed == before {
			return errUnchanged
		}
		return nil
	})
	s.keys.forget()
	switch {
	case errors.Is(err, errUnchanged):
		return changed, nil
	case err == nil && action != "":
		_, err = s.audit(ctx, tenant, action, id, detail)
	}
	if err != nil {
		return face.Key{}, err
	}
	return changed, nil
}

// errUnchanged ends a change that has nothing to change.
var errUnchanged = errors.New("nothing to change")

// KeyByDigest implements face.Gallery. A key that another server revoked is good for cacheLife.
func (s *Store) KeyByDigest(ctx context.Context, digest [32]byte) (face.Key, error) {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return face.Key{}, err
	}
	defer cancel()
	key, err := s.keys.get(digest, func() (face.Key, error) {
		var claim digestBody
		_, found, err := s.getRecord(ctx, kindDigest, "", digestName(digest), &claim)
		if err != nil {
			return face.Key{}, err
		}
		if !found {
			return face.Key{}, unauthorized()
		}
		return s.claimed(ctx, claim, digest)
	})
	if err == nil && key.Ended(time.Now()) {
		err = unauthorized()
	}
	if err != nil {
		return face.Key{}, err
	}
	return key, nil
}
