package api

import (
	"net/http"
	"strconv"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// duplicatesPatience is how long a request waits before it is answered that the search for
// duplicates goes on.
const duplicatesPatience = 2 * time.Second

// duplicatesResponse lists groups of people who look alike.
type duplicatesResponse struct {
	Status               string      `json:"status"` // running or done
	SimilarityPercentage float64     `json:"similarity_percentage"`
	StartedAt            string      `json:"started_at"`
	SessionsExamined     int         `json:"sessions_examined"`
	SessionsTotal        int         `json:"sessions_total"`
	TotalPairs           int         `json:"total_pairs"`
	Count                int         `json:"count"` // of groups, listed or not
	Results              []wireGroup `json:"results"`
}

type wireGroup struct {
	People []wirePerson `json:"people"`
	Pairs  []wirePair   `json:"pairs"`
}

type wirePerson struct {
	VendorData *string           `json:"vendor_data"`
	Sessions   []sessionResponse `json:"sessions"`
}

type wirePair struct {
	SessionID            string  `json:"session_id"`
	OtherSessionID       string  `json:"other_session_id"`
	SimilarityPercentage float64 `json:"similarity_percentage"`
	WeakBridge           bool    `json:"weak_bridge"`
}

// findDuplicates answers GET /v3/duplicates/: 202 while it is still looking.
func (s *Server) findDuplicates(w http.ResponseWriter, r *http.Request) {
	request, offset, limit, err := duplicatesRequest(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	found, err := s.ready.Load().service.Duplicates(r.Context(), application(r.Context()), request, duplicatesPatience)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	response := duplicatesResponse{
		Status: "running", SimilarityPercentage: found.Similarity, StartedAt: wireTime(found.StartedAt),
		SessionsExamined: found.Examined, SessionsTotal: found.Total,
		Count: len(found.Groups), TotalPairs: found.Pairs, Results: []wireGroup{},
	}
	if !found.Done {
		w.Header().Set("Retry-After", "1")
		writeJSON(w, http.StatusAccepted, response)
		return
	}
	response.Status = "done"
	offset = min(offset, len(found.Groups))
	for _, group := range found.Groups[offset:min(offset+limit, len(found.Groups))] {
		shown, err := s.wireGroup(r, group)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		response.Results = append(response.Results, shown)
	}
	writeJSON(w, http.StatusOK, response)
}

func duplicatesRequest(r *http.Request) (request search.DuplicatesRequest, offset, limit int, err error) {
	query, err := readQuery(r)
	if err != nil {
		return request, 0, 0, err
	}
	if offset, limit, err = query.page(); err != nil {
		return request, 0, 0, err
	}
	if given := query.fields["similarity"]; given != "" {
		request.Similarity, err = strconv.ParseFloat(given, 64)
		if err != nil || !(request.Similarity >= 1 && request.Similarity <= 100) {
			return request, 0, 0, face.Invalid("similarity is a number from 1 to 100.")
		}
	}
	if request.SamePerson, err = query.boolean("same_person", false); err != nil {
		return request, 0, 0, err
	}
	request.Fresh, err = query.boolean("fresh", false)
	return request, offset, limit, err
}

// wireGroup shows a group as its sessions are now; those that were erased since are left out.
func (s *Server) wireGroup(r *http.Request, group search.DuplicateGroup) (wireGroup, error) {
	shown := wireGroup{People: []wirePerson{}, Pairs: []wirePair{}}
	there := map[string]bool{}
	for _, ids := range group.People {
		person := wirePerson{Sessions: []sessionResponse{}}
		for _, id := range ids {
			session, err := s.ready.Load().gallery.Session(r.Context(), application(r.Context()), id)
			if face.CodeOf(err) == face.CodeNotFound {
				continue
			}
			if err != nil {
				return shown, err
			}
			there[id] = true
			person.VendorData = orNull(session.VendorData)
			person.Sessions = append(person.Sessions, s.wireSession(r, session))
		}
		if len(person.Sessions) > 0 {
			shown.People = append(shown.People, person)
		}
	}
	for _, pair := range group.Pairs {
		if there[pair.A] && there[pair.B] {
			shown.Pairs = append(shown.Pairs, wirePair{pair.A, pair.B, pair.Similarity, pair.WeakBridge})
		}
	}
	return shown, nil
}
