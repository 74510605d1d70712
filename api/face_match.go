package api

import (
	"math"
	"net/http"
	"strconv"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// declineBelowDefault is the similarity in percent under which a comparison is declined.
const declineBelowDefault = 30

// faceMatch answers POST /v3/face-match/.
func (s *Server) faceMatch(w http.ResponseWriter, r *http.Request) {
	request, err := s.compareRequest(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	result, err := s.ready.Load().service.Compare(r.Context(), application(r.Context()), request)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.metrics.compared(result)
	w.Header().Set("Server-Timing", serverTiming(result.Timings))
	writeJSON(w, http.StatusOK, wireMatchOf(result))
}

func (s *Server) compareRequest(r *http.Request) (request search.CompareRequest, err error) {
	const threshold = "face_match_score_decline_threshold"
	form, err := s.readForm(r, []string{"user_image", "ref_image"}, []string{"rotate_image", threshold})
	if err != nil {
		return request, err
	}
	if request.User, err = form.picture("user_image"); err != nil {
		return request, err
	}
	if request.Reference, err = form.picture("ref_image"); err != nil {
		return request, err
	}
	if request.Rotate, err = form.boolean("rotate_image", false); err != nil {
		return request, err
	}
	request.DeclineBelow, err = form.percentage(threshold, declineBelowDefault)
	return request, err
}

// percentage reads a number from 0 to 100.
func (f *form) percentage(name string, missing float64) (float64, error) {
	given, ok := f.fields[name]
	if !ok {
		return missing, nil
	}
	value, err := strconv.ParseFloat(given, 64)
	if err != nil || math.IsNaN(value) || value < 0 || value > 100 {
		return 0, face.Invalid("%s is a number from 0 to 100.", name)
	}
	return value, nil
}
