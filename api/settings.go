package api

import (
	"encoding/json"
	"math"
	"net/http"

	"facesearch/pkg/face"
)

// A setting is one of face.Settings as clients see it.
type setting struct {
	name, description string
	// words say the range in a refusal: "max_matches is …".
	words  string
	bounds wireRange
	get    func(face.Settings) any
	// set changes nothing but reads the value, whose range is checked afterwards.
	set func(*face.Settings, json.RawMessage) error
}

// autoThreshold is what similarity_threshold is when the server chooses it.
const autoThreshold = "auto"

var severities = []any{face.Information, face.Warning, face.ErrorLevel}

var settingsTable = []setting{
	{
		name: "similarity_threshold", words: "a number from 1 to 100 with at most one decimal, or \"auto\"",
		description: "The similarity in percent from which a session is a match, or \"auto\", which lets it follow from how many people are enrolled and from expected_false_matches.",
		bounds:      wireRange{Minimum: new(float64(1)), Maximum: new(float64(100)), OneOf: []any{autoThreshold}},
		get: func(s face.Settings) any {
			if s.SimilarityThreshold == 0 {
				return autoThreshold
			}
			return s.SimilarityThreshold
		},
		set: setThreshold,
	},
	{
		name: "expected_false_matches", words: "a number from 0.000001 to 100, and at most 1 while match_rule is expected_false_matches",
		description: "How many strangers a search may return on average while similarity_threshold is \"auto\" or match_rule is expected_false_matches; for the latter at most 1.",
		bounds:      wireRange{Minimum: new(float64(1e-6)), Maximum: new(float64(100))},
		get:         func(s face.Settings) any { return s.ExpectedFalseMatches },
		set:         func(s *face.Settings, v json.RawMessage) error { return json.Unmarshal(v, &s.ExpectedFalseMatches) },
	},
	{
		name: "match_rule", words: "similarity or expected_false_matches, and the latter only while expected_false_matches is at most 1",
		description: "What makes a session a match: a similarity that reaches the threshold, or that so few strangers are expected to be as near to this picture in this gallery, whatever the similarity.",
		bounds:      wireRange{OneOf: []any{face.BySimilarity, face.ByExpectedFalseMatches}},
		get: func(s face.Settings) any {
			if s.MatchRule == "" {
				return face.BySimilarity
			}
			return s.MatchRule
		},
		set: setMatchRule,
	},
	{
		name: "show_expected_false_matches", words: "true or false",
		description: "Whether each match says how many strangers are expected to be as near, in expected_false_matches. While match_rule is expected_false_matches, each does.",
		bounds:      wireRange{OneOf: []any{true, false}},
		get:         func(s face.Settings) any { return s.ShowExpectedFalseMatches },
		set:         func(s *face.Settings, v json.RawMessage) error { return json.Unmarshal(v, &s.ShowExpectedFalseMatches) },
	},
	{
		name: "match_action", words: "Approved, In Review or Declined",
		description: "The status of a search that has matches, none of them on the blocklist.",
		bounds:      wireRange{OneOf: []any{face.Approved, face.InReview, face.Declined}},
		get:         func(s face.Settings) any { return s.MatchAction },
		set:         func(s *face.Settings, v json.RawMessage) error { return json.Unmarshal(v, &s.MatchAction) },
	},
	{
		name: "allow_multiple_faces", words: "true or false",
		description: "Whether a search image may show several faces, which lowers MULTIPLE_FACES_DETECTED to information.",
		bounds:      wireRange{OneOf: []any{true, false}},
		get:         func(s face.Settings) any { return s.AllowMultipleFaces },
		set:         func(s *face.Settings, v json.RawMessage) error { return json.Unmarshal(v, &s.AllowMultipleFaces) },
	},
	{
		name: "multiple_faces_severity", words: "information, warning or error",
		description: "The severity of MULTIPLE_FACES_DETECTED: error declines the search, warning asks for a review, information has no effect.",
		bounds:      wireRange{OneOf: severities},
		get:         func(s face.Settings) any { return s.MultipleFacesSeverity },
		set:         func(s *face.Settings, v json.RawMessage) error { return json.Unmarshal(v, &s.MultipleFacesSeverity) },
	},
	{
		name: "low_quality_severity", words: "information, warning or error",
		description: "The severity of LOW_QUALITY_SEARCH_IMAGE: error declines the search, warning asks for a review, information has no effect.",
		bounds:      wireRange{OneOf: severities},
		get:         func(s face.Settings) any { return s.LowQualitySeverity },
		set:         func(s *face.Settings, v json.RawMessage) error { return json.Unmarshal(v, &s.LowQualitySeverity) },
	},
	{
		name: "max_matches", words: "a whole number from 1 to 100",
		description: "How many matches a search lists at most; total_matches counts all of them.",
		bounds:      wireRange{Minimum: new(float64(1)), Maximum: new(float64(face.MaxMatchesLimit)), Whole: true},
		get:         func(s face.Settings) any { return s.MaxMatches },
		set:         whole(func(s *face.Settings) *int { return &s.MaxMatches }),
	},
	{
		name: "keep_picture", words: "face, original or nothing",
		description: "What is kept of enrolled and of saved searched pictures: the face with some room around it, the file as it was sent, or nothing.",
		bounds:      wireRange{OneOf: []any{face.KeepFace, face.KeepOriginal, face.KeepNothing}},
		get:         func(s face.Settings) any { return s.KeepPicture },
		set:         func(s *face.Settings, v json.RawMessage) error { return json.Unmarshal(v, &s.KeepPicture) },
	},
	{
		name: "searches_days", words: "a whole number from 0 to 36500",
		description: "After how many days a saved search is erased, with its picture; 0 keeps it for good.",
		bounds:      wireRange{Minimum: new(float64(0)), Maximum: new(float64(face.DaysLimit)), Whole: true},
		get:         func(s face.Settings) any { return s.SearchesDays },
		set:         whole(func(s *face.Settings) *int { return &s.SearchesDays }),
	},
	{
		name: "sessions_days", words: "a whole number from 0 to 36500",
		description: "After how many days a session is erased, with its template and picture, whether on the blocklist or not; 0 keeps it for good.",
		bounds:      wireRange{Minimum: new(float64(0)), Maximum: new(float64(face.DaysLimit)), Whole: true},
		get:         func(s face.Settings) any { return s.SessionsDays },
		set:         whole(func(s *face.Settings) *int { return &s.SessionsDays }),
	},
	{
		name: "requests_per_minute", words: "a whole number from 0 to 1000000",
		description: "How many requests a minute each key may send; more are answered 429. 0 sets no limit.",
		bounds:      wireRange{Minimum: new(float64(0)), Maximum: new(float64(face.RequestsPerMinuteLimit)), Whole: true},
		get:         func(s face.Settings) any { return s.RequestsPerMinute },
		set:         whole(func(s *face.Settings) *int { return &s.RequestsPerMinute }),
	},
	{
		name: "credits_metered", words: "true or false",
		description: "Whether each answered search or comparison costs a credit; without credits it is then refused.",
		bounds:      wireRange{OneOf: []any{true, false}},
		get:         func(s face.Settings) any { return s.CreditsMetered },
		set:         func(s *face.Settings, v json.RawMessage) error { return json.Unmarshal(v, &s.CreditsMetered) },
	},
}

