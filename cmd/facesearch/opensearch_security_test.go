//go:build opensearch

package main_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
	"facesearch/pkg/opensearch/opensearchtest"
)

// The rights that README.md names, and fewer.
var (
	inCluster = []string{"cluster_composite_ops", "cluster_monitor"}
	users     = map[string]opensearchtest.User{
		"facesearch": {Password: "the-password-of-facesearch", Cluster: inCluster, Indices: map[string][]string{"facesearch-*": {"indices_all"}}},
		"reader":     {Password: "the-password-of-the-reader", Cluster: inCluster, Indices: map[string][]string{"facesearch-*": {"read"}}},
		"elsewhere":  {Password: "the-password-of-elsewhere", Cluster: inCluster, Indices: map[string][]string{"other-*": {"indices_all"}}},
		"nobody":     {Password: "the-password-of-nobody"},
	}
)

// TestOpenSearchSecured: TLS, and a user who may do no more than he has to.
func TestOpenSearchSecured(t *testing.T) {
	cluster, security, err := opensearchtest.StartSecured(users)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	other, err := opensearchtest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write(t, folder, map[string][]byte{"ca.pem": security.CA, "other.pem": other.PEM, "damaged.pem": []byte("no certificate")})
	one := secured{url: cluster.URLs()[0], folder: folder}
	t.Run("ErrRefused", func(t *testing.T) { testSecuredRefused(t, one) })
	t.Run("ErrRights on an empty cluster", func(t *testing.T) { testRightsMissing(t, one) })
	t.Run("OK", func(t *testing.T) { testSecured(t, one) })
	t.Run("ErrRights on a store", func(t *testing.T) { testRightsMissing(t, one) })
	environment, arguments := one.as("facesearch", users["facesearch"].Password, "ca.pem")
	s := serve(t, t.TempDir(), environment, arguments...)
	taken := takeSnapshot(t, cluster, security, s)
	s.stop(t)
	if err := cluster.Close(); err != nil { // before the next one takes as much memory
		t.Fatal(err)
	}
	t.Run("OK a snapshot in an empty cluster", func(t *testing.T) { testRestored(t, taken) })
}

// A secured is where a secured cluster is.
type secured struct{ url, folder string }

// as are the arguments and the environment of a user. The password is not in the arguments, which
// others see.
func (s secured) as(user, password, authority string) (environment, arguments []string) {
	environment = []string{"FACESEARCH_OPENSEARCH_PASSWORD=" + password}
	arguments = []string{"--gallery", "opensearch", "--opensearch-url", s.url, "--opensearch-user", user, "--workers", "1", "--bootstrap-key", bootstrapKey}
	if authority != "" {
		arguments = append(arguments, "--opensearch-ca", filepath.Join(s.folder, authority))
	}
	return environment, arguments
}

// A refusal is a start that is refused, and words of what it says to do.
type refusal struct {
	on                        secured
	user, password, authority string
	words                     string
}

func testSecuredRefused(t *testing.T, on secured) {
	plain, password := on, users["facesearch"].Password
	plain.url = strings.Replace(on.url, "https:", "http:", 1)
	for name, each := range map[string]refusal{
		"WrongPassword": {on, "facesearch", "not-the-password", "ca.pem", `the password is not his: look at --opensearch-user`},
		"NoUser":        {on, "", "", "ca.pem", "asks for a user: name one with --opensearch-user"},
		"WrongCA":       {on, "facesearch", password, "other.pem", "name the file of the one that signed it with --opensearch-ca"},
		"NoCA":          {on, "facesearch", password, "", "name the file of the one that signed it with --opensearch-ca"},
		"DamagedCA":     {on, "facesearch", password, "damaged.pem", "--opensearch-ca holds no certificate"},
		"MissingCA":     {on, "facesearch", password, "none.pem", "reading --opensearch-ca"},
		"WithoutTLS":    {plain, "facesearch", password, "ca.pem", "begin its addresses with https://"},
		"NoRights":      {on, "nobody", users["nobody"].Password, "ca.pem", `"nobody" lacks a right; his role needs cluster_composite_ops and cluster_monitor`},
	} {
		t.Run(name, func(t *testing.T) { requireRefused(t, each) })
	}
}

// testRightsMissing: of a user who is known, a right that he lacks is named.
func testRightsMissing(t *testing.T, on secured) {
	for _, user := range []string{"elsewhere", "reader"} {
		t.Run(user, func(t *testing.T) {
			requireRefused(t, refusal{on, user, users[user].Password, "ca.pem", `"` + user + `" lacks a right; his role needs`})
		})
	}
}

func requireRefused(t *testing.T, r refusal) {
	t.Helper()
	environment, arguments := r.on.as(r.user, r.password, r.authority)
	s := start(t, t.TempDir(), environment, arguments...)
	if status := s.wait(t); status != 1 || !strings.Contains(s.said.String(), r.words) {
		t.Errorf("exit status %d, and it does not say %q:\n%s", status, r.words, s.said)
	}
	requireNoSecrets(t, s, r.password)
}

// requireNoSecrets wants nothing secret in what a server said.
func requireNoSecrets(t *testing.T, s *server, password string) {
	t.Helper()
	said := s.said.String() + s.out.String()
	for _, secret := range []string{password, "Basic "} {
		if secret != "" && strings.Contains(said, secret) {
			t.Errorf("it says %q:\n%s", secret, said)
		}
	}
}

func testSecured(t *testing.T, on secured) {
	password := users["facesearch"].Password
	environment, arguments := on.as("facesearch", password, "ca.pem")
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	for round := range 2 { // on an empty cluster, and on a store
		s := serve(t, t.TempDir(), environment, arguments...)
		id := s.enrolled(t, photograph)
		if answer := s.search(t, bootstrapKey, photograph); answer.FaceSearch.TotalMatches != 1 {
			t.Errorf("round %d: who was enrolled is not found: %s", round, answer.Raw)
		}
		for path, body := range map[string]string{
			"/v3/settings/": `{"max_matches": 7}`, "/v3/session/" + id + "/update-status/": `{"new_status": "Declined"}`,
		} {
			if status, answer := send(t, s, http.MethodPatch, path, body); status != 200 {
				t.Errorf("%s: %d %s", path, status, answer)
			}
		}
		if status, answer := send(t, s, http.MethodPost, "/v3/blocklist/add/", `{"session_id": "`+id+`", "blocklist_face": true}`); status != 200 {
			t.Errorf("%d %s", status, answer)
		}
		answer, err := s.client(bootstrapKey).Search(t.Context(), photograph, client.SearchOptions{})
		if err != nil || answer.FaceSearch.Status != "Declined" {
			t.Errorf("on the blocklist: %v %s", err, answer.Raw)
		}
		created := createKey(t, s.data, "made here")
		s.search(t, created, photograph)
		run(t, nil, "keys", "revoke", "--data", s.data, listKeys(t, s.data)["made here"].ID).ended(t, 0, "is revoked")
		if s.erase(t, id) == "" {
			t.Error("no receipt")
		}
		if answer := s.search(t, bootstrapKey, photograph); answer.FaceSearch.TotalMatches != 0 {
			t.Errorf("who was erased is found: %s", answer.Raw)
		}
		run(t, nil, "audit", "verify", "--data", s.data).ended(t, 0, "is whole")
		run(t, nil, "media", "rotate", "--data", s.data).ended(t, 0)
		if round == 0 { // the right to rewrite the files of what was erased is asked for last
			s.waitFor(t, "is out of the files")
		}
		s.stop(t)
		requireNoSecrets(t, s, password)
	}
}
