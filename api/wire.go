package api

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
	"facesearch/pkg/search"
)

// The wire types, field by field as the API's clients expect them.

type searchResponse struct {
	RequestID  string     `json:"request_id"`
	FaceSearch faceSearch `json:"face_search"`
}

type faceSearch struct {
	Status       face.Status   `json:"status"`
	TotalMatches int           `json:"total_matches"`
	Matches      []wireMatch   `json:"matches"`
	UserImage    wireImage     `json:"user_image"`
	Warnings     []wireWarning `json:"warnings"`
	// People is ours, and there only when it was asked for.
	People []wireMatchedPerson `json:"people,omitzero"`
}

type wireMatchedPerson struct {
	VendorData               *string  `json:"vendor_data"`
	SessionIDs               []string `json:"session_ids"`
	BestSimilarityPercentage float64  `json:"best_similarity_percentage"`
}

type wireMatch struct {
	SessionID            string      `json:"session_id"`
	SessionNumber        uint64      `json:"session_number"`
	SimilarityPercentage float64     `json:"similarity_percentage"`
	VendorData           *string     `json:"vendor_data"`
	VerificationDate     string      `json:"verification_date"`
	UserDetails          wireDetails `json:"user_details"`
	MatchImageURL        *string     `json:"match_image_url"`
	Status               face.Status `json:"status"`
	IsBlocklisted        bool        `json:"is_blocklisted"`
	// Left out unless the settings ask for it, so that a match is what clients expect.
	ExpectedFalseMatches *float64 `json:"expected_false_matches,omitempty"`
}

type wireDetails struct {
	Name           string `json:"name"`
	DocumentType   string `json:"document_type"`
	DocumentNumber string `json:"document_number"`
}

type wireImage struct {
	Entities  []wireEntity `json:"entities"`
	BestAngle int          `json:"best_angle"`
}

type wireEntity struct {
	Age        *string      `json:"age"`
	BBox       [4]int       `json:"bbox"`
	Confidence float64      `json:"confidence"`
	Gender     *face.Gender `json:"gender"`
}

type wireWarning struct {
	Risk             policy.Risk   `json:"risk"`
	AdditionalData   *string       `json:"additional_data"`
	LogType          face.Severity `json:"log_type"`
	ShortDescription string        `json:"short_description"`
	LongDescription  string        `json:"long_description"`
}

type sessionResponse struct {
	SessionID        string      `json:"session_id"`
	SessionNumber    uint64      `json:"session_number"`
	Status           face.Status `json:"status"`
	VendorData       *string     `json:"vendor_data"`
	VerificationDate string      `json:"verification_date"`
	CreatedAt        string      `json:"created_at"`
	UserDetails      wireDetails `json:"user_details"`
	PortraitImageURL *string     `json:"portrait_image_url"`
	IsBlocklisted    bool        `json:"is_blocklisted"`
	Comment          *string     `json:"comment"`
}

// An enrolledResponse answers an enrolment: the session, and what its sender should know of
// the picture.
type enrolledResponse struct {
	sessionResponse
	Warnings []wireWarning `json:"warnings"`
}

type sessionsResponse struct {
	Count   int               `json:"count"` // all that pass the filter, listed or not
	Results []sessionResponse `json:"results"`
}

type usersDeleteResponse struct {
	SessionsDeleted int `json:"sessions_deleted"`
	SearchesDeleted int `json:"searches_deleted"`

	Receipt face.Receipt `json:"receipt"`
}

type settingsResponse struct {
	Settings  map[string]wireSetting `json:"settings"`
	Threshold wireThreshold          `json:"threshold_in_force"`
}

type wireSetting struct {
	Value       any       `json:"value"`
	Default     any       `json:"default"`
	Range       wireRange `json:"range"`
	Description string    `json:"description"`
}

// A wireRange is what a setting may be: a number between bounds, or one of some values.
type wireRange struct {
	Minimum *float64 `json:"minimum,omitempty"`
	Maximum *float64 `json:"maximum,omitempty"`
	Whole   bool     `json:"whole,omitempty"`
	OneOf   []any    `json:"one_of,omitempty"`
}

type wireThreshold struct {
	SimilarityPercentage float64 `json:"similarity_percentage"`
	Reason               string  `json:"reason"`
}

// The amounts are dollars with four decimals, as text. There is no automatic refill.
type balanceResponse struct {
	Balance             string  `json:"balance"`
	AutoRefillEnabled   bool    `json:"auto_refill_enabled"`
	AutoRefillAmount    *string `json:"auto_refill_amount"`
	AutoRefillThreshold *string `json:"auto_refill_threshold"`
	Credits             int64   `json:"credits"` // ours
}

type topUpResponse struct {
	CheckoutSessionID  string  `json:"checkout_session_id"`
	CheckoutSessionURL *string `json:"checkout_session_url"` // where to go on, as there is nothing to pay
	balanceResponse
}

type matchResponse struct {
	RequestID string    `json:"request_id"`
	FaceMatch faceMatch `json:"face_match"`
}

