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

// sessions answers GET /v3/sessions/.
func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	filter, err := sessionFilter(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.listSessions(w, r, filter)
}

// listSessions answers with the sessions that pass a filter.
func (s *Server) listSessions(w http.ResponseWriter, r *http.Request, filter face.SessionFilter) {
	list, total, err := s.ready.Load().gallery.Sessions(r.Context(), application(r.Context()), filter)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	response := sessionsResponse{Count: total, Results: []sessionResponse{}}
	for _, session := range list {
		response.Results = append(response.Results, s.wireSession(r, session))
	}
	writeJSON(w, http.StatusOK, response)
}

func sessionFilter(r *http.Request) (filter face.SessionFilter, err error) {
	query, err := readQuery(r)
	if err != nil {
		return filter, err
	}
	if filter.Offset, filter.Limit, filter.Status, filter.VendorData, err = query.list(); err != nil {
		return filter, err
	}
	if filter.Name, err = query.text("name", detailMax); err != nil {
		return filter, err
	}
	number, err := query.whole("session_number", 0, 1, 1<<31-1)
	if err != nil {
		return filter, err
	}
	filter.Number = uint64(number)
	if query.fields["blocklisted"] == "" {
		return filter, nil
	}
	blocklisted, err := query.boolean("blocklisted", false)
	filter.Blocklisted = &blocklisted
	return filter, err
}

// createSession answers POST /v3/sessions/.
func (s *Server) createSession(w http.ResponseWriter, r *http.Request) {
	request, err := s.enrolRequest(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.enrol(w, r, request)
}

// enrol answers with the session that a request makes.
func (s *Server) enrol(w http.ResponseWriter, r *http.Request, request search.EnrolRequest) {
	result, err := s.ready.Load().service.Enrol(r.Context(), application(r.Context()), request)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.metrics.enrolled(result)
	w.Header().Set("Server-Timing", serverTiming(result.Timings))
	status := http.StatusCreated
	if !result.Created {
		status = http.StatusOK
	}
	writeJSON(w, status, enrolledResponse{s.wireSession(r, result.Session), wireWarningsOf(result.Warnings)})
}

// enrolFields are those of an enrolment beside its face.
var enrolFields = []string{
	"session_id", "vendor_data", "full_name", "document_type", "document_number", "status", "verification_date",
}

// enrolRequest reads a form with a picture, or JSON that names a saved search.
func (s *Server) enrolRequest(r *http.Request) (request search.EnrolRequest, err error) {
	if isJSON(r) {
		body, err := readJSON(r, append([]string{"request_id"}, enrolFields...)...)
		if err != nil {
			return request, err
		}
		fields, err := body.form()
		if err != nil {
			return request, err
		}
		if request.RequestID, err = fields.id("request_id"); err != nil {
			return request, err
		}
		if request.RequestID == "" {
			return request, face.Invalid("request_id is missing: name the saved search whose face is to be enrolled.")
		}
		err = fields.enrolment(&request)
		return request, err
	}
	form, err := s.readForm(r, []string{"portrait_image"}, enrolFields)
	if err != nil {
		return request, err
	}
	request.PictureName = "portrait_image"
	if request.Picture, err = form.picture("portrait_image"); err != nil {
		return request, err
	}
	err = form.enrolment(&request)
	return request, err
}

// enrolment reads the enrolFields.
func (f *form) enrolment(request *search.EnrolRequest) (err error) {
	texts := []struct {
		name          string
		into          *string
		charactersMax int
	}{
		{"vendor_data", &request.VendorData, vendorDataMax},
		{"full_name", &request.Details.Name, detailMax},
		{"document_type", &request.Details.DocumentType, detailMax},
		{"document_number", &request.Details.DocumentNumber, detailMax},
	}
	for _, text := range texts {
		if *text.into, err = f.text(text.name, text.charactersMax); err != nil {
			return err
		}
	}
	if request.SessionID, err = f.id("session_id"); err != nil {
		return err
	}
	if request.Status, err = f.status(); err != nil {
		return err
	}
	request.VerifiedAt, err = f.time("verification_date")
	return err
}

// id reads a field that is a UUID in its usual form, empty when it is missing.
func (f *form) id(name string) (string, error) {
	given := f.fields[name]
	if given == "" {
		return "", nil
	}
	id, ok := canonicalID(given)
	if !ok {
		return "", face.Invalid("%s is not a UUID such as 123e4567-e89b-42d3-a456-426614174000.", name)
	}
	return id, nil
}

// canonicalID accepts a UUID in its usual form alone, in small letters or capitals.
func canonicalID(given string) (string, bool) {
	id, err := uuid.Parse(given)
	return id.String(), err == nil && len(given) == len(id.String())
}

func (f *form) status() (face.Status, error) {
	status := face.Status(f.fields["status"])
	if status == "" {
		return face.Approved, nil
	}
	if !status.Valid() {
		return "", wrongStatus("status")
	}
	return status, nil
}

func wrongStatus(name string) error {
	return face.Invalid("%s is Approved, In Review or Declined.", name)
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
