package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facesearch/pkg/facetest"
	"facesearch/pkg/gallerytest"
)

// The mix of requests that a server is killed in.
const (
	killRoundsDefault = 5 // gallerytest.RoundsVariable asks for more, for hours when wanted
	killClients       = 3 // at once
	killPictures      = 12
	killPeopleMax     = killPictures / killClients // that one client lets live
	killAnswersMax    = 25                         // acknowledged before the kill
)

// TestKilledWhileServing kills the program, as kill -9 does, again and again, while clients
// enrol, block, decide, search and erase. After each restart nothing that was acknowledged is
// lost, nothing that was erased is back, what was under way is there as a whole or not at all,
// and no session number was given twice.
func TestKilledWhileServing(t *testing.T) {
	rounds := killRoundsDefault
	if text := os.Getenv(gallerytest.RoundsVariable); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil || rounds < 1 {
			t.Fatalf("%s is %q, not a number of rounds", gallerytest.RoundsVariable, text)
		}
	}
	data := t.TempDir()
	w := &killWorld{numbers: map[uint64]string{}}
	w.pictures = facetest.Variants(t, []string{"obama.jpg", "biden.jpg", "obama2.jpg", "obama3.jpg"}, 300, killPictures)
	for i := range w.pictures {
		w.free[i%killClients] = append(w.free[i%killClients], i)
	}
	answers, early := 0, 0
	for round := range rounds {
		if round%5 == 4 { // while it starts, perhaps
			early++
			w.server = start(t, data, nil, "--workers", "2")
			time.Sleep(rand.N(time.Second))
			w.server.kill()
		}
		w.server = serve(t, data, nil, "--workers", "2", "--bootstrap-key", bootstrapKey)
		if round == 0 {
			w.must(t, "PATCH", "/v3/settings/", map[string]any{"max_matches": 100}, nil)
		}
		w.verify(t)
		answers += w.workUntilKilled(t)
		if t.Failed() {
			t.Fatalf("in round %d of %d\n%s", round+1, rounds, w.server.said)
		}
	}
	w.server = serve(t, data, nil, "--workers", "2")
	w.verify(t)
	w.server.stop(t)
	t.Logf("killed %d times in the middle of requests and %d times at the start; %d requests acknowledged, %d sessions enrolled, %d erased",
		rounds, early, answers, len(w.numbers), w.erasedCount)
	if answers < rounds {
		t.Errorf("%d requests were acknowledged in %d rounds: nearly nothing was tested", answers, rounds)
	}
}

// workUntilKilled lets clients work and kills the server after some answers, at a random moment
// of what follows. It returns how many requests were acknowledged.
func (w *killWorld) workUntilKilled(t *testing.T) int {
	t.Helper()
	var killed atomic.Bool
	var acknowledged atomic.Int64
	wanted := 1 + rand.Int64N(killAnswersMax)
	kill := sync.OnceFunc(func() {
		time.Sleep(rand.N(40 * time.Millisecond))
		killed.Store(true)
		w.server.kill()
	})
	var group sync.WaitGroup
	for number := range killClients {
		group.Go(func() {
			for !killed.Load() {
				err := w.step(t, number)
				if err != nil {
					if !killed.Load() {
						t.Errorf("before the server was killed: %v", err)
						go kill()
					}
					return
				}
				if acknowledged.Add(1) == wanted {
					go kill()
				}
			}
		})
	}
	group.Wait()
	kill()
	return int(acknowledged.Load())
}

// step is one request of one client: it enrols first, and else does something to a session of
// its own.
func (w *killWorld) step(t *testing.T, number int) error {
	mine := w.people[number]
	dice := rand.IntN(10)
	if len(mine) == 0 || dice < 4 && len(mine) < killPeopleMax {
		return w.enrol(t, number)
	}
	one := mine[rand.IntN(len(mine))]
	switch {
	case dice < 5:
		return w.search(t, one)
	case dice < 7:
		return w.change(number, one, func(to *killState) { to.blocklisted = !to.blocklisted }, func(to killState) (method, path string, body any) {
			if to.blocklisted {
				return "POST", "/v3/blocklist/add/", map[string]any{"session_id": one.id, "blocklist_face": true}
			}
			return "POST", "/v3/blocklist/remove/", map[string]any{"session_id": one.id, "unblock_face": true}
		})
	case dice < 8:
		status := []string{"Approved", "In Review", "Declined"}[rand.IntN(3)]
		return w.change(number, one, func(to *killState) { to.status = status }, func(killState) (method, path string, body any) {
			return "PATCH", "/v3/session/" + one.id + "/update-status/", map[string]any{"new_status": status}
		})
	}
	return w.change(number, one, func(to *killState) { to.there = false }, func(killState) (method, path string, body any) {
		if dice == 8 {
			return "DELETE", "/v3/session/" + one.id + "/delete/", nil
		}
		return "POST", "/v3/users/delete/", map[string]any{"vendor_data_list": []string{one.vendorData()}}
	})
}

// change asks for a change of a session, and takes it for made only when that is acknowledged.
func (w *killWorld) change(number int, one *killPerson, give func(*killState), request func(killState) (method, path string, body any)) error {
	to := one.state
	give(&to)
	one.underWay = &to
	method, path, body := request(to)
	erasesSearches := path == "/v3/users/delete/"
	one.searchesDoubtful = erasesSearches
	if err := w.call(method, path, body, nil); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	one.settle(*one.underWay)
	if erasesSearches {
		one.searchesGone()
	}
	if !one.state.there {
		w.people[number] = slices.DeleteFunc(w.people[number], func(each *killPerson) bool { return each == one })
		w.bury(number, one)
	}
	return nil
}
