package policy_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// candidate is one at the given distance, with a number and ID made of n.
func candidate(n uint64, distance float64) face.Candidate {
	return face.Candidate{
		Session:  face.Session{ID: fmt.Sprintf("session-%d", n), Number: n, Status: face.Approved},
		Distance: distance,
	}
}

// candidates is what an exact gallery returns for these.
func candidates(list ...face.Candidate) face.Candidates {
	result := face.Candidates{List: list, Total: len(list), Exact: true}
	for _, c := range list {
		if c.Session.Blocklisted {
			result.Blocklisted = append(result.Blocklisted, c)
		}
	}
	return result
}

func blocked(c face.Candidate) face.Candidate {
	c.Session.Blocklisted = true
	c.Session.Status = face.Declined
	return c
}

// evidence is of one good face.
func evidence(found face.Candidates) policy.Evidence {
	return policy.Evidence{Faces: make([]face.Face, 1), Candidates: found}
}

func settingsWith(changes ...func(*face.Settings)) face.Settings {
	settings := face.DefaultSettings()
	for _, change := range changes {
		change(&settings)
	}
	return settings
}

func action(v face.Status) func(*face.Settings) { return func(s *face.Settings) { s.MatchAction = v } }
func quality(v face.Severity) func(*face.Settings) {
	return func(s *face.Settings) { s.LowQualitySeverity = v }
}
func several(v face.Severity) func(*face.Settings) {
	return func(s *face.Settings) { s.MultipleFacesSeverity = v }
}
func allowed(s *face.Settings)              { s.AllowMultipleFaces = true }
func matchesMax(n int) func(*face.Settings) { return func(s *face.Settings) { s.MaxMatches = n } }
func decide(s face.Settings, e policy.Evidence) policy.Decision {
	return policy.Decide(s, dlib, e)
}

var (
	nobody  = candidates()
	mate    = candidates(candidate(1, 0.3))
	wanted  = candidates(blocked(candidate(1, 0.3)))
	blurred = []face.Flaw{{Reason: face.Blurred, Value: 8.1, Limit: 12}}
)

// TestStatus is the contract's table of statuses.
func TestStatus(t *testing.T) {
	rows := []struct {
		name     string
		settings face.Settings
		faces    int
		flaws    []face.Flaw
		found    face.Candidates
		want     face.Status
	}{
		{"no match, no warning", settingsWith(), 1, nil, nobody, face.Approved},
		{"no match, warning of severity information", settingsWith(), 1, blurred, nobody, face.Approved},
		{"no match, approximate index", settingsWith(), 1, nil, face.Candidates{}, face.Approved},
		{"no match, match_action Declined", settingsWith(action(face.Declined)), 1, nil, nobody, face.Approved},

		{"one match", settingsWith(), 1, nil, mate, face.InReview},
		{"many matches, none listed", settingsWith(), 1, nil, face.Candidates{Total: 7, Exact: true}, face.InReview},
		{"warning of severity warning", settingsWith(), 2, nil, nobody, face.InReview},
		{"match and warning of severity warning", settingsWith(), 2, nil, mate, face.InReview},

		{"blocklisted match", settingsWith(), 1, nil, wanted, face.Declined},
		{"blocklisted match not listed", settingsWith(matchesMax(1)), 1, nil, face.Candidates{
			List: []face.Candidate{candidate(1, 0.1)}, Total: 2, Exact: true,
			Blocklisted: []face.Candidate{blocked(candidate(2, 0.2))},
		}, face.Declined},
		{"no face", settingsWith(), 0, nil, nobody, face.Declined},
		{"warning of severity error", settingsWith(several(face.ErrorLevel)), 2, nil, nobody, face.Declined},
		{"match and warning of severity error", settingsWith(quality(face.ErrorLevel)), 1, blurred, mate, face.Declined},

		{"match_action Approved", settingsWith(action(face.Approved)), 1, nil, mate, face.Approved},
		{"match_action In Review", settingsWith(action(face.InReview)), 1, nil, mate, face.InReview},
		{"match_action Declined", settingsWith(action(face.Declined)), 1, nil, mate, face.Declined},
		{"match_action Approved, severity warning", settingsWith(action(face.Approved)), 2, nil, mate, face.InReview},
		{"match_action Approved, severity error", settingsWith(action(face.Approved), quality(face.ErrorLevel)), 1, blurred, mate, face.Declined},
		{"match_action Declined, severity warning", settingsWith(action(face.Declined)), 2, nil, mate, face.Declined},
		{"match_action Approved, blocklisted", settingsWith(action(face.Approved)), 1, nil, wanted, face.Declined},
		{"match_action In Review, blocklisted", settingsWith(action(face.InReview)), 1, nil, wanted, face.Declined},
		{"match_action Declined, blocklisted", settingsWith(action(face.Declined)), 1, nil, wanted, face.Declined},
		{"match_action Approved, no face", settingsWith(action(face.Approved)), 0, nil, nobody, face.Declined},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			decision := decide(row.settings, policy.Evidence{
				Faces: make([]face.Face, row.faces), Flaws: row.flaws, Candidates: row.found,
			})
			if decision.Status != row.want {
				t.Errorf("%s, want %s; warnings %+v", decision.Status, row.want, decision.Warnings)
			}
		})
	}
}

