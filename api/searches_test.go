package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
)

type listedSearches struct {
	Count   int `json:"count"`
	Results []struct {
		RequestID            string   `json:"request_id"`
		CreatedAt            string   `json:"created_at"`
		Status               string   `json:"status"`
		TotalMatches         int      `json:"total_matches"`
		SimilarityPercentage *float64 `json:"similarity_percentage"`
		UserImageURL         *string  `json:"user_image_url"`
		Review               *struct {
			Comment        *string `json:"comment"`
			ReviewedByName *string `json:"reviewed_by_name"`
		} `json:"review"`
	} `json:"results"`
}

func (a *tenant) searches(t *testing.T, query string) (result listedSearches) {
	t.Helper()
	a.get(t, "/v3/searches/"+query).decode(t, 200, &result)
	for _, each := range result.Results {
		confideAddress(each.UserImageURL)
	}
	return result
}

func (l listedSearches) ids() string {
	var ids []string
	for _, each := range l.Results {
		ids = append(ids, each.RequestID)
	}
	return strings.Join(ids, " ")
}

func TestSearches(t *testing.T) {
	a := newTenant(t)
	if got := a.get(t, "/v3/searches/"); string(got.body) != `{"count":0,"results":[]}`+"\n" {
		t.Errorf("%s", got.body)
	}
	obama := portrait(t, "obama.jpg")
	none := a.search(t, portrait(t, "biden.jpg"), text("vendor_data", "nobody-yet"))
	a.enrol(t, obama, text("vendor_data", "person-obama"))
	one := a.search(t, obama, text("vendor_data", "probe one & more"))
	two := a.search(t, obama, text("vendor_data", "probe one & more"))
	a.search(t, obama, text("save_api_request", "false"))
	golden(t, "searches.json", a.get(t, "/v3/searches/?limit=2&offset=1").body)
	times := a.searches(t, "")
	if times.Count != 3 {
		t.Fatalf("%+v", times)
	}
	middle := url.QueryEscape(times.Results[1].CreatedAt)
	for query, want := range map[string][]string{
		"":                           {two.RequestID, one.RequestID, none.RequestID},
		"?order=newest&limit=1":      {two.RequestID},
		"?order=oldest":              {none.RequestID, one.RequestID, two.RequestID},
		"?order=oldest&offset=1":     {one.RequestID, two.RequestID},
		"?status=Approved":           {none.RequestID},
		"?status=In+Review":          {two.RequestID, one.RequestID},
		"?status=Declined":           {},
		"?vendor_data=nobody-yet":    {none.RequestID},
		"?vendor_data=probe+one":     {},
		"?from=" + middle:            {two.RequestID, one.RequestID},
		"?to=" + middle:              {none.RequestID},
		"?from=2999-01-01T00:00:00Z": {},
		"?limit=&offset=&status=&vendor_data=&from=&to=&order=&unknown=1": {two.RequestID, one.RequestID, none.RequestID},
	} {
		// Times on the wire have milliseconds.
		if got := a.searches(t, query); got.ids() != strings.Join(want, " ") && !strings.Contains(query, "="+middle) {
			t.Errorf("%s: %s, want %s", query, got.ids(), want)
		} else if strings.Contains(query, "="+middle) && (len(got.Results) < 1 || len(got.Results) > 2) {
			t.Errorf("%s: %+v", query, got)
		}
	}
	for query, words := range map[string]string{
		"?order=up": "order is newest or oldest", "?status=approved": "status is", "?limit=0": "limit is", "?limit=201": "limit is", "?offset=-1": "offset is",
		"?from=yesterday": "from is not a time", "?to=2025-06-10": "to is not a time", "?to=x&to=y": "twice", "?vendor_data=" + strings.Repeat("x", 1025): "too long",
	} {
		a.get(t, "/v3/searches/"+query).refused(t, 400, "invalid_request", words)
	}
	t.Run("OtherApplication", func(t *testing.T) {
		if got := newTenant(t).searches(t, "?vendor_data=nobody-yet"); got.Count != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("Erased", func(t *testing.T) {
		if got := a.send(t, http.MethodDelete, "/v3/session/"+one.RequestID+"/delete/", "", nil); got.status != 204 {
			t.Fatal(got.status)
		}
		if got := a.searches(t, ""); got.ids() != two.RequestID+" "+none.RequestID {
			t.Errorf("%+v", got)
		}
		// The session that two had found.
		a.json(t, http.MethodPost, "/v3/users/delete/", `{"vendor_data_list": ["person-obama"]}`)
		if got := a.searches(t, "?limit=1"); got.Results[0].TotalMatches != 0 || got.Results[0].SimilarityPercentage != nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestReviewSearch(t *testing.T) {
	a := newTenant(t)
	obama := portrait(t, "obama.jpg")
	a.enrol(t, obama, text("verification_date", "2025-06-10T12:30:00+02:00"))
	saved := a.search(t, obama)
	path := "/v3/session/" + saved.RequestID + "/update-status/"
	first := confide("the document was forged")
	for _, body := range []string{
		`{"new_status": "Declined", "comment": "` + first + `"}`, `{"new_status": "Approved"}`, `{"new_status": "Declined", "comment": "after all"}`,
	} {
		if got := a.json(t, http.MethodPatch, path, body); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	shown := a.get(t, "/v3/session/"+saved.RequestID+"/decision/")
	golden(t, "saved-search.json", shown.body)
	if row := a.searches(t, "?status=Declined"); row.Count != 1 || *row.Results[0].Review.Comment != "after all" || *row.Results[0].Review.ReviewedByName != "test" {
		t.Errorf("%+v", row)
	}
	if row := a.searches(t, "?status=In+Review"); row.Count != 0 {
		t.Errorf("%+v", row)
	}
	t.Run("Audited", func(t *testing.T) {
		log := a.audit(t, "?limit=3")
		for i, detail := range []string{"from=Approved to=Declined", "from=Declined to=Approved", "from=In+Review to=Declined"} {
			if entry := log.Results[i]; entry.Action != "review" || entry.Object != saved.RequestID || entry.Detail != detail || entry.Actor != a.keyID(t) {
				t.Errorf("%+v", entry)
			}
		}
	})
	t.Run("Refused", func(t *testing.T) {
		a.json(t, http.MethodPatch, path, `{"new_status": "declined"}`).refused(t, 400, "invalid_request", "new_status")
		a.json(t, http.MethodPatch, "/v3/session/"+uuid.NewString()+"/update-status/", `{"new_status": "Declined"}`).refused(t, 404, "not_found", "no session and no saved search")
		newTenant(t).json(t, http.MethodPatch, path, `{"new_status": "Declined"}`).refused(t, 404, "not_found", "no session and no saved search")
		// Addresses change with each second.
		alone := func(body []byte) string { return string(anyAddress.ReplaceAll(body, nil)) }
		if got := a.get(t, "/v3/session/"+saved.RequestID+"/decision/"); alone(got.body) != alone(shown.body) {
			t.Errorf("%s", got.body)
		}
	})
	t.Run("SessionOfTheSameID", func(t *testing.T) {
		a.json(t, http.MethodPost, "/v3/sessions/", `{"request_id": "`+saved.RequestID+`", "session_id": "`+saved.RequestID+`"}`)
		got := a.json(t, http.MethodPatch, path, `{"new_status": "In Review"}`)
		if !strings.Contains(string(got.body), "session_number") {
			t.Errorf("%s", got.body)
		}
	})
}

// keyID is the ID of the tenant's key.
func (a *tenant) keyID(t *testing.T) string {
	t.Helper()
	keys, err := a.gallery.Keys(t.Context(), a.id)
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	return keys[0].ID
}

type auditLog struct {
	Count     int               `json:"count"`
	Results   []face.AuditEntry `json:"results"`
	PublicKey string            `json:"public_key"`
}

func (a *tenant) audit(t *testing.T, query string) (log auditLog) {
	t.Helper()
	got := a.get(t, "/v3/audit/"+query)
	if got.status != 200 || json.Unmarshal(got.body, &log) != nil {
		t.Fatalf("%d %s", got.status, got.body)
	}
	return log
}

// soon is later than everything that a test has made.
func soon() time.Time { return time.Now().AddDate(0, 0, 2) }
