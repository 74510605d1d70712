//go:build opensearch

package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// nodesSettle is beyond the time after which the servers carry out what was decided and not
// finished: 30 seconds, looked for every 30 seconds.
const nodesSettle = 70 * time.Second

// verify wants every server, and so every node, to show the same: all that was acknowledged, and
// what was not either done or not done.
func (w *nodesWorld) verify(t *testing.T) {
	t.Helper()
	time.Sleep(nodesSettle)
	first, err := w.shared[0].listAll()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for number, s := range w.all() {
		group.Go(func() { w.verifyServer(t, number, s, first) })
	}
	group.Wait()
	w.verifyNumbers(t, first)
	w.verifyAudit(t, first)
}

func (w *nodesWorld) verifyServer(t *testing.T, number int, s *server, want map[string]listedSession) {
	listed, err := s.listAll()
	if err != nil || !maps.EqualFunc(listed, want, sameSession) {
		t.Errorf("server %d lists other sessions than the first: %v", number, err)
	}
	found := map[string]listedSession{}
	for picture := range nodesFaces {
		matches, err := w.matches(t, s, picture)
		if err != nil {
			t.Errorf("server %d: %v", number, err)
		}
		maps.Copy(found, matches)
	}
	if !maps.EqualFunc(found, want, sameSession) {
		t.Errorf("server %d finds other sessions than the first lists", number)
	}
	for _, one := range w.people {
		session, there := listed[one.id]
		if err := one.fits(one, session, there); err != nil {
			t.Errorf("server %d: session %s %v", number, one.id, err)
		}
		var shown listedSession
		err := s.call("GET", "/v3/session/"+one.id+"/decision/", nil, &shown)
		if there && (err != nil || !sameSession(shown, session)) || !there && !isStatus(err, http.StatusNotFound) {
			t.Errorf("server %d shows session %s, listed: %v, as %+v, %v", number, one.id, there, shown, err)
		}
	}
}

// sameSession passes over the address of the picture, which is another one in each answer.
func sameSession(a, b listedSession) bool {
	return a.SessionID == b.SessionID && a.SessionNumber == b.SessionNumber && a.IsBlocklisted == b.IsBlocklisted
}

// verifyNumbers wants every number from 1 on to be that of one session.
func (w *nodesWorld) verifyNumbers(t *testing.T, stored map[string]listedSession) {
	owners := map[uint64]string{}
	for _, one := range w.people {
		number := one.number
		if session, there := stored[one.id]; there {
			number = session.SessionNumber
		}
		if other, taken := owners[number]; taken && number != 0 {
			t.Errorf("number %d is that of %s and of %s", number, other, one.id)
		}
		if number != 0 {
			owners[number] = one.id
		}
	}
	for number := range uint64(len(owners)) {
		if owners[number+1] == "" {
			t.Errorf("number %d of %d was left out", number+1, len(owners))
		}
	}
}

// verifyAudit wants the log to be whole, and each erasure to be in it once.
func (w *nodesWorld) verifyAudit(t *testing.T, stored map[string]listedSession) {
	for _, s := range w.shared {
		run(t, nil, "audit", "verify", "--data", s.data).ended(t, 0, "The audit log is whole")
	}
	type entry struct{ Action, Object, Detail string }
	var log []entry
	for {
		var page struct {
			Count   int
			Results []entry
		}
		path := fmt.Sprintf("/v3/audit/?order=oldest&limit=200&offset=%d", len(log))
		if err := w.single[0].call("GET", path, nil, &page); err != nil {
			t.Fatal(err)
		}
		if log = append(log, page.Results...); len(log) == page.Count || len(page.Results) == 0 {
			break
		}
	}
	written, byPeople := map[entry]int{}, 0
	for _, each := range log {
		erases := strings.Contains(each.Detail, "sessions=1 ")
		if each.Action == "erase_people" && erases {
			byPeople++
		}
		each.Detail = ""
		written[each]++
	}
	gone := 0
	for _, one := range w.people {
		_, there := stored[one.id]
		erased := !there && one.enrolled.acknowledged
		if erased && one.byPeople {
			gone++
		}
		want := 0
		if erased && !one.byPeople {
			want = 1
		}
		if got := written[entry{"erase", one.id, ""}]; got != want {
			t.Errorf("the erasure of %s is in the audit log %d times, want %d", one.id, got, want)
		}
		if got := written[entry{"enrol", one.id, ""}]; got > 1 {
			t.Errorf("the enrolment of %s is in the audit log %d times", one.id, got)
		}
	}
	if byPeople != gone {
		t.Errorf("%d erasures by vendor_data are in the audit log, and %d people are gone by it", byPeople, gone)
	}
}