// TestWarnings is the contract's table of warnings, with the severities that settings lead to.
func TestWarnings(t *testing.T) {
	type warning struct {
		risk     policy.Risk
		severity face.Severity
		data     string
	}
	rows := []struct {
		name     string
		settings face.Settings
		faces    int
		flaws    []face.Flaw
		found    face.Candidates
		want     []warning
	}{
		{"none", settingsWith(), 1, nil, mate, nil},

		{"no face", settingsWith(), 0, nil, nobody, []warning{{policy.NoFaceDetected, face.ErrorLevel, ""}}},
		{"no face, everything lowered", settingsWith(allowed, several(face.Information), quality(face.Information)), 0, nil, nobody,
			[]warning{{policy.NoFaceDetected, face.ErrorLevel, ""}}},

		{"blocklisted", settingsWith(), 1, nil, wanted, []warning{{policy.FaceInBlocklist, face.ErrorLevel, "session-1"}}},
		{"two blocklisted", settingsWith(), 1, nil, candidates(blocked(candidate(4, 0.1)), candidate(9, 0.2), blocked(candidate(2, 0.3))),
			[]warning{{policy.FaceInBlocklist, face.ErrorLevel, "session-4"}, {policy.FaceInBlocklist, face.ErrorLevel, "session-2"}}},
		{"blocklisted, everything lowered", settingsWith(allowed, several(face.Information), quality(face.Information), action(face.Approved)), 1, nil, wanted,
			[]warning{{policy.FaceInBlocklist, face.ErrorLevel, "session-1"}}},

		{"two faces", settingsWith(), 2, nil, nobody, []warning{{policy.MultipleFacesDetected, face.Warning, ""}}},
		{"two faces, lowered", settingsWith(several(face.Information)), 2, nil, nobody, []warning{{policy.MultipleFacesDetected, face.Information, ""}}},
		{"two faces, raised", settingsWith(several(face.ErrorLevel)), 2, nil, nobody, []warning{{policy.MultipleFacesDetected, face.ErrorLevel, ""}}},
		{"two faces, allowed", settingsWith(allowed), 2, nil, nobody, []warning{{policy.MultipleFacesDetected, face.Information, ""}}},
		{"two faces, allowed and raised", settingsWith(allowed, several(face.ErrorLevel)), 2, nil, nobody,
			[]warning{{policy.MultipleFacesDetected, face.Information, ""}}},
		{"one face, allowed", settingsWith(allowed), 1, nil, nobody, nil},

		{"low quality", settingsWith(), 1, blurred, nobody, []warning{{policy.LowQualitySearchImage, face.Information, "blurred (8.1, limit 12)"}}},
		{"low quality, two reasons", settingsWith(), 1, append(blurred, face.Flaw{Reason: face.TooDark, Value: 20, Limit: 25}), nobody,
			[]warning{{policy.LowQualitySearchImage, face.Information, "blurred (8.1, limit 12), too_dark (20, limit 25)"}}},
		{"low quality, raised once", settingsWith(quality(face.Warning)), 1, blurred, nobody,
			[]warning{{policy.LowQualitySearchImage, face.Warning, "blurred (8.1, limit 12)"}}},
		{"low quality, raised twice", settingsWith(quality(face.ErrorLevel)), 1, blurred, nobody,
			[]warning{{policy.LowQualitySearchImage, face.ErrorLevel, "blurred (8.1, limit 12)"}}},

		{"approximate", settingsWith(), 1, nil, face.Candidates{}, []warning{{policy.ApproximateSearch, face.Information, ""}}},
		{"all at once", settingsWith(), 3, blurred, face.Candidates{Total: 1, Blocklisted: wanted.Blocklisted}, []warning{
			{policy.FaceInBlocklist, face.ErrorLevel, "session-1"},
			{policy.MultipleFacesDetected, face.Warning, ""},
			{policy.LowQualitySearchImage, face.Information, "blurred (8.1, limit 12)"},
			{policy.ApproximateSearch, face.Information, ""},
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			decision := decide(row.settings, policy.Evidence{
				Faces: make([]face.Face, row.faces), Flaws: row.flaws, Candidates: row.found,
			})
			var got []warning
			for _, w := range decision.Warnings {
				got = append(got, warning{w.Risk, w.Severity, w.Data})
				requireSentences(t, w.Short)
				requireSentences(t, w.Long)
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %v, want %v", got, row.want)
			}
			if decision.Warnings == nil || decision.Matches == nil {
				t.Error("a list is nil, which JSON spells null")
			}
		})
	}
}

