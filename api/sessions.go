package api

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// detailMax is the length of a name, a document's type and its number, in characters.
const detailMax = 256

// createSession answers POST /v3/sessions/.
func (s *Server) createSession(w http.ResponseWriter, r *http.Request) {
	request, err := s.enrolRequest(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	result, err := s.ready.Load().service.Enrol(r.Context(), application(r.Context()), request)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Server-Timing", serverTiming(result.Timings))
	status := http.StatusCreated
	if !result.Created {
		status = http.StatusOK
	}
	writeJSON(w, status, s.wireSession(r, result.Session))
}

func (s *Server) enrolRequest(r *http.Request) (request search.EnrolRequest, err error) {
	form, err := s.readForm(r, []string{"portrait_image"}, []string{
		"session_id", "vendor_data", "full_name", "document_type", "document_number", "status", "verification_date"})
	if err != nil {
		return request, err
	}
	if request.Picture, err = form.picture("portrait_image"); err != nil {
		return request, err
	}
	texts := []struct {
		name          string
		into          *string
		charactersMax int
	}{
		{"vendor_data", &request.VendorData, vendorDataMax},
		{"full_name", &request.Details.Name, detailMax},
		{"document_type", &request.Details.DocumentType, detailMax},
		{"document_number", &request.Details.DocumentNumber, detailMax},
		{"session_id", &request.SessionID, detailMax},
	}
	for _, text := range texts {
		if *text.into, err = form.text(text.name, text.charactersMax); err != nil {
			return request, err
		}
	}
	if request.SessionID, err = sessionID(request.SessionID); err != nil {
		return request, err
	}
	if request.Status, err = form.status(); err != nil {
		return request, err
	}
	request.VerifiedAt, err = form.time("verification_date")
	return request, err
}

// sessionID accepts a UUID in its usual form, and nothing at all.
func sessionID(given string) (string, error) {
	if given == "" {
		return "", nil
	}
	id, err := uuid.Parse(given)
	if err != nil || len(given) != len(id.String()) {
		return "", face.Invalid("session_id is not a UUID such as 123e4567-e89b-42d3-a456-426614174000.")
	}
	return id.String(), nil
}

func (f *form) status() (face.Status, error) {
	status := face.Status(f.fields["status"])
	if status == "" {
		return face.Approved, nil
	}
	if !status.Valid() {
		return "", face.Invalid("status is Approved, In Review or Declined.")
	}
	return status, nil
}

// time reads a field in RFC 3339; missing or empty is the zero time.
func (f *form) time(name string) (time.Time, error) {
	value := f.fields[name]
	if value == "" {
		return time.Time{}, nil
	}
	parsed, err := time.Parse(time.RFC3339, value)
	parsed = parsed.UTC()
	if err != nil || parsed.IsZero() || parsed.Year() < 1 || parsed.Year() > 9999 {
		return time.Time{}, face.Invalid("%s is not a time in RFC 3339, such as 2025-06-10T10:30:00Z.", name)
	}
	return parsed, nil
}
