//go:build opensearch

package migrate_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"facesearch/pkg/migrate"
	"facesearch/pkg/opensearch"
	"facesearch/pkg/opensearch/opensearchtest"
)

var cluster *opensearchtest.Cluster

func TestMain(m *testing.M) {
	var err error
	if cluster, err = opensearchtest.Start(1); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	if err := cluster.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func openOpenSearch(t *testing.T) migrate.Store {
	t.Helper()
	store, err := opensearch.Open(t.Context(), opensearch.Options{
		URLs: cluster.URLs(), Prefix: "test-" + strings.ToLower(rand.Text()), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestMoveToOpenSearch(t *testing.T)   { testMove(t, openBolt, openOpenSearch) }
func TestMoveFromOpenSearch(t *testing.T) { testMove(t, openOpenSearch, openBolt) }
