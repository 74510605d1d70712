package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/disintegration/imaging"

	"facesearch/pkg/facetest"
)

// matched is what the tests read of a comparison.
type matched struct {
	RequestID string `json:"request_id"`
	FaceMatch struct {
		Status    string   `json:"status"`
		Score     *float64 `json:"score"`
		UserImage struct {
			Entities  []any `json:"entities"`
			BestAngle int   `json:"best_angle"`
		} `json:"user_image"`
		RefImage struct {
			Entities  []any `json:"entities"`
			BestAngle int   `json:"best_angle"`
		} `json:"ref_image"`
		Warnings []struct {
			Risk           string  `json:"risk"`
			LogType        string  `json:"log_type"`
			AdditionalData *string `json:"additional_data"`
		} `json:"warnings"`
	} `json:"face_match"`
	raw []byte
}

// warnings are the risks with their log_types and data.
func (m matched) warnings() string {
	var words []string
	for _, each := range m.FaceMatch.Warnings {
		data := ""
		if each.AdditionalData != nil {
			data = *each.AdditionalData
		}
		words = append(words, strings.Trim(each.Risk+" "+each.LogType+" "+data, " "))
	}
	return strings.Join(words, ", ")
}

func (a *tenant) match(t *testing.T, user, reference []byte, fields ...part) (result matched) {
	t.Helper()
	contentType, body := form(append([]part{file("user_image", user), file("ref_image", reference)}, fields...)...)
	got := a.send(t, http.MethodPost, "/v3/face-match/", contentType, body)
	got.decode(t, 200, &result)
	result.raw = got.body
	return result
}

func threshold(value string) part { return text("face_match_score_decline_threshold", value) }

func TestFaceMatch(t *testing.T) {
	a := newTenant(t)
	same := a.same(t)
	obama, another, biden := portrait(t, "obama.jpg"), portrait(t, "obama2.jpg"), portrait(t, "biden.jpg")
	t.Run("Approved", func(t *testing.T) {
		got := a.match(t, obama, another)
		golden(t, "match-approved.json", got.raw)
		if got.FaceMatch.Status != "Approved" || *got.FaceMatch.Score < 90 {
			t.Errorf("%s", got.raw)
		}
		// Whichever way around.
		if turned := a.match(t, another, obama); *turned.FaceMatch.Score != *got.FaceMatch.Score || turned.RequestID == got.RequestID {
			t.Errorf("%s", turned.raw)
		}
		// The same score as a search of the one for the other.
		other := newTenant(t)
		other.enrol(t, obama)
		if found := other.search(t, another); found.FaceSearch.Matches[0].SimilarityPercentage != *got.FaceMatch.Score {
			t.Errorf("a search says %s", found.raw)
		}
	})
	t.Run("SamePicture", func(t *testing.T) {
		if got := a.match(t, obama, obama, threshold("100")); *got.FaceMatch.Score != 100 || got.FaceMatch.Status != "Approved" || got.warnings() != "" {
			t.Errorf("%s", got.raw)
		}
	})
	t.Run("Declined", func(t *testing.T) {
		got := a.match(t, obama, biden)
		golden(t, "match-declined.json", got.raw)
		if got.FaceMatch.Status != "Declined" || *got.FaceMatch.Score >= 30 || got.warnings() != "LOW_FACE_MATCH_SIMILARITY error" {
			t.Errorf("%s", got.raw)
		}
	})
	t.Run("InReview", func(t *testing.T) {
		if got := a.match(t, obama, biden, threshold("0")); got.FaceMatch.Status != "In Review" || got.warnings() != "LOW_FACE_MATCH_SIMILARITY warning" {
			t.Errorf("%s", got.raw)
		}
	})
	t.Run("HighThreshold", func(t *testing.T) {
		if got := a.match(t, obama, another, threshold("99.95")); got.FaceMatch.Status != "Declined" || got.warnings() != "LOW_FACE_MATCH_SIMILARITY error" {
			t.Errorf("%s", got.raw)
		}
	})
	t.Run("NoFace", func(t *testing.T) {
		nobody := facetest.JPEG(t, plain(64, 64))
		got := a.match(t, obama, nobody)
		golden(t, "match-no-face.json", got.raw)
		if got.FaceMatch.Score != nil || got.FaceMatch.Status != "Declined" || got.warnings() != "NO_FACE_DETECTED error ref_image" {
			t.Errorf("%s", got.raw)
		}
		if got := a.match(t, nobody, nobody, threshold("0")); got.FaceMatch.Score != nil || got.FaceMatch.Status != "Declined" ||
			got.warnings() != "NO_FACE_DETECTED error user_image, NO_FACE_DETECTED error ref_image" {
			t.Errorf("%s", got.raw)
		}
	})
	t.Run("Several", func(t *testing.T) {
		both := facetest.JPEG(t, facetest.Beside(facetest.Image(t, "obama.jpg", 600), facetest.Image(t, "biden.jpg", 600)))
		got := a.match(t, another, both)
		if got.FaceMatch.Status != "Approved" || got.warnings() != "MULTIPLE_FACES_DETECTED information ref_image" || len(got.FaceMatch.RefImage.Entities) != 2 {
			t.Errorf("%s", got.raw)
		}
	})
	t.Run("Rotated", func(t *testing.T) {
		lying := facetest.JPEG(t, imaging.Rotate90(facetest.Image(t, "obama.jpg", 500)))
		got := a.match(t, lying, another, text("rotate_image", "true"))
		if got.FaceMatch.Status != "Approved" || got.FaceMatch.UserImage.BestAngle != 90 || got.FaceMatch.RefImage.BestAngle != 0 {
			t.Errorf("%s", got.raw)
		}
	})
	same()
}

func TestFaceMatchRefused(t *testing.T) {
	a := newTenant(t)
	same := a.same(t)
	obama, biden := portrait(t, "obama.jpg"), portrait(t, "biden.jpg")
	user, reference := file("user_image", obama), file("ref_image", biden)
	for _, each := range []struct {
		words string
		parts []part
	}{
		{"user_image is missing", []part{reference}}, {"ref_image is missing", []part{user}},
		{"user_image is empty", []part{file("user_image", nil), reference}}, {"ref_image is empty", []part{user, file("ref_image", nil)}},
		{"user_image: ", []part{file("user_image", []byte("no picture")), reference}}, {"ref_image: ", []part{user, file("ref_image", obama[:len(obama)/2])}},
		{"ref_image is too large", []part{user, file("ref_image", padded(biden, 5*1024*1024+1))}},
		{"rotate_image is not a boolean", []part{user, reference, text("rotate_image", "maybe")}}, {"user_image twice", []part{user, user}},
		{"is a number from 0 to 100", []part{user, reference, threshold("-0.1")}}, {"is a number from 0 to 100", []part{user, reference, threshold("100.1")}},
		{"is a number from 0 to 100", []part{user, reference, threshold("NaN")}}, {"is a number from 0 to 100", []part{user, reference, threshold("inf")}},
		{"is a number from 0 to 100", []part{user, reference, threshold("")}}, {"is a number from 0 to 100", []part{user, reference, threshold("30%")}},
	} {
		a.post(t, "/v3/face-match/", each.parts...).refused(t, 400, "invalid_request", each.words)
	}
	same()
}
