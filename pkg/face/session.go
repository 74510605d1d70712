package face

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// A Status is what a session, or a search, was decided to be.
type Status string

// The statuses, spelled as clients see them.
const (
	Approved Status = "Approved"
	InReview Status = "In Review"
	Declined Status = "Declined"
)

// Valid reports whether s is one of the three statuses.
func (s Status) Valid() bool { return s == Approved || s == InReview || s == Declined }

// Details is what the caller's own verification knows of a person.
type Details struct {
	Name           string `json:"name"`
	DocumentType   string `json:"document_type"`
	DocumentNumber string `json:"document_number"`
}

// A Session is one verified person, or one picture of a person: a row of the gallery.
type Session struct {
	ID          string    `json:"id"`     // a UUID, chosen by the caller or by the server
	Number      uint64    `json:"number"` // from 1, in order of enrolment, within one application
	Status      Status    `json:"status"`
	Blocklisted bool      `json:"blocklisted"`
	VendorData  string    `json:"vendor_data"` // empty when the caller gave none
	Details     Details   `json:"details"`
	Comment     string    `json:"comment,omitempty"` // of whoever decided the status last
	VerifiedAt  time.Time `json:"verified_at"`
	CreatedAt   time.Time `json:"created_at"`
	// PictureID names the kept picture; empty where none is kept.
	PictureID string `json:"picture_id"`
	// Fingerprint stands for the content of the enrolment, so that sending it again is told
	// from sending something else under the same ID.
	Fingerprint string `json:"fingerprint"`
}

// InGallery reports whether searches compare with this session: every approved one, and
// every blocklisted one whatever its status.
func (s *Session) InGallery() bool { return s.Status == Approved || s.Blocklisted }

// A SessionFilter says which sessions to list; zero values let everything pass.
type SessionFilter struct {
	Status      Status
	VendorData  string
	Blocklisted *bool
	// Number is that of the one session wanted; 0 lets every number pass.
	Number uint64
	// Name is a part of the name in Details, in small letters or capitals. A store may have to
	// open every session to look at it.
	Name string
	// Offset sessions are left out first; at most Limit are listed.
	Offset, Limit int
}

// Fits reports whether a session passes the parts of the filter that a store may not know without
// opening it: number, vendor_data and name.
func (f SessionFilter) Fits(session *Session) bool {
	return (f.Number == 0 || f.Number == session.Number) && (f.VendorData == "" || f.VendorData == session.VendorData) &&
		(f.Name == "" || strings.Contains(strings.ToLower(session.Details.Name), strings.ToLower(f.Name)))
}

// A Picture is an encoded image as it is kept.
type Picture struct {
	ContentType string
	Data        []byte
}

// An Enrolment is what Enrol stores: a session without its number, its template, and the
// picture that is kept of it (Data is empty when none is).
type Enrolment struct {
	Session  Session
	Template Template
	Picture  Picture
}

// A Candidate is a session of the gallery near the probe.
type Candidate struct {
	Session  Session
	Distance float64
}

// Candidates is the candidate list of one search: nearest first, ties by session number.
type Candidates struct {
	List []Candidate
	// Total counts all sessions within the distance asked for, listed or not.
	Total int
	// Blocklisted lists the candidates on the blocklist, nearest first, whether or not they
	// are near enough to be in List. It is always exact.
	Blocklisted []Candidate
	// Exact is false when the index that answered may miss neighbours.
	Exact bool
}

// A SavedSearch is a search kept for review. It is never itself part of the gallery.
type SavedSearch struct {
	ID         string    `json:"id"` // the request_id
	CreatedAt  time.Time `json:"created_at"`
	VendorData string    `json:"vendor_data"`
	Status     Status    `json:"status"`
	// Result is the answer as it was given, without addresses of pictures, which expire.
	Result    json.RawMessage `json:"result"`
	PictureID string          `json:"picture_id"`
	// Template is empty when no face was found.
	Template Template `json:"template,omitempty"`
	// Model is the ID of what made the template; empty stands for DefaultModel.
	Model string `json:"model,omitempty"`
	// Reviews are the decisions of people since, oldest first; Status is that of the last.
	Reviews []Review `json:"reviews,omitempty"`
}

// A Review is a person's decision on a saved search.
type Review struct {
	Status  Status    `json:"status"`
	Before  Status    `json:"before"` // the status until then
	Comment string    `json:"comment"`
	By      Actor     `json:"by"`
	At      time.Time `json:"at"`
}

