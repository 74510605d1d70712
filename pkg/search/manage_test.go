package search_test

import (
	"image"
	"testing"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
	"facesearch/pkg/search"
)

// TestSaved: a saved search follows its sessions, and never shows one that was made after it.
func TestSaved(t *testing.T) {
	f := newFixture(t)
	picture := colours(t, 320, 240)
	enrol := func(id string, blocklisted bool) face.Session {
		t.Helper()
		made, err := f.service.Enrol(t.Context(), f.application, search.EnrolRequest{Picture: picture, SessionID: id, Blocklisted: blocklisted})
		if err != nil {
			t.Fatal(err)
		}
		return made.Session
	}
	first, second := enrol("", false), enrol("", true)
	result, err := f.service.Search(t.Context(), f.application, search.Request{Picture: picture, Save: true})
	if err != nil || result.Outcome.Total != 2 || result.Outcome.Status != face.Declined {
		t.Fatal(result, err)
	}
	saved := func() search.Result {
		t.Helper()
		got, err := f.service.Saved(t.Context(), f.application, result.RequestID)
		if err != nil {
			t.Fatal(err)
		}
		if got.RequestID != result.RequestID || got.Outcome.Status != face.Declined || len(got.Sessions) != len(got.Outcome.Matches) {
			t.Errorf("%+v", got)
		}
		return got
	}
	t.Run("OK", func(t *testing.T) {
		if got := saved(); len(got.Sessions) != 2 || got.Sessions[0] != first || got.Sessions[1] != second ||
			len(got.Outcome.Warnings) != 1 || got.Outcome.Warnings[0].Data != second.ID {
			t.Errorf("%+v", got)
		}
	})
	t.Run("Changed", func(t *testing.T) {
		changed, err := f.service.SetBlocklisted(t.Context(), f.application, second.ID, false)
		if err != nil || changed.Blocklisted {
			t.Fatal(changed, err)
		}
		if got := saved(); got.Sessions[1] != changed || got.Outcome.Warnings[0].Risk != policy.FaceInBlocklist {
			t.Errorf("%+v", got)
		}
	})
	t.Run("Erased", func(t *testing.T) {
		if _, err := f.store.Erase(t.Context(), f.application, []string{second.ID}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // then somebody else gets the ID
			if got := saved(); len(got.Sessions) != 1 || got.Outcome.Total != 1 || got.Outcome.Warnings[0].Data != "" {
				t.Errorf("%+v", got)
			}
			time.Sleep(2 * time.Millisecond)
			if again := enrol(second.ID, true); again.Number == second.Number {
				t.Error("a number was given twice")
			}
		}
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		for _, id := range []string{uuid.NewString(), first.ID} {
			if _, err := f.service.Saved(t.Context(), f.application, id); face.CodeOf(err) != face.CodeNotFound {
				t.Errorf("%v", err)
			}
		}
		if _, err := f.service.SetStatus(t.Context(), f.application, uuid.NewString(), face.Declined, ""); face.CodeOf(err) != face.CodeNotFound {
			t.Errorf("%v", err)
		}
	})
}

// TestEnrolSavedSearch does not look at a picture again, and refuses what shows nobody.
func TestEnrolSavedSearch(t *testing.T) {
	f := newFixture(t)
	find := func() string {
		t.Helper()
		result, err := f.service.Search(t.Context(), f.application, search.Request{Picture: colours(t, 320, 240), Save: true, VendorData: "user-1"})
		if err != nil {
			t.Fatal(err)
		}
		return result.RequestID
	}
	request := search.EnrolRequest{RequestID: find()}
	f.pictures = 0
	made, err := f.service.Enrol(t.Context(), f.application, request)
	if err != nil || !made.Created || made.Session.VendorData != "user-1" || made.Session.PictureID == "" || f.pictures != 0 {
		t.Errorf("%+v, %v, %d pictures were looked at", made, err, f.pictures)
	}
	f.box = image.Rectangle{}
	request.RequestID = find()
	if _, err := f.service.Enrol(t.Context(), f.application, request); face.CodeOf(err) != face.CodeInvalid {
		t.Errorf("without a face: %v", err)
	}
	request.RequestID = uuid.NewString()
	if _, err := f.service.Enrol(t.Context(), f.application, request); face.CodeOf(err) != face.CodeNotFound {
		t.Errorf("unknown: %v", err)
	}
}
