package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"facesearch/api"
	"facesearch/pkg/search"
)

// A route is one that needs a key, with the methods that its path allows.
type route struct {
	method, path, allow string
	// body is JSON, but for forms, where it is empty. In path and body, ID is the UUID of what
	// is asked for, and NUMBER that of an entry of the audit log.
	body string
	form []part
	// names says that the route names one thing, which may be missing or another's.
	names bool
}

func (r route) send(t *testing.T, a *tenant, method, id string) answer {
	t.Helper()
	path := strings.NewReplacer("ID", id, "NUMBER", id).Replace(r.path)
	if r.form != nil && method == r.method {
		contentType, body := form(r.form...)
		return a.send(t, method, path, contentType, body)
	}
	return a.json(t, method, path, strings.Replace(r.body, "ID", id, 1))
}

// keyed are all routes that need a key.
func keyed(t *testing.T) []route {
	t.Helper()
	picture := portrait(t, "obama.jpg")
	return []route{
		{method: "POST", path: "/v3/face-search/", allow: "POST", form: []part{file("user_image", picture)}},
		{method: "POST", path: "/v3/face-match/", allow: "POST", form: []part{file("user_image", picture), file("ref_image", picture)}},
		{method: "GET", path: "/v3/sessions/", allow: "GET, HEAD, POST"},
		{method: "POST", path: "/v3/sessions/", allow: "GET, HEAD, POST", body: `{"request_id": "ID"}`, names: true},
		{method: "GET", path: "/v3/session/ID/decision/", allow: "GET, HEAD", names: true},
		{method: "PATCH", path: "/v3/session/ID/update-status/", allow: "PATCH", body: `{"new_status": "Declined"}`, names: true},
		{method: "DELETE", path: "/v3/session/ID/delete/", allow: "DELETE", names: true},
		{method: "POST", path: "/v3/users/delete/", allow: "POST", body: `{"vendor_data_list": ["owner-ID"]}`},
		{method: "GET", path: "/v3/blocklist/", allow: "GET, HEAD"},
		{method: "POST", path: "/v3/blocklist/add/", allow: "POST", body: `{"session_id": "ID", "blocklist_face": true}`, names: true},
		{method: "POST", path: "/v3/blocklist/remove/", allow: "POST", body: `{"session_id": "ID", "unblock_face": true}`, names: true},
		{method: "POST", path: "/v3/blocklist/faces/", allow: "POST", form: []part{file("image", picture)}},
		{method: "GET", path: "/v3/duplicates/", allow: "GET, HEAD"},
		{method: "GET", path: "/v3/searches/", allow: "GET, HEAD"},
		{method: "GET", path: "/v3/audit/", allow: "GET, HEAD"},
		{method: "GET", path: "/v3/audit/NUMBER/receipt/", allow: "GET, HEAD"},
		{method: "GET", path: "/v3/settings/", allow: "GET, HEAD, PATCH"},
		{method: "PATCH", path: "/v3/settings/", allow: "GET, HEAD, PATCH", body: `{"max_matches": 3}`},
		{method: "GET", path: "/v3/billing/balance/", allow: "GET, HEAD"},
		{method: "POST", path: "/v3/billing/top-up/", allow: "POST", body: `{"amount_in_dollars": 50}`},
	}
}

