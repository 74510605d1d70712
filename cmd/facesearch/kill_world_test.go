package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/google/uuid"

	"facesearch/pkg/client"
)

// A killWorld is what the clients of a server that is killed know of it.
type killWorld struct {
	server   *server
	pictures [][]byte
	// By client, which alone touches them while clients work.
	people [killClients][]*killPerson
	free   [killClients][]int // pictures of nobody

	mu          sync.Mutex
	erased      []*killPerson     // the last ones
	numbers     map[uint64]string // session ID by number, of all that ever were
	numberMax   uint64            // of those acknowledged
	erasedCount int
}

// A killState is what of a session can change.
type killState struct {
	there       bool
	status      string
	blocklisted bool
}

// A killPerson is one session and the saved searches of its vendor_data.
type killPerson struct {
	id       string
	picture  int
	number   uint64 // 0 until it is known
	media    string // address of its picture
	state    killState
	underWay *killState // what was asked for and not acknowledged
	searches []string   // request IDs of those acknowledged
	// A request that erases them was not acknowledged.
	searchesDoubtful bool
	searchesErased   []string
}

func (p *killPerson) vendorData() string { return "person-" + p.id }

func (p *killPerson) settle(state killState) {
	p.state, p.underWay, p.searchesDoubtful = state, nil, false
}

func (p *killPerson) searchesGone() {
	p.searches, p.searchesErased = nil, append(p.searchesErased, p.searches...)
}

// call asks the server that runs at present.
func (w *killWorld) call(method, path string, body, into any) error {
	return w.server.call(method, path, body, into)
}

func (w *killWorld) must(t *testing.T, method, path string, body, into any) {
	t.Helper()
	if err := w.call(method, path, body, into); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// requireStatus wants a path to be refused with a status.
func (w *killWorld) requireStatus(t *testing.T, path string, want int) {
	t.Helper()
	err := w.call("GET", path, nil, nil)
	if refusal, ok := err.(*client.Error); !ok || refusal.Status != want {
		t.Errorf("GET %s: %v, want %d", path, err, want)
	}
}

// enrol enrols one more person. A number that is given is above all that were acknowledged
// before it was asked for.
func (w *killWorld) enrol(t *testing.T, number int) error {
	free := w.free[number]
	one := &killPerson{id: uuid.NewString(), picture: free[len(free)-1]}
	w.free[number] = free[:len(free)-1]
	one.underWay = &killState{there: true, status: "Approved"}
	w.people[number] = append(w.people[number], one)
	w.mu.Lock()
	before := w.numberMax
	w.mu.Unlock()
	answer, err := w.sendEnrolment(t, one)
	if err != nil {
		return fmt.Errorf("enrolling: %w", err)
	}
	if answer.SessionNumber <= before {
		t.Errorf("session number %d was given after %d", answer.SessionNumber, before)
	}
	one.settle(*one.underWay)
	w.number(t, one, answer.SessionNumber)
	return nil
}

func (w *killWorld) sendEnrolment(t *testing.T, one *killPerson) (*client.SessionAnswer, error) {
	fields := client.EnrolFields{"session_id": one.id, "vendor_data": one.vendorData()}
	return w.server.client(bootstrapKey).Enrol(t.Context(), w.pictures[one.picture], fields)
}

// number notes the number of a session, which has to be its own for good.
func (w *killWorld) number(t *testing.T, one *killPerson, number uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if other, taken := w.numbers[number]; taken && other != one.id || one.number != 0 && one.number != number {
		t.Errorf("session %s, which had number %d, has number %d, which was given to %s", one.id, one.number, number, other)
	}
	one.number, w.numbers[number] = number, one.id
	w.numberMax = max(w.numberMax, number)
}

// search has a search saved under the reference of a session.
func (w *killWorld) search(t *testing.T, one *killPerson) error {
	answer, err := w.server.client(bootstrapKey).Search(t.Context(), w.pictures[one.picture], client.SearchOptions{VendorData: one.vendorData()})
	if err != nil {
		return fmt.Errorf("searching: %w", err)
	}
	one.searches = append(one.searches, answer.RequestID)
	return nil
}

// A listedSession is what is read of a session in a list.
type listedSession struct {
	SessionID        string  `json:"session_id"`
	SessionNumber    uint64  `json:"session_number"`
	Status           string  `json:"status"`
	IsBlocklisted    bool    `json:"is_blocklisted"`
	PortraitImageURL *string `json:"portrait_image_url"`
}

// bury notes that a session is gone, and lets its picture be somebody else's.
func (w *killWorld) bury(number int, one *killPerson) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free[number] = append(w.free[number], one.picture)
	if one.number != 0 { // else it was never enrolled
		w.erasedCount++
		w.erased = append(w.erased, one)
	}
}