func setThreshold(settings *face.Settings, value json.RawMessage) error {
	if string(value) == `"`+autoThreshold+`"` {
		settings.SimilarityThreshold = 0
		return nil
	}
	if err := json.Unmarshal(value, &settings.SimilarityThreshold); err != nil {
		return err
	}
	if settings.SimilarityThreshold == 0 { // which stands for auto in the store alone
		return face.Invalid("0 is no threshold.")
	}
	return nil
}

func setMatchRule(settings *face.Settings, value json.RawMessage) error {
	if err := json.Unmarshal(value, &settings.MatchRule); err != nil {
		return err
	}
	if settings.MatchRule == "" { // which stands for similarity in the store alone
		return face.Invalid("An empty match_rule is none.")
	}
	return nil
}

// whole sets a whole number. It takes 5.0 for 5, as JSON Schema does, and as clients write it
// whose numbers all have a fraction.
func whole(field func(*face.Settings) *int) func(*face.Settings, json.RawMessage) error {
	return func(settings *face.Settings, value json.RawMessage) error {
		var number float64
		if err := json.Unmarshal(value, &number); err != nil {
			return err
		}
		// Bounded first: what becomes of a float beyond an int's range depends on the processor.
		if number != math.Trunc(number) || math.Abs(number) > math.MaxInt32 {
			return face.Invalid("%v is no whole number.", number)
		}
		*field(settings) = int(number)
		return nil
	}
}

// settings answers GET /v3/settings/.
func (s *Server) settings(w http.ResponseWriter, r *http.Request) {
	settings, err := s.ready.Load().gallery.Settings(r.Context(), application(r.Context()))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.showSettings(w, r, settings)
}

// changeSettings answers PATCH /v3/settings/: what it names changes, all of it or nothing.
func (s *Server) changeSettings(w http.ResponseWriter, r *http.Request) {
	names := make([]string, len(settingsTable))
	for i, each := range settingsTable {
		names[i] = each.name
	}
	body, err := readJSON(r, names...)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	settings, err := s.ready.Load().service.ChangeSettings(r.Context(), application(r.Context()), body.change)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.showSettings(w, r, settings)
}

// change changes the settings that the body names, all of them before their ranges are looked
// at, as one may allow what another asks for.
func (b jsonBody) change(settings *face.Settings) error {
	changed := *settings
	for _, each := range settingsTable {
		if value, named := b[each.name]; named && (isNull(value) || each.set(&changed, value) != nil) {
			return face.Invalid("%s is %s.", each.name, each.words)
		}
	}
	err := changed.Validate()
	if err == nil {
		*settings = changed
		return nil
	}
	for _, each := range settingsTable { // the first that is refused alone is the one to name
		alone := *settings
		if value, named := b[each.name]; named && (each.set(&alone, value) != nil || alone.Validate() != nil) {
			return face.Invalid("%s is %s.", each.name, each.words)
		}
	}
	return err
}

func (s *Server) showSettings(w http.ResponseWriter, r *http.Request, settings face.Settings) {
	threshold, err := s.ready.Load().service.Threshold(r.Context(), application(r.Context()), settings)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	response := settingsResponse{
		Settings:  map[string]wireSetting{},
		Threshold: wireThreshold{SimilarityPercentage: threshold.Similarity, Reason: threshold.Why},
	}
	for _, each := range settingsTable {
		response.Settings[each.name] = wireSetting{
			Value: each.get(settings), Default: each.get(face.DefaultSettings()), Range: each.bounds, Description: each.description,
		}
	}
	writeJSON(w, http.StatusOK, response)
}
