package api_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"facesearch/api"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// pattern is a route as the router names it.
func (r route) pattern() string {
	return r.method + " " + strings.TrimRight(strings.NewReplacer("ID", "{id}", "NUMBER", "{number}").Replace(r.path), "/")
}

func (r route) scope(t *testing.T) face.Scope {
	t.Helper()
	scope, ok := api.ScopeOf()[r.pattern()]
	if !ok {
		t.Fatalf("%s is not in the table of scopes", r.pattern())
	}
	return scope
}

// TestScopesComplete holds the table of scopes and the routes that take a key together.
func TestScopesComplete(t *testing.T) {
	listed := map[string]bool{}
	for _, each := range keyed(t) {
		listed[each.pattern()] = true
		if scope := each.scope(t); !scope.Valid() {
			t.Errorf("%s needs the scope %q", each.pattern(), scope)
		}
	}
	for name := range api.ScopeOf() {
		if !listed[name] {
			t.Errorf("%s is in the table of scopes and not a route that takes a key", name)
		}
	}
}

// TestScopes sends every request with a key of every scope: it is refused, and changes nothing,
// exactly where the scope is too small.
func TestScopes(t *testing.T) {
	want := map[string]string{
		"POST /v3/face-search": "search", "POST /v3/face-match": "search", "GET /v3/session/{id}/decision": "search", "GET /v3/settings": "search", "GET /v3/billing/balance": "search",
		"GET /v3/sessions": "enrol", "POST /v3/sessions": "enrol", "GET /v3/blocklist": "enrol", "POST /v3/blocklist/add": "enrol", "POST /v3/blocklist/faces": "enrol",
	}
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	for _, each := range keyed(t) {
		needed := face.Scope(want[each.pattern()])
		if needed == "" {
			needed = face.ScopeManage
		}
		t.Run(each.method+strings.ReplaceAll(each.path, "/", "_"), func(t *testing.T) {
			session := a.enrol(t, picture, text("vendor_data", "owner-"+uuid.NewString()))
			of := session.SessionID
			if strings.Contains(each.body, "request_id") {
				of = a.search(t, picture).RequestID
			}
			if strings.Contains(each.path, "NUMBER") { // that of an erasure
				a.json(t, http.MethodDelete, "/v3/session/"+of+"/delete/", "")
				of = strconv.FormatUint(a.audit(t, "?limit=1").Results[0].Number, 10)
			}
			for _, scope := range face.Scopes {
				other := a.withScope(t, scope)
				if slices.Index(face.Scopes, scope) < slices.Index(face.Scopes, needed) {
					same := a.same(t)
					each.send(t, other, each.method, of).refused(t, 403, "forbidden", "this needs the scope "+string(needed))
					same()
					continue
				}
				if got := each.send(t, other, each.method, of); got.status >= 300 && (scope == needed || got.status != 404) {
					t.Errorf("%s: %d %s", scope, got.status, got.body)
				}
			}
		})
	}
	t.Run("HEAD", func(t *testing.T) {
		searcher := a.withScope(t, face.ScopeSearch)
		for path, status := range map[string]int{"/v3/sessions/": 403, "/v3/settings/": 200} {
			if got := searcher.send(t, http.MethodHead, path, "", nil); got.status != status {
				t.Errorf("%s: %d", path, got.status)
			}
		}
	})
	t.Run("MethodAndPathComeFirst", func(t *testing.T) {
		searcher := a.withScope(t, face.ScopeSearch)
		searcher.send(t, http.MethodPut, "/v3/sessions/", "", nil).refused(t, 405, "method_not_allowed", "")
		searcher.send(t, http.MethodGet, "/v3/nothing/", "", nil).refused(t, 404, "not_found", "")
	})
}

// TestMediaOfOthers: an address that was signed for one application shows nothing of another
// one, whichever part of it is put in the other's place.
func TestMediaOfOthers(t *testing.T) {
	one, other := newTenant(t), newTenant(t)
	picture := portrait(t, "obama.jpg")
	mine, theirs := one.enrol(t, picture), other.enrol(t, picture)
	addresses := [2]string{targetOf(t, one.url, mine.PortraitImageURL), targetOf(t, one.url, theirs.PortraitImageURL)}
	split := func(address string) (id, application, rest string) {
		id, query, _ := strings.Cut(strings.TrimPrefix(address, "/v3/media/"), "?application=")
		application, rest, _ = strings.Cut(query, "&")
		return id, application, rest
	}
	myID, myApplication, myRest := split(addresses[0])
	theirID, theirApplication, theirRest := split(addresses[1])
	if myApplication != one.id || theirApplication != other.id {
		t.Fatal(addresses)
	}
	for _, mixed := range [][3]string{
		{theirID, myApplication, myRest}, {myID, theirApplication, myRest}, {myID, myApplication, theirRest},
		{theirID, theirApplication, myRest}, {theirID, myApplication, theirRest}, {myID, theirApplication, theirRest},
	} {
		target := "/v3/media/" + mixed[0] + "?application=" + mixed[1] + "&" + mixed[2]
		get(t, http.MethodGet, one.url, target).refused(t, 403, "forbidden", "not valid")
	}
	for _, target := range addresses {
		if got := get(t, http.MethodGet, one.url, target); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

// TestDeletedApplication: no key, ID or address of an application that was deleted leads anywhere.
func TestDeletedApplication(t *testing.T) {
	gone, other := newTenant(t), newTenant(t)
	session := gone.enrol(t, portrait(t, "obama.jpg"))
	other.enrol(t, portrait(t, "obama.jpg"))
	same := other.same(t)
	if err := gone.gallery.DeleteApplication(t.Context(), gone.id); err != nil {
		t.Fatal(err)
	}
	for _, each := range keyed(t) {
		each.send(t, gone, each.method, session.SessionID).refused(t, 401, "unauthorized", "")
		if each.names {
			each.send(t, other, each.method, session.SessionID).refused(t, 404, "not_found", "")
		}
	}
	get(t, http.MethodGet, gone.url, targetOf(t, gone.url, session.PortraitImageURL)).refused(t, 404, "not_found", "")
	same()
}

func TestLastUsed(t *testing.T) {
	a := newTenant(t)
	secret, id := a.newKey(t)
	handler := api.New(api.Options{Log: testLog()})
	if err := handler.Ready(t.Context(), a.gallery, nil); err != nil {
		t.Fatal(err)
	}
	server := listen(handler)
	t.Cleanup(server.Close)
	stop := handler.KeepUsage()
	other := &tenant{world: a.world, id: a.id, key: secret, url: server.URL}
	before := a.keyNamed(t, id)
	if !before.LastUsedAt.IsZero() {
		t.Fatalf("used at %v", before.LastUsedAt)
	}
	other.list(t, "/v3/sessions/")
	(&tenant{world: a.world, id: a.id, key: confide(search.NewSecret()), url: server.URL}).get(t, "/v3/sessions/").refused(t, 401, "unauthorized", "")
	if used := a.keyNamed(t, id).LastUsedAt; !used.IsZero() {
		t.Errorf("a request was made to wait for the use at %v to be written", used)
	}
	stop()
	if used := a.keyNamed(t, id).LastUsedAt; used.Before(before.CreatedAt) {
		t.Errorf("used at %v", used)
	}
}

func (a *tenant) keyNamed(t *testing.T, id string) face.Key {
	t.Helper()
	keys, err := a.gallery.Keys(t.Context(), a.id)
	if err != nil {
		t.Fatal(err)
	}
	place := slices.IndexFunc(keys, func(key face.Key) bool { return key.ID == id })
	return keys[place]
}
