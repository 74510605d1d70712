package api_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"facesearch/pkg/face"
)

// shownSettings is an answer of /v3/settings/.
type shownSettings struct {
	Settings map[string]struct {
		Value       any    `json:"value"`
		Default     any    `json:"default"`
		Description string `json:"description"`
		Range       struct {
			Minimum *float64 `json:"minimum"`
			Maximum *float64 `json:"maximum"`
			Whole   bool     `json:"whole"`
			OneOf   []any    `json:"one_of"`
		} `json:"range"`
	} `json:"settings"`
	Threshold struct {
		Similarity float64 `json:"similarity_percentage"`
		Reason     string  `json:"reason"`
	} `json:"threshold_in_force"`
}

func (a *tenant) patch(t *testing.T, body string) (shown shownSettings) {
	t.Helper()
	a.json(t, http.MethodPatch, "/v3/settings/", body).decode(t, 200, &shown)
	return shown
}

func TestSettings(t *testing.T) {
	a := newTenant(t)
	golden(t, "settings.json", a.get(t, "/v3/settings/").body)
	var shown shownSettings
	a.get(t, "/v3/settings").decode(t, 200, &shown)
	fields := reflect.TypeFor[face.Settings]()
	for i := range fields.NumField() {
		name := fields.Field(i).Tag.Get("json")
		one, there := shown.Settings[name]
		if !there || one.Value != one.Default || !strings.HasSuffix(one.Description, ".") {
			t.Errorf("%s: %+v", name, one)
		}
	}
	if len(shown.Settings) != fields.NumField() {
		t.Errorf("%d settings are shown, there are %d", len(shown.Settings), fields.NumField())
	}
	// What a range allows can be set; nothing beside it can.
	for name, each := range shown.Settings {
		allowed := each.Range.OneOf
		if each.Range.Minimum != nil {
			allowed = append(allowed, *each.Range.Minimum, *each.Range.Maximum)
			outsides := []float64{math.Nextafter(*each.Range.Minimum, -1), *each.Range.Maximum + 1, -1}
			if *each.Range.Minimum > 0 {
				outsides = append(outsides, 0)
			}
			for _, outside := range outsides {
				a.json(t, http.MethodPatch, "/v3/settings/", fmt.Sprintf(`{%q: %v}`, name, outside)).refused(t, 400, "invalid_request", name+" is ")
			}
		}
		for _, value := range allowed {
			encoded, err := json.Marshal(map[string]any{name: value})
			if err != nil {
				t.Fatal(err)
			}
			changed := a.patch(t, string(encoded))
			if changed.Settings[name].Value != value || changed.Settings[name].Default != each.Default {
				t.Errorf("%s became %v", encoded, changed.Settings[name].Value)
			}
		}
		// What one setting allows can depend on another.
		encoded, err := json.Marshal(map[string]any{name: each.Default})
		if err != nil {
			t.Fatal(err)
		}
		a.patch(t, string(encoded))
	}
}

// TestSettingsChange: what is not named stays, and searches follow at once.
func TestSettingsChange(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	for range 3 {
		a.enrol(t, picture)
	}
	a.patch(t, `{"max_matches": 2, "keep_picture": "nothing"}`)
	changed := a.patch(t, `{"match_action": "Declined"}`)
	if changed.Settings["max_matches"].Value != 2.0 || changed.Settings["keep_picture"].Value != "nothing" {
		t.Errorf("%+v", changed)
	}
	found := a.search(t, picture)
	if found.FaceSearch.Status != "Declined" || len(found.FaceSearch.Matches) != 2 || found.FaceSearch.TotalMatches != 3 {
		t.Errorf("%s", found.raw)
	}
	if !strings.HasPrefix(changed.Threshold.Reason, "Gallery of 3: at 70, the lowest that auto chooses, about one search in ") || changed.Threshold.Similarity != 70 {
		t.Errorf("%+v", changed.Threshold)
	}
	changed = a.patch(t, `{"similarity_threshold": 99.5}`)
	if !strings.HasPrefix(changed.Threshold.Reason, "Set to 99.5: in a gallery of 3, ") || changed.Threshold.Similarity != 99.5 {
		t.Errorf("%+v", changed.Threshold)
	}
	if found := a.search(t, portrait(t, "obama2.jpg")); found.FaceSearch.TotalMatches != 0 {
		t.Errorf("%s", found.raw)
	}
	changed = a.patch(t, `{"similarity_threshold": "auto", "expected_false_matches": 1e-6}`)
	if changed.Threshold.Similarity <= 90 || changed.Settings["similarity_threshold"].Value != "auto" {
		t.Errorf("%+v", changed.Threshold)
	}
	if again := a.patch(t, `{}`); !reflect.DeepEqual(again, changed) {
		t.Errorf("%+v, was %+v", again, changed)
	}
}

