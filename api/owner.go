package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
)

// ownerBytesMax bounds a request of the owner.
const ownerBytesMax = 64 * 1024

// Owner answers what only the server's owner may ask: about applications and keys.
// It must only be reachable by the owner, such as through a socket in the data directory.
func Owner(server *Server, gallery face.Gallery) http.Handler {
	o := &owner{server, gallery}
	router := chi.NewRouter()
	router.Use(withRequestID, withOwner)
	router.Get("/applications", o.applications)
	router.Post("/applications", o.createApplication)
	router.Patch("/applications/{id}", o.renameApplication)
	router.Delete("/applications/{id}", o.deleteApplication)
	router.Get("/keys", o.keys)
	router.Post("/keys", o.createKey)
	router.Patch("/keys/{id}", o.renameKey)
	router.Post("/keys/{id}/rotate", o.rotateKey)
	router.Delete("/keys/{id}", o.revokeKey)
	router.Get("/credits", o.credits)
	router.Post("/credits", o.addCredits)
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

// read decodes the JSON of a request.
func (o *owner) read(w http.ResponseWriter, r *http.Request, into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, ownerBytesMax)).Decode(into); err != nil {
		return face.Invalid("The body is not the JSON that is expected here.")
	}
	return nil
}

// answer writes a value, or the refusal.
func (o *owner) answer(w http.ResponseWriter, r *http.Request, status int, value any, err error) {
	switch {
	case err != nil:
		o.server.fail(w, r, err)
	case status == http.StatusNoContent:
		w.WriteHeader(status)
	default:
		writeJSON(w, status, value)
	}
}
