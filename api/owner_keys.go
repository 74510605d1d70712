package api

import (
	"cmp"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// An OwnerKey is an API key as its owner sees it: never the secret, but for the one answer
// that creates it. Times that are not set are null.
type OwnerKey struct {
	ID          string     `json:"id"`
	Application string     `json:"application"`
	Name        string     `json:"name"`
	Scope       face.Scope `json:"scope"`
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   *time.Time `json:"expires_at"`
	LastUsedAt  *time.Time `json:"last_used_at"`
	RevokedAt   *time.Time `json:"revoked_at"`
	Secret      string     `json:"secret,omitempty"`
}

// An OwnerKeyRequest creates a key. An empty application stands for the oldest one, an empty
// scope for manage, and no lifetime for good.
type OwnerKeyRequest struct {
	Application     string     `json:"application"`
	Name            string     `json:"name"`
	Scope           face.Scope `json:"scope"`
	LifetimeSeconds float64    `json:"lifetime_seconds"`
}

// An OwnerRotation says for how long the old key goes on being valid.
type OwnerRotation struct {
	GraceSeconds float64 `json:"grace_seconds"`
}

// secondsMax is the longest lifetime or grace: a hundred years.
const secondsMax = 100 * 366 * 24 * 3600

func seconds(given float64) (time.Duration, error) {
	if !(given >= 0 && given <= secondsMax) {
		return 0, face.Invalid("A key is valid for a hundred years at most, and not for less than no time.")
	}
	return time.Duration(given * float64(time.Second)), nil
}

// keys lists them with their last uses as they are now, not as of a minute ago.
func (o *owner) keys(w http.ResponseWriter, r *http.Request) {
	o.server.writeUsage(r.Context())
	application, err := o.oldest(r.Context(), r.URL.Query().Get("application"))
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	keys, err := o.gallery.Keys(r.Context(), application)
	list := []OwnerKey{}
	for _, key := range keys {
		list = append(list, ownerKey(key, ""))
	}
	o.answer(w, r, http.StatusOK, list, err)
}

func (o *owner) createKey(w http.ResponseWriter, r *http.Request) {
	secret := search.NewSecret()
	key, err := o.keyOf(w, r)
	if err == nil {
		key, err = search.StoreKey(r.Context(), o.gallery, key, secret)
	}
	o.answer(w, r, http.StatusCreated, ownerKey(key, secret), err)
}

// keyOf reads which key is to be made.
func (o *owner) keyOf(w http.ResponseWriter, r *http.Request) (key face.Key, err error) {
	var request OwnerKeyRequest
	if err := o.read(w, r, &request); err != nil {
		return key, err
	}
	if request.Name != "" {
		if err := checkName(request.Name); err != nil {
			return key, err
		}
	}
	lifetime, err := seconds(request.LifetimeSeconds)
	if err != nil {
		return key, err
	}
	key.Name, key.Scope = request.Name, cmp.Or(request.Scope, face.ScopeManage)
	if lifetime > 0 {
		key.ExpiresAt = time.Now().Add(lifetime).UTC()
	}
	key.Application, err = o.oldest(r.Context(), request.Application)
	return key, err
}

func (o *owner) renameKey(w http.ResponseWriter, r *http.Request) {
	name, err := o.name(w, r)
	if err == nil {
		err = o.withKey(r, func(application, id string) error {
			_, err := o.gallery.ChangeKey(r.Context(), application, id, func(key *face.Key) error {
				key.Name = name
				return nil
			})
			return err
		})
	}
	o.answer(w, r, http.StatusNoContent, nil, err)
}

func (o *owner) rotateKey(w http.ResponseWriter, r *http.Request) {
	var request OwnerRotation
	var made face.Key
	var grace time.Duration
	secret := search.NewSecret()
	err := o.read(w, r, &request)
	if err == nil {
		grace, err = seconds(request.GraceSeconds)
	}
	if err == nil {
		err = o.withKey(r, func(application, id string) (err error) {
			made, err = search.RotateKey(r.Context(), o.gallery, application, id, grace, secret)
			return err
		})
	}
	o.answer(w, r, http.StatusCreated, ownerKey(made, secret), err)
}

func (o *owner) revokeKey(w http.ResponseWriter, r *http.Request) {
	err := o.withKey(r, func(application, id string) error {
		return o.gallery.RevokeKey(r.Context(), application, id)
	})
	o.answer(w, r, http.StatusNoContent, nil, err)
}

// withKey does something with the key that a request names.
func (o *owner) withKey(r *http.Request, do func(application, id string) error) error {
	application, err := o.oldest(r.Context(), r.URL.Query().Get("application"))
	if err != nil {
		return err
	}
	return do(application, chi.URLParam(r, "id"))
}

func ownerKey(key face.Key, secret string) OwnerKey {
	return OwnerKey{
		ID: key.ID, Application: key.Application, Name: key.Name, Scope: key.Scope, CreatedAt: key.CreatedAt,
		ExpiresAt: timeOrNull(key.ExpiresAt), LastUsedAt: timeOrNull(key.LastUsedAt), RevokedAt: timeOrNull(key.RevokedAt), Secret: secret,
	}
}

func timeOrNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