// Reviewed is the search after a review.
func (s SavedSearch) Reviewed(review Review) SavedSearch {
	review.Before, s.Status = s.Status, review.Status
	s.Reviews = append(slices.Clone(s.Reviews), review)
	return s
}

// A SearchFilter says which saved searches to list; zero values let everything pass.
type SearchFilter struct {
	Status     Status
	VendorData string
	// From is the first time that passes, To the first that no longer does.
	From, To time.Time
	// Offset searches are left out first; at most Limit are listed.
	Offset, Limit int
	OldestFirst   bool
}

// MediaLife is how long the address of a picture is valid.
const MediaLife = time.Hour

// A MediaSecret is what addresses of pictures were signed with since some time.
type MediaSecret struct {
	Secret []byte    `json:"secret"`
	Since  time.Time `json:"since"`
}

// Secrets are a store's own.
type Secrets struct {
	// Accounts hides e-mail addresses, and Receipt is the seed of the key that signs receipts; each
	// is 32 random bytes.
	Accounts []byte        `json:"accounts"`
	Receipt  []byte        `json:"receipt"`
	Media    []MediaSecret `json:"media"` // newest first, one at least
}

// An Application is one tenant: nothing of it is visible through another's key.
type Application struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// A Key lets its holder act for one application. The secret itself is never stored: Digest
// is the SHA-256 of it, which is enough, because a key is 256 random bits and not a password.
type Key struct {
	ID          string    `json:"id"` // short, to name the key by; not secret
	Application string    `json:"application"`
	Name        string    `json:"name"`
	Scope       Scope     `json:"scope"`
	Digest      [32]byte  `json:"digest"`
	CreatedAt   time.Time `json:"created_at"`
	// ExpiresAt is when the key ends by itself; zero: never.
	ExpiresAt time.Time `json:"expires_at"`
	// LastUsedAt is kept in batches: a use is in it after a minute, and zero stands for none.
	LastUsedAt time.Time `json:"last_used_at"`
	// RevokedAt is zero while the key was not revoked.
	RevokedAt time.Time `json:"revoked_at"`
}

