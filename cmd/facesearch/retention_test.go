package main_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
)

func getJSON(t *testing.T, s *server, path string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", bootstrapKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, err)
	}
}

// backdate puts a session and a search from long ago into a stopped server's store, whose
// settings keep neither for so long.
func backdate(t *testing.T, data string) {
	t.Helper()
	store, err := bolt.Open(data, bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	applications, err := store.Applications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	of, long := applications[0].ID, time.Now().AddDate(0, 0, -31)
	settings := face.DefaultSettings()
	settings.SessionsDays, settings.SearchesDays = 30, 30
	if err := store.PutSettings(t.Context(), of, settings); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Enrol(t.Context(), of, face.Enrolment{Session: face.Session{ID: "long-ago", Status: face.Approved, CreatedAt: long}, Template: make(face.Template, face.TemplateDim)}); err != nil {
		t.Fatal(err)
	}
	search := face.SavedSearch{ID: "long-ago", CreatedAt: long, Status: face.Approved, Result: json.RawMessage(`{}`)}
	if err := store.SaveSearch(t.Context(), of, search, face.Picture{}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
