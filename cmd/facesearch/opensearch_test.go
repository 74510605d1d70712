//go:build opensearch

package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
	"facesearch/pkg/opensearch/opensearchtest"
)

// TestOpenSearch runs two servers on one gallery: what one does, the other sees at once; the
// cluster may go and come back; and the store moves to a file and back.
func TestOpenSearch(t *testing.T) {
	cluster, err := opensearchtest.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	on := []string{"--gallery", "opensearch", "--opensearch-url", cluster.URLs()[0], "--workers", "1", "--bootstrap-key", bootstrapKey}
	first := serve(t, t.TempDir(), nil, on...)
	second := serve(t, t.TempDir(), nil, on...)
	t.Run("OK the other server sees it", func(t *testing.T) { testOtherServer(t, first, second) })
	t.Run("OK metrics", func(t *testing.T) { testGalleryMetrics(t, second) })
	t.Run("Err reembed", func(t *testing.T) {
		reembed(t, first.data, tinyNetwork(t, 16)).ended(t, 1, "is not moved to another embedding model where it is")
	})
	t.Run("ErrSameData", func(t *testing.T) {
		third := start(t, first.data, nil, on...)
		if got := third.wait(t); got != 1 || !strings.Contains(third.said.String(), "another server runs on the data directory") {
			t.Errorf("exit status %d\n%s", got, third.said)
		}
	})
	t.Run("ErrNoURL", func(t *testing.T) {
		none := start(t, t.TempDir(), nil, "--gallery", "opensearch")
		if got := none.wait(t); got != 1 || !strings.Contains(none.said.String(), "--opensearch-url") {
			t.Errorf("exit status %d\n%s", got, none.said)
		}
	})
	t.Run("ErrBusy while the cluster is gone", func(t *testing.T) { testClusterGone(t, cluster, first) })
	first.stop(t)
	second.stop(t)
	t.Run("OK migrate", func(t *testing.T) { testMigrate(t, cluster.URLs()[0]) })
	t.Run("OK another model", func(t *testing.T) { testAnotherModel(t, cluster.URLs()[0]) })
	t.Run("OK migrate what people were given", func(t *testing.T) { testMigrateInUse(t, cluster.URLs()[0]) })
	t.Run("OK migrate killed", func(t *testing.T) {
		from, to := t.TempDir(), t.TempDir()
		fillForMove(t, from)
		migrateKilled(t, "--from", "bolt:"+from, "--to", "opensearch:"+cluster.URLs()[0], "--opensearch-prefix", "killed")
		migrateKilled(t, "--from", "opensearch:"+cluster.URLs()[0], "--to", "bolt:"+to, "--opensearch-prefix", "killed")
	})
}

