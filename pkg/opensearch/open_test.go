//go:build opensearch

package opensearch_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
)

// TestOpenRefuses: what would lose the promises of a Gallery is refused in words that say what
// to do.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, options opensearch.Options, words string) {
		t.Helper()
		store, err := opensearch.Open(t.Context(), options)
		if err == nil {
			store.Close()
			t.Fatal("opened")
		}
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%v; want it to say %q", err, words)
		}
	}
	t.Run("NoURL", func(t *testing.T) { refused(t, opensearch.Options{}, "at least one node") })
	t.Run("Prefix", func(t *testing.T) {
		refused(t, opensearch.Options{URLs: cluster.URLs(), Prefix: "A/../b"}, "prefix")
	})
	t.Run("Index", func(t *testing.T) {
		refused(t, opensearch.Options{URLs: cluster.URLs(), Index: "magic"}, "exact or hnsw")
	})
	t.Run("Schema", func(t *testing.T) {
		prefix := newPrefix(t)
		put(t, "/"+prefix+"-records", `{"mappings":{"dynamic":"strict","_meta":{"facesearch_schema":99}}}`)
		refused(t, optionsFor(prefix, opensearch.ExactIndex), "schema 99")
	})
	t.Run("NoGraph", func(t *testing.T) {
		prefix := newPrefix(t)
		openStore(t, optionsFor(prefix, opensearch.ExactIndex)).Close()
		refused(t, optionsFor(prefix, opensearch.HNSWIndex), "has no graph")
	})
	t.Run("OtherModel", func(t *testing.T) {
		prefix := newPrefix(t)
		openStore(t, optionsFor(prefix, opensearch.ExactIndex)).Close()
		options := optionsFor(prefix, opensearch.ExactIndex)
		options.Model = face.Model{ID: "another", Dim: 512}
		refused(t, options, "facesearch reembed works on bbolt only")
	})
	t.Run("NobodyThere", func(t *testing.T) {
		options := optionsFor("nobody", opensearch.ExactIndex)
		options.URLs = []string{"http://127.0.0.1:1"}
		refused(t, options, "cannot be reached")
	})
	for name, setting := range map[string]string{
		"segment replication": `"index.replication.type":"SEGMENT"`, "remote store": `"index.remote_store.enabled":"true"`,
	} {
		t.Run(name, func(t *testing.T) {
			prefix := newPrefix(t)
			openStore(t, optionsFor(prefix, opensearch.ExactIndex)).Close()
			options := optionsFor(prefix, opensearch.ExactIndex)
			options.URLs = []string{describedWith(t, prefix, setting)}
			refused(t, options, "could miss who was enrolled")
		})
	}
	t.Run("Version", func(t *testing.T) {
		options := optionsFor(newPrefix(t), opensearch.ExactIndex)
		for _, version := range []string{"2.18.0", "1.3.0", "?"} {
			old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"version":{"number":%q,"distribution":"opensearch"}}`, version)
			}))
			defer old.Close()
			options.URLs = []string{old.URL}
			refused(t, options, "2.19 or later")
		}
	})
}

// describedWith is a proxy that says one thing more of the sessions' index: this distribution
// has no remote store to make such an index with.
func describedWith(t *testing.T, prefix, setting string) string {
	return newProxy(t, func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, prefix+"-sessions,") || strings.Contains(r.URL.Path, "_cluster") {
			through.ServeHTTP(w, r)
			return
		}
		recorder := httptest.NewRecorder()
		r.Header.Set("Accept-Encoding", "identity")
		through.ServeHTTP(recorder, r)
		var answer map[string]map[string]any
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
			t.Error(err)
			return
		}
		name, value, _ := strings.Cut(setting, ":")
		settings := answer[prefix+"-sessions"]["settings"].(map[string]any)
		settings[strings.Trim(name, `"`)] = strings.Trim(value, `"`)
		data, err := json.Marshal(answer)
		if err != nil {
			t.Error(err)
		}
		w.Write(data)
	})
}