// verify wants the server that was started again to know all that was acknowledged and nothing
// else.
func (w *killWorld) verify(t *testing.T) {
	t.Helper()
	var list struct {
		Count   int
		Results []listedSession
	}
	w.must(t, "GET", "/v3/sessions/?limit=200", nil, &list)
	stored := map[string]listedSession{}
	for _, each := range list.Results {
		stored[each.SessionID] = each
	}
	if len(stored) != list.Count {
		t.Fatalf("%d sessions are listed, and %d counted", len(stored), list.Count)
	}
	for number := range w.people {
		var alive []*killPerson
		for _, one := range w.people[number] {
			session, there := stored[one.id]
			delete(stored, one.id)
			if w.resolve(t, one, session, there) {
				alive = append(alive, one)
				continue
			}
			w.bury(number, one)
		}
		w.people[number] = alive
	}
	for id := range stored {
		t.Errorf("session %s is there, which was erased or never enrolled", id)
	}
	if w.numberMax != uint64(len(w.numbers)) {
		t.Errorf("%d sessions have had numbers up to %d", len(w.numbers), w.numberMax)
	}
	w.verifySearches(t)
	w.verifyErased(t)
}

// resolve compares what is stored with what was acknowledged, or with what was under way when
// the server was killed, and reports whether the session lives.
func (w *killWorld) resolve(t *testing.T, one *killPerson, session listedSession, there bool) bool {
	t.Helper()
	got := killState{there, session.Status, session.IsBlocklisted}
	same := func(want killState) bool { return got == want || !there && !want.there }
	if one.underWay != nil && same(*one.underWay) && !same(one.state) {
		if one.searchesDoubtful {
			one.searchesGone()
		}
		one.settle(*one.underWay)
	}
	if !same(one.state) {
		t.Errorf("session %s is stored as %+v; acknowledged was %+v, under way %+v", one.id, got, one.state, one.underWay)
	}
	asked := one.underWay
	one.underWay, one.searchesDoubtful = nil, false
	if !there && one.number == 0 && asked != nil && rand.IntN(2) == 0 { // its client sends it again
		answer, err := w.sendEnrolment(t, one)
		if err != nil {
			t.Errorf("enrolling again: %v", err)
			return false
		}
		one.settle(*asked)
		w.number(t, one, answer.SessionNumber)
		return true
	}
	if there {
		w.number(t, one, session.SessionNumber)
		if session.PortraitImageURL != nil {
			one.media = *session.PortraitImageURL
			w.must(t, "GET", pathOf(t, one.media), nil, nil)
		}
	}
	return there
}

// pathOf is an address without the server, whose port is another one after each start.
func pathOf(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.RequestURI()
}

// verifySearches searches every picture: its session is found, by the status that it has, and
// nobody who is gone. The saved searches are there as well.
func (w *killWorld) verifySearches(t *testing.T) {
	t.Helper()
	alive, owners := map[string]*killPerson{}, map[int]*killPerson{}
	for _, people := range w.people {
		for _, one := range people {
			alive[one.id], owners[one.picture] = one, one
			for _, id := range one.searches {
				w.must(t, "GET", "/v3/session/"+id+"/decision/", nil, nil)
			}
		}
	}
	for i, picture := range w.pictures {
		answer, err := w.server.client(bootstrapKey).Search(t.Context(), picture, client.SearchOptions{Unsaved: true})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, match := range answer.FaceSearch.Matches {
			one := alive[match.SessionID]
			if one == nil || !one.state.there || one.state.status != match.Status || one.state.blocklisted != match.IsBlocklisted {
				t.Errorf("a search finds %+v, which is known as %+v", match, one)
			}
			found = found || one == owners[i]
		}
		owner := owners[i]
		if inGallery := owner != nil && (owner.state.status == "Approved" || owner.state.blocklisted); found != inGallery {
			t.Errorf("session %+v is found: %v", owner, found)
		}
	}
}

// erasedMax is how many erased sessions are looked for after each start.
const erasedMax = 30

// verifyErased wants the pages, searches and pictures of who was erased to stay away.
func (w *killWorld) verifyErased(t *testing.T) {
	t.Helper()
	w.erased = w.erased[max(0, len(w.erased)-erasedMax):]
	for _, one := range w.erased {
		w.requireStatus(t, "/v3/session/"+one.id+"/decision/", http.StatusNotFound)
		for _, id := range one.searchesErased {
			w.requireStatus(t, "/v3/session/"+id+"/decision/", http.StatusNotFound)
		}
		for _, id := range one.searches { // erasing a session leaves the searches to themselves
			w.must(t, "GET", "/v3/session/"+id+"/decision/", nil, nil)
		}
		if one.media != "" {
			w.requireStatus(t, pathOf(t, one.media), http.StatusNotFound)
		}
	}
}
