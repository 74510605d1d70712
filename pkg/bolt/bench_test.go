package bolt_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// BenchmarkEnrol includes a picture of the size that is kept, and the wait for the disk.
func BenchmarkEnrol(b *testing.B) {
	directory, _, _ := filledStore(b, 1_000)
	store := openStore(b, directory, quiet(bolt.ExactIndex))
	defer closeStore(b, store)
	enrolment := people(1)[0]
	enrolment.Picture = face.Picture{ContentType: "image/jpeg", Data: make([]byte, 40_000)}
	n := 0
	for b.Loop() {
		n++
		enrolment.Session.ID = fmt.Sprint("new-", n)
		enrolment.Session.PictureID = enrolment.Session.ID
		if _, _, err := store.Enrol(context.Background(), gallerytest.Application, enrolment); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCandidates(b *testing.B) {
	for _, kind := range []bolt.IndexKind{bolt.ExactIndex, bolt.HNSWIndex} {
		b.Run(fmt.Sprintf("%s-10k", kind), func(b *testing.B) {
			directory, _, enrolments := filledStore(b, 10_000)
			log := newRecorder()
			store := openStore(b, directory, bolt.Options{Index: kind, Log: slog.New(log)})
			defer closeStore(b, store)
			if kind == bolt.HNSWIndex {
				log.waitFor(b, rebuilt)
			}
			probe := 0
			for b.Loop() {
				probe++
				template := enrolments[probe%len(enrolments)].Template
				if _, err := store.Candidates(context.Background(), gallerytest.Application, template, 0.43, 5); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSessions lists the first and the last page, and one that a rare filter leaves.
func BenchmarkSessions(b *testing.B) {
	directory, _, _ := filledStore(b, 100_000)
	store := openStore(b, directory, quiet(bolt.ExactIndex))
	defer closeStore(b, store)
	for name, filter := range map[string]face.SessionFilter{
		"first":    {Limit: 50},
		"last":     {Limit: 50, Offset: 99_950},
		"filtered": {Limit: 50, Status: face.Declined},
		"number":   {Limit: 50, Number: 50_000},
		"name":     {Limit: 50, Name: "nobody"}, // opens every one
	} {
		b.Run(name+"-100k", func(b *testing.B) {
			for b.Loop() {
				if _, _, err := store.Sessions(context.Background(), gallerytest.Application, filter); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen is a start, up to the answer of the first search.
func BenchmarkOpen(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"100k", 100_000}, {"1M", 1_000_000}} {
		b.Run("exact-"+size.name, func(b *testing.B) {
			directory := manyPeople(b, size.n)
			probe := people(1)[0].Template
			memory, fastest, used := watchMemory(b), math.Inf(1), 0.0
			for b.Loop() {
				started, before := time.Now(), processorSeconds(b)
				store := openStore(b, directory, quiet(bolt.ExactIndex))
				if _, err := store.Candidates(b.Context(), gallerytest.Application, probe, 0.3, 5); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				fastest = min(fastest, time.Since(started).Seconds())
				used += processorSeconds(b) - before
				if got, err := store.Size(b.Context(), gallerytest.Application); err != nil || got != size.n {
					b.Fatalf("%d of %d sessions, %v", got, size.n, err)
				}
				memory.settle()
				closeStore(b, store)
				debug.FreeOSMemory()
				b.StartTimer()
			}
			memory.report(size.n)
			b.ReportMetric(fastest, "fastest-s")
			b.ReportMetric(used/float64(b.N), "cpu-s/op")
		})
	}
}

// BenchmarkPairs compares 100,000 people with each other, which takes all cores.
func BenchmarkPairs(b *testing.B) {
	store := openStore(b, manyPeople(b, 100_000), quiet(bolt.ExactIndex))
	for b.Loop() {
		for after, more := uint64(0), true; more; more = after != 0 {
			var err error
			// 0.38 apart is a similarity of 92, the automatic threshold of so many people.
			if _, after, err = store.Pairs(b.Context(), gallerytest.Application, 0.38, after, 512, 1<<20); err != nil {
				b.Fatal(err)
			}
		}
	}
	closeStore(b, store)
}

// manyPeople is a closed store of so many people, which are never all in memory.
func manyPeople(b *testing.B, n int) (directory string) {
	b.Helper()
	directory = b.TempDir()
	store := openStore(b, directory, quiet(bolt.ExactIndex))
	if err := store.CreateApplication(b.Context(), face.Application{ID: gallerytest.Application}); err != nil {
		b.Fatal(err)
	}
	const portion = 20_000
	for from := 0; from < n; from += portion {
		enrolments := people(min(portion, n-from))
		for i := range enrolments {
			enrolments[i].Session.ID = fmt.Sprintf("person-%09d", from+i)
			enrolments[i].Template[0] += float32(from) / float32(n)
		}
		if _, err := store.Fill(gallerytest.Application, enrolments); err != nil {
			b.Fatal(err)
		}
	}
	closeStore(b, store)
	return directory
}

// memory is what the process has beyond the pages of files, and beyond what it began with.
type memory struct {
	b             *testing.B
	before        int64
	peak, settled atomic.Int64
}

func watchMemory(b *testing.B) *memory {
	debug.FreeOSMemory()
	m := &memory{b: b, before: anonymousBytes(b)}
	watching, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for watching.Err() == nil {
			m.peak.Store(max(m.peak.Load(), anonymousBytes(b)))
			time.Sleep(10 * time.Millisecond)
		}
	})
	b.Cleanup(func() { stop(); group.Wait() })
	return m
}

func (m *memory) settle() {
	debug.FreeOSMemory()
	m.settled.Store(anonymousBytes(m.b))
}

func (m *memory) report(rows int) {
	m.b.ReportMetric(float64(m.peak.Load()-m.before)/float64(rows), "peak-B/row")
	m.b.ReportMetric(float64(m.settled.Load()-m.before)/float64(rows), "B/row")
}

// anonymousBytes is 0 where the system does not tell.
func anonymousBytes(b *testing.B) (bytes int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			if _, err := fmt.Sscan(text, &bytes); err != nil {
				b.Error(err)
			}
		}
	}
	return bytes << 10
}

// processorSeconds are those that this process has used on all cores, which other processes hardly
// change.
func processorSeconds(b *testing.B) float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
