//go:build opensearch

package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
	"facesearch/pkg/opensearch/opensearchtest"
)

// A snapshot follows README.md's recipe, with a server that goes on.
const (
	snapshotsAt  = `{"type": "fs", "settings": {"location": %q, "readonly": %v}}`
	ourIndices   = `{"indices": "facesearch-*", "include_global_state": false}`
	restoredThem = `{"indices": "facesearch-*", "include_global_state": false, "ignore_index_settings": ["index.blocks.write"]}`
)

// A cluster is asked as its owner does.
func ask(t *testing.T, cluster *opensearchtest.Cluster, security *opensearchtest.Security, method, path, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, cluster.URLs()[0]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := security.Do(request, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if said, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || strings.Contains(string(said), `"failed":1`) {
		t.Fatalf("%s %s: %s %s", method, path, response.Status, said)
	}
}

// A snapshot is what was taken, and what was there then.
type snapshot struct {
	folder      string
	stays, back string // sessions, of whom one is erased afterwards
	numbers     uint64
	address     string
	settings    string
}

// takeSnapshot takes one of a cluster that a server works on, and then changes what is there.
func takeSnapshot(t *testing.T, cluster *opensearchtest.Cluster, security *opensearchtest.Security, s *server) snapshot {
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	taken := snapshot{folder: t.TempDir(), stays: enrolPhotograph(t, s, "astronaut.png").SessionID, back: s.enrolled(t, photograph)}
	taken.address = address(t, s, taken.stays)
	if status, answer := send(t, s, http.MethodPatch, "/v3/settings/", `{"max_matches": 9}`); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
	_, taken.settings = send(t, s, http.MethodGet, "/v3/settings/", "")
	where := cluster.Nodes[0].SnapshotFolder()
	ask(t, cluster, security, http.MethodPut, "/_snapshot/faces", fmt.Sprintf(snapshotsAt, where, false))
	ask(t, cluster, security, http.MethodPut, "/facesearch-*/_block/write", "")
	if _, err := s.client(bootstrapKey).Enrol(t.Context(), photograph, nil); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("enrolling while nothing may be written: %v", err)
	}
	ask(t, cluster, security, http.MethodPut, "/_snapshot/faces/monday?wait_for_completion=true", ourIndices)
	ask(t, cluster, security, http.MethodPut, "/facesearch-*/_settings", `{"index.blocks.write": null}`)
	s.erase(t, taken.back)
	after, err := s.client(bootstrapKey).Enrol(t.Context(), photograph, client.EnrolFields{"vendor_data": "enrolled afterwards"})
	if err != nil {
		t.Fatal(err)
	}
	taken.numbers = uint64(after.SessionNumber) - 1
	if err := os.CopyFS(taken.folder, os.DirFS(where)); err != nil {
		t.Fatal(err)
	}
	return taken
}

// testRestored restores a snapshot into an empty cluster, and starts a server on it.
func testRestored(t *testing.T, taken snapshot) {
	cluster, err := opensearchtest.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	where := cluster.Nodes[0].SnapshotFolder()
	if err := os.CopyFS(where, os.DirFS(taken.folder)); err != nil {
		t.Fatal(err)
	}
	ask(t, cluster, nil, http.MethodPut, "/_snapshot/faces", fmt.Sprintf(snapshotsAt, where, true))
	ask(t, cluster, nil, http.MethodPost, "/_snapshot/faces/monday/_restore?wait_for_completion=true", restoredThem)
	s := serve(t, t.TempDir(), nil, "--gallery", "opensearch", "--opensearch-url", cluster.URLs()[0], "--workers", "1")
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	if answer := s.search(t, bootstrapKey, photograph); answer.FaceSearch.TotalMatches != 1 || answer.FaceSearch.Matches[0].SessionID != taken.back {
		t.Errorf("who was erased after the snapshot, and nobody else, is back: %s", answer.Raw)
	}
	if answer := s.search(t, bootstrapKey, facetest.Photograph(t, "astronaut.png")); answer.FaceSearch.TotalMatches != 1 || answer.FaceSearch.Matches[0].SessionID != taken.stays {
		t.Errorf("%s", answer.Raw)
	}
	if got := status(t, http.MethodGet, s.url+pathOf(t, taken.address)); got != http.StatusOK {
		t.Errorf("an address of a picture from before: %d", got)
	}
	if _, got := send(t, s, http.MethodGet, "/v3/settings/", ""); got != taken.settings {
		t.Errorf("settings: %s, want %s", got, taken.settings)
	}
	if got := s.count(t, bootstrapKey); uint64(got) != taken.numbers+1 {
		t.Errorf("the next session has number %d, want %d", got, taken.numbers+1)
	}
	if s.erase(t, taken.back) == "" || s.search(t, bootstrapKey, photograph).FaceSearch.TotalMatches != 0 {
		t.Error("who was erased again is found")
	}
	run(t, nil, "audit", "verify", "--data", s.data).ended(t, 0, "is whole")
	s.stop(t)
}
