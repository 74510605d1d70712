package policy_test

import (
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

func TestEffects(t *testing.T) {
	asks := policy.Warning{Risk: policy.MultipleFacesDetected, Severity: face.Warning}
	past := []policy.Past{
		{Status: face.InReview, Similarities: []float64{93.4, 71.2, 60}},
		{Status: face.Approved, Similarities: []float64{60.4}},
		{Status: face.InReview, Warnings: []policy.Warning{asks}},
		{Status: face.Declined, Similarities: []float64{80}, Blocklisted: 80, Warnings: []policy.Warning{{Risk: policy.FaceInBlocklist, Severity: face.ErrorLevel}}},
		{Status: face.Declined, Warnings: []policy.Warning{{Risk: policy.NoFaceDetected, Severity: face.ErrorLevel}}},
	}
	effects := dlib.Effects(face.DefaultSettings(), 1000, past)
	if len(effects) != 81 || effects[0].Threshold != 60 || effects[80].Threshold != 100 {
		t.Fatalf("%d thresholds: %+v", len(effects), effects)
	}
	at := map[float64]policy.Effect{}
	sessions := 0
	for i, each := range effects {
		at[each.Threshold] = each
		sessions += each.Sessions
		if each.FalseMatches != dlib.FalseMatches(1000, each.Threshold) || i > 0 && each.FalseMatches > effects[i-1].FalseMatches {
			t.Errorf("%v strangers at %v", each.FalseMatches, each.Threshold)
		}
	}
	if sessions != 5 {
		t.Errorf("%d sessions are counted, want 5", sessions)
	}
	for threshold, want := range map[float64]policy.Effect{
		60:   {Sessions: 2, Matched: 3, Would: policy.StatusCounts{Approved: 0, InReview: 3, Declined: 2}},
		60.5: {Matched: 2, Would: policy.StatusCounts{Approved: 1, InReview: 2, Declined: 2}},
		71:   {Sessions: 1, Matched: 2, Would: policy.StatusCounts{Approved: 1, InReview: 2, Declined: 2}},
		80:   {Sessions: 1, Matched: 2, Would: policy.StatusCounts{Approved: 1, InReview: 2, Declined: 2}},
		80.5: {Matched: 1, Would: policy.StatusCounts{Approved: 2, InReview: 2, Declined: 1}},
		93:   {Sessions: 1, Matched: 1, Would: policy.StatusCounts{Approved: 2, InReview: 2, Declined: 1}},
		93.5: {Would: policy.StatusCounts{Approved: 3, InReview: 1, Declined: 1}},
		100:  {Would: policy.StatusCounts{Approved: 3, InReview: 1, Declined: 1}},
	} {
		got := at[threshold]
		want.Threshold, want.FalseMatches = threshold, got.FalseMatches
		if got != want {
			t.Errorf("at %v: %+v, want %+v", threshold, got, want)
		}
	}
	t.Run("by the settings", func(t *testing.T) {
		settings := face.DefaultSettings()
		settings.MatchAction = face.Declined
		if got := dlib.Effects(settings, 1000, past)[0].Would; got != (policy.StatusCounts{InReview: 1, Declined: 4}) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("nothing was searched", func(t *testing.T) {
		for _, each := range dlib.Effects(face.DefaultSettings(), 0, nil) {
			if each.FalseMatches != 0 || each.Would != (policy.StatusCounts{}) {
				t.Errorf("%+v", each)
			}
		}
	})
}
