package gallerytest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"facesearch/pkg/face"
)

// RoundsVariable is the environment variable that says how often a process is killed.
const RoundsVariable = "FACESEARCH_KILL_ROUNDS"

const roundsDefault = 10

// childWorkers work at once in the process that is killed.
const childWorkers = 3

// What a worker of the process does. Each step is reported twice: as tried before, as done
// after the gallery has acknowledged it.
const (
	stepEnrol  = "enrol"  // and the number that it got
	stepSearch = "search" // one of the same vendor_data is saved
	stepChange = "change" // and the place in looks
	stepErase  = "erase"  // the session, and the search where there is one
)

// Child enrols, changes and erases sessions of Application, and saves searches, until the
// process is killed. It reports each step, see reporter.
func Child(store face.Gallery, report io.Writer) error {
	steps := &reporter{to: report}
	failures := make(chan error)
	for worker := range childWorkers {
		go func() { failures <- childWorker(store, steps, rand.New(rand.NewPCG(rand.Uint64(), uint64(worker)))) }()
	}
	return <-failures
}

// peopleMax is how many a worker lets live before he erases one.
const peopleMax = 4

func childWorker(store face.Gallery, steps *reporter, random *rand.Rand) error {
	ctx := context.Background()
	var alive []string // session IDs
	for {
		id := newID()
		err := steps.run(stepEnrol, id, 0, func() (uint64, error) {
			session, created, err := store.Enrol(ctx, ours, newEnrolment(id))
			if err == nil && !created {
				err = errors.New("a new session was there already")
			}
			return session.Number, err
		})
		if err != nil {
			return err
		}
		alive = append(alive, id)
		if random.IntN(2) == 0 {
			err = steps.run(stepSearch, id, 0, func() (uint64, error) {
				search, picture := searchBy(id)
				return 0, store.SaveSearch(ctx, ours, search, picture)
			})
		}
		if err != nil {
			return err
		}
		changed, to := alive[random.IntN(len(alive))], random.IntN(len(looks))
		err = steps.run(stepChange, changed, uint64(to), func() (uint64, error) {
			_, err := store.Change(ctx, ours, changed, looks[to].give)
			return uint64(to), err
		})
		if err != nil {
			return err
		}
		if len(alive) < peopleMax {
			continue
		}
		at := random.IntN(len(alive))
		erased := alive[at]
		alive = append(alive[:at], alive[at+1:]...)
		if err := steps.run(stepErase, erased, 0, func() (uint64, error) { return 0, eraseOne(store, erased) }); err != nil {
			return err
		}
	}
}

// eraseOne erases a session, and the search of the same vendor_data where there is one.
func eraseOne(store face.Gallery, id string) error {
	ctx := context.Background()
	search, _ := searchBy(id)
	_, err := store.SavedSearch(ctx, ours, search.ID)
	if err == nil {
		_, err = store.Erase(ctx, ours, []string{search.ID, id})
		return err
	}
	if face.CodeOf(err) != face.CodeNotFound {
		return err
	}
	erased, err := store.EraseOwners(ctx, ours, []string{newEnrolment(id).Session.VendorData})
	if err == nil && (erased.Sessions != 1 || erased.Searches != 0) {
		err = fmt.Errorf("%d sessions and %d searches were erased, want one session", erased.Sessions, erased.Searches)
	}
	return err
}

// searchBy is a saved search of the person with that session.
func searchBy(id string) (face.SavedSearch, face.Picture) {
	search, picture := newSearch("search-by-" + id)
	search.VendorData = newEnrolment(id).Session.VendorData
	return search, picture
}

// A reporter writes lines in one piece: "tried" or "done", the step, the session's ID, and
// what the step's comment says, or 0.
type reporter struct {
	mu sync.Mutex
	to io.Writer
}

func (r *reporter) run(step, id string, wanted uint64, work func() (got uint64, err error)) error {
	if err := r.write("tried", step, id, wanted); err != nil {
		return err
	}
	got, err := work()
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return r.write("done", step, id, got)
}

func (r *reporter) write(when, step, id string, value uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := fmt.Fprintf(r.to, "%s %s %s %d\n", when, step, id, value)
	return err
}

// A life is what is known of one session from the outside.
type life struct {
	number                     uint64
	look                       int
	enrolled, searched, erased bool
	tried                      string // the step that was under way when the process was killed
	value                      uint64
}

func (l *life) settle(step string, value uint64) {
	switch step {
	case stepEnrol:
		l.enrolled, l.number = true, value
	case stepSearch:
		l.searched = true
	case stepChange:
		l.look = int(value)
	case stepErase:
		l.erased = true
	}
	l.tried = ""
}

// lives are those of all sessions by ID.
type lives map[string]*life

// read takes in one line of a report; done is whether it acknowledges something.
func (all lives) read(line string) (done bool, err error) {
	var when, step, id string
	var value uint64
	if _, err := fmt.Sscanf(line, "%s %s %s %d", &when, &step, &id, &value); err != nil {
		return false, fmt.Errorf("the child wrote %q: %w", line, err)
	}
	if all[id] == nil {
		all[id] = &life{}
	}
	if when == "done" {
		all[id].settle(step, value)
		return true, nil
	}
	all[id].tried, all[id].value = step, value
	return false, nil
}

