//go:build opensearch

package main_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"facesearch/pkg/client"
)

// nodesListMax is how many sessions an answer lists at most; there are never more of one face.
const nodesListMax = 100

// A nodesWorld is what the clients of several servers know.
type nodesWorld struct {
	shared   []*server // on all nodes
	single   []*server // on a node each
	pictures [][]byte  // by client; equal ones modulo nodesFaces are of the same face
	searches []string  // saved, of each picture

	mine [nodesClients][]*nodesPerson // by client, which alone touches it

	mu           sync.Mutex // of what follows
	people       []*nodesPerson
	acknowledged int
	refused      int   // with 503
	looks        []int // answers, by server
	looksRefused int
	lost, found  int
}

// nodesFaces is how many different people the pictures show.
const nodesFaces = 3

// A deed is asked for, and then perhaps acknowledged. One that was not may have been done.
type deed struct{ asked, acknowledged bool }

// A nodesPerson is one session.
type nodesPerson struct {
	id       string
	client   int
	byPeople bool // it is erased by its vendor_data

	number                    uint64 // 0 until it is known
	enrolled, blocked, erased deed
}

func (w *nodesWorld) all() []*server { return slices.Concat(w.shared, w.single) }

// step is one change that a client asks one of the two servers for.
func (w *nodesWorld) step(t *testing.T, number int) {
	mine := w.mine[number]
	dice := rand.IntN(10)
	if len(mine) < 3 || dice < 5 && len(mine) < nodesAliveMax {
		one := &nodesPerson{id: uuid.NewString(), client: number, byPeople: rand.IntN(4) == 0}
		w.mine[number] = append(mine, one)
		w.mu.Lock()
		w.people = append(w.people, one)
		w.mu.Unlock()
		w.enrol(t, one)
		return
	}
	one := mine[rand.IntN(len(mine))]
	unsure := !one.enrolled.acknowledged || one.erased.asked
	switch {
	case unsure && dice == 0: // the client leaves it at that
		w.leave(one)
	case !one.enrolled.acknowledged:
		w.enrol(t, one)
	case !unsure && dice < 7:
		w.ask(t, &one.blocked, func(s *server) error {
			return s.call("POST", "/v3/blocklist/add/", map[string]any{"session_id": one.id, "blocklist_face": true}, nil)
		})
	default:
		w.erase(t, one)
	}
}

func (w *nodesWorld) leave(one *nodesPerson) {
	w.mine[one.client] = slices.DeleteFunc(w.mine[one.client], func(each *nodesPerson) bool { return each == one })
}

// ask has one of the two servers do something, and notes what became of it.
func (w *nodesWorld) ask(t *testing.T, what *deed, send func(*server) error) {
	w.mu.Lock()
	what.asked = true
	w.mu.Unlock()
	err := send(w.shared[rand.IntN(len(w.shared))])
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		what.acknowledged = true
		w.acknowledged++
	case isBusy(err):
		w.refused++
	default:
		t.Errorf("a change: %v", err)
	}
}

// isBusy is a refusal that tells the client to come again.
func isBusy(err error) bool {
	var refusal *client.Error
	return errors.As(err, &refusal) && refusal.Status == http.StatusServiceUnavailable && refusal.RetryAfter > 0
}