func TestSettingsRefused(t *testing.T) {
	a := newTenant(t)
	same := a.same(t)
	for body, words := range map[string]string{
		`{"max_matches": 7, "similarity_threshold": 0}`: `similarity_threshold is a number from 1 to 100 with at most one decimal, or "auto".`,
		`{"similarity_threshold": 89.97}`:               "with at most one decimal",
		`{"match_rule": "both"}`:                        "match_rule is similarity or expected_false_matches", `{"match_rule": ""}`: "match_rule is",
		`{"match_rule": "expected_false_matches", "expected_false_matches": 1.5}`: "at most 1",
		`{"show_expected_false_matches": 1}`:                                      "show_expected_false_matches is true or false.",
		`{"max_matches": 7, "similarity_threshold": "Auto"}`:                      "similarity_threshold is", `{"similarity_threshold": "85"}`: "similarity_threshold is",
		`{"similarity_threshold": null}`: "similarity_threshold is", `{"similarity_threshold": 1e999}`: "similarity_threshold is",
		`{"max_matches": 7, "match_action": "Rejected"}`: "match_action is Approved, In Review or Declined.", `{"match_action": ""}`: "match_action is",
		`{"max_matches": "7"}`: "max_matches is a whole number from 1 to 100.", `{"max_matches": 7.5}`: "max_matches is", `{"max_matches": [7]}`: "max_matches is",
		`{"allow_multiple_faces": "true"}`: "allow_multiple_faces is true or false.", `{"allow_multiple_faces": 1}`: "allow_multiple_faces is",
		`{"multiple_faces_severity": "fatal"}`: "multiple_faces_severity is information, warning or error.",
		`{"low_quality_severity": true}`:       "low_quality_severity is information, warning or error.",
		`{"keep_picture": "everything"}`:       "keep_picture is face, original or nothing.",
		`{"max_matches": 7, "retention": 30}`:  "a field that is not known here: the fields are similarity_threshold, ",
		`{"MAX_MATCHES": 7}`:                   "not known here", `{"max_matches": 7, "max_matches": 8}`: "max_matches twice",
	} {
		a.json(t, http.MethodPatch, "/v3/settings/", body).refused(t, 400, "invalid_request", words)
	}
	same()
}

// TestSettingsAtOnce: changes of different settings do not undo each other.
func TestSettingsAtOnce(t *testing.T) {
	a := newTenant(t)
	bodies := []string{
		`{"max_matches": 9}`, `{"keep_picture": "original"}`, `{"match_action": "Approved"}`, `{"similarity_threshold": 88}`,
		`{"expected_false_matches": 2}`, `{"allow_multiple_faces": true}`, `{"multiple_faces_severity": "error"}`, `{"low_quality_severity": "error"}`,
	}
	var group sync.WaitGroup
	for _, body := range bodies {
		request := a.request(t, http.MethodPatch, "/v3/settings/", "application/json", strings.NewReader(body))
		group.Go(func() {
			if got, err := do(request); err != nil || got.status != 200 {
				t.Errorf("%d %s, %v", got.status, got.body, err)
			}
		})
	}
	group.Wait()
	want := face.Settings{
		SimilarityThreshold: 88, ExpectedFalseMatches: 2, MatchRule: face.BySimilarity, MatchAction: face.Approved, AllowMultipleFaces: true,
		MultipleFacesSeverity: face.ErrorLevel, LowQualitySeverity: face.ErrorLevel, MaxMatches: 9, KeepPicture: face.KeepOriginal,
	}
	if got, err := a.gallery.Settings(t.Context(), a.id); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestSettingsTogether: settings that allow each other may come in one request, in any order
// of their names, and neither may come alone.
func TestSettingsTogether(t *testing.T) {
	a := newTenant(t)
	a.patch(t, `{"expected_false_matches": 5}`)
	a.json(t, http.MethodPatch, "/v3/settings/", `{"match_rule": "expected_false_matches"}`).refused(t, 400, "invalid_request", "only while expected_false_matches is at most 1")
	a.patch(t, `{"match_rule": "expected_false_matches", "expected_false_matches": 1}`)
	a.json(t, http.MethodPatch, "/v3/settings/", `{"expected_false_matches": 5}`).refused(t, 400, "invalid_request", "at most 1 while match_rule is")
	a.patch(t, `{"match_rule": "similarity", "expected_false_matches": 5}`)
}

// TestExpectedFalseMatches: a match has the field when a setting asks for it, and not else.
func TestExpectedFalseMatches(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	a.enrol(t, picture)
	expected := func(found searched) (value *float64, warned bool) {
		t.Helper()
		if len(found.FaceSearch.Matches) != 1 {
			t.Fatalf("%s", found.raw)
		}
		for _, warning := range found.FaceSearch.Warnings {
			warned = warned || warning.Risk == "SMALL_GALLERY" && warning.LogType == "information"
		}
		return found.FaceSearch.Matches[0].ExpectedFalseMatches, warned
	}
	other := portrait(t, "obama2.jpg")
	if value, warned := expected(a.search(t, other)); value != nil || warned {
		t.Errorf("%v, %v without being asked", value, warned)
	}
	for _, body := range []string{`{"show_expected_false_matches": true}`, `{"show_expected_false_matches": false, "match_rule": "expected_false_matches"}`} {
		shown := a.patch(t, body)
		// The calibration's rate at the distance of obama2 from obama, about 0.37, for one person.
		result := a.search(t, other)
		if value, warned := expected(result); value == nil || *value < 1e-8 || *value > 1e-5 || !warned {
			t.Errorf("%s: %s", body, result.raw)
		}
		if strings.Contains(body, "match_rule") && !strings.HasPrefix(shown.Threshold.Reason, "Gallery of 1, too small to count its strangers (under 500), ") {
			t.Errorf("%+v", shown.Threshold)
		}
		if saved := a.get(t, "/v3/session/"+result.RequestID+"/decision/"); !strings.Contains(string(saved.body), `"expected_false_matches":`) {
			t.Errorf("the saved search: %s", saved.body)
		}
	}
	if result := a.search(t, picture); result.FaceSearch.Matches[0].SimilarityPercentage != 100 || *result.FaceSearch.Matches[0].ExpectedFalseMatches != 1e-9 {
		t.Errorf("the same picture: %s", result.raw)
	}
}
