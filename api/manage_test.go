package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

// json sends a body as it is written.
func (a *tenant) json(t *testing.T, method, path, body string) answer {
	t.Helper()
	return a.send(t, method, path, "application/json", []byte(body))
}

func (a *tenant) get(t *testing.T, path string) answer {
	t.Helper()
	return a.send(t, http.MethodGet, path, "", nil)
}

// A snapshot is all of an application that requests can change, but for its saved searches.
type snapshot struct {
	sessions []face.Session
	size     int
	saved    int64
	settings face.Settings
}

func (a *tenant) snapshot(t *testing.T) snapshot {
	t.Helper()
	sessions, _, err := a.gallery.Sessions(t.Context(), a.id, face.SessionFilter{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	settings, err := a.gallery.Settings(t.Context(), a.id)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot{sessions, a.size(t), a.gallery.savedBy(a.id), settings}
}

// same returns what checks that nothing at all was changed since.
func (a *tenant) same(t *testing.T) func() {
	t.Helper()
	before := a.snapshot(t)
	return func() {
		t.Helper()
		if after := a.snapshot(t); !reflect.DeepEqual(before, after) {
			t.Errorf("something was changed:\n%+v\nbefore:\n%+v", after, before)
		}
	}
}

// listed is what the tests read of a list.
type listed struct {
	Count   int `json:"count"`
	Results []struct {
		SessionID     string  `json:"session_id"`
		SessionNumber int     `json:"session_number"`
		Status        string  `json:"status"`
		VendorData    *string `json:"vendor_data"`
		IsBlocklisted bool    `json:"is_blocklisted"`
	} `json:"results"`
}

func (a *tenant) list(t *testing.T, path string) (result listed) {
	t.Helper()
	a.get(t, path).decode(t, http.StatusOK, &result)
	return result
}

// numbers are the session numbers of a list.
func (l listed) numbers() string {
	list := []int{}
	for _, each := range l.Results {
		list = append(list, each.SessionNumber)
	}
	return fmt.Sprint(list)
}

// portrait is a small picture of one face, which is quick to look at.
func portrait(t *testing.T, name string) []byte {
	t.Helper()
	return facetest.JPEG(t, facetest.Image(t, name, 500))
}

func TestListSessions(t *testing.T) {
	a := newTenant(t)
	if got := a.get(t, "/v3/sessions/"); got.status != 200 || strings.TrimSpace(string(got.body)) != `{"count":0,"results":[]}` {
		t.Fatalf("%d %s", got.status, got.body)
	}
	obama, biden := portrait(t, "obama.jpg"), portrait(t, "biden.jpg")
	one, other := confide("person one & more"), confide("person-zwei-ü")
	for _, each := range []struct {
		picture        []byte
		vendor, status string
	}{{obama, one, "Approved"}, {biden, other, "In Review"}, {obama, one, "Declined"}, {biden, "", "Approved"}} {
		fields := []part{text("vendor_data", each.vendor), text("status", each.status), text("verification_date", "2025-06-10T10:30:00Z")}
		if each.vendor == other {
			fields = append(fields, text("full_name", confide("Zoë Biden")))
		}
		a.enrol(t, each.picture, fields...)
	}
	contentType, body := form(file("image", biden), text("comment", confide("seen at the third shop")))
	if got := a.send(t, http.MethodPost, "/v3/blocklist/faces/", contentType, body); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for query, want := range map[string]string{
		"": "[5 4 3 2 1]", "?limit=2": "[5 4]", "?limit=2&offset=3": "[2 1]", "?offset=5": "[]", "?offset=2147483647": "[]",
		"?status=Approved": "[4 1]", "?status=In+Review": "[2]", "?status=In%20Review": "[2]", "?status=Declined": "[5 3]",
		"?vendor_data=" + url.QueryEscape(one): "[3 1]", "?vendor_data=nobody": "[]",
		"?vendor_data=" + url.QueryEscape(other): "[2]", "?status=Declined&vendor_data=" + url.QueryEscape(one): "[3]",
		"?blocklisted=true": "[5]", "?blocklisted=FALSE&limit=2": "[4 3]", "?status=Declined&blocklisted=no": "[3]",
		"?status=&vendor_data=&blocklisted=&limit=&offset=": "[5 4 3 2 1]", "?unknown=1": "[5 4 3 2 1]",
		"?session_number=3": "[3]", "?session_number=9": "[]", "?session_number=3&status=Approved": "[]", "?name=zo%C3%AB": "[2]",
		"?name=BIDEN&status=In+Review": "[2]", "?name=biden&blocklisted=true": "[]", "?name=nobody": "[]", "?name=&session_number=": "[5 4 3 2 1]",
	} {
		if got := a.list(t, "/v3/sessions/"+query); got.numbers() != want {
			t.Errorf("%q lists %s, want %s", query, got.numbers(), want)
		}
	}
	for query, count := range map[string]int{"?limit=1": 5, "?limit=1&status=Declined": 2, "?offset=9": 5, "?vendor_data=nobody": 0} {
		if got := a.list(t, "/v3/sessions"+query); got.Count != count {
			t.Errorf("%q counts %d, want %d", query, got.Count, count)
		}
	}
	golden(t, "sessions.json", a.get(t, "/v3/sessions/?limit=2&offset=1").body)
	for query, words := range map[string]string{
		"?limit=0": "limit is a whole number from 1 to 200", "?limit=201": "limit is", "?limit=x": "limit is", "?limit=1.5": "limit is",
		"?offset=-1": "offset is a whole number from 0", "?offset=2147483648": "offset is", "?limit=99999999999999999999": "limit is",
		"?status=approved": "status is Approved, In Review or Declined", "?blocklisted=maybe": "blocklisted is not a boolean",
		"?vendor_data=" + strings.Repeat("x", 1025): "vendor_data is too long", "?status=Approved&status=Declined": "twice",
		"?limit=%zz": "malformed", "?session_number=0": "session_number is a whole number from 1", "?session_number=x": "session_number is",
		"?name=" + strings.Repeat("x", 257): "name is too long", "?vendor_data=%ff": "not valid UTF-8",
	} {
		a.get(t, "/v3/sessions/"+query).refused(t, 400, "invalid_request", words)
	}
}

func TestDecisionOfSession(t *testing.T) {
	a := newTenant(t)
	made := a.enrol(t, portrait(t, "obama.jpg"), text("vendor_data", "enrolled-person"), text("full_name", "Barack Obama"),
		text("document_type", "Passport"), text("document_number", "P-987654"), text("verification_date", "2025-06-10T10:30:00.250Z"))
	for _, path := range []string{made.SessionID + "/decision/", made.SessionID + "/decision", strings.ToUpper(made.SessionID) + "/decision/"} {
		got := a.get(t, "/v3/session/"+path)
		if got.status != 200 {
			t.Fatalf("%s: %d %s", path, got.status, got.body)
		}
		golden(t, "session.json", got.body)
		var session enrolled
		got.decode(t, 200, &session)
		if session.SessionID != made.SessionID {
			t.Errorf("%s answered with %s", path, session.SessionID)
		}
		if picture := get(t, http.MethodGet, a.url, targetOf(t, a.url, session.PortraitImageURL)); picture.status != 200 {
			t.Errorf("its picture: %d", picture.status)
		}
	}
}

// TestDecisionOfSearch: a saved search is answered again as it was, and follows its sessions.
func TestDecisionOfSearch(t *testing.T) {
	a := newTenant(t)
	obama := portrait(t, "obama.jpg")
	first := a.enrol(t, obama, text("vendor_data", "match-one"), text("full_name", "First Match"), text("document_number", "P-12345-11"))
	second := a.enrol(t, obama, text("vendor_data", "match-two"))
	found := a.search(t, portrait(t, "obama2.jpg"))
	if !strings.Contains(string(found.raw), first.SessionID) || !strings.Contains(string(found.raw), "First Match") || !strings.Contains(string(found.raw), "***-11") {
		t.Fatalf("%s", found.raw)
	}
	decision := func() (searched, string) {
		t.Helper()
		got := a.get(t, "/v3/session/"+found.RequestID+"/decision/")
		var again searched
		got.decode(t, 200, &again)
		return again, string(got.body)
	}
	t.Run("Same", func(t *testing.T) {
		again, body := decision()
		before, after := decodeNumbers(t, found.raw), decodeNumbers(t, answerAlone(t, []byte(body)))
		if before, after := replaceNew(t, "", before), replaceNew(t, "", after); !reflect.DeepEqual(before, after) {
			t.Errorf("%s\nwas %s", body, found.raw)
		}
		if again.RequestID != found.RequestID || again.FaceSearch.TotalMatches != 2 {
			t.Errorf("%s", body)
		}
		if got := get(t, http.MethodGet, a.url, targetOf(t, a.url, again.FaceSearch.Matches[0].MatchImageURL)); got.status != 200 {
			t.Errorf("the picture of a match: %d", got.status)
		}
	})
	t.Run("Changed", func(t *testing.T) {
		a.status(t, first.SessionID, "Declined", 200)
		if _, body := decision(); !strings.Contains(body, `"status":"Declined"`) {
			t.Errorf("%s", body)
		}
	})
	t.Run("Erased", func(t *testing.T) {
		if got := a.send(t, http.MethodDelete, "/v3/session/"+first.SessionID+"/delete/", "", nil); got.status != 204 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		again, body := decision()
		if len(again.FaceSearch.Matches) != 1 || again.FaceSearch.Matches[0].SessionID != second.SessionID ||
			again.FaceSearch.TotalMatches != 1 || again.FaceSearch.Status != found.FaceSearch.Status {
			t.Errorf("%s", body)
		}
		list := a.get(t, "/v3/searches/")
		review := a.status(t, found.RequestID, "In Review", 200)
		for _, shown := range []string{body, string(list.body), string(review.body)} {
			for _, trace := range []string{first.SessionID, "match-one", "First Match", "***-11", targetOf(t, a.url, found.FaceSearch.Matches[0].MatchImageURL)} {
				if strings.Contains(shown, trace) {
					t.Errorf("%s shows in %s", trace, shown)
				}
			}
		}
		if got := get(t, http.MethodGet, a.url, targetOf(t, a.url, found.FaceSearch.Matches[0].MatchImageURL)); got.status == 200 {
			t.Error("the picture is still there")
		}
	})
	t.Run("IDUsedAgain", func(t *testing.T) {
		time.Sleep(2 * time.Millisecond) // the clock moves on
		a.enrol(t, portrait(t, "biden.jpg"), text("session_id", first.SessionID), text("vendor_data", "somebody-else"))
		if again, body := decision(); len(again.FaceSearch.Matches) != 1 || strings.Contains(body, "somebody-else") {
			t.Errorf("somebody else shows in an old search: %s", body)
		}
	})
	t.Run("Unsaved", func(t *testing.T) {
		unsaved := a.search(t, obama, text("save_api_request", "false"))
		a.get(t, "/v3/session/"+unsaved.RequestID+"/decision/").refused(t, 404, "not_found", "no saved search")
	})
	t.Run("NoFace", func(t *testing.T) {
		nobody := a.search(t, facetest.JPEG(t, plain(64, 64)))
		got := a.get(t, "/v3/session/"+nobody.RequestID+"/decision/")
		if got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		golden(t, "search-no-face.json", answerAlone(t, got.body))
	})
}

// answerAlone is a saved search that is shown again without what its answer did not have.
func answerAlone(t *testing.T, body []byte) []byte {
	t.Helper()
	var shown map[string]json.RawMessage
	if err := json.Unmarshal(body, &shown); err != nil || shown["created_at"] == nil || string(shown["reviews"]) != "[]" {
		t.Fatalf("%v: %s", err, body)
	}
	delete(shown, "created_at")
	delete(shown, "vendor_data")
	delete(shown, "user_image_url")
	delete(shown, "reviews")
	alone, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	return alone
}

// status sets a session's status and wants an answer.
func (a *tenant) status(t *testing.T, id, status string, want int) answer {
	t.Helper()
	got := a.json(t, http.MethodPatch, "/v3/session/"+id+"/update-status/", `{"new_status": "`+status+`", "comment": "`+confide("a comment about somebody")+`"}`)
	if got.status != want || want == 200 && !strings.Contains(string(got.body), `"comment":"a comment about somebody"`) {
		t.Fatalf("%s: %d %s", status, got.status, got.body)
	}
	return got
}

// TestUpdateStatus: a session enters and leaves the gallery at once.
func TestUpdateStatus(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	made := a.enrol(t, picture, text("vendor_data", "changing-person"))
	for _, each := range []struct {
		status  string
		matches int
	}{{"Declined", 0}, {"Approved", 1}, {"Approved", 1}, {"In Review", 0}, {"Declined", 0}, {"Approved", 1}} {
		var changed enrolled
		a.status(t, made.SessionID, each.status, 200).decode(t, 200, &changed)
		if changed.Status != each.status || changed.SessionID != made.SessionID || changed.SessionNumber != made.SessionNumber {
			t.Errorf("%+v", changed)
		}
		if found := a.search(t, picture); found.FaceSearch.TotalMatches != each.matches {
			t.Errorf("%s: %d matches", each.status, found.FaceSearch.TotalMatches)
		}
		if got := get(t, http.MethodGet, a.url, targetOf(t, a.url, changed.PortraitImageURL)); got.status != 200 {
			t.Errorf("%s: its picture: %d", each.status, got.status)
		}
	}
	same := a.same(t)
	path := "/v3/session/" + made.SessionID + "/update-status/"
	for body, words := range map[string]string{
		`{}`: "new_status is Approved", `{"comment": "x"}`: "new_status is", `{"new_status": "approved"}`: "new_status is",
		`{"new_status": null}`: "new_status is", `{"new_status": 1}`: "new_status is not a string", `{"new_status": "Declined", "comment": 1}`: "comment is not a string",
		`{"new_status": "Declined", "comment": "` + strings.Repeat("x", 1025) + `"}`: "comment is too long", `{"new_status": "Not Started"}`: "new_status is",
	} {
		a.json(t, http.MethodPatch, path, body).refused(t, 400, "invalid_request", words)
	}
	same()
	a.json(t, http.MethodPatch, path, `{"new_status": "Declined", "comment": null}`).decode(t, 200, &enrolled{})
	// A saved search is reviewed, and never enters the gallery by that.
	found, size := a.search(t, picture), a.size(t)
	if got := a.json(t, http.MethodPatch, "/v3/session/"+found.RequestID+"/update-status/", `{"new_status": "Approved"}`); got.status != 200 || a.size(t) != size {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestDeleteSession(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	made, kept := a.enrol(t, picture, text("vendor_data", "erased-person")), a.enrol(t, picture, text("vendor_data", "kept-person"))
	found := a.search(t, picture)
	target := targetOf(t, a.url, made.PortraitImageURL)
	for _, id := range []string{made.SessionID, found.RequestID} {
		got := a.send(t, http.MethodDelete, "/v3/session/"+id+"/delete/", "", nil)
		if got.status != 204 || len(got.body) != 0 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		a.send(t, http.MethodDelete, "/v3/session/"+id+"/delete/", "", nil).refused(t, 404, "not_found", "")
		a.get(t, "/v3/session/"+id+"/decision/").refused(t, 404, "not_found", "")
	}
	get(t, http.MethodGet, a.url, target).refused(t, 404, "not_found", "")
	if again := a.search(t, picture); again.FaceSearch.TotalMatches != 1 || again.first() != "kept-person" {
		t.Errorf("%s", again.raw)
	}
	if list := a.list(t, "/v3/sessions/"); list.Count != 1 || list.Results[0].SessionID != kept.SessionID {
		t.Errorf("%+v", list)
	}
	// Its number is not given again.
	if next := a.enrol(t, picture); next.SessionNumber != 3 {
		t.Errorf("the next session has number %d", next.SessionNumber)
	}
}

func TestDeleteUsers(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	one, two := confide("erase me, please"), confide("and-me-too@example.org")
	a.enrol(t, picture, text("vendor_data", one))
	a.enrol(t, picture, text("vendor_data", one), text("status", "Declined"))
	a.enrol(t, picture, text("vendor_data", two))
	kept := a.enrol(t, picture, text("vendor_data", "not-mentioned"))
	nameless := a.enrol(t, picture)
	search := a.search(t, picture, text("vendor_data", one))
	same := a.same(t)
	for body, words := range map[string]string{
		`{}`: "vendor_data_list is missing", `{"vendor_data_list": null}`: "vendor_data_list is missing", `{"vendor_data_list": []}`: "empty",
		`{"vendor_data_list": "erase me, please"}`: "not a list", `{"vendor_data_list": [1]}`: "not a list",
		`{"vendor_data_list": ["erase me, please", ""]}`:                                  "an entry that is empty",
		`{"vendor_data_list": ["erase me, please", null]}`:                                "an entry that is empty",
		`{"vendor_data_list": ["erase me, please", "` + strings.Repeat("x", 1025) + `"]}`: "too long",
		`{"vendor_data_list": ["erase me, please"` + strings.Repeat(`,"x"`, 1000) + `]}`:  "at most 1000 people",
		`{"vendor_data_list": ["erase me, please"], "all": true}`:                         "not known here",
	} {
		a.json(t, http.MethodPost, "/v3/users/delete/", body).refused(t, 400, "invalid_request", words)
	}
	same()
	list, err := json.Marshal(map[string]any{"vendor_data_list": []string{one, two, one, confide("unknown-person")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"sessions_deleted":3,"searches_deleted":1`, `{"sessions_deleted":0,"searches_deleted":0`} {
		got := a.json(t, http.MethodPost, "/v3/users/delete/", string(list))
		if got.status != 200 || !strings.HasPrefix(string(got.body), want+`,"receipt":`) {
			t.Errorf("%d %s, want %s", got.status, got.body, want)
		}
	}
	a.get(t, "/v3/session/"+search.RequestID+"/decision/").refused(t, 404, "not_found", "")
	if left := a.list(t, "/v3/sessions/"); left.numbers() != fmt.Sprint([]int{nameless.SessionNumber, kept.SessionNumber}) {
		t.Errorf("%s are left", left.numbers())
	}
	if found := a.search(t, picture); found.FaceSearch.TotalMatches != 2 {
		t.Errorf("%s", found.raw)
	}
}

func TestBlocklist(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	made := a.enrol(t, picture, text("vendor_data", "blocked-person"), text("status", "In Review"))
	body := func(field string) string { return `{"session_id": "` + made.SessionID + `", "` + field + `": true}` }
	expect := func(status string, matches, listed int) searched {
		t.Helper()
		found := a.search(t, picture)
		if found.FaceSearch.Status != status || found.FaceSearch.TotalMatches != matches {
			t.Errorf("%s", found.raw)
		}
		if list := a.list(t, "/v3/blocklist/"); list.Count != listed || len(list.Results) != listed {
			t.Errorf("%+v", list)
		}
		return found
	}
	expect("Approved", 0, 0)
	for range 2 { // again changes nothing
		var session struct {
			IsBlocklisted bool   `json:"is_blocklisted"`
			Status        string `json:"status"`
		}
		a.json(t, http.MethodPost, "/v3/blocklist/add/", body("blocklist_face")).decode(t, 200, &session)
		if !session.IsBlocklisted || session.Status != "In Review" {
			t.Errorf("%+v", session)
		}
		found := expect("Declined", 1, 1)
		if warnings := found.FaceSearch.Warnings; len(warnings) != 1 || warnings[0].Risk != "FACE_IN_BLOCKLIST" || *warnings[0].AdditionalData != made.SessionID {
			t.Errorf("%s", found.raw)
		}
	}
	same := a.same(t)
	for _, path := range []string{"add", "remove"} {
		field := map[string]string{"add": "blocklist_face", "remove": "unblock_face"}[path]
		for body, words := range map[string]string{
			`{}`: "session_id is missing", `{"session_id": null, "F": true}`: "session_id is missing", `{"session_id": 7, "F": true}`: "session_id is missing",
			`{"session_id": "7", "F": true}`: "session_id is not a UUID", `{"session_id": "ID"}`: field + " is not true",
			`{"session_id": "ID", "F": false}`: field + " is not true", `{"session_id": "ID", "F": "true"}`: field + " is not true",
			`{"session_id": "ID", "F": null}`: field + " is not true", `{"session_id": "ID", "F": true, "blocklist_document": true}`: "not known here",
		} {
			body = strings.NewReplacer("ID", made.SessionID, "F", field).Replace(body)
			a.json(t, http.MethodPost, "/v3/blocklist/"+path+"/", body).refused(t, 400, "invalid_request", words)
		}
		a.json(t, http.MethodPost, "/v3/blocklist/"+path+"/", `{"session_id": "`+uuid.NewString()+`", "`+field+`": true}`).
			refused(t, 404, "not_found", "no session")
	}
	same()
	a.json(t, http.MethodPost, "/v3/blocklist/remove/", body("unblock_face")).decode(t, 200, &enrolled{})
	expect("Approved", 0, 0)
	// Erasing a blocklisted session takes it off the blocklist, and out of what old searches say.
	a.json(t, http.MethodPost, "/v3/blocklist/add/", body("blocklist_face")).decode(t, 200, &enrolled{})
	declined := expect("Declined", 1, 1)
	if got := a.send(t, http.MethodDelete, "/v3/session/"+made.SessionID+"/delete", "", nil); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	expect("Approved", 0, 0)
	got := a.get(t, "/v3/session/"+declined.RequestID+"/decision/")
	var again searched
	got.decode(t, 200, &again)
	if again.FaceSearch.Status != "Declined" || len(again.FaceSearch.Warnings) != 1 || strings.Contains(string(got.body), made.SessionID) {
		t.Errorf("%s", got.body)
	}
}

func TestBlocklistFaces(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	got := a.post(t, "/v3/blocklist/faces/", file("image", picture), text("comment", "banned from the shop"), text("vendor_data", "visitor-9"))
	var made enrolled
	got.decode(t, 201, &made)
	if made.Status != "Declined" || made.PortraitImageURL == nil || !strings.Contains(string(got.body), `"comment":"banned from the shop"`) {
		t.Errorf("%s", got.body)
	}
	found := a.search(t, portrait(t, "obama2.jpg"))
	if found.FaceSearch.Status != "Declined" || found.first() != "visitor-9" || !strings.Contains(string(found.raw), `"is_blocklisted":true`) {
		t.Errorf("%s", found.raw)
	}
	if list := a.list(t, "/v3/blocklist/?limit=1"); list.Count != 1 || list.Results[0].SessionID != made.SessionID {
		t.Errorf("%+v", list)
	}
	both := facetest.JPEG(t, facetest.Beside(facetest.Image(t, "obama.jpg", 600), facetest.Image(t, "biden.jpg", 600)))
	same := a.same(t)
	for words, parts := range map[string][]part{
		"image is missing":           {text("comment", "no picture of anybody")},
		"image is empty":             {file("image", nil)},
		"No face was found in image": {file("image", facetest.JPEG(t, plain(64, 64)))},
		"2 faces were found":         {file("image", both)},
		"comment is too long":        {file("image", picture), text("comment", strings.Repeat("x", 1025))},
		"not a JPEG":                 {file("image", []byte("no picture at all"))},
	} {
		a.post(t, "/v3/blocklist/faces/", parts...).refused(t, 400, "invalid_request", words)
	}
	a.get(t, "/v3/blocklist/?limit=0").refused(t, 400, "invalid_request", "limit is")
	same()
}
