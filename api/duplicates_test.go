package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"facesearch/api"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/search"
)

// grouped is what the tests read of duplicates.
type grouped struct {
	Status        string  `json:"status"`
	Similarity    float64 `json:"similarity_percentage"`
	SessionsTotal int     `json:"sessions_total"`
	TotalPairs    int     `json:"total_pairs"`
	Count         int     `json:"count"`
	Results       []struct {
		People []struct {
			VendorData *string `json:"vendor_data"`
			Sessions   []struct {
				SessionID string `json:"session_id"`
			} `json:"sessions"`
		} `json:"people"`
		Pairs []struct {
			SessionID      string  `json:"session_id"`
			OtherSessionID string  `json:"other_session_id"`
			Similarity     float64 `json:"similarity_percentage"`
			WeakBridge     bool    `json:"weak_bridge"`
		} `json:"pairs"`
	} `json:"results"`
}

func (a *tenant) duplicates(t *testing.T, query string) (found grouped) {
	t.Helper()
	for {
		got := a.get(t, "/v3/duplicates/"+query)
		if got.status == http.StatusAccepted {
			query = strings.Replace(query, "fresh=true", "", 1)
			continue // the server waits before it says so
		}
		got.decode(t, http.StatusOK, &found)
		return found
	}
}

// people are the vendor_data of each group's people.
func (g grouped) people() string {
	var groups []string
	for _, group := range g.Results {
		var names []string
		for _, person := range group.People {
			name := "null"
			if person.VendorData != nil {
				name = *person.VendorData
			}
			names = append(names, name)
		}
		groups = append(groups, strings.Join(names, "+"))
	}
	return strings.Join(groups, " ")
}

func TestDuplicates(t *testing.T) {
	a := newTenant(t)
	if found := a.duplicates(t, ""); found.Status != "done" || found.Count != 0 || found.Similarity != 70 {
		t.Fatalf("an empty gallery: %+v", found)
	}
	when := text("verification_date", "2025-06-10T10:30:00Z")
	first := a.enrol(t, facetest.Photograph(t, "obama.jpg"), text("vendor_data", "dup-first"), when)
	second := a.enrol(t, facetest.Photograph(t, "obama2.jpg"), text("vendor_data", "dup-second"), when)
	a.enrol(t, facetest.Photograph(t, "biden.jpg"), text("vendor_data", "dup-other"))
	a.enrol(t, facetest.Photograph(t, "biden.jpg"), text("vendor_data", "dup-other"))
	t.Run("OK kept until fresh", func(t *testing.T) {
		if found := a.duplicates(t, ""); found.Count != 0 || found.SessionsTotal != 0 {
			t.Errorf("%+v", found)
		}
	})
	t.Run("OK by person", func(t *testing.T) {
		found := a.duplicates(t, "?fresh=true&similarity=85")
		if found.people() != "dup-first+dup-second" || found.TotalPairs != 1 || found.SessionsTotal != 4 || found.Similarity != 85 {
			t.Fatalf("%+v", found)
		}
		golden(t, "duplicates.json", a.get(t, "/v3/duplicates/?similarity=85").body)
		pair := found.Results[0].Pairs[0]
		if pair.SessionID != first.SessionID || pair.OtherSessionID != second.SessionID || pair.Similarity < 85 || pair.WeakBridge {
			t.Errorf("%+v", pair)
		}
	})
	t.Run("OK same person", func(t *testing.T) {
		found := a.duplicates(t, "?similarity=85&same_person=true")
		if found.people() != "dup-other+dup-other dup-first+dup-second" || found.Results[0].Pairs[0].Similarity != 100 {
			t.Errorf("%+v", found)
		}
	})
	t.Run("OK pages", func(t *testing.T) {
		for query, want := range map[string]string{
			"&limit=1": "dup-other+dup-other", "&offset=1": "dup-first+dup-second", "&offset=2": "",
		} {
			if found := a.duplicates(t, "?similarity=85&same_person=true"+query); found.people() != want || found.Count != 2 {
				t.Errorf("%s: %+v", query, found)
			}
		}
	})
	t.Run("OK erased since", func(t *testing.T) {
		if got := a.json(t, http.MethodDelete, "/v3/session/"+second.SessionID+"/delete/", ""); got.status >= 300 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		found := a.duplicates(t, "?similarity=85")
		if found.people() != "dup-first" || len(found.Results[0].Pairs) != 0 {
			t.Errorf("%+v", found)
		}
		if found := a.duplicates(t, "?similarity=85&fresh=true"); found.Count != 0 {
			t.Errorf("%+v", found)
		}
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for query, words := range map[string]string{
			"similarity=0": "similarity is", "similarity=101": "similarity is", "similarity=NaN": "similarity is", "similarity=x": "similarity is",
			"same_person=maybe": "same_person is", "fresh=maybe": "fresh is", "limit=0": "limit is", "offset=-1": "offset is",
		} {
			a.get(t, "/v3/duplicates/?"+query).refused(t, 400, "invalid_request", words)
		}
	})
}

// endless is a gallery that has not been compared before the caller gives up.
type endless struct{ face.Gallery }

func (endless) Pairs(ctx context.Context, _ string, _ float64, _ uint64, _, _ int) ([]face.Pair, uint64, error) {
	<-ctx.Done()
	return nil, 0, ctx.Err()
}

// crowded is a gallery in which everybody looks like everybody.
type crowded struct{ face.Gallery }

func (crowded) Pairs(context.Context, string, float64, uint64, int, int) ([]face.Pair, uint64, error) {
	pair := face.Pair{A: face.Session{ID: uuid.NewString(), Number: 1}, B: face.Session{ID: uuid.NewString(), Number: 2}}
	return slices.Repeat([]face.Pair{pair}, search.DuplicatePairsMax+1), 0, nil
}

// twins is the tenant at a server with another gallery.
func (a *tenant) twins(t *testing.T, gallery face.Gallery) *tenant {
	t.Helper()
	other := *a.world
	other.gallery = &counted{Gallery: gallery}
	return &tenant{world: &other, id: a.id, key: a.key, url: other.serve(t, api.Options{}, a.engine, 1, 10)}
}

func TestDuplicatesTakeTheirTime(t *testing.T) {
	a := newTenant(t)
	got := a.twins(t, endless{a.gallery}).get(t, "/v3/duplicates/?similarity=90")
	var found grouped
	got.decode(t, http.StatusAccepted, &found)
	if found.Status != "running" || found.Results == nil || found.Similarity != 90 || got.header.Get("Retry-After") == "" {
		t.Errorf("%s", got.body)
	}
	crowd := a.twins(t, crowded{a.gallery})
	for {
		if got := crowd.get(t, "/v3/duplicates/"); got.status != http.StatusAccepted {
			got.refused(t, 409, "conflict", "name a higher similarity")
			return
		}
	}
}
