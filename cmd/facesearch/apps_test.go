package main_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
)

type listedApplication struct{ ID, Name string }

func listApps(t *testing.T, data string) map[string]string {
	t.Helper()
	got := run(t, nil, "apps", "list", "--data", data, "--json")
	got.ended(t, 0)
	var list []listedApplication
	if err := json.Unmarshal([]byte(got.out), &list); err != nil {
		t.Fatalf("%v: %s", err, got.out)
	}
	named := map[string]string{}
	for _, each := range list {
		named[each.Name] = each.ID
	}
	return named
}

// secretOf is what a command that makes a key prints for scripts.
func secretOf(t *testing.T, got outcome) string {
	t.Helper()
	got.ended(t, 0, "shown this once")
	secret := strings.TrimSuffix(got.out, "\n")
	if len(secret) < 40 || strings.ContainsAny(secret, " \n") || strings.Contains(got.errors, secret) {
		t.Fatalf("standard output is not one key: %q", got.out)
	}
	return secret
}

func TestApps(t *testing.T) {
	s := serve(t, t.TempDir(), nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	s.count(t, bootstrapKey)
	key := secretOf(t, run(t, nil, "apps", "create", "--data", s.data, "second"))
	if answer := s.search(t, key, facetest.Photograph(t, "astronaut.png")); answer.FaceSearch.TotalMatches != 0 {
		t.Errorf("it finds somebody of another application: %s", answer.Raw)
	}
	if number := s.count(t, key); number != 1 {
		t.Errorf("session number %d", number)
	}
	second := listApps(t, s.data)["second"]
	run(t, nil, "apps", "rename", "--data", s.data, second, "zweite").ended(t, 0, "zweite")
	run(t, nil, "apps", "rename", "--data", s.data, "unknown", "x").ended(t, 1, "no such application")
	table := run(t, nil, "apps", "list", "--data", s.data)
	table.ended(t, 0)
	if !strings.Contains(table.out, second+"  zweite") || !strings.Contains(table.out, "default") {
		t.Errorf("%s", table.out)
	}
	run(t, nil, "apps", "delete", "--data", s.data, second).ended(t, 1, "--yes")
	run(t, nil, "apps", "delete", "--data", s.data, "unknown", "--yes").ended(t, 1, "no application unknown")
	s.search(t, key, photograph)
	run(t, nil, "apps", "delete", "--data", s.data, second, "--yes").ended(t, 0, "is erased")
	if _, err := s.client(key).Search(t.Context(), photograph, clientOptions); err == nil {
		t.Error("the key of a deleted application is accepted")
	}
	if number := s.count(t, bootstrapKey); number != 2 {
		t.Errorf("the other application's next session has the number %d", number)
	}
	s.stop(t)
	t.Run("WhileStopped", func(t *testing.T) {
		secretOf(t, run(t, nil, "apps", "create", "--data", s.data, "third"))
		list := listApps(t, s.data)
		if len(list) != 2 || list["third"] == "" || list["zweite"] != "" {
			t.Errorf("%v", list)
		}
		run(t, nil, "apps", "delete", "--data", s.data, list["third"], "--yes").ended(t, 0, "is erased")
		if list := listApps(t, s.data); len(list) != 1 {
			t.Errorf("%v", list)
		}
		run(t, nil, "apps", "list", "--data", t.TempDir()).ended(t, 1, "there is no store in")
	})
}

func TestKeys(t *testing.T) {
	s := serve(t, t.TempDir(), nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	refused := func(t *testing.T, err error, status int, words string) {
		t.Helper()
		refusal, ok := err.(*client.Error)
		if !ok || refusal.Status != status || !strings.Contains(refusal.Detail, words) {
			t.Errorf("%v", err)
		}
	}
	searcher := secretOf(t, run(t, nil, "keys", "create", "--data", s.data, "--name", "searcher", "--scope", "search", "--expires", "720h"))
	s.search(t, searcher, photograph)
	_, err := s.client(searcher).Enrol(t.Context(), photograph, nil)
	refused(t, err, 403, "needs the scope enrol")
	listed := listKeys(t, s.data)
	if first := listed["first"]; first.Scope != "manage" || first.ExpiresAt != nil {
		t.Errorf("%+v", first)
	}
	key := listed["searcher"]
	if key.Scope != "search" || key.LastUsedAt == nil || time.Since(*key.LastUsedAt) > patience || key.ExpiresAt == nil || time.Until(*key.ExpiresAt) > 720*time.Hour {
		t.Errorf("%+v", key)
	}
	run(t, nil, "keys", "rename", "--data", s.data, key.ID, "renamed").ended(t, 0, "renamed")
	table := run(t, nil, "keys", "list", "--data", s.data)
	table.ended(t, 0)
	for _, words := range []string{"SCOPE", "LAST USED", "renamed", key.ExpiresAt.Format(time.RFC3339), key.LastUsedAt.Format(time.RFC3339)} {
		if !strings.Contains(table.out, words) {
			t.Errorf("no %q in\n%s", words, table.out)
		}
	}
	rotated := secretOf(t, run(t, nil, "keys", "rotate", "--data", s.data, key.ID, "--grace", "24h"))
	s.search(t, rotated, photograph)
	s.search(t, searcher, photograph)
	again := listKeys(t, s.data)["renamed"] // the new one, which comes last
	last := secretOf(t, run(t, nil, "keys", "rotate", "--data", s.data, again.ID))
	s.search(t, last, photograph)
	_, err = s.client(rotated).Search(t.Context(), photograph, clientOptions)
	refused(t, err, 401, "was revoked")
	run(t, nil, "keys", "rotate", "--data", s.data, again.ID).ended(t, 1, "has ended already")
	run(t, nil, "keys", "rotate", "--data", s.data, key.ID, "--grace=-1h").ended(t, 1, "not for less than no time")
	_, err = s.client(last).Enrol(t.Context(), photograph, nil)
	refused(t, err, 403, "needs the scope enrol")
}