func requireSentences(t *testing.T, text string) {
	t.Helper()
	first, _ := utf8.DecodeRuneInString(text)
	if !strings.HasSuffix(text, ".") || !(unicode.IsUpper(first) || unicode.IsDigit(first)) {
		t.Errorf("%q is not in whole sentences", text)
	}
}

// TestMultipleFacesCount wants the number of faces in the words, as the searched one is a guess.
func TestMultipleFacesCount(t *testing.T) {
	decision := decide(settingsWith(), policy.Evidence{Faces: make([]face.Face, 17), Candidates: nobody})
	if long := decision.Warnings[0].Long; !strings.Contains(long, "17 faces") {
		t.Errorf("%q does not say how many", long)
	}
}

func TestMatches(t *testing.T) {
	found := candidates(candidate(5, 0), candidate(2, 0.30), candidate(8, 0.30), candidate(1, 0.40), candidate(3, 0.49))
	t.Run("OK", func(t *testing.T) {
		decision := decide(settingsWith(), evidence(found))
		var got []string
		for _, match := range decision.Matches {
			got = append(got, fmt.Sprintf("%d %.1f", match.Session.Number, match.Similarity))
		}
		want := []string{"5 100.0", "2 97.2", "8 97.2", "1 90.0", "3 72.8"}
		if decision.Total != 5 || !reflect.DeepEqual(got, want) {
			t.Errorf("%d in all, %v, want %v", decision.Total, got, want)
		}
	})
	t.Run("OK MaxMatches lists fewer and counts all", func(t *testing.T) {
		for most := 1; most <= 7; most++ {
			found.Total = 1234
			decision := decide(settingsWith(matchesMax(most)), evidence(found))
			if decision.Total != 1234 || len(decision.Matches) != min(most, 5) || decision.Matches[0].Session.Number != 5 {
				t.Errorf("MaxMatches %d: %+v", most, decision)
			}
		}
	})
	t.Run("OK the session comes through whole", func(t *testing.T) {
		one := blocked(candidate(3, 0.2))
		one.Session.VendorData, one.Session.Details.Name = "user-3", "A Name"
		if got := decide(settingsWith(), evidence(candidates(one))).Matches[0].Session; got != one.Session {
			t.Errorf("got %+v, want %+v", got, one.Session)
		}
	})
	t.Run("OK no face has no matches", func(t *testing.T) {
		decision := decide(settingsWith(), policy.Evidence{Candidates: mate})
		if decision.Total != 0 || len(decision.Matches) != 0 || decision.Status != face.Declined {
			t.Errorf("%+v", decision)
		}
	})
}

func TestMaskDocumentNumber(t *testing.T) {
	for number, want := range map[string]string{
		"":              "",
		"1":             "***",
		"123":           "***",
		"1234":          "***",
		"12345":         "***345",
		"X-000-123456":  "***456",
		"äöüß":          "***",
		"äöüßé":         "***üßé",
		"身份证号码123":      "***123",
		"١٢٣٤٥٦":        "***٤٥٦",
		"12345\xff":     "***45\ufffd",
		"     ":         "***   ",
		"\U0001F600abc": "***",
	} {
		t.Run(number, func(t *testing.T) {
			if got := policy.MaskDocumentNumber(number); got != want {
				t.Errorf("%q became %q, want %q", number, got, want)
			}
		})
	}
}
