package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"facesearch/api"
	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// An owned is a store that is asked by its owner.
type owned struct {
	store   *bolt.Store
	handler http.Handler
}

func newOwned(t *testing.T) *owned {
	t.Helper()
	store, err := bolt.Open(t.TempDir(), bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &owned{store, api.Owner(api.New(api.Options{Log: testLog()}), store)}
}

// ask wants a status, and reads the answer.
func (o *owned) ask(t *testing.T, method, path, body string, status int, into any) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	o.handler.ServeHTTP(recorder, httptest.NewRequest(method, path, strings.NewReader(body)))
	if recorder.Code != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, recorder.Code, recorder.Body, status)
	}
	if into != nil {
		if err := json.Unmarshal(recorder.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
	return recorder.Body.String()
}

func (o *owned) keys(t *testing.T, application string) map[string]api.OwnerKey {
	t.Helper()
	var list []api.OwnerKey
	o.ask(t, "GET", "/keys?application="+application, "", 200, &list)
	byID := map[string]api.OwnerKey{}
	for _, key := range list {
		if key.Secret != "" {
			t.Error("a list has a secret in it")
		}
		byID[key.ID] = key
	}
	return byID
}

// find is the key of a secret, nil when it is not valid.
func (o *owned) find(t *testing.T, secret string) *face.Key {
	t.Helper()
	key, err := o.store.KeyByDigest(t.Context(), search.Digest(secret))
	if err != nil {
		if face.CodeOf(err) != face.CodeUnauthorized {
			t.Fatal(err)
		}
		return nil
	}
	return &key
}

func TestOwnerApplications(t *testing.T) {
	o := newOwned(t)
	var one, two api.OwnerApplication
	o.ask(t, "POST", "/applications", `{"name": "one"}`, 201, &one)
	o.ask(t, "POST", "/applications", `{"name": "two"}`, 201, &two)
	if key := o.find(t, one.Secret); key == nil || key.Scope != face.ScopeManage || key.Application != one.ID {
		t.Fatalf("%+v", key)
	}
	o.ask(t, "PATCH", "/applications/"+one.ID, `{"name": "eins"}`, 204, nil)
	if list := o.ask(t, "GET", "/applications", "", 200, nil); !strings.Contains(list, `"eins"`) || strings.Contains(list, `"one"`) {
		t.Error(list)
	}
	for _, bad := range []string{`{}`, `{"name": ""}`, `{"name": "two\nlines"}`, `{"name": "` + strings.Repeat("x", 201) + `"}`, `x`} {
		o.ask(t, "POST", "/applications", bad, 400, nil)
		o.ask(t, "PATCH", "/applications/"+one.ID, bad, 400, nil)
	}
	o.ask(t, "PATCH", "/applications/unknown", `{"name": "x"}`, 404, nil)
	o.ask(t, "DELETE", "/applications/unknown", "", 404, nil)
	o.ask(t, "DELETE", "/applications/"+one.ID, "", 204, nil)
	if o.find(t, one.Secret) != nil || o.find(t, two.Secret) == nil {
		t.Error("another application's key ended, or the deleted one's did not")
	}
	var list []face.Application
	o.ask(t, "GET", "/applications", "", 200, &list)
	if len(list) != 1 || list[0].ID != two.ID {
		t.Errorf("%+v", list)
	}
}

func TestOwnerKeys(t *testing.T) {
	o := newOwned(t)
	var one, two api.OwnerApplication
	o.ask(t, "POST", "/applications", `{"name": "one"}`, 201, &one)
	o.ask(t, "POST", "/applications", `{"name": "two"}`, 201, &two)
	create := func(body string) (key api.OwnerKey) {
		t.Helper()
		o.ask(t, "POST", "/keys", body, 201, &key)
		return key
	}
	for body, want := range map[string]api.OwnerKey{
		`{}`: {Application: one.ID, Scope: face.ScopeManage}, // the oldest
		`{"name": "x", "scope": "search", "application": "` + two.ID + `"}`: {Name: "x", Application: two.ID, Scope: face.ScopeSearch},
		`{"scope": "enrol"}`: {Application: one.ID, Scope: face.ScopeEnrol},
	} {
		made := create(body)
		key := o.find(t, made.Secret)
		if key == nil || key.Name != want.Name || key.Application != want.Application || key.Scope != want.Scope || made.ExpiresAt != nil || made.LastUsedAt != nil {
			t.Errorf("%s: %+v, %+v", body, made, key)
		}
	}
	for _, bad := range []string{
		`{"scope": "all"}`, `{"lifetime_seconds": -1}`, `{"lifetime_seconds": 1e12}`, `{"name": "\u0007"}`, `[`,
	} {
		o.ask(t, "POST", "/keys", bad, 400, nil)
	}
	o.ask(t, "POST", "/keys", `{"application": "unknown"}`, 404, nil)
	t.Run("Expires", func(t *testing.T) {
		made := create(`{"lifetime_seconds": 3600}`)
		if left := time.Until(*made.ExpiresAt); left < 59*time.Minute || left > time.Hour || o.find(t, made.Secret) == nil {
			t.Errorf("%v", left)
		}
		short := create(`{"lifetime_seconds": 0.001}`)
		time.Sleep(2 * time.Millisecond)
		if o.find(t, short.Secret) != nil {
			t.Error("an expired key is accepted")
		}
	})
	t.Run("Rename", func(t *testing.T) {
		made := create(`{"name": "before"}`)
		o.ask(t, "PATCH", "/keys/"+made.ID, `{"name": "after"}`, 204, nil)
		if key := o.find(t, made.Secret); key == nil || key.Name != "after" {
			t.Errorf("%+v", key)
		}
		o.ask(t, "PATCH", "/keys/"+made.ID, `{}`, 400, nil)
		o.ask(t, "PATCH", "/keys/"+made.ID+"?application="+two.ID, `{"name": "x"}`, 404, nil)
	})
	t.Run("Revoke", func(t *testing.T) {
		made := create(`{}`)
		o.ask(t, "DELETE", "/keys/"+made.ID+"?application="+two.ID, "", 404, nil)
		o.ask(t, "DELETE", "/keys/"+made.ID, "", 204, nil)
		if o.find(t, made.Secret) != nil || o.keys(t, "")[made.ID].RevokedAt == nil {
			t.Error("it was not revoked")
		}
		o.ask(t, "POST", "/keys/"+made.ID+"/rotate", `{}`, 409, nil)
	})
}

func TestRotateKey(t *testing.T) {
	o := newOwned(t)
	var one, two api.OwnerApplication
	o.ask(t, "POST", "/applications", `{"name": "one"}`, 201, &one)
	o.ask(t, "POST", "/applications", `{"name": "two"}`, 201, &two)
	create := func(t *testing.T, body string) (key api.OwnerKey) {
		o.ask(t, "POST", "/keys", body, 201, &key)
		return key
	}
	for name, each := range map[string]struct {
		lifetime, body string
		old            bool
	}{
		"AtOnce": {"0", `{}`, false}, "Grace": {"0", `{"grace_seconds": 3600}`, true}, "ShortGrace": {"0", `{"grace_seconds": 0.001}`, false},
		"GraceOfAnExpiring": {"60", `{"grace_seconds": 3600}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			old := create(t, `{"name": "the till", "scope": "enrol", "lifetime_seconds": `+each.lifetime+`}`)
			var made api.OwnerKey
			o.ask(t, "POST", "/keys/"+old.ID+"/rotate", each.body, 201, &made)
			time.Sleep(2 * time.Millisecond)
			if made.ID == old.ID || made.Secret == old.Secret || made.Name != old.Name || made.Scope != old.Scope || made.Application != old.Application {
				t.Errorf("%+v", made)
			}
			if o.find(t, made.Secret) == nil || (o.find(t, old.Secret) != nil) != each.old {
				t.Errorf("the new key is valid: %v, the old one: %v", o.find(t, made.Secret) != nil, o.find(t, old.Secret) != nil)
			}
			listed := o.keys(t, "")[old.ID]
			if (listed.RevokedAt != nil) != (name == "AtOnce") {
				t.Errorf("revoked at %v", listed.RevokedAt)
			}
			if each.old && (listed.ExpiresAt == nil || time.Until(*listed.ExpiresAt) > time.Hour) {
				t.Errorf("it ends at %v", listed.ExpiresAt)
			}
			if each.lifetime != "0" && (!listed.ExpiresAt.Equal(*old.ExpiresAt) || made.ExpiresAt == nil || !made.ExpiresAt.Equal(*old.ExpiresAt)) {
				t.Errorf("a rotation made it last until %v, and the new one until %v", listed.ExpiresAt, made.ExpiresAt)
			}
		})
	}
	t.Run("Refused", func(t *testing.T) {
		old := create(t, `{}`)
		before := len(o.keys(t, ""))
		o.ask(t, "POST", "/keys/"+old.ID+"/rotate", `{"grace_seconds": -1}`, 400, nil)
		o.ask(t, "POST", "/keys/"+old.ID+"/rotate?application="+two.ID, `{}`, 404, nil)
		o.ask(t, "POST", "/keys/unknown/rotate", `{}`, 404, nil)
		if len(o.keys(t, "")) != before || o.find(t, old.Secret) == nil {
			t.Error("a refused rotation changed something")
		}
	})
}
