package api

import (
	"net/http"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// A savedSearchResponse is a saved search in short: GET …/decision/ has all of it.
type savedSearchResponse struct {
	RequestID            string      `json:"request_id"`
	CreatedAt            string      `json:"created_at"`
	Status               face.Status `json:"status"`
	VendorData           *string     `json:"vendor_data"`
	TotalMatches         int         `json:"total_matches"`
	SimilarityPercentage *float64    `json:"similarity_percentage"` // of the best match
	UserImageURL         *string     `json:"user_image_url"`
	Review               *wireReview `json:"review"` // the last
}

type savedSearchesResponse struct {
	Count   int                   `json:"count"` // all that pass the filter, listed or not
	Results []savedSearchResponse `json:"results"`
}

type wireReview struct {
	Status         face.Status `json:"status"`
	PreviousStatus face.Status `json:"previous_status"`
	Comment        *string     `json:"comment"`
	ReviewedBy     string      `json:"reviewed_by"` // the ID of the key
	ReviewedByName *string     `json:"reviewed_by_name"`
	ReviewedAt     string      `json:"reviewed_at"`
}

// A shownSearch is a saved search that is shown again, whole.
type shownSearch struct {
	searchResponse
	CreatedAt    string       `json:"created_at"`
	VendorData   *string      `json:"vendor_data"`
	UserImageURL *string      `json:"user_image_url"`
	Reviews      []wireReview `json:"reviews"` // oldest first
}

// searches answers GET /v3/searches/.
func (s *Server) searches(w http.ResponseWriter, r *http.Request) {
	filter, err := searchFilter(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	list, total, err := s.ready.Load().service.SavedSearches(r.Context(), application(r.Context()), filter)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	response := savedSearchesResponse{Count: total, Results: []savedSearchResponse{}}
	for _, each := range list {
		response.Results = append(response.Results, s.wireSavedSearch(r, each))
	}
	writeJSON(w, http.StatusOK, response)
}

func searchFilter(r *http.Request) (filter face.SearchFilter, err error) {
	query, err := readQuery(r)
	if err != nil {
		return filter, err
	}
	if filter.Offset, filter.Limit, filter.Status, filter.VendorData, err = query.list(); err != nil {
		return filter, err
	}
	if filter.From, err = query.time("from"); err != nil {
		return filter, err
	}
	if filter.To, err = query.time("to"); err != nil {
		return filter, err
	}
	filter.OldestFirst, err = query.oldestFirst()
	return filter, err
}

// oldestFirst reads the order of a list.
func (f *form) oldestFirst() (bool, error) {
	switch f.fields["order"] {
	case "", "newest":
		return false, nil
	case "oldest":
		return true, nil
	}
	return false, face.Invalid("order is newest or oldest, which says what comes first.")
}

func (s *Server) wireSavedSearch(r *http.Request, result search.Result) savedSearchResponse {
	saved := result.Saved
	response := savedSearchResponse{
		RequestID: saved.ID, CreatedAt: wireTime(saved.CreatedAt), Status: saved.Status, VendorData: orNull(saved.VendorData),
		TotalMatches: result.Outcome.Total, UserImageURL: s.pictureURL(r, saved.PictureID),
	}
	if len(result.Outcome.Matches) > 0 {
		response.SimilarityPercentage = &result.Outcome.Matches[0].Similarity
	}
	if reviews := wireReviews(saved.Reviews); len(reviews) > 0 {
		response.Review = &reviews[len(reviews)-1]
	}
	return response
}

// wireShown is a saved search that is shown again.
func (s *Server) wireShown(r *http.Request, result search.Result) shownSearch {
	saved := result.Saved
	return shownSearch{
		s.wireSearch(r, result), wireTime(saved.CreatedAt), orNull(saved.VendorData), s.pictureURL(r, saved.PictureID), wireReviews(saved.Reviews),
	}
}

func wireReviews(reviews []face.Review) []wireReview {
	list := []wireReview{}
	for _, each := range reviews {
		list = append(list, wireReview{
			Status: each.Status, PreviousStatus: each.Before, Comment: orNull(each.Comment),
			ReviewedBy: each.By.ID, ReviewedByName: orNull(each.By.Name), ReviewedAt: wireTime(each.At),
		})
	}
	return list
}
