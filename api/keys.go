package api

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// A keyResponse is an API key as those who manage its application see it: never the secret, but
// for the one answer that creates it.
type keyResponse struct {
	KeyID      string     `json:"key_id"`
	Name       string     `json:"name"`
	Scope      face.Scope `json:"scope"`
	CreatedAt  string     `json:"created_at"`
	ExpiresAt  *string    `json:"expires_at"`
	LastUsedAt *string    `json:"last_used_at"`
	RevokedAt  *string    `json:"revoked_at"`
}

type keyCreatedResponse struct {
	keyResponse
	APIKey string `json:"api_key"`
}

type keysResponse struct {
	Count   int           `json:"count"`
	Results []keyResponse `json:"results"`
}

// listKeys answers GET /v3/keys/, oldest first, with the last uses as they are now.
func (s *Server) listKeys(w http.ResponseWriter, r *http.Request) {
	s.writeUsage(r.Context())
	keys, err := s.ready.Load().gallery.Keys(r.Context(), application(r.Context()))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	response := keysResponse{Count: len(keys), Results: []keyResponse{}}
	for _, key := range keys {
		response.Results = append(response.Results, wireKey(key))
	}
	writeJSON(w, http.StatusOK, response)
}

// createKey answers POST /v3/keys/.
func (s *Server) createKey(w http.ResponseWriter, r *http.Request) {
	key, err := keyRequest(r)
	secret := search.NewSecret()
	if err == nil {
		key.Application = application(r.Context())
		key, err = search.StoreKey(r.Context(), s.ready.Load().gallery, key, secret)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, keyCreatedResponse{wireKey(key), secret})
}

func keyRequest(r *http.Request) (key face.Key, err error) {
	body, err := readJSON(r, "name", "scope", "expires_at")
	if err != nil {
		return key, err
	}
	fields, err := body.form()
	if err != nil {
		return key, err
	}
	key.Name, key.Scope = fields.fields["name"], face.Scope(fields.fields["scope"])
	if err := checkName(key.Name); err != nil {
		return key, err
	}
	if !key.Scope.Valid() {
		return key, face.Invalid("scope is search, enrol or manage.")
	}
	key.ExpiresAt, err = fields.time("expires_at")
	return key, err
}

// revokeKey answers DELETE /v3/keys/{id}/.
func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request) {
	if err := s.ready.Load().gallery.RevokeKey(r.Context(), application(r.Context()), chi.URLParam(r, "id")); err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

func wireKey(key face.Key) keyResponse {
	return keyResponse{
		KeyID: key.ID, Name: key.Name, Scope: key.Scope, CreatedAt: wireTime(key.CreatedAt),
		ExpiresAt: wireTimeOrNull(key.ExpiresAt), LastUsedAt: wireTimeOrNull(key.LastUsedAt), RevokedAt: wireTimeOrNull(key.RevokedAt),
	}
}

func wireTimeOrNull(at time.Time) *string {
	if at.IsZero() {
		return nil
	}
	text := wireTime(at)
	return &text
}
