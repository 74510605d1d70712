package search_test

import (
	"context"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/photo"
	"facesearch/pkg/policy"
	"facesearch/pkg/search"
)

// A medium sees the template that a test thinks of.
type medium struct {
	*stub
	template face.Template
}

func (m *medium) Embed(context.Context, *photo.Photo, int, image.Rectangle) (face.Embedding, bool, error) {
	return face.Embedding{Template: m.template}, true, nil
}

// people draws templates that are that far apart on average.
func people(random *rand.Rand, count int, apart float64) []face.Template {
	list := make([]face.Template, count)
	for i := range list {
		list[i] = make(face.Template, face.TemplateDim)
		for j := range list[i] {
			list[i][j] = float32(apart / math.Sqrt(2*face.TemplateDim) * random.NormFloat64())
		}
	}
	return list
}

// at is a template at that distance from another.
func at(random *rand.Rand, from face.Template, distance float64) face.Template {
	step := people(random, 1, 1)[0]
	length := step.Distance(make(face.Template, len(step)))
	for i := range step {
		step[i] = from[i] + step[i]*float32(distance/length)
	}
	return step
}

// TestMatchRule: the same distance is a match where people are far apart, and none where
// they are all alike, whatever its similarity.
func TestMatchRule(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	for name, each := range map[string]struct {
		apart, mate              float64
		bySimilarity, byExpected int
	}{
		"far apart": {0.86, 0.55, 0, 1},
		"alike":     {0.5, 0.45, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			store := openStore(t)
			seer := &medium{stub: &stub{box: image.Rect(100, 60, 180, 140)}}
			service := search.New(store, seer, seer, search.Options{
				Workers: 1, Confidence: func(float64) float64 { return 0.9 }, Calibration: facetest.Calibration(),
			})
			application := uuid.NewString()
			if err := store.CreateApplication(t.Context(), face.Application{ID: application}); err != nil {
				t.Fatal(err)
			}
			gallery := people(random, 700, each.apart)
			mate := gallery[0]
			enrolAll(t, store, application, gallery)
			seer.template = at(random, mate, each.mate)
			ask := func(change func(*face.Settings)) search.Outcome {
				t.Helper()
				if _, err := service.ChangeSettings(t.Context(), application, func(s *face.Settings) error { change(s); return nil }); err != nil {
					t.Fatal(err)
				}
				result, err := service.Search(t.Context(), application, search.Request{Picture: colours(t, 320, 240)})
				if err != nil || result.Outcome.Total != len(result.Outcome.Matches) && len(result.Outcome.Matches) != 5 || len(result.Sessions) != len(result.Outcome.Matches) {
					t.Fatalf("%+v, %v", result, err)
				}
				return result.Outcome
			}
			shown := ask(func(s *face.Settings) { s.SimilarityThreshold, s.ShowExpectedFalseMatches = 30, true })
			if shown.Total == 0 || shown.Matches[0].ExpectedFalseMatches == nil || len(shown.Warnings) != 0 {
				t.Fatalf("%+v", shown)
			}
			expected := *shown.Matches[0].ExpectedFalseMatches
			if each.byExpected == 1 != (expected <= 0.1) {
				t.Errorf("%v strangers are expected", expected)
			}
			silent := ask(func(s *face.Settings) { s.SimilarityThreshold, s.ShowExpectedFalseMatches = 0, false })
			if min(silent.Total, 1) != each.bySimilarity || silent.Total > 0 && silent.Matches[0].ExpectedFalseMatches != nil {
				t.Errorf("by similarity: %+v", silent)
			}
			ruled := ask(func(s *face.Settings) { s.MatchRule = face.ByExpectedFalseMatches })
			if ruled.Total != each.byExpected || ruled.Total == 1 && *ruled.Matches[0].ExpectedFalseMatches != expected {
				t.Errorf("by expected false matches: %+v", ruled)
			}
			// As many as are expected at most, to the two digits that are shown, and none for less.
			if expected <= 1 && expected > 1e-6 {
				if ask(func(s *face.Settings) { s.ExpectedFalseMatches = expected }).Total < 1 {
					t.Errorf("not found with %v expected", expected)
				}
				if ask(func(s *face.Settings) { s.ExpectedFalseMatches = max(1e-6, expected*0.98) }).Total != 0 {
					t.Errorf("found with less than %v expected", expected)
				}
			}
			threshold, err := service.Threshold(t.Context(), application, face.Settings{MatchRule: face.ByExpectedFalseMatches, ExpectedFalseMatches: 0.1})
			if err != nil || !strings.HasPrefix(threshold.Why, "Gallery of 700: a session matches when at most 0.1 strangers") {
				t.Errorf("%+v, %v", threshold, err)
			}
		})
	}
}

// TestMatchRuleSmall: a gallery that is too small for the rule says so.
func TestMatchRuleSmall(t *testing.T) {
	f := newFixture(t)
	if _, err := f.service.Enrol(t.Context(), f.application, search.EnrolRequest{Picture: colours(t, 320, 240)}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.service.ChangeSettings(t.Context(), f.application, func(s *face.Settings) error {
		s.MatchRule = face.ByExpectedFalseMatches
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	result, err := f.service.Search(t.Context(), f.application, search.Request{Picture: colours(t, 320, 240)})
	if err != nil || result.Outcome.Total != 1 || len(result.Outcome.Warnings) != 1 || result.Outcome.Warnings[0].Risk != policy.SmallGallery {
		t.Errorf("%+v, %v", result, err)
	}
}

func enrolAll(t *testing.T, store face.Gallery, application string, templates []face.Template) {
	t.Helper()
	var group sync.WaitGroup
	queue := make(chan face.Template)
	for range 32 { // they share the disk's syncs
		group.Go(func() {
			for template := range queue {
				session := face.Session{ID: uuid.NewString(), Status: face.Approved}
				if _, _, err := store.Enrol(t.Context(), application, face.Enrolment{Session: session, Template: template}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, template := range templates {
		queue <- template
	}
	close(queue)
	group.Wait()
}