// Ended reports whether the key is revoked or has expired by a time.
func (k *Key) Ended(now time.Time) bool {
	return !k.RevokedAt.IsZero() || !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// KeepPicture says what is kept of an enrolled or searched picture.
type KeepPicture string

// What can be kept of a picture.
const (
	KeepFace     KeepPicture = "face"     // the face with some room around it
	KeepOriginal KeepPicture = "original" // the bytes as they were sent
	KeepNothing  KeepPicture = "nothing"
)

// A Severity is what a warning does to the status: error declines, warning asks for a
// review, information has no effect.
type Severity string

// The severities, spelled as clients see them in log_type.
const (
	Information Severity = "information"
	Warning     Severity = "warning"
	ErrorLevel  Severity = "error"
)

// A MatchRule says what makes a session a match.
type MatchRule string

// The rules.
const (
	// BySimilarity: the similarity reaches the threshold.
	BySimilarity MatchRule = "similarity"
	// ByExpectedFalseMatches: so few strangers are expected to be as near in this gallery.
	ByExpectedFalseMatches MatchRule = "expected_false_matches"
)

// Settings is what one application may choose. DefaultSettings has the defaults.
type Settings struct {
	// SimilarityThreshold is the similarity in percent from which a session is a match;
	// 0 stands for "auto": the threshold follows from the number of people enrolled and
	// from ExpectedFalseMatches.
	SimilarityThreshold float64 `json:"similarity_threshold"`
	// ExpectedFalseMatches is how many strangers a search may return on average when the
	// threshold is "auto", or when MatchRule is ByExpectedFalseMatches.
	ExpectedFalseMatches float64 `json:"expected_false_matches"`
	// MatchRule is what makes a session a match; empty, as stored before there was a choice, is
	// BySimilarity.
	MatchRule MatchRule `json:"match_rule"`
	// ShowExpectedFalseMatches gives each match its expected_false_matches under the rule
	// BySimilarity, too.
	ShowExpectedFalseMatches bool `json:"show_expected_false_matches"`
	// MatchAction is the status of a search that has matches, none of them blocklisted.
	MatchAction Status `json:"match_action"`
	// AllowMultipleFaces lowers MULTIPLE_FACES_DETECTED to information.
	AllowMultipleFaces bool `json:"allow_multiple_faces"`
	// MultipleFacesSeverity and LowQualitySeverity are the severities of those warnings.
	MultipleFacesSeverity Severity `json:"multiple_faces_severity"`
	LowQualitySeverity    Severity `json:"low_quality_severity"`
	// EnrolQuality is what becomes of an enrolment whose face is hard to compare.
	EnrolQuality EnrolQuality `json:"enrol_quality"`
	// MaxMatches bounds the matches that are listed, not those that are counted.
	MaxMatches int `json:"max_matches"`
	// KeepPicture is what is kept of enrolled and of saved searched pictures.
	KeepPicture KeepPicture `json:"keep_picture"`
	// SearchesDays and SessionsDays are how long saved searches and sessions are kept before
	// they are erased; 0 stands for good.
	SearchesDays int `json:"searches_days"`
	SessionsDays int `json:"sessions_days"`
	// RequestsPerMinute bounds the requests of each key; 0 stands for any number.
	RequestsPerMinute int `json:"requests_per_minute"`
	// CreditsMetered lets each answered search or comparison cost a credit, and refuses them
	// when there is none left.
	CreditsMetered bool `json:"credits_metered"`
}

// The largest values that may be set.
const (
	MaxMatchesLimit        = 100
	DaysLimit              = 36_500 // a hundred years
	RequestsPerMinuteLimit = 1_000_000
	// RuleExpectedLimit bounds ExpectedFalseMatches under the rule ByExpectedFalseMatches.
	RuleExpectedLimit = 1
)

// DefaultSettings are those of a new application.
func DefaultSettings() Settings {
	return Settings{
		ExpectedFalseMatches:  0.1,
		MatchRule:             BySimilarity,
		MatchAction:           InReview,
		MultipleFacesSeverity: Warning,
		LowQualitySeverity:    Information,
		EnrolQuality:          EnrolWarn,
		MaxMatches:            5,
		KeepPicture:           KeepFace,
	}
}

// Validate refuses settings outside their ranges.
func (s Settings) Validate() error {
	severity := func(v Severity) bool { return v == Information || v == Warning || v == ErrorLevel }
	switch {
	case s.SimilarityThreshold != 0 && !(s.SimilarityThreshold >= 1 && s.SimilarityThreshold <= 100 && oneDecimal(s.SimilarityThreshold)):
		return Invalid("similarity_threshold is a number from 1 to 100 with at most one decimal, or \"auto\".")
	case !(s.ExpectedFalseMatches >= 1e-6 && s.ExpectedFalseMatches <= 100):
		return Invalid("expected_false_matches is a number from 0.000001 to 100.")
	case s.MatchRule != "" && s.MatchRule != BySimilarity && s.MatchRule != ByExpectedFalseMatches:
		return Invalid("match_rule is similarity or expected_false_matches.")
	case s.MatchRule == ByExpectedFalseMatches && s.ExpectedFalseMatches > RuleExpectedLimit:
		return Invalid("With match_rule expected_false_matches, expected_false_matches is at most %d.", RuleExpectedLimit)
	case !s.MatchAction.Valid():
		return Invalid("match_action is Approved, In Review or Declined.")
	case !severity(s.MultipleFacesSeverity) || !severity(s.LowQualitySeverity):
		return Invalid("A severity is information, warning or error.")
	case !s.EnrolQuality.Valid():
		return Invalid("enrol_quality is refuse, warn or accept.")
	case s.MaxMatches < 1 || s.MaxMatches > MaxMatchesLimit:
		return Invalid("max_matches is a whole number from 1 to %d.", MaxMatchesLimit)
	case s.KeepPicture != KeepFace && s.KeepPicture != KeepOriginal && s.KeepPicture != KeepNothing:
		return Invalid("keep_picture is face, original or nothing.")
	case s.SearchesDays < 0 || s.SearchesDays > DaysLimit || s.SessionsDays < 0 || s.SessionsDays > DaysLimit:
		return Invalid("searches_days and sessions_days are whole numbers from 0 to %d.", DaysLimit)
	case s.RequestsPerMinute < 0 || s.RequestsPerMinute > RequestsPerMinuteLimit:
		return Invalid("requests_per_minute is a whole number from 0 to %d.", RequestsPerMinuteLimit)
	}
	return nil
}

// oneDecimal reports whether v has at most one decimal, as similarities are shown: a threshold
// of 89.97 would let a match pass that shows 89.9, or refuse one that shows the same.
func oneDecimal(v float64) bool { return v == math.Round(v*10)/10 }
