//go:build opensearch

package opensearch_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/gallerytest"
	"facesearch/pkg/opensearch"
	"facesearch/pkg/opensearch/opensearchtest"
)

// The environment variables with which this test binary runs itself as the process that is
// killed.
const (
	childURLs   = "FACESEARCH_OPENSEARCH_CHILD_URLS"
	childPrefix = "FACESEARCH_OPENSEARCH_CHILD_PREFIX"
	childIndex  = "FACESEARCH_OPENSEARCH_CHILD_INDEX"
)

// nodesVariable is the environment variable that says how many nodes the tests run on.
const nodesVariable = "FACESEARCH_OPENSEARCH_NODES"

// cluster is the one that all tests use.
var cluster *opensearchtest.Cluster

func TestMain(m *testing.M) {
	if urls := os.Getenv(childURLs); urls != "" {
		fmt.Fprintln(os.Stderr, child(strings.Split(urls, ","), os.Getenv(childPrefix), opensearch.IndexKind(os.Getenv(childIndex))))
		os.Exit(1)
	}
	os.Exit(withCluster(m))
}

func withCluster(m *testing.M) int {
	nodes := 1
	if text := os.Getenv(nodesVariable); text != "" {
		var err error
		if nodes, err = strconv.Atoi(text); err != nil || nodes < 1 {
			fmt.Fprintf(os.Stderr, "%s is %q, not a number of nodes\n", nodesVariable, text)
			return 2
		}
	}
	var err error
	if cluster, err = opensearchtest.Start(nodes); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status := m.Run()
	if err := cluster.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

func child(urls []string, prefix string, kind opensearch.IndexKind) error {
	options := opensearch.Options{URLs: urls, Prefix: prefix, Index: kind, Log: slog.New(slog.DiscardHandler)}
	store, err := opensearch.Open(context.Background(), options)
	if err != nil {
		return err
	}
	return gallerytest.Child(store, os.Stdout)
}

// newPrefix names a store that is not there yet, and deletes its indices when the test ends.
func newPrefix(t testing.TB) string {
	t.Helper()
	prefix := "test-" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		request, err := http.NewRequest(http.MethodDelete, cluster.Nodes[0].URL+"/"+prefix+"-*", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("deleting the indices of %s: %s", prefix, response.Status)
		}
	})
	return prefix
}

// optionsFor leaves a busy machine the time that it needs.
func optionsFor(prefix string, kind opensearch.IndexKind) opensearch.Options {
	return opensearch.Options{URLs: cluster.URLs(), Prefix: prefix, Index: kind, GraphFrom: 1, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)}
}

func openStore(t testing.TB, options opensearch.Options) *opensearch.Store {
	t.Helper()
	store, err := opensearch.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// kinds are those that the suite is run for: with -short only the one that is exact.
func kinds() []opensearch.IndexKind {
	if testing.Short() {
		return []opensearch.IndexKind{opensearch.ExactIndex}
	}
	return []opensearch.IndexKind{opensearch.ExactIndex, opensearch.HNSWIndex}
}

func TestGallery(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds() {
		t.Run(string(kind), func(t *testing.T) {
			gallerytest.Run(t, func(t testing.TB) gallerytest.Harness {
				prefix := newPrefix(t)
				return gallerytest.Harness{
					Open: func(t testing.TB) gallerytest.Store {
						t.Helper()
						awaitQuiet(t, prefix)
						return openStore(t, optionsFor(prefix, kind))
					},
					Child:       func(t testing.TB) *exec.Cmd { return childCommand(t, prefix, kind) },
					Approximate: kind == opensearch.HNSWIndex,
				}
			})
		})
	}
}

// awaitQuiet waits until the cluster has nothing to write to a store. What a process had sent
// before it was killed is carried out all the same, and is not to be taken for something that
// happens later.
func awaitQuiet(t testing.TB, prefix string) {
	t.Helper()
	for quiet := 0; quiet < 2; {
		response, err := http.Get(cluster.Nodes[0].URL + "/_tasks?detailed=true&actions=indices:data/write/*")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if quiet++; bytes.Contains(answer, []byte(prefix+"-")) { // a task's description names its index
			quiet = 0
		}
	}
}

// childCommand is this test binary as a process that enrols until it is killed.
func childCommand(t testing.TB, prefix string, kind opensearch.IndexKind) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program)
	command.Env = append(os.Environ(), childURLs+"="+strings.Join(cluster.URLs(), ","), childPrefix+"="+prefix, childIndex+"="+string(kind))
	return command
}
