package face_test

import (
	"math"
	"testing"

	"facesearch/pkg/face"
)

func TestCreditsAfter(t *testing.T) {
	for _, row := range []struct {
		credits, added, want int64
		code                 face.Code
	}{
		{0, 0, 0, ""},
		{0, 5, 5, ""},
		{5, -5, 0, ""},
		{0, face.CreditsLimit, face.CreditsLimit, ""},
		{face.CreditsLimit, -face.CreditsLimit, 0, ""},
		{0, -1, 0, face.CodeInsufficientCredits},
		{5, -6, 5, face.CodeInsufficientCredits},
		{5, math.MinInt64, 5, face.CodeInsufficientCredits},
		{1, face.CreditsLimit, 1, face.CodeInvalid},
		{face.CreditsLimit, 1, face.CreditsLimit, face.CodeInvalid},
		{5, math.MaxInt64, 5, face.CodeInvalid},
	} {
		got, err := face.CreditsAfter(row.credits, row.added)
		if got != row.want || face.CodeOf(err) != row.code || (err != nil) != (row.code != "") {
			t.Errorf("%d and %d: %d, %v", row.credits, row.added, got, err)
		}
	}
}