type faceMatch struct {
	Status    face.Status   `json:"status"`
	Score     *float64      `json:"score"`
	UserImage wireImage     `json:"user_image"`
	RefImage  wireImage     `json:"ref_image"`
	Warnings  []wireWarning `json:"warnings"`
}

func (s *Server) wireSearch(r *http.Request, result search.Result) searchResponse {
	outcome := result.Outcome
	response := searchResponse{RequestID: result.RequestID, FaceSearch: faceSearch{
		Status: outcome.Status, TotalMatches: outcome.Total, Matches: []wireMatch{},
		UserImage: wireImageOf(outcome.Faces, outcome.Angle), Warnings: wireWarningsOf(outcome.Warnings),
	}}
	for i, match := range outcome.Matches {
		session := result.Sessions[i]
		response.FaceSearch.Matches = append(response.FaceSearch.Matches, wireMatch{
			SessionID: session.ID, SessionNumber: session.Number, SimilarityPercentage: match.Similarity,
			VendorData: orNull(session.VendorData), VerificationDate: wireTime(session.VerifiedAt),
			UserDetails: wireDetailsOf(session.Details), MatchImageURL: s.pictureURL(r, session.PictureID),
			Status: session.Status, IsBlocklisted: session.Blocklisted,
			ExpectedFalseMatches: match.ExpectedFalseMatches,
		})
	}
	if result.People != nil {
		response.FaceSearch.People = wirePeopleOf(result.People)
	}
	return response
}

func wirePeopleOf(people []policy.Person) []wireMatchedPerson {
	list := []wireMatchedPerson{} // which omitzero does not leave out, as it is not nil
	for _, person := range people {
		list = append(list, wireMatchedPerson{orNull(person.VendorData), person.SessionIDs, person.Similarity})
	}
	return list
}

func wireMatchOf(result search.CompareResult) matchResponse {
	return matchResponse{RequestID: result.RequestID, FaceMatch: faceMatch{
		Status: result.Comparison.Status, Score: result.Comparison.Score,
		UserImage: wireImageOf(result.User.Faces, result.User.Angle),
		RefImage:  wireImageOf(result.Reference.Faces, result.Reference.Angle),
		Warnings:  wireWarningsOf(result.Comparison.Warnings),
	}}
}

func wireImageOf(faces []face.Face, angle int) wireImage {
	image := wireImage{Entities: []wireEntity{}, BestAngle: angle}
	for _, found := range faces {
		image.Entities = append(image.Entities, wireEntityOf(found))
	}
	return image
}

func wireWarningsOf(warnings []policy.Warning) []wireWarning {
	list := []wireWarning{}
	for _, warning := range warnings {
		list = append(list, wireWarning{
			Risk: warning.Risk, AdditionalData: orNull(warning.Data), LogType: warning.Severity,
			ShortDescription: warning.Short, LongDescription: warning.Long,
		})
	}
	return list
}

func wireEntityOf(found face.Face) wireEntity {
	entity := wireEntity{
		BBox:       [4]int{found.Box.Min.X, found.Box.Min.Y, found.Box.Max.X, found.Box.Max.Y},
		Confidence: math.Round(found.Confidence*1e4) / 1e4,
	}
	if found.Age != nil {
		age := strconv.FormatFloat(*found.Age, 'f', 1, 64)
		entity.Age = &age
	}
	if found.Gender != "" {
		entity.Gender = &found.Gender
	}
	return entity
}

func (s *Server) wireSession(r *http.Request, session face.Session) sessionResponse {
	return sessionResponse{
		SessionID: session.ID, SessionNumber: session.Number, Status: session.Status,
		VendorData: orNull(session.VendorData), VerificationDate: wireTime(session.VerifiedAt),
		CreatedAt: wireTime(session.CreatedAt), UserDetails: wireDetailsOf(session.Details),
		PortraitImageURL: s.pictureURL(r, session.PictureID), IsBlocklisted: session.Blocklisted,
		Comment: orNull(session.Comment),
	}
}

func wireDetailsOf(details face.Details) wireDetails {
	return wireDetails{details.Name, details.DocumentType, policy.MaskDocumentNumber(details.DocumentNumber)}
}

// pictureURL is null where no picture is kept.
func (s *Server) pictureURL(r *http.Request, picture string) *string {
	if picture == "" {
		return nil
	}
	address := s.base(r) + s.ready.Load().media.address(r.Context(), application(r.Context()), picture)
	return &address
}

func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z07:00") }

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// serverTiming tells how long each step took, in the header made for it (W3C Server Timing).
func serverTiming(timings search.Timings) string {
	var text []byte
	for _, step := range search.Steps {
		took, ok := timings[step]
		if !ok {
			continue
		}
		if len(text) > 0 {
			text = append(text, ", "...)
		}
		text = fmt.Appendf(text, "%s;dur=%.3f", step, took.Seconds()*1000)
	}
	return string(text)
}