func (w *nodesWorld) enrol(t *testing.T, one *nodesPerson) {
	var answer client.SessionAnswer
	w.ask(t, &one.enrolled, func(s *server) error {
		fields := map[string]any{"request_id": w.searches[one.client], "session_id": one.id, "vendor_data": "person-" + one.id}
		return s.call("POST", "/v3/sessions/", fields, &answer)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	one.number = answer.SessionNumber
}

func (w *nodesWorld) erase(t *testing.T, one *nodesPerson) {
	again := one.erased.asked
	w.ask(t, &one.erased, func(s *server) error {
		if one.byPeople {
			return s.call("POST", "/v3/users/delete/", map[string]any{"vendor_data_list": []string{"person-" + one.id}}, nil)
		}
		err := s.call("DELETE", "/v3/session/"+one.id+"/delete/", nil, nil)
		if again && isStatus(err, http.StatusNotFound) { // it was erased before
			return nil
		}
		return err
	})
	if one.erased.acknowledged {
		w.leave(one)
	}
}

func isStatus(err error, status int) bool {
	var refusal *client.Error
	return errors.As(err, &refusal) && refusal.Status == status
}

// look asks one server something, whose answer has to show all that was acknowledged before.
func (w *nodesWorld) look(t *testing.T, number int) {
	s := w.all()[number]
	w.mu.Lock()
	known := make([]nodesPerson, len(w.people))
	for i, one := range w.people {
		known[i] = *one
	}
	w.mu.Unlock()
	seen, shows, err := w.question(t, s)
	w.mu.Lock()
	defer w.mu.Unlock()
	if isBusy(err) {
		w.looksRefused++
		return
	}
	if err != nil {
		t.Errorf("asking server %d: %v", number, err)
		return
	}
	w.looks[number]++
	for i, before := range known {
		if !shows(before) {
			continue
		}
		session, there := seen[before.id]
		if err := before.fits(w.people[i], session, there); err != nil {
			if there {
				w.found++
			} else {
				w.lost++
			}
			t.Errorf("server %d: session %s %v", number, before.id, err)
		}
	}
}

// fits compares what an answer shows with what was known before the question and is known now.
func (p nodesPerson) fits(now *nodesPerson, session listedSession, there bool) error {
	switch {
	case there && p.erased.acknowledged:
		return errors.New("was erased, and is there")
	case !there && p.enrolled.acknowledged && !now.erased.asked:
		return errors.New("was enrolled, and is not there")
	case there && p.blocked.acknowledged != session.IsBlocklisted && now.blocked == p.blocked && !p.unsureOfBlock():
		return fmt.Errorf("is on the blocklist: %v; acknowledged: %v", session.IsBlocklisted, p.blocked.acknowledged)
	case there && p.number != 0 && p.number != session.SessionNumber:
		return fmt.Errorf("has number %d, and had %d", session.SessionNumber, p.number)
	}
	return nil
}

func (p nodesPerson) unsureOfBlock() bool { return p.blocked.asked && !p.blocked.acknowledged }

// question asks for one of the pictures, or for all sessions, or for one of them. shows tells whom
// the answer has to show.
func (w *nodesWorld) question(t *testing.T, s *server) (seen map[string]listedSession, shows func(nodesPerson) bool, err error) {
	switch rand.IntN(4) {
	case 0:
		seen, err = s.listAll()
		return seen, func(nodesPerson) bool { return true }, err
	case 1:
		picture := rand.IntN(len(w.pictures))
		seen, err = w.matches(t, s, picture)
		return seen, func(p nodesPerson) bool { return p.client%nodesFaces == picture%nodesFaces }, err
	}
	id := w.somebody()
	seen = map[string]listedSession{}
	var session listedSession
	if err = s.call("GET", "/v3/session/"+id+"/decision/", nil, &session); err == nil {
		seen[id] = session
	} else if isStatus(err, http.StatusNotFound) {
		err = nil
	}
	return seen, func(p nodesPerson) bool { return p.id == id }, err
}

// somebody is one of those who came last.
func (w *nodesWorld) somebody() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	latest := w.people[max(0, len(w.people)-3*nodesAliveMax):]
	if len(latest) == 0 {
		return uuid.NewString()
	}
	return latest[rand.IntN(len(latest))].id
}

// listAll lists every session there is.
func (s *server) listAll() (map[string]listedSession, error) {
	var list struct {
		Count   int
		Results []listedSession
	}
	if err := s.call("GET", "/v3/sessions/?limit=200", nil, &list); err != nil {
		return nil, err
	}
	seen := map[string]listedSession{}
	for _, each := range list.Results {
		seen[each.SessionID] = each
	}
	if len(seen) != list.Count {
		return nil, fmt.Errorf("%d sessions are listed of %d", len(seen), list.Count)
	}
	return seen, nil
}

// matches are all sessions that a search for a picture finds.
func (w *nodesWorld) matches(t *testing.T, s *server, picture int) (map[string]listedSession, error) {
	answer, err := s.client(bootstrapKey).Search(t.Context(), w.pictures[picture], client.SearchOptions{Unsaved: true})
	if err != nil {
		return nil, err
	}
	seen := map[string]listedSession{}
	for _, each := range answer.FaceSearch.Matches {
		seen[each.SessionID] = listedSession{SessionID: each.SessionID, SessionNumber: each.SessionNumber, IsBlocklisted: each.IsBlocklisted}
	}
	if len(seen) != answer.FaceSearch.TotalMatches {
		return nil, fmt.Errorf("%d sessions are matched of %d", len(seen), answer.FaceSearch.TotalMatches)
	}
	return seen, nil
}
