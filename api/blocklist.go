package api

import (
	"net/http"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// blocklist answers GET /v3/blocklist/.
func (s *Server) blocklist(w http.ResponseWriter, r *http.Request) {
	query, err := readQuery(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	listed := true
	filter := face.SessionFilter{Blocklisted: &listed}
	if filter.Offset, filter.Limit, err = query.page(); err != nil {
		s.fail(w, r, err)
		return
	}
	s.listSessions(w, r, filter)
}

// addToBlocklist answers POST /v3/blocklist/add/.
func (s *Server) addToBlocklist(w http.ResponseWriter, r *http.Request) {
	s.setBlocklisted(w, r, "blocklist_face", true)
}

// removeFromBlocklist answers POST /v3/blocklist/remove/.
func (s *Server) removeFromBlocklist(w http.ResponseWriter, r *http.Request) {
	s.setBlocklisted(w, r, "unblock_face", false)
}

func (s *Server) setBlocklisted(w http.ResponseWriter, r *http.Request, confirmation string, blocklisted bool) {
	id, err := blocklistRequest(r, confirmation)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	session, err := s.ready.Load().service.SetBlocklisted(r.Context(), application(r.Context()), id, blocklisted)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, s.wireSession(r, session))
}

// blocklistRequest wants the confirmation, which says that it is the face that is meant, to be
// true: anything else would do the contrary of what was said, or nothing.
func blocklistRequest(r *http.Request, confirmation string) (id string, err error) {
	body, err := readJSON(r, "session_id", confirmation)
	if err != nil {
		return "", err
	}
	if id, err = body.id("session_id"); err != nil {
		return "", err
	}
	if string(body[confirmation]) != "true" {
		return "", face.Invalid("%s is not true: only the face of a session can be meant here, so send true.", confirmation)
	}
	return id, nil
}

// blocklistFace answers POST /v3/blocklist/faces/: a face that is known only as a picture
// becomes a declined session on the blocklist, with a comment, and with a vendor_data when
// there is one.
func (s *Server) blocklistFace(w http.ResponseWriter, r *http.Request) {
	form, err := s.readForm(r, []string{"image"}, []string{"comment", "vendor_data"})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	request := search.EnrolRequest{PictureName: "image", Status: face.Declined, Blocklisted: true}
	if request.Picture, err = form.picture("image"); err == nil {
		request.Comment, err = form.text("comment", commentMax)
	}
	if err == nil {
		request.VendorData, err = form.text("vendor_data", vendorDataMax)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.enrol(w, r, request)
}
