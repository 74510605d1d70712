//go:build opensearch

package main_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"facesearch/pkg/facetest"
	"facesearch/pkg/opensearch/opensearchtest"
)

// nodesVariable asks for a test on several nodes; the same variable asks pkg/opensearch for its own.
const nodesVariable = "FACESEARCH_OPENSEARCH_NODES"

const (
	nodesRounds    = 3
	nodesClients   = 6
	nodesAliveMax  = 12  // sessions that one client lets live
	nodesAnswers   = 80  // acknowledged before a node is killed, and again while it is gone
	nodesLooks     = 4   // answers of each server, at least, after the node is back
	nodesHeightMax = 300 // pixels of a picture
	// nodesLookPause leaves the machine to the nodes between the questions to a server.
	nodesLookPause = 200 * time.Millisecond
	// nodesPatience is how long the next answers may take on a machine that is busy.
	nodesPatience = 5 * patience
)

// TestOpenSearchNodes runs two servers on a cluster of several nodes, and one more on each node
// alone. Clients enrol, block, search and erase through the two while one node after the other is
// killed, as kill -9 does, and comes back. All servers are asked all the time: nothing that was
// acknowledged before a question is missing in its answer, and nobody who was erased before is in
// it, in the first answer after a node is back as well. It takes some minutes, so it runs where
// the variable asks for three nodes.
func TestOpenSearchNodes(t *testing.T) {
	nodes, _ := strconv.Atoi(os.Getenv(nodesVariable)) // pkg/opensearch refuses what is no number
	if nodes < 3 {                                     // two have to go on without the third
		return
	}
	cluster, err := opensearchtest.Start(nodes)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	w := newNodesWorld(t, cluster)
	for round := range nodesRounds {
		w.round(t, cluster, cluster.Nodes[(round+1)%nodes])
		if t.Failed() {
			t.Fatalf("in round %d of %d: %s", round+1, nodesRounds, w.counts())
		}
		t.Logf("after round %d: %s", round+1, w.counts())
	}
	health := cluster.Nodes[0].URL + "/_cluster/health?wait_for_status=green&wait_for_no_initializing_shards=true&timeout=120s"
	if err := opensearchtest.Get(health); err != nil {
		t.Fatal(err)
	}
	w.verify(t)
	t.Log("at the end:", w.counts())
	for _, s := range w.all() {
		s.stop(t)
	}
}

func newNodesWorld(t *testing.T, cluster *opensearchtest.Cluster) *nodesWorld {
	t.Helper()
	w := &nodesWorld{}
	on := func(urls string) *server {
		return serve(t, t.TempDir(), nil, "--gallery", "opensearch", "--opensearch-url", urls, "--workers", "1", "--bootstrap-key", bootstrapKey)
	}
	for range 2 {
		w.shared = append(w.shared, on(strings.Join(cluster.URLs(), ",")))
	}
	for _, url := range cluster.URLs() {
		w.single = append(w.single, on(url))
	}
	w.looks = make([]int, len(w.all()))
	settings := map[string]any{"max_matches": nodesListMax, "similarity_threshold": 80}
	if err := w.shared[0].call("PATCH", "/v3/settings/", settings, nil); err != nil {
		t.Fatal(err)
	}
	w.pictures = facetest.Variants(t, []string{"obama.jpg", "biden.jpg", "astronaut.png"}, nodesHeightMax, nodesClients)
	for _, picture := range w.pictures {
		w.searches = append(w.searches, w.shared[0].search(t, bootstrapKey, picture).RequestID)
	}
	return w
}

// round kills a node while clients work, and brings it back.
func (w *nodesWorld) round(t *testing.T, cluster *opensearchtest.Cluster, node *opensearchtest.Node) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	for number := range nodesClients {
		group.Go(func() {
			for ctx.Err() == nil {
				w.step(t, number)
			}
		})
	}
	for number := range w.all() {
		group.Go(func() {
			for ctx.Err() == nil {
				w.look(t, number)
				time.Sleep(nodesLookPause)
			}
		})
	}
	w.awaitAnswers(t, "before a node is killed")
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	w.awaitAnswers(t, "while "+node.Name+" is gone")
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Await(); err != nil {
		t.Fatal(err)
	}
	w.awaitLooks(t)
	cancel()
	group.Wait()
}

// awaitAnswers waits until more requests are acknowledged.
func (w *nodesWorld) awaitAnswers(t *testing.T, when string) {
	t.Helper()
	w.mu.Lock()
	want := w.acknowledged + nodesAnswers
	w.mu.Unlock()
	w.await(t, "requests are acknowledged "+when, func() bool { return w.acknowledged >= want })
}

// awaitLooks waits until every server has answered some times more.
func (w *nodesWorld) awaitLooks(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	before := slices.Clone(w.looks)
	w.mu.Unlock()
	w.await(t, "answers come from every server", func() bool {
		for i := range before {
			if w.looks[i] < before[i]+nodesLooks {
				return false
			}
		}
		return true
	})
}

func (w *nodesWorld) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(nodesPatience); ; time.Sleep(20 * time.Millisecond) {
		w.mu.Lock()
		enough := done()
		w.mu.Unlock()
		if enough || t.Failed() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no more %s: %s", what, w.counts())
		}
	}
}

// counts says what was done so far.
func (w *nodesWorld) counts() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	enrolled, blocked, erased, unsure := 0, 0, 0, 0
	for _, one := range w.people {
		switch {
		case one.erased.acknowledged:
			erased++
		case !one.enrolled.acknowledged || one.erased.asked:
			unsure++
		default:
			enrolled++
		}
		if one.blocked.acknowledged {
			blocked++
		}
	}
	return fmt.Sprintf("%d changes acknowledged (%d sessions enrolled and there, %d erased, %d blocked) and %d refused with 503, %d sessions of which it is not known; answers by server %v, %d of them 503; %d missing, %d found that were erased",
		w.acknowledged, enrolled, erased, blocked, w.refused, unsure, w.looks, w.looksRefused, w.lost, w.found)
}
