package policy_test

import (
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// at is a template that far from the zero one.
func at(distance float64) face.Template { return face.Template{float32(distance)} }

func TestCompare(t *testing.T) {
	of := func(similarity float64) float64 { return dlib.Distance(similarity) }
	for _, each := range []struct {
		name         string
		distance     float64
		declineBelow float64
		status       face.Status
		severity     face.Severity // of the one warning; empty when there is none
	}{
		{"OK same", 0, 100, face.Approved, ""},
		{"OK at 70", of(70.05), 30, face.Approved, ""},
		{"InReview under 70", of(69.95), 30, face.InReview, face.Warning},
		{"InReview at the threshold", of(30.05), 30, face.InReview, face.Warning},
		{"Declined under the threshold", of(29.95), 30, face.Declined, face.ErrorLevel},
		{"InReview threshold 0", 2, 0, face.InReview, face.Warning},
		{"Declined by a high threshold", of(79), 80, face.Declined, face.ErrorLevel},
		{"OK over a high threshold", of(81), 80, face.Approved, ""},
	} {
		t.Run(each.name, func(t *testing.T) {
			got := policy.Compare(dlib, each.declineBelow, policy.Side{Name: "a", Faces: 1, Template: at(0)},
				policy.Side{Name: "b", Faces: 1, Template: at(each.distance)})
			if got.Status != each.status || got.Score == nil {
				t.Errorf("%+v", got)
			}
			if each.severity == "" && len(got.Warnings) != 0 || each.severity != "" &&
				(len(got.Warnings) != 1 || got.Warnings[0].Risk != policy.LowFaceMatchSimilarity || got.Warnings[0].Severity != each.severity) {
				t.Errorf("%+v", got.Warnings)
			}
		})
	}
	t.Run("NoFace", func(t *testing.T) {
		for _, sides := range [][2]policy.Side{
			{{Name: "a"}, {Name: "b", Faces: 1, Template: at(0)}}, {{Name: "b", Faces: 1, Template: at(0)}, {Name: "a"}},
		} {
			got := policy.Compare(dlib, 0, sides[0], sides[1])
			if got.Status != face.Declined || got.Score != nil || len(got.Warnings) != 1 || got.Warnings[0].Data != "a" {
				t.Errorf("%+v", got)
			}
		}
	})
}

func TestExplain(t *testing.T) {
	for _, each := range []struct {
		people    int
		threshold float64
		auto      bool
		want      string
	}{
		{0, 70, true, "The gallery is empty: 70 is the lowest that auto chooses."},
		{0, 85.5, false, "Set to 85.5; the gallery is empty."},
		{3, 70, true, "Gallery of 3: at 70, the lowest that auto chooses, about one search in 930 returns a stranger."},
		{12_480, dlib.AutoThreshold(12_480, 0.1), true, "Gallery of 12,480: at 86.1 about one search in ten returns a stranger."},
		{1_000_000, 70, false, "Set to 70: in a gallery of 1,000,000, a search returns about 360 strangers on average."},
		{3000, 70, false, "Set to 70: in a gallery of 3,000, a search returns about 1.1 strangers on average."},
		{1, 100, false, "Set to 100: in a gallery of 1, fewer than one search in a billion returns a stranger, by extrapolation."},
		{5, 1, false, "Set to 1: in a gallery of 5, a search returns about 5 strangers on average, by extrapolation."},
	} {
		if got := dlib.Explain(each.people, each.threshold, each.auto); got != each.want {
			t.Errorf("%q, want %q", got, each.want)
		}
	}
}

// TestAutoThresholdKeepsItsWord: what auto promises is what its explanation counts.
func TestAutoThresholdKeepsItsWord(t *testing.T) {
	for _, people := range []int{1, 100, 10_000, 1_000_000, 50_000_000} {
		for _, allowed := range []float64{0.001, 0.1, 1, 10} {
			threshold := dlib.AutoThreshold(people, allowed)
			if got := dlib.FalseMatches(people, threshold); got > allowed*1.001 && threshold < 99.9 {
				t.Errorf("%d people at %v: %v strangers, %v allowed", people, threshold, got, allowed)
			}
		}
	}
}

func TestExplainRule(t *testing.T) {
	for people, want := range map[int]string{
		0:      "The gallery is empty; under 500 sessions the model's calibration decides, and 70 is the lowest that it chooses.",
		499:    "Gallery of 499, too small to count its strangers (under 500), so the model's calibration decides: at 73.1 about one search in ten returns a stranger.",
		12_480: "Gallery of 12,480: a session matches when at most 0.1 strangers are expected to be as near, whatever its similarity; for most faces that is about 86.1.",
	} {
		if got := dlib.ExplainRule(people, 0.1); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
