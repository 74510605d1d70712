package api_test

import (
	"net/http"
	"testing"
	"time"
)

// Effects and usage as the API shows them.
type (
	counts struct {
		Approved int `json:"approved"`
		InReview int `json:"in_review"`
		Declined int `json:"declined"`
	}
	shownEffects struct {
		People   int    `json:"people"`
		Saved    int    `json:"searches_saved"`
		Searches int    `json:"searches"`
		Were     counts `json:"were"`
		Points   []struct {
			Similarity   float64 `json:"similarity_percentage"`
			FalseMatches float64 `json:"expected_false_matches"`
			Sessions     int     `json:"sessions"`
			Matched      int     `json:"searches_matched"`
			WouldBe      counts  `json:"would_be"`
		} `json:"points"`
	}
	shownUsage struct {
		Results []struct {
			Date     string `json:"date"`
			Searches int    `json:"searches"`
		} `json:"results"`
	}
)

func TestEffect(t *testing.T) {
	a, other := newTenant(t), newTenant(t)
	a.enrol(t, portrait(t, "obama.jpg"))
	blocked := a.enrol(t, portrait(t, "astronaut.png"), text("status", "Declined"))
	for range 2 {
		a.search(t, portrait(t, "obama2.jpg")) // about 93 %
	}
	a.search(t, portrait(t, "biden.jpg"))
	a.search(t, portrait(t, "astronaut.png"))
	a.search(t, portrait(t, "biden.jpg"), text("save_api_request", "false"))
	a.json(t, http.MethodPost, "/v3/blocklist/add/", `{"session_id": "`+blocked.SessionID+`", "blocklist_face": true}`)
	var got shownEffects
	a.get(t, "/v3/settings/effect/").decode(t, 200, &got)
	// The astronaut was Approved when nobody was on the blocklist yet.
	if got.People != 2 || got.Saved != 4 || got.Searches != 4 || got.Were != (counts{Approved: 2, InReview: 2}) || len(got.Points) != 81 {
		t.Fatalf("%+v", got)
	}
	for _, point := range got.Points {
		want := counts{Approved: 1, InReview: 2, Declined: 1}
		if point.Similarity >= 94 {
			want = counts{Approved: 3, Declined: 1}
		}
		if point.Similarity > 90 && point.Similarity < 94 {
			continue // somewhere here the two end
		}
		if point.WouldBe != want || point.Matched != want.InReview+want.Declined {
			t.Errorf("at %v: %+v, want %+v", point.Similarity, point, want)
		}
	}
	t.Run("of another application", func(t *testing.T) {
		var got shownEffects
		other.get(t, "/v3/settings/effect/").decode(t, 200, &got)
		if got.People != 0 || got.Saved != 0 || got.Were != (counts{}) || len(got.Points) != 81 {
			t.Errorf("%+v", got)
		}
	})
}

func TestUsage(t *testing.T) {
	a, other := newTenant(t), newTenant(t)
	for range 2 {
		a.search(t, portrait(t, "biden.jpg"))
	}
	a.search(t, portrait(t, "biden.jpg"), text("save_api_request", "false"))
	for query, days := range map[string]int{"": 30, "?days=1": 1, "?days=366": 366, "?days=": 30} {
		var got, theirs shownUsage
		a.get(t, "/v3/usage/"+query).decode(t, 200, &got)
		other.get(t, "/v3/usage/"+query).decode(t, 200, &theirs)
		if len(got.Results) != days || len(theirs.Results) != days {
			t.Fatalf("%q: %d and %d days", query, len(got.Results), len(theirs.Results))
		}
		sum := 0
		for i, day := range got.Results {
			sum += day.Searches
			date, err := time.Parse(time.DateOnly, day.Date)
			if err != nil || i > 0 && date.AddDate(0, 0, -1).Format(time.DateOnly) != got.Results[i-1].Date || theirs.Results[i].Searches != 0 {
				t.Errorf("%q: %+v, %+v", query, day, theirs.Results[i])
			}
		}
		// The test may run at midnight.
		if last := got.Results[days-1]; sum != 2 && days > 1 || time.Since(parseDate(t, last.Date)) > 25*time.Hour {
			t.Errorf("%q: %d searches, the last day is %+v", query, sum, last)
		}
	}
	for query, words := range map[string]string{"?days=0": "days is a whole number from 1 to 366", "?days=367": "days is", "?days=x": "days is", "?days=1&days=2": "twice"} {
		a.get(t, "/v3/usage/"+query).refused(t, 400, "invalid_request", words)
	}
}

func parseDate(t *testing.T, text string) time.Time {
	t.Helper()
	date, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return date
}