// testKill kills, again and again, a process that changes the gallery, each time at another
// moment: while it opens the store, between two steps, or in the middle of some.
func testKill(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	if f.harness.Child == nil {
		t.Skip("this store has no process of its own")
	}
	rounds := roundsDefault
	if text := os.Getenv(RoundsVariable); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil || rounds < 1 {
			t.Fatalf("%s is %q, not a number of rounds", RoundsVariable, text)
		}
	}
	all := lives{}
	numbers := map[uint64]string{} // session ID by number, of all that ever were
	steps := 0
	for round := range rounds {
		f.close()
		report, acknowledged := reportUntilKilled(t, f.harness, round%4 == 3)
		steps += acknowledged
		f.store = f.harness.Open(t)
		for id, one := range report {
			f.resolve(t, id, one)
			f.requireLife(t, id, one)
		}
		id := newID()
		report[id] = &life{enrolled: true, number: f.enrol(ours, newEnrolment(id)).Number}
		for id, one := range report {
			if !one.enrolled {
				continue
			}
			if other, taken := numbers[one.number]; taken {
				t.Fatalf("round %d: number %d was given to %s, and before to %s", round, one.number, id, other)
			}
			numbers[one.number] = id
			all[id] = one
		}
		if newest := report[id].number; newest != uint64(len(numbers)) {
			t.Fatalf("round %d: the %dth session has number %d", round, len(numbers), newest)
		}
		f.requireLives(t, all)
	}
	for id, one := range all {
		f.requireLife(t, id, one)
	}
	f.requireAuditWhole(t)
	t.Logf("%d rounds, %d steps acknowledged, %d sessions", rounds, steps, len(all))
	if steps == 0 {
		t.Fatal("no process came as far as its first step: nothing was tested")
	}
}

// resolve finds out whether the step that was under way was made. It may have been or not, as
// a whole.
func (f *fixture) resolve(t *testing.T, id string, one *life) {
	t.Helper()
	if one.tried == "" {
		return
	}
	session, err := f.store.Session(t.Context(), ours, id)
	if err != nil && face.CodeOf(err) != face.CodeNotFound {
		t.Fatal(err)
	}
	search, _ := searchBy(id)
	_, searchErr := f.store.SavedSearch(t.Context(), ours, search.ID)
	made, value := false, one.value
	switch one.tried {
	case stepEnrol:
		made, value = err == nil, session.Number
	case stepSearch:
		made = searchErr == nil
	case stepChange:
		made = err == nil && look{session.Status, session.Blocklisted} == looks[value]
	case stepErase:
		made = err != nil
	}
	if made {
		one.settle(one.tried, value)
	}
	one.tried = ""
}

// requireLife wants a session and its search to be stored as they are known to be.
func (f *fixture) requireLife(t *testing.T, id string, one *life) {
	t.Helper()
	enrolment := newEnrolment(id)
	search, picture := searchBy(id)
	if one.searched && !one.erased {
		f.requireSearch(t, ours, search, picture)
	} else {
		f.requireSearchGone(t, search)
	}
	if !one.enrolled || one.erased {
		f.requireGone(t, enrolment)
		return
	}
	want := enrolment.Session
	want.Number = one.number
	looks[one.look].give(&want)
	f.requireLook(t, want, enrolment)
}

// requireLives wants the gallery to hold these sessions and no other.
func (f *fixture) requireLives(t *testing.T, all lives) {
	t.Helper()
	stored, size := 0, 0
	for _, one := range all {
		if one.erased {
			continue
		}
		stored++
		session := face.Session{}
		looks[one.look].give(&session)
		if session.InGallery() {
			size++
		}
	}
	if _, total := f.sessions(ours, face.SessionFilter{}); total != stored || f.size(ours) != size {
		t.Fatalf("%d sessions, %d of them in the gallery; want %d and %d", total, f.size(ours), stored, size)
	}
}

// reportUntilKilled runs Child in a process and kills it: a moment after some steps, or, when
// early, perhaps before the first one.
func reportUntilKilled(t *testing.T, harness Harness, early bool) (report lives, acknowledged int) {
	t.Helper()
	child := harness.Child(t)
	var complaints bytes.Buffer
	child.Stderr = &complaints
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	wanted, delay := 1+rand.IntN(100), rand.N(4*time.Millisecond)
	var kill sync.Once
	killAfter := func(delay time.Duration) {
		kill.Do(func() {
			time.Sleep(delay)
			child.Process.Signal(syscall.SIGKILL)
		})
	}
	if early {
		go killAfter(rand.N(150 * time.Millisecond))
	}
	report = lives{}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		done, err := report.read(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		if done {
			acknowledged++
		}
		if done && acknowledged == wanted {
			go killAfter(delay)
		}
	}
	requireKilled(t, child.Wait(), &complaints)
	return report, acknowledged
}

// requireKilled wants the end of a process to have been the kill, and not one of its own.
func requireKilled(t *testing.T, err error, complaints fmt.Stringer) {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return
		}
	}
	t.Fatalf("the child ended by itself: %v\n%s", err, complaints)
}
