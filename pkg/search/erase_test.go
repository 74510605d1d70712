package search_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// TestRetain has a clock of its own: what is kept is counted in days before it.
func TestRetain(t *testing.T) {
	f := newFixture(t)
	now := time.Date(2030, 3, 31, 12, 0, 0, 0, time.UTC)
	keeps := uuid.NewString() // an application that keeps everything
	if err := f.store.CreateApplication(t.Context(), face.Application{ID: keeps}); err != nil {
		t.Fatal(err)
	}
	settings := face.DefaultSettings()
	settings.SessionsDays, settings.SearchesDays = 30, 7
	if err := f.store.PutSettings(t.Context(), f.application, settings); err != nil {
		t.Fatal(err)
	}
	save := func(application string, n int, at time.Time) {
		t.Helper()
		saved := face.SavedSearch{ID: fmt.Sprintf("search-%s-%d", at.Format(time.RFC3339Nano), n), CreatedAt: at, Status: face.Approved, Result: json.RawMessage(`{}`)}
		if err := f.store.SaveSearch(t.Context(), application, saved, face.Picture{}); err != nil {
			t.Fatal(err)
		}
	}
	enrol := func(application string, at time.Time) {
		t.Helper()
		enrolment := face.Enrolment{Session: face.Session{ID: uuid.NewString(), Status: face.Approved, CreatedAt: at}, Template: make(face.Template, face.TemplateDim)}
		if _, _, err := f.store.Enrol(t.Context(), application, enrolment); err != nil {
			t.Fatal(err)
		}
	}
	for _, application := range []string{f.application, keeps} {
		enrol(application, now.AddDate(0, 0, -30))
		enrol(application, now.AddDate(0, 0, -30).Add(-1))
		save(application, 0, now.AddDate(0, 0, -7))
		save(application, 0, now.AddDate(0, 0, -7).Add(-1))
	}
	many := search.RetentionStep + 10
	for n := range many {
		save(f.application, n, now.AddDate(0, 0, -8))
	}
	for round, want := range []string{fmt.Sprint(1, many+1), "0 0"} {
		sessions, searches, err := search.Retain(t.Context(), f.store, now)
		if got := fmt.Sprint(sessions, searches); err != nil || got != want {
			t.Errorf("round %d: %s, %v, want %s", round, got, err, want)
		}
	}
	for application, want := range map[string]string{f.application: "1 1", keeps: "2 2"} {
		_, sessions, err := f.store.Sessions(t.Context(), application, face.SessionFilter{})
		if err != nil {
			t.Fatal(err)
		}
		_, searches, err := f.store.Searches(t.Context(), application, face.SearchFilter{})
		if got := fmt.Sprint(sessions, searches); err != nil || got != want {
			t.Errorf("%s are left, want %s, %v", got, want, err)
		}
	}
	log, total, err := f.store.Audit(t.Context(), f.application, face.AuditPage{Limit: 2})
	if err != nil || log[0].Action != face.AuditRetention || log[1].Action != face.AuditRetention || log[0].Actor != "retention" {
		t.Errorf("%+v, %d in all, %v", log, total, err)
	}
	// A day more, and the rest is too old.
	if sessions, searches, err := search.Retain(t.Context(), f.store, now.AddDate(0, 0, 1)); err != nil || sessions != 1 || searches != 1 {
		t.Errorf("%d sessions, %d searches, %v", sessions, searches, err)
	}
}
