package api

import (
	"net/http"

	"facesearch/pkg/search"
)

// vendorDataMax is the length of a caller's reference, in characters.
const vendorDataMax = 1024

// faceSearch answers POST /v3/face-search/.
func (s *Server) faceSearch(w http.ResponseWriter, r *http.Request) {
	request, err := s.searchRequest(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	result, err := s.ready.Load().service.Search(r.Context(), application(r.Context()), request)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.metrics.searched(result)
	w.Header().Set("Server-Timing", serverTiming(result.Timings))
	writeJSON(w, http.StatusOK, s.wireSearch(r, result))
}

func (s *Server) searchRequest(r *http.Request) (request search.Request, err error) {
	form, err := s.readForm(r, []string{"user_image"}, []string{"rotate_image", "save_api_request", "vendor_data", "group_by_person"})
	if err != nil {
		return request, err
	}
	if request.Picture, err = form.picture("user_image"); err != nil {
		return request, err
	}
	if request.Rotate, err = form.boolean("rotate_image", false); err != nil {
		return request, err
	}
	if request.Save, err = form.boolean("save_api_request", true); err != nil {
		return request, err
	}
	if request.ByPerson, err = form.boolean("group_by_person", false); err != nil {
		return request, err
	}
	request.VendorData, err = form.text("vendor_data", vendorDataMax)
	return request, err
}
