package api_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

// TestEnrolSavedSearch: a search that was saved becomes a session, with its template and the
// picture that was kept.
func TestEnrolSavedSearch(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	found := a.search(t, picture, text("vendor_data", "searched-person"))
	id := uuid.NewString()
	body := `{"request_id": "` + found.RequestID + `", "session_id": "` + id + `", "vendor_data": "` + confide("enrolled-person") + `",
		"full_name": "` + confide("Barack Obama") + `", "document_type": "Passport", "document_number": "P-987654", "status": "Approved",
		"verification_date": "2025-06-10T10:30:00.250Z"}`
	got := a.json(t, http.MethodPost, "/v3/sessions/", body)
	var made enrolled
	got.decode(t, 201, &made)
	golden(t, "enrolled.json", got.body)
	t.Run("Search", func(t *testing.T) {
		again := a.search(t, picture)
		if again.FaceSearch.TotalMatches != 1 || again.first() != "enrolled-person" || again.FaceSearch.Matches[0].SimilarityPercentage != 100 {
			t.Errorf("%s", again.raw)
		}
	})
	t.Run("Picture", func(t *testing.T) {
		saved, err := a.gallery.SavedSearch(t.Context(), a.id, found.RequestID)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := a.gallery.Picture(t.Context(), a.id, saved.PictureID)
		if err != nil {
			t.Fatal(err)
		}
		if shown := get(t, http.MethodGet, a.url, targetOf(t, a.url, made.PortraitImageURL)); shown.status != 200 || !bytes.Equal(shown.body, kept.Data) {
			t.Errorf("%d, %d bytes", shown.status, len(shown.body))
		}
	})
	t.Run("Again", func(t *testing.T) {
		got := a.json(t, http.MethodPost, "/v3/sessions", strings.Replace(body, found.RequestID, strings.ToUpper(found.RequestID), 1))
		if got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		golden(t, "enrolled.json", got.body)
		other := a.search(t, picture)
		a.json(t, http.MethodPost, "/v3/sessions/", strings.Replace(body, found.RequestID, other.RequestID, 1)).refused(t, 409, "conflict", "session_id")
		a.json(t, http.MethodPost, "/v3/sessions/", strings.Replace(body, "P-987654", "P-987655", 1)).refused(t, 409, "conflict", "session_id")
	})
	t.Run("SearchErased", func(t *testing.T) {
		// The session is one of its own: it outlives the search.
		if got := a.send(t, http.MethodDelete, "/v3/session/"+found.RequestID+"/delete/", "", nil); got.status != 204 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if shown := get(t, http.MethodGet, a.url, targetOf(t, a.url, made.PortraitImageURL)); shown.status != 200 {
			t.Errorf("%d %s", shown.status, shown.body)
		}
		if got := a.json(t, http.MethodPost, "/v3/sessions/", body); got.status != 200 {
			t.Errorf("sent again: %d %s", got.status, got.body)
		}
		a.json(t, http.MethodPost, "/v3/sessions/", strings.Replace(body, id, uuid.NewString(), 1)).refused(t, 404, "not_found", "no saved search")
	})
}

func TestEnrolSavedSearchDefaults(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	t.Run("Defaults", func(t *testing.T) {
		found := a.search(t, picture, text("vendor_data", "searched-person"))
		var made enrolled
		got := a.json(t, http.MethodPost, "/v3/sessions/", `{"request_id": "`+found.RequestID+`", "vendor_data": null}`)
		got.decode(t, 201, &made)
		if made.Status != "Approved" || !strings.Contains(string(got.body), `"vendor_data":"searched-person"`) {
			t.Errorf("%s", got.body)
		}
	})
	t.Run("KeepNothing", func(t *testing.T) {
		found := a.search(t, picture)
		settings := face.DefaultSettings()
		settings.KeepPicture = face.KeepNothing
		if err := a.gallery.PutSettings(t.Context(), a.id, settings); err != nil {
			t.Fatal(err)
		}
		var made enrolled
		a.json(t, http.MethodPost, "/v3/sessions/", `{"request_id": "`+found.RequestID+`"}`).decode(t, 201, &made)
		if made.PortraitImageURL != nil {
			t.Error("a picture is kept though nothing is to be")
		}
	})
}

func TestEnrolSavedSearchRefused(t *testing.T) {
	a := newTenant(t)
	found := a.search(t, portrait(t, "obama.jpg"))
	nobody := a.search(t, facetest.JPEG(t, plain(64, 64)))
	both := a.search(t, facetest.JPEG(t, facetest.Beside(facetest.Image(t, "obama.jpg", 600), facetest.Image(t, "biden.jpg", 600))))
	session := a.enrol(t, portrait(t, "biden.jpg"))
	same := a.same(t)
	post := func(body string) answer { return a.json(t, http.MethodPost, "/v3/sessions/", body) }
	for body, words := range map[string]string{
		`{"request_id": "` + nobody.RequestID + `"}`: "No face was found in the picture of that search",
		`{"request_id": "` + both.RequestID + `"}`:   "2 faces were found in the picture of that search",
		`{}`: "request_id is missing", `{"request_id": null}`: "request_id is missing", `{"request_id": 5}`: "request_id is not a string",
		`{"request_id": "5"}`: "request_id is not a UUID", `{"vendor_data": "x"}`: "request_id is missing",
		`{"request_id": "ID", "status": "approved"}`: "status is Approved", `{"request_id": "ID", "session_id": "1"}`: "session_id is not a UUID",
		`{"request_id": "ID", "verification_date": "today"}`: "not a time in RFC 3339", `{"request_id": "ID", "full_name": ["x"]}`: "full_name is not a string",
		`{"request_id": "ID", "vendor_data": "` + strings.Repeat("x", 1025) + `"}`: "vendor_data is too long", `{"request_id": "ID", "portrait_image": "x"}`: "not known here",
	} {
		post(strings.Replace(body, "ID", found.RequestID, 1)).refused(t, 400, "invalid_request", words)
	}
	post(`{"request_id": "`+uuid.NewString()+`"}`).refused(t, 404, "not_found", "no saved search")
	post(`{"request_id": "`+session.SessionID+`"}`).refused(t, 404, "not_found", "no saved search")
	same()
}
