package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
)

// commentMax is the length of a comment, in characters.
const commentMax = 1024

// pathID is the UUID in a path. What is not one names nothing.
func pathID(r *http.Request) (string, error) {
	id, ok := canonicalID(chi.URLParam(r, "id"))
	if !ok {
		return "", face.NotFound("There is no session of that ID: IDs are UUIDs such as 123e4567-e89b-42d3-a456-426614174000.")
	}
	return id, nil
}

func unknownID() error { return face.NotFound("There is no session and no saved search of that ID.") }

// decision answers GET /v3/session/{id}/decision/ with a session, or else with the saved search
// of that request_id.
func (s *Server) decision(w http.ResponseWriter, r *http.Request) {
	id, err := pathID(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ready, of := s.ready.Load(), application(r.Context())
	session, err := ready.gallery.Session(r.Context(), of, id)
	if err == nil {
		writeJSON(w, http.StatusOK, s.wireSession(r, session))
		return
	}
	if face.CodeOf(err) != face.CodeNotFound {
		s.fail(w, r, err)
		return
	}
	result, err := ready.service.Saved(r.Context(), of, id)
	if face.CodeOf(err) == face.CodeNotFound {
		err = unknownID()
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, s.wireShown(r, result))
}

// updateStatus answers PATCH /v3/session/{id}/update-status/ for a session, or else for the
// saved search of that request_id.
func (s *Server) updateStatus(w http.ResponseWriter, r *http.Request) {
	id, status, comment, err := statusRequest(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	service, of := s.ready.Load().service, application(r.Context())
	session, err := service.SetStatus(r.Context(), of, id, status, comment)
	if err == nil {
		writeJSON(w, http.StatusOK, s.wireSession(r, session))
		return
	}
	if face.CodeOf(err) != face.CodeNotFound {
		s.fail(w, r, err)
		return
	}
	search, err := service.Review(r.Context(), of, id, status, comment)
	if face.CodeOf(err) == face.CodeNotFound {
		err = unknownID()
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, s.wireSavedSearch(r, search))
}

func statusRequest(r *http.Request) (id string, status face.Status, comment string, err error) {
	if id, err = pathID(r); err != nil {
		return "", "", "", err
	}
	body, err := readJSON(r, "new_status", "comment")
	if err != nil {
		return "", "", "", err
	}
	fields, err := body.form()
	if err != nil {
		return "", "", "", err
	}
	if comment, err = fields.text("comment", commentMax); err != nil {
		return "", "", "", err
	}
	if status = face.Status(fields.fields["new_status"]); !status.Valid() {
		return "", "", "", wrongStatus("new_status")
	}
	return id, status, comment, nil
}

// deleteSession answers DELETE /v3/session/{id}/delete/: it erases a session, or a saved search.
// The answer has no body, so the receipt is in a header.
func (s *Server) deleteSession(w http.ResponseWriter, r *http.Request) {
	id, err := pathID(r)
	var receipt face.Receipt
	if err == nil {
		receipt, err = s.ready.Load().service.Erase(r.Context(), application(r.Context()), id)
	}
	var header string
	if err == nil {
		header, err = receiptHeader(receipt)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.metrics.erasures.Add(float64(receipt.Sessions + receipt.Searches))
	w.Header().Set(receiptHeaderName, header)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}
