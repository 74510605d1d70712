package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/disintegration/imaging"

	"facesearch/pkg/facetest"
)

// TestEnrolQuality: what becomes of a blurred portrait is for the application to say.
func TestEnrolQuality(t *testing.T) {
	blurred := facetest.JPEG(t, imaging.Blur(facetest.Image(t, "obama.jpg", 700), 3))
	sessions := func(t *testing.T, a *tenant) (list struct {
		Count int `json:"count"`
	}) {
		t.Helper()
		a.send(t, http.MethodGet, "/v3/sessions/", "", nil).decode(t, http.StatusOK, &list)
		return list
	}
	t.Run("OK warn", func(t *testing.T) { // unless it says otherwise
		a := newTenant(t)
		got := a.post(t, "/v3/sessions/", file("portrait_image", blurred), text("verification_date", "2025-06-10T10:30:00Z"))
		if got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.body)
		}
		golden(t, "enrolled-low-quality.json", got.body)
		got = a.post(t, "/v3/blocklist/faces/", file("image", blurred))
		if got.status != http.StatusCreated || !strings.Contains(string(got.body), `"LOW_QUALITY_PORTRAIT_IMAGE"`) {
			t.Errorf("%d %s", got.status, got.body)
		}
		if found := a.search(t, blurred); found.FaceSearch.TotalMatches != 2 {
			t.Errorf("%s", found.raw)
		}
	})
	t.Run("OK accept", func(t *testing.T) {
		a := newTenant(t)
		a.patch(t, `{"enrol_quality": "accept"}`)
		got := a.post(t, "/v3/sessions/", file("portrait_image", blurred))
		if got.status != http.StatusCreated || !strings.Contains(string(got.body), `"warnings":[]`) {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("ErrRefused", func(t *testing.T) {
		a := newTenant(t)
		saved := a.search(t, blurred)
		a.patch(t, `{"enrol_quality": "refuse"}`)
		a.post(t, "/v3/sessions/", file("portrait_image", blurred)).
			refused(t, http.StatusBadRequest, "invalid_request", "portrait_image is of low quality: blurred (")
		a.post(t, "/v3/blocklist/faces/", file("image", blurred)).
			refused(t, http.StatusBadRequest, "invalid_request", "image is of low quality: blurred (")
		a.send(t, http.MethodPost, "/v3/sessions/", "application/json", []byte(`{"request_id": "`+saved.RequestID+`"}`)).
			refused(t, http.StatusBadRequest, "invalid_request", ", limit 12)")
		if list := sessions(t, a); list.Count != 0 {
			t.Errorf("%d sessions were stored", list.Count)
		}
		a.enrol(t, portrait(t, "obama.jpg")) // a good one goes in
	})
}
