package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// ownerBytesMax bounds a request of the owner.
const ownerBytesMax = 64 * 1024

// An OwnerKey is an API key as its owner sees it: never the secret, but for the one answer
// that creates it.
type OwnerKey struct {
	ID          string     `json:"id"`
	Application string     `json:"application"`
	Name        string     `json:"name"`
	CreatedAt   time.Time  `json:"created_at"`
	RevokedAt   *time.Time `json:"revoked_at"`
	Secret      string     `json:"secret,omitempty"`
}

// An OwnerKeyRequest creates a key. An empty application stands for the oldest one.
type OwnerKeyRequest struct {
	Application string `json:"application"`
	Name        string `json:"name"`
}

// Owner answers what only the server's owner may ask: which applications and keys there are.
// It must only be reachable by the owner, such as through a socket in the data directory.
func Owner(server *Server, gallery face.Gallery) http.Handler {
	o := &owner{server, gallery}
	router := chi.NewRouter()
	router.Use(withRequestID, withOwner)
	router.Get("/applications", o.applications)
	router.Get("/keys", o.keys)
	router.Post("/keys", o.createKey)
	router.Delete("/keys/{id}", o.revokeKey)
	router.Get("/audit", o.audit)
	router.Get("/audit/verify", o.verifyAudit)
	router.Get("/receipt-key", o.receiptKey)
	router.Post("/media/rotate", o.rotateMedia)
	router.Get("/backup", o.backup)
	return router
}

type owner struct {
	server  *Server
	gallery face.Gallery
}

func (o *owner) applications(w http.ResponseWriter, r *http.Request) {
	list, err := o.gallery.Applications(r.Context())
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, list)
}

// oldest is the application that is meant when none is named.
func (o *owner) oldest(ctx context.Context, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	list, err := o.gallery.Applications(ctx)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return "", face.NotFound("The store has no application yet: start the server once.")
	}
	return list[0].ID, nil
}

func (o *owner) keys(w http.ResponseWriter, r *http.Request) {
	application, err := o.oldest(r.Context(), r.URL.Query().Get("application"))
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	keys, err := o.gallery.Keys(r.Context(), application)
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	list := []OwnerKey{}
	for _, key := range keys {
		list = append(list, ownerKey(key, ""))
	}
	writeJSON(w, http.StatusOK, list)
}

func (o *owner) createKey(w http.ResponseWriter, r *http.Request) {
	var request OwnerKeyRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, ownerBytesMax)).Decode(&request); err != nil {
		o.server.fail(w, r, face.Invalid("The body is not the JSON of a key."))
		return
	}
	application, err := o.oldest(r.Context(), request.Application)
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	secret := search.NewSecret()
	key, err := search.CreateKey(r.Context(), o.gallery, application, request.Name, secret)
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, ownerKey(key, secret))
}

func (o *owner) revokeKey(w http.ResponseWriter, r *http.Request) {
	application, err := o.oldest(r.Context(), r.URL.Query().Get("application"))
	if err == nil {
		err = o.gallery.RevokeKey(r.Context(), application, chi.URLParam(r, "id"))
	}
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func ownerKey(key face.Key, secret string) OwnerKey {
	shown := OwnerKey{ID: key.ID, Application: key.Application, Name: key.Name, CreatedAt: key.CreatedAt, Secret: secret}
	if !key.RevokedAt.IsZero() {
		shown.RevokedAt = &key.RevokedAt
	}
	return shown
}
