package api_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestGroupByPerson: people are there only when they are asked for, over all matches.
func TestGroupByPerson(t *testing.T) {
	a := newTenant(t)
	a.patch(t, `{"max_matches": 1}`)
	first := a.enrol(t, portrait(t, "obama.jpg"), text("vendor_data", "person-obama"))
	second := a.enrol(t, portrait(t, "obama2.jpg"), text("vendor_data", "person-obama"))
	alone := a.enrol(t, portrait(t, "obama3.jpg"))
	a.enrol(t, portrait(t, "biden.jpg"), text("vendor_data", "person-biden"))
	type person struct {
		VendorData *string  `json:"vendor_data"`
		SessionIDs []string `json:"session_ids"`
		Best       float64  `json:"best_similarity_percentage"`
	}
	type answer struct {
		FaceSearch struct {
			People []person `json:"people"`
		} `json:"face_search"`
	}
	t.Run("OK", func(t *testing.T) {
		found := a.search(t, portrait(t, "obama.jpg"), text("group_by_person", "yes"))
		var got answer
		if err := json.Unmarshal(found.raw, &got); err != nil {
			t.Fatal(err)
		}
		people := got.FaceSearch.People
		if found.FaceSearch.TotalMatches != 3 || len(found.FaceSearch.Matches) != 1 || len(people) != 2 {
			t.Fatalf("%s", found.raw)
		}
		if owner := people[0].VendorData; owner == nil || *owner != "person-obama" || people[0].Best != 100 ||
			!reflect.DeepEqual(people[0].SessionIDs, []string{first.SessionID, second.SessionID}) {
			t.Errorf("%s", found.raw)
		}
		if people[1].VendorData != nil || !reflect.DeepEqual(people[1].SessionIDs, []string{alone.SessionID}) || !(people[1].Best < 100) {
			t.Errorf("%s", found.raw)
		}
		// What is shown of it later is the hosted API's answer alone.
		shown := a.send(t, http.MethodGet, "/v3/session/"+found.RequestID+"/decision/", "", nil)
		if shown.status != http.StatusOK || strings.Contains(string(shown.body), `"people"`) {
			t.Errorf("%d %s", shown.status, shown.body)
		}
	})
	t.Run("OK nobody", func(t *testing.T) {
		found := a.search(t, portrait(t, "astronaut.png"), text("group_by_person", "true"))
		if !strings.Contains(string(found.raw), `"people":[]`) {
			t.Errorf("%s", found.raw)
		}
	})
	t.Run("OK not asked for", func(t *testing.T) {
		for _, fields := range [][]part{nil, {text("group_by_person", "off")}} {
			if found := a.search(t, portrait(t, "obama.jpg"), fields...); strings.Contains(string(found.raw), "people") {
				t.Errorf("%s", found.raw)
			}
		}
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		a.post(t, "/v3/face-search/", file("user_image", portrait(t, "obama.jpg")), text("group_by_person", "maybe")).
			refused(t, http.StatusBadRequest, "invalid_request", "group_by_person is not a boolean")
	})
}
