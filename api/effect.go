package api

import (
	"net/http"

	"facesearch/pkg/policy"
	"facesearch/pkg/search"
)

type effectsResponse struct {
	Days          int          `json:"days"`
	People        int          `json:"people"`
	SearchesSaved int          `json:"searches_saved"`
	Searches      int          `json:"searches"` // of these, how many were looked at
	Were          wireCounts   `json:"were"`
	Points        []wireEffect `json:"points"`
}

type wireEffect struct {
	SimilarityPercentage float64    `json:"similarity_percentage"`
	ExpectedFalseMatches float64    `json:"expected_false_matches"`
	Sessions             int        `json:"sessions"`
	SearchesMatched      int        `json:"searches_matched"`
	WouldBe              wireCounts `json:"would_be"`
}

type wireCounts struct {
	Approved int `json:"approved"`
	InReview int `json:"in_review"`
	Declined int `json:"declined"`
}

// effect answers GET /v3/settings/effect/: what each threshold would have made of the searches
// of the last days.
func (s *Server) effect(w http.ResponseWriter, r *http.Request) {
	effects, err := s.ready.Load().service.Effects(r.Context(), application(r.Context()), s.options.Now())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	response := effectsResponse{
		Days: search.EffectDays, People: effects.People, SearchesSaved: effects.Saved, Searches: effects.Searches,
		Were: wireCounts(effects.Were), Points: []wireEffect{},
	}
	for _, each := range effects.Effects {
		response.Points = append(response.Points, wireEffectOf(each))
	}
	writeJSON(w, http.StatusOK, response)
}

func wireEffectOf(effect policy.Effect) wireEffect {
	return wireEffect{
		SimilarityPercentage: effect.Threshold, ExpectedFalseMatches: effect.FalseMatches,
		Sessions: effect.Sessions, SearchesMatched: effect.Matched, WouldBe: wireCounts(effect.Would),
	}
}

// How many days usage tells of.
const (
	usageDaysDefault = 30
	usageDaysMax     = 366
)

type usageResponse struct {
	Results []wireDay `json:"results"` // oldest first
}

type wireDay struct {
	Date     string `json:"date"`
	Searches int    `json:"searches"`
}

// usage answers GET /v3/usage/.
func (s *Server) usage(w http.ResponseWriter, r *http.Request) {
	query, err := readQuery(r)
	days := 0
	if err == nil {
		days, err = query.whole("days", usageDaysDefault, 1, usageDaysMax)
	}
	var list []search.Day
	if err == nil {
		list, err = s.ready.Load().service.Usage(r.Context(), application(r.Context()), s.options.Now(), days)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	response := usageResponse{Results: []wireDay{}}
	for _, each := range list {
		response.Results = append(response.Results, wireDay{each.Date.Format("2006-01-02"), each.Searches})
	}
	writeJSON(w, http.StatusOK, response)
}