// TestRoutesComplete holds the table and the router together.
func TestRoutesComplete(t *testing.T) {
	listed := map[string]bool{}
	for _, each := range keyed(t) {
		listed[each.method+" "+strings.TrimRight(strings.NewReplacer("ID", "{id}", "NUMBER", "{number}").Replace(each.path), "/")] = true
	}
	all, err := api.Routes(api.New(api.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]bool{"/auth/v2/programmatic/register": true, "/auth/v2/programmatic/verify-email": true, "/healthz": true, "/readyz": true, "/metrics": true, "/openapi.yaml": true, "/docs": true, "/v3/media/{id}": true}
	for _, each := range all {
		if name := each[0] + " " + each[1]; !open[each[1]] && !listed[name] {
			t.Errorf("%s is not in the table of this test", name)
		}
		delete(listed, each[0]+" "+each[1])
	}
	for name := range listed {
		t.Errorf("%s is in the table of this test and not a route", name)
	}
}

// TestEveryRoute walks all routes that need a key: without one, with another method, with an
// ID that names nothing, and with what is another application's. Nothing is changed by any.
func TestEveryRoute(t *testing.T) {
	one, other := newTenant(t), newTenant(t)
	picture := portrait(t, "obama.jpg")
	owner := confide("owner-" + uuid.NewString())
	session := one.enrol(t, picture, text("vendor_data", owner))
	saved := one.search(t, picture, text("vendor_data", owner))
	other.enrol(t, picture)
	sameOne, sameOther := one.same(t), other.same(t)
	for _, each := range keyed(t) {
		t.Run(each.method+strings.ReplaceAll(each.path, "/", "_"), func(t *testing.T) {
			for _, key := range []string{"", confide(search.NewSecret())} {
				stranger := &tenant{world: one.world, id: one.id, key: key, url: one.url}
				each.send(t, stranger, each.method, session.SessionID).refused(t, 401, "unauthorized", "")
			}
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
				if strings.Contains(each.allow, method) {
					continue
				}
				got := each.send(t, one, method, session.SessionID)
				got.refused(t, 405, "method_not_allowed", method)
				if got.header.Get("Allow") != each.allow {
					t.Errorf("%s: Allow %q, want %q", method, got.header.Get("Allow"), each.allow)
				}
			}
			if !each.names {
				return
			}
			each.send(t, one, each.method, uuid.NewString()).refused(t, 404, "not_found", "")
			each.send(t, other, each.method, session.SessionID).refused(t, 404, "not_found", "")
			each.send(t, other, each.method, saved.RequestID).refused(t, 404, "not_found", "")
			if strings.Contains(each.path, "ID") {
				for _, id := range []string{"1", "%20", "{" + uuid.NewString() + "}", uuid.NewString() + "%2F", strings.Repeat("a", 36), "..%2Fsessions"} {
					each.send(t, one, each.method, id).refused(t, 404, "not_found", "")
				}
			}
		})
	}
	t.Run("OwnersAreApart", func(t *testing.T) {
		got := other.json(t, http.MethodPost, "/v3/users/delete/", `{"vendor_data_list": ["`+owner+`"]}`)
		if got.status != 200 || !strings.HasPrefix(string(got.body), `{"sessions_deleted":0,"searches_deleted":0,`) {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	sameOne()
	sameOther()
	if got := one.get(t, "/v3/session/"+saved.RequestID+"/decision/"); got.status != 200 {
		t.Errorf("the saved search: %d %s", got.status, got.body)
	}
}

// TestJSONBodies sends every route that reads JSON what it must not take.
func TestJSONBodies(t *testing.T) {
	a := newTenant(t)
	session := a.enrol(t, portrait(t, "obama.jpg"))
	saved := a.search(t, portrait(t, "obama.jpg"))
	same := a.same(t)
	for _, each := range keyed(t) {
		if each.body == "" {
			continue
		}
		t.Run(each.method+strings.ReplaceAll(each.path, "/", "_"), func(t *testing.T) {
			id := session.SessionID
			if strings.Contains(each.body, "request_id") {
				id = saved.RequestID
			}
			path, good := strings.Replace(each.path, "ID", id, 1), strings.Replace(each.body, "ID", id, 1)
			first := strings.SplitN(good, `"`, 3)[1]
			for body, words := range map[string]string{
				"": "not valid JSON", " ": "not valid JSON", "{": "not valid JSON", good[:len(good)-1]: "not valid JSON", "{'a': 1}": "not valid JSON",
				"null": "not a JSON object", "[]": "not a JSON object", `"text"`: "not a JSON object", "7": "not a JSON object", "[" + good + "]": "not a JSON object",
				good + good: "goes on after the end", good + " x": "goes on after the end", good + "\x00": "goes on after the end",
				good[:len(good)-1] + `, "unknown": 1}`:                  "a field that is not known here: the fields are ",
				strings.Replace(good, first, strings.ToUpper(first), 1): "not known here", good[:len(good)-1] + "," + good[1:]: first + " twice",
				good[:len(good)-1] + ", \"\xff\": 1}":                    "not valid UTF-8",
				good + strings.Repeat(" ", api.JSONBytesMax+1-len(good)): "too large: at most 65536 bytes",
				strings.Repeat("[", 60_000):                              "not valid JSON",
			} {
				a.json(t, each.method, path, body).refused(t, 400, "invalid_request", words)
			}
			for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json/x", "application/jsonx"} {
				got := a.send(t, each.method, path, kind, []byte(good))
				got.refused(t, 400, "invalid_request", "The body is not")
			}
			huge := make([]byte, 12*1024*1024)
			a.send(t, each.method, path, "application/json", huge).refused(t, 400, "invalid_request", "too large")
		})
	}
	same()
	t.Run("OK", func(t *testing.T) {
		for _, kind := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
			body := `{"max_matches": 5}` + strings.Repeat(" ", api.JSONBytesMax-18)
			if got := a.send(t, http.MethodPatch, "/v3/settings/", kind, []byte(body)); got.status != 200 {
				t.Errorf("%s: %d %s", kind, got.status, got.body)
			}
		}
	})
}
