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

// childWorkers enrol at once in the process that is killed.
const childWorkers = 3

// Child enrols sessions into Application until the process is killed, and writes a line with
// number and ID for each one, after Enrol has returned.
func Child(store face.Gallery, acknowledged io.Writer) error {
	var mu sync.Mutex // a line is written in one piece
	failures := make(chan error)
	for range childWorkers {
		go func() {
			for {
				session, created, err := store.Enrol(context.Background(), ours, newEnrolment(newID()))
				if err != nil || !created {
					failures <- fmt.Errorf("created %v, %w", created, err)
					return
				}
				mu.Lock()
				_, err = fmt.Fprintf(acknowledged, "%d %s\n", session.Number, session.ID)
				mu.Unlock()
				if err != nil {
					failures <- err
					return
				}
			}
		}()
	}
	return <-failures
}

// testKill kills, again and again, a process that enrols, each time at another moment: while
// it opens the store, between two enrolments, or in the middle of some.
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
	promised := map[uint64]string{} // session ID by number, of all rounds
	size := 0
	for round := range rounds {
		f.close()
		acknowledged := enrolUntilKilled(t, f.harness, round%4 == 3)
		f.store = f.harness.Open(t)
		for number, id := range acknowledged {
			if other, taken := promised[number]; taken {
				t.Fatalf("round %d: number %d was given to %s, and before to %s", round, number, id, other)
			}
			promised[number] = id
			f.requireStored(t, newEnrolment(id), number)
		}
		// What was under way may have been stored or not, each as a whole.
		more := f.size(ours) - size
		if more < len(acknowledged) || more > len(acknowledged)+childWorkers {
			t.Fatalf("round %d: %d sessions more, %d of them acknowledged, %d at most under way", round, more, len(acknowledged), childWorkers)
		}
		size += more
		if got := f.enrol(ours, newEnrolment(newID())).Number; got != uint64(size)+1 {
			t.Fatalf("round %d: the next of %d sessions has number %d", round, size, got)
		}
		size++
	}
	for number, id := range promised {
		f.requireStored(t, newEnrolment(id), number)
	}
	t.Logf("%d rounds, %d enrolments acknowledged, %d stored", rounds, len(promised), size)
	if len(promised) == 0 {
		t.Fatal("no process came as far as its first enrolment: nothing was tested")
	}
}

// enrolUntilKilled runs Child in a process and kills it: a moment after some enrolments, or,
// when early, perhaps before the first one. It returns the ID by number of those that were
// acknowledged.
func enrolUntilKilled(t *testing.T, harness Harness, early bool) map[uint64]string {
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
	wanted, delay := 1+rand.IntN(40), rand.N(4*time.Millisecond)
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
	acknowledged := map[uint64]string{}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		var number uint64
		var id string
		if _, err := fmt.Sscanf(lines.Text(), "%d %s", &number, &id); err != nil {
			t.Fatalf("the child wrote %q: %v", lines.Text(), err)
		}
		if other, taken := acknowledged[number]; taken {
			t.Errorf("number %d was given to %s and to %s", number, other, id)
		}
		acknowledged[number] = id
		if len(acknowledged) == wanted {
			go killAfter(delay)
		}
	}
	requireKilled(t, child.Wait(), &complaints)
	return acknowledged
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