// testGalleryMetrics counts what the other server has left.
func testGalleryMetrics(t *testing.T, s *server) {
	response, err := http.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, err)
	}
	metrics := string(body)
	for _, line := range []string{"gallery_sessions 1", "gallery_searchable_sessions 1", "gallery_blocklisted_sessions 0", `index_info{kind="exact"} 1`} {
		if !strings.Contains(metrics, "facesearch_"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if strings.Contains(metrics, "index_memory_bytes") || strings.Contains(metrics, "index_recall") {
		t.Error("the metrics tell of an index in memory")
	}
}

// testAnotherModel takes the way by a file.
func testAnotherModel(t *testing.T, url string) {
	data, network := t.TempDir(), tinyNetwork(t, 16)
	run(t, nil, "migrate", "--from", "opensearch:"+url, "--to", "bolt:"+data).ended(t, 0, "Both stores hold the same")
	reembed(t, data, network).ended(t, 0, "was moved to the model onnx-")
	run(t, nil, "migrate", "--from", "bolt:"+data, "--to", "opensearch:"+url, "--opensearch-prefix", "remade").ended(t, 0, "Both stores hold the same")
	on := []string{"--gallery", "opensearch", "--opensearch-url", url, "--workers", "1", "--opensearch-prefix", "remade"}
	old := start(t, t.TempDir(), nil, on...)
	if got := old.wait(t); got != 1 || !strings.Contains(old.said.String(), "another embedding model") {
		t.Errorf("exit status %d\n%s", got, old.said)
	}
	s := serve(t, t.TempDir(), nil, append(on, "--embedder", network)...)
	if answer := s.search(t, bootstrapKey, facetest.Photograph(t, "astronaut.png")); answer.FaceSearch.TotalMatches != 1 {
		t.Errorf("who was moved is not found: %s", answer.Raw)
	}
	s.stop(t)
}

func testOtherServer(t *testing.T, first, second *server) {
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	enrolled, err := first.client(bootstrapKey).Enrol(t.Context(), photograph, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer := second.search(t, bootstrapKey, photograph); answer.FaceSearch.TotalMatches != 1 {
		t.Errorf("the other server does not find who was enrolled: %s", answer.Raw)
	}
	created := createKey(t, first.data, "made on the first")
	second.search(t, created, photograph)
	run(t, nil, "keys", "revoke", "--data", second.data, listKeys(t, second.data)["made on the first"].ID).ended(t, 0, "is revoked")
	if _, err := first.client(created).Search(t.Context(), photograph, clientOptions); err == nil {
		t.Error("a key that was revoked on the other server is accepted")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, second.url+"/v3/session/"+enrolled.SessionID+"/delete/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", bootstrapKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if answer := first.search(t, bootstrapKey, photograph); response.StatusCode >= 300 || answer.FaceSearch.TotalMatches != 0 {
		t.Errorf("erased with %s, and the first server finds %d", response.Status, answer.FaceSearch.TotalMatches)
	}
	if again := first.count(t, bootstrapKey); again != 2 {
		t.Errorf("the second session has number %d", again)
	}
}

func testClusterGone(t *testing.T, cluster *opensearchtest.Cluster, s *server) {
	photograph := facetest.Photograph(t, "astronaut.png")
	if err := cluster.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"search": func() error {
			_, err := s.client(bootstrapKey).Search(t.Context(), photograph, clientOptions)
			return err
		},
		"enrol": func() error {
			_, err := s.client(bootstrapKey).Enrol(t.Context(), photograph, client.EnrolFields{"vendor_data": "not now"})
			return err
		},
	} {
		var refusal *client.Error
		if err := call(); !errors.As(err, &refusal) || refusal.Status != http.StatusServiceUnavailable || !strings.Contains(err.Error(), "cannot be reached") {
			t.Errorf("%s: %v", name, err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v3/settings/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", bootstrapKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("%s, Retry-After %q", response.Status, response.Header.Get("Retry-After"))
	}
	if err := errors.Join(cluster.Nodes[0].Start(), cluster.Await()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		answer, err := s.client(bootstrapKey).Search(t.Context(), photograph, clientOptions)
		if err == nil {
			if answer.FaceSearch.TotalMatches != 1 {
				t.Errorf("after the cluster came back: %s", answer.Raw)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the server does not recover:", err)
		}
	}
}

func testMigrate(t *testing.T, url string) {
	data := t.TempDir()
	for _, way := range [][]string{
		{"--from", "opensearch:" + url, "--to", "bolt:" + data},
		{"--from", "bolt:" + data, "--to", "opensearch:" + url, "--opensearch-prefix", "moved"},
	} {
		got := run(t, nil, append([]string{"migrate"}, way...)...)
		got.ended(t, 0, "Both stores hold the same: 1 applications")
		var report struct{ Sessions, Sampled int }
		if err := json.Unmarshal([]byte(got.out), &report); err != nil || report.Sessions != 1 || report.Sampled != 1 {
			t.Errorf("%s, %v", got.out, err)
		}
	}
	run(t, nil, "migrate", "--from", "bolt:"+t.TempDir(), "--to", "bolt:"+t.TempDir()).ended(t, 1, "there is no store in")
	run(t, nil, "migrate", "--from", "nowhere", "--to", "bolt:"+data).ended(t, 1, "names no store")
	s := serve(t, data, nil, "--workers", "1")
	if answer := s.search(t, bootstrapKey, facetest.Photograph(t, "astronaut.png")); answer.FaceSearch.TotalMatches != 1 {
		t.Errorf("who was moved is not found: %s", answer.Raw)
	}
	s.stop(t)
}

// testMigrateInUse moves a store to the cluster and on to a file: each time, what people were given
// at the beginning is accepted.
func testMigrateInUse(t *testing.T, url string) {
	from, to := t.TempDir(), t.TempDir()
	there := []string{"--opensearch-prefix", "in-use"}
	s := serve(t, from, nil, "--workers", "1", "--registration", "--bootstrap-key", bootstrapKey)
	m := useBeforeMove(t, s)
	s.stop(t)
	run(t, nil, append([]string{"migrate", "--from", "bolt:" + from, "--to", "opensearch:" + url}, there...)...).ended(t, 0, "1 accounts, 2 secrets for addresses")
	s = serve(t, t.TempDir(), nil, append([]string{"--workers", "1", "--registration", "--gallery", "opensearch", "--opensearch-url", url}, there...)...)
	m.requireSigned(t, s)
	got, key := m.verify(t, s)
	if got != http.StatusOK || key == "" {
		t.Errorf("the code of before: %d", got)
	}
	s.stop(t)
	run(t, nil, append([]string{"migrate", "--from", "opensearch:" + url, "--to", "bolt:" + to}, there...)...).ended(t, 0, "1 accounts, 2 secrets for addresses")
	s = serve(t, to, nil, "--workers", "1", "--registration")
	m.requireSigned(t, s)
	s.search(t, key, facetest.Photograph(t, "astronaut.png"))
	s.stop(t)
}
