package search_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/policy"
	"facesearch/pkg/search"
)

// A blurring stub finds every face blurred and dark.
type blurring struct{ *stub }

func (b blurring) Describe(context.Context, face.Embedding, float64, float64) (face.Attributes, error) {
	return face.Attributes{Age: 30, Gender: face.Female, Flaws: []face.Flaw{
		{Reason: face.Blurred, Value: 8.1, Limit: 12}, {Reason: face.TooDark, Value: 20, Limit: 25},
	}}, nil
}

const flawsInWords = "blurred (8.1, limit 12), too_dark (20, limit 25)"

// TestEnrolQuality walks through what a setting makes of a bad picture, and of a saved search of one.
func TestEnrolQuality(t *testing.T) {
	f := newFixture(t)
	bad := search.New(f.store, f.stub, blurring{f.stub}, search.Options{
		Workers: 1, Confidence: func(float64) float64 { return 0.9 }, Calibration: facetest.Calibration(),
	})
	picture := colours(t, 320, 240)
	saved, err := bad.Search(t.Context(), f.application, search.Request{Picture: picture, Save: true})
	if err != nil {
		t.Fatal(err)
	}
	set := func(t *testing.T, rule face.EnrolQuality) {
		t.Helper()
		settings := face.DefaultSettings()
		settings.EnrolQuality = rule
		if err := f.store.PutSettings(t.Context(), f.application, settings); err != nil {
			t.Fatal(err)
		}
	}
	requests := map[string]search.EnrolRequest{
		"picture":      {Picture: picture, PictureName: "portrait_image"},
		"saved search": {RequestID: saved.RequestID},
		"blocklist":    {Picture: picture, PictureName: "image", Status: face.Declined, Blocklisted: true},
	}
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			set(t, face.EnrolWarn)
			result, err := bad.Enrol(t.Context(), f.application, request)
			if err != nil || !result.Created || len(result.Warnings) != 1 {
				t.Fatalf("%+v, %v, want one warning", result, err)
			}
			if w := result.Warnings[0]; w.Risk != policy.LowQualityPortraitImage || w.Data != flawsInWords || w.Severity != face.Information {
				t.Errorf("%+v", w)
			}
			set(t, face.EnrolAccept)
			result, err = bad.Enrol(t.Context(), f.application, request)
			if err != nil || !result.Created || result.Warnings == nil || len(result.Warnings) != 0 {
				t.Errorf("%+v, %v, want no warning", result, err)
			}
			set(t, face.EnrolRefuse)
			_, before, err := f.store.Sessions(t.Context(), f.application, face.SessionFilter{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = bad.Enrol(t.Context(), f.application, request)
			if face.CodeOf(err) != face.CodeInvalid || !strings.Contains(err.Error(), flawsInWords) {
				t.Errorf("%v, want a refusal that names the flaws", err)
			}
			if _, after, err := f.store.Sessions(t.Context(), f.application, face.SessionFilter{}); err != nil || after != before {
				t.Errorf("%d sessions after a refusal and %d before, %v", after, before, err)
			}
			good, err := f.service.Enrol(t.Context(), f.application, search.EnrolRequest{Picture: picture})
			if err != nil || len(good.Warnings) != 0 {
				t.Errorf("a good picture: %+v, %v", good, err)
			}
		})
	}
	t.Run("known", func(t *testing.T) { // is not looked at again
		set(t, face.EnrolAccept)
		request := search.EnrolRequest{Picture: picture, SessionID: uuid.NewString()}
		if _, err := bad.Enrol(t.Context(), f.application, request); err != nil {
			t.Fatal(err)
		}
		set(t, face.EnrolRefuse)
		if again, err := bad.Enrol(t.Context(), f.application, request); err != nil || again.Created {
			t.Errorf("%+v, %v", again, err)
		}
	})
}
