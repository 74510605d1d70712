//go:build opensearch

package opensearch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
	"facesearch/pkg/opensearch/opensearchtest"
)

// A known is what a worker knows of a session from the answers that it got.
type known struct {
	enrolment   face.Enrolment
	blocklisted bool
	gone        bool
	unsure      bool // a call failed, and may have been carried out or not
}

// TestNodeKilled enrols, blocks and erases through two servers' galleries while a node is killed
// and comes back, twice (with -short once). Nothing acknowledged is lost and nobody erased is found,
// through any node and either gallery, from the first answer after it is back. With three nodes, the
// others go on meanwhile.
func TestNodeKilled(t *testing.T) {
	prefix := newPrefix(t)
	stores := []*opensearch.Store{openStore(t, optionsFor(prefix, opensearch.ExactIndex)), openStore(t, optionsFor(prefix, opensearch.ExactIndex))}
	for _, store := range stores {
		defer store.Close()
	}
	createApplication(t, stores[0])
	awaitCopies(t, prefix)

	var everybody []*known
	rounds := 2
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		node := cluster.Nodes[(round+1)%len(cluster.Nodes)]
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		var mu sync.Mutex
		var done atomic.Int64 // calls that were acknowledged
		for worker := range 4 {
			group.Go(func() {
				mine := work(ctx, stores[worker%2], fmt.Sprintf("%d-%d", round, worker), &done)
				mu.Lock()
				defer mu.Unlock()
				everybody = append(everybody, mine...)
			})
		}
		awaitDone(t, &done, enoughDone)
		if err := node.Kill(); err != nil {
			t.Fatal(err)
		}
		if len(cluster.Nodes) > 2 { // the others go on by themselves
			awaitDone(t, &done, 2*enoughDone)
		}
		if err := node.Start(); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Await(); err != nil {
			t.Fatal(err)
		}
		cancel()
		group.Wait()
		requireKnown(t, prefix, stores, everybody) // while copies may still be made
		awaitCopies(t, prefix)
		requireKnown(t, prefix, stores, everybody)
	}
	acknowledged, unsure, gone := 0, 0, 0
	for _, one := range everybody {
		switch {
		case one.unsure:
			unsure++
		case one.gone:
			gone++
		default:
			acknowledged++
		}
	}
	t.Logf("%d nodes: %d enrolled, %d erased, %d whose answer was lost", len(cluster.Nodes), acknowledged, gone, unsure)
}

// enoughDone is how many calls are acknowledged before a node is killed.
const enoughDone = 60

func awaitDone(t *testing.T, done *atomic.Int64, want int64) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); done.Load() < want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d calls of %d were acknowledged", done.Load(), want)
		}
	}
}

// work enrols, puts on the blocklist, and erases, until it is told to stop.
func work(ctx context.Context, store *opensearch.Store, name string, done *atomic.Int64) (mine []*known) {
	// A call that has begun ends as it may: its answer is what counts.
	calls := context.WithoutCancel(ctx)
	for n := 0; ctx.Err() == nil; n++ {
		one := &known{enrolment: person(name+"-"+fmt.Sprint(n), 0)}
		one.enrolment.Template = make(face.Template, face.TemplateDim)
		for i := range one.enrolment.Template {
			one.enrolment.Template[i] = rand.Float32()
		}
		mine = append(mine, one)
		_, _, err := store.Enrol(calls, application, one.enrolment)
		if one.unsure = err != nil; one.unsure {
			time.Sleep(100 * time.Millisecond) // as a client does who is told to come again
			continue
		}
		done.Add(1)
		other := mine[rand.IntN(len(mine))]
		if other.unsure || other.gone || n%2 == 0 {
			continue
		}
		id := other.enrolment.Session.ID
		if n%4 == 1 {
			other.gone = true
			_, err = store.Erase(calls, application, []string{id})
		} else {
			other.blocklisted = true
			_, err = store.Change(calls, application, id, func(s *face.Session) { s.Blocklisted = true })
		}
		if other.unsure = err != nil; !other.unsure {
			done.Add(1)
		}
	}
	return mine
}

// requireKnown asks both galleries, and each node through a gallery of its own.
func requireKnown(t *testing.T, prefix string, stores []*opensearch.Store, everybody []*known) {
	t.Helper()
	for _, node := range cluster.Nodes {
		options := optionsFor(prefix, opensearch.ExactIndex)
		options.URLs = []string{node.URL}
		store := openStore(t, options)
		defer store.Close()
		stores = append(stores, store)
	}
	for _, one := range everybody {
		if one.unsure {
			continue
		}
		for i, store := range stores {
			if err := one.check(t.Context(), store); err != nil {
				t.Errorf("%s through gallery %d: %v", one.enrolment.Session.ID, i, err)
			}
		}
	}
}

func (k *known) check(ctx context.Context, store *opensearch.Store) error {
	_, err := store.Session(ctx, application, k.enrolment.Session.ID)
	if k.gone && face.CodeOf(err) != face.CodeNotFound || !k.gone && err != nil {
		return fmt.Errorf("gone %v, and Session gives %w", k.gone, err)
	}
	found, err := store.Candidates(ctx, application, k.enrolment.Template, 0.1, 5)
	if err != nil {
		return err
	}
	want, blocked := 1, 0
	if k.gone {
		want = 0
	} else if k.blocklisted {
		blocked = 1
	}
	if found.Total != want || len(found.Blocklisted) != blocked {
		return fmt.Errorf("gone %v, blocklisted %v, and a search finds %d, %d of them blocklisted", k.gone, k.blocklisted, found.Total, len(found.Blocklisted))
	}
	return nil
}

// awaitCopies waits until there are as many copies of everything as there can be.
func awaitCopies(t *testing.T, prefix string) {
	t.Helper()
	path := "/_cluster/health/" + prefix + "-*?wait_for_status=green&wait_for_no_initializing_shards=true&timeout=120s"
	if err := opensearchtest.Get(cluster.Nodes[0].URL + path); err != nil {
		t.Fatal(err)
	}
}
