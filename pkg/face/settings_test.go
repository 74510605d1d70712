package face_test

import (
	"math"
	"testing"

	"facesearch/pkg/face"
)

// TestSettingsValidate walks along both sides of every bound.
func TestSettingsValidate(t *testing.T) {
	type change = func(*face.Settings)
	threshold := func(v float64) change { return func(s *face.Settings) { s.SimilarityThreshold = v } }
	expected := func(v float64) change { return func(s *face.Settings) { s.ExpectedFalseMatches = v } }
	rule := func(v face.MatchRule) change { return func(s *face.Settings) { s.MatchRule = v } }
	action := func(v face.Status) change { return func(s *face.Settings) { s.MatchAction = v } }
	several := func(v face.Severity) change { return func(s *face.Settings) { s.MultipleFacesSeverity = v } }
	quality := func(v face.Severity) change { return func(s *face.Settings) { s.LowQualitySeverity = v } }
	matches := func(v int) change { return func(s *face.Settings) { s.MaxMatches = v } }
	keep := func(v face.KeepPicture) change { return func(s *face.Settings) { s.KeepPicture = v } }
	days := func(searches, sessions int) change {
		return func(s *face.Settings) { s.SearchesDays, s.SessionsDays = searches, sessions }
	}
	requests := func(v int) change { return func(s *face.Settings) { s.RequestsPerMinute = v } }
	rows := []struct {
		name   string
		change change
		ok     bool
	}{
		{"OK default", func(*face.Settings) {}, true},
		{"OK threshold auto", threshold(0), true},
		{"OK threshold least", threshold(1), true},
		{"OK threshold one decimal", threshold(92.5), true},
		{"OK threshold most", threshold(100), true},
		{"ErrInvalid threshold two decimals", threshold(89.97), false},
		{"OK threshold of any tenth", threshold(89.9), true},
		{"OK rule empty", rule(""), true},
		{"OK rule similarity", rule(face.BySimilarity), true},
		{"OK rule expected", rule(face.ByExpectedFalseMatches), true},
		{"OK rule expected most", func(s *face.Settings) { s.MatchRule, s.ExpectedFalseMatches = face.ByExpectedFalseMatches, 1 }, true},
		{"ErrInvalid rule expected over", func(s *face.Settings) { s.MatchRule, s.ExpectedFalseMatches = face.ByExpectedFalseMatches, 1.1 }, false},
		{"ErrInvalid rule unknown", rule("Similarity"), false},
		{"OK expected least", expected(1e-6), true},
		{"OK expected most", expected(100), true},
		{"OK action Approved", action(face.Approved), true},
		{"OK action In Review", action(face.InReview), true},
		{"OK action Declined", action(face.Declined), true},
		{"OK several information", several(face.Information), true},
		{"OK several error", several(face.ErrorLevel), true},
		{"OK several allowed", func(s *face.Settings) { s.AllowMultipleFaces = true }, true},
		{"OK quality warning", quality(face.Warning), true},
		{"OK quality error", quality(face.ErrorLevel), true},
		{"OK matches least", matches(1), true},
		{"OK matches most", matches(face.MaxMatchesLimit), true},
		{"OK keep face", keep(face.KeepFace), true},
		{"OK keep original", keep(face.KeepOriginal), true},
		{"OK keep nothing", keep(face.KeepNothing), true},
		{"OK days least", days(1, 1), true},
		{"OK days most", days(face.DaysLimit, face.DaysLimit), true},
		{"OK requests least", requests(1), true},
		{"OK requests most", requests(face.RequestsPerMinuteLimit), true},
		{"OK metered", func(s *face.Settings) { s.CreditsMetered = true }, true},

		{"ErrInvalid zero value", func(s *face.Settings) { *s = face.Settings{} }, false},
		{"ErrInvalid threshold negative", threshold(-1), false},
		{"ErrInvalid threshold a share", threshold(0.9), false},
		{"ErrInvalid threshold over", threshold(math.Nextafter(100, 101)), false},
		{"ErrInvalid threshold NaN", threshold(math.NaN()), false},
		{"ErrInvalid threshold infinite", threshold(math.Inf(1)), false},
		{"ErrInvalid expected zero", expected(0), false},
		{"ErrInvalid expected negative", expected(-0.1), false},
		{"ErrInvalid expected under", expected(math.Nextafter(1e-6, 0)), false},
		{"ErrInvalid expected over", expected(100.1), false},
		{"ErrInvalid expected NaN", expected(math.NaN()), false},
		{"ErrInvalid expected infinite", expected(math.Inf(1)), false},
		{"ErrInvalid action empty", action(""), false},
		{"ErrInvalid action lower case", action("approved"), false},
		{"ErrInvalid several empty", several(""), false},
		{"ErrInvalid several unknown", several("fatal"), false},
		{"ErrInvalid quality empty", quality(""), false},
		{"ErrInvalid quality unknown", quality("Warning"), false},
		{"ErrInvalid matches none", matches(0), false},
		{"ErrInvalid matches negative", matches(-1), false},
		{"ErrInvalid matches over", matches(face.MaxMatchesLimit + 1), false},
		{"ErrInvalid keep empty", keep(""), false},
		{"ErrInvalid keep unknown", keep("everything"), false},
		{"ErrInvalid days of searches negative", days(-1, 0), false},
		{"ErrInvalid days of searches over", days(face.DaysLimit+1, 0), false},
		{"ErrInvalid days of sessions negative", days(0, -1), false},
		{"ErrInvalid days of sessions over", days(0, face.DaysLimit+1), false},
		{"ErrInvalid requests negative", requests(-1), false},
		{"ErrInvalid requests over", requests(face.RequestsPerMinuteLimit + 1), false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			settings := face.DefaultSettings()
			row.change(&settings)
			err := settings.Validate()
			if row.ok && err != nil {
				t.Fatal(err)
			}
			if !row.ok && face.CodeOf(err) != face.CodeInvalid {
				t.Fatalf("%+v gave %v, want an error with CodeInvalid", settings, err)
			}
		})
	}
}

// TestThresholdTenths: every threshold with one decimal can be set.
func TestThresholdTenths(t *testing.T) {
	for tenths := 10; tenths <= 1000; tenths++ {
		settings := face.DefaultSettings()
		settings.SimilarityThreshold = float64(tenths) / 10
		if err := settings.Validate(); err != nil {
			t.Errorf("%v: %v", settings.SimilarityThreshold, err)
		}
	}
}

// TestDefaultSettings holds the defaults that the contract names.
func TestDefaultSettings(t *testing.T) {
	want := face.Settings{
		SimilarityThreshold: 0, ExpectedFalseMatches: 0.1, MatchRule: "similarity", MatchAction: "In Review", AllowMultipleFaces: false,
		MultipleFacesSeverity: "warning", LowQualitySeverity: "information", MaxMatches: 5, KeepPicture: "face",
	}
	if got := face.DefaultSettings(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
