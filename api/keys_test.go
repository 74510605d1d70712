package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/search"
)

// A shownKey is a key as the API shows it.
type shownKey struct {
	KeyID      string  `json:"key_id"`
	Name       string  `json:"name"`
	Scope      string  `json:"scope"`
	ExpiresAt  *string `json:"expires_at"`
	LastUsedAt *string `json:"last_used_at"`
	RevokedAt  *string `json:"revoked_at"`
	APIKey     string  `json:"api_key"`
}

func (a *tenant) keys(t *testing.T) (list []shownKey) {
	t.Helper()
	var shown struct {
		Count   int
		Results []shownKey
	}
	got := a.get(t, "/v3/keys/")
	got.decode(t, 200, &shown)
	if shown.Count != len(shown.Results) || strings.Contains(string(got.body), "digest") || strings.Contains(string(got.body), a.key) {
		t.Errorf("%s", got.body)
	}
	return shown.Results
}

func TestKeys(t *testing.T) {
	a, other := newTenant(t), newTenant(t)
	var made shownKey
	t.Run("OK create", func(t *testing.T) {
		a.json(t, http.MethodPost, "/v3/keys/", `{"name": "sign-up form", "scope": "search", "expires_at": "2125-01-02T03:04:05+01:00"}`).decode(t, 201, &made)
		confide(made.APIKey)
		if made.Name != "sign-up form" || made.Scope != "search" || made.LastUsedAt != nil || made.RevokedAt != nil || made.ExpiresAt == nil || *made.ExpiresAt != "2125-01-02T02:04:05Z" {
			t.Errorf("%+v", made)
		}
		holder := &tenant{world: a.world, id: a.id, key: made.APIKey, url: a.url}
		if got := holder.get(t, "/v3/settings/"); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
		holder.get(t, "/v3/keys/").refused(t, 403, "forbidden", "manage")
	})
	t.Run("OK list", func(t *testing.T) {
		list := a.keys(t)
		if len(list) != 2 || list[0].Scope != "manage" || list[0].LastUsedAt == nil || list[1].KeyID != made.KeyID || list[1].LastUsedAt == nil || list[1].APIKey != "" {
			t.Errorf("%+v", list)
		}
		if list := other.keys(t); len(list) != 1 {
			t.Errorf("of another application: %+v", list)
		}
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		other.send(t, http.MethodDelete, "/v3/keys/"+made.KeyID+"/", "", nil).refused(t, 404, "not_found", "")
		a.send(t, http.MethodDelete, "/v3/keys/00000000/", "", nil).refused(t, 404, "not_found", "")
		if list := a.keys(t); list[1].RevokedAt != nil {
			t.Errorf("%+v", list)
		}
	})
	t.Run("OK revoke", func(t *testing.T) {
		for range 2 { // again changes nothing
			if got := a.send(t, http.MethodDelete, "/v3/keys/"+made.KeyID+"/", "", nil); got.status != 204 {
				t.Fatalf("%d %s", got.status, got.body)
			}
		}
		if list := a.keys(t); list[1].RevokedAt == nil || list[0].RevokedAt != nil {
			t.Errorf("%+v", list)
		}
		holder := &tenant{world: a.world, id: a.id, key: made.APIKey, url: a.url}
		holder.get(t, "/v3/settings/").refused(t, 401, "unauthorized", "")
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for body, words := range map[string]string{
			`{}`: "A name has", `{"name": "x"}`: "scope is search, enrol or manage", `{"name": "x", "scope": "all"}`: "scope is",
			`{"name": "", "scope": "search"}`: "A name has", `{"name": "` + strings.Repeat("x", 300) + `", "scope": "search"}`: "A name has",
			`{"name": "x", "scope": "search", "expires_at": "tomorrow"}`:             "expires_at is not a time",
			`{"name": "x", "scope": "search", "expires_at": "2020-01-01T00:00:00Z"}`: "in the past", `{"name": 1, "scope": "search"}`: "name is not a string",
		} {
			a.json(t, http.MethodPost, "/v3/keys/", body).refused(t, 400, "invalid_request", words)
		}
		if list := a.keys(t); len(list) != 2 {
			t.Errorf("%+v", list)
		}
	})
	t.Run("OK expires", func(t *testing.T) {
		var made shownKey
		a.json(t, http.MethodPost, "/v3/keys/", `{"name": "soon over", "scope": "search", "expires_at": "`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`).decode(t, 201, &made)
		confide(made.APIKey)
		if key, err := a.gallery.KeyByDigest(t.Context(), search.Digest(made.APIKey)); err != nil || key.ExpiresAt.IsZero() {
			t.Error(key.ExpiresAt, err)
		}
	})
}
