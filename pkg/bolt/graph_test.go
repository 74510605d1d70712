package bolt_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// What the store's log says of a graph at the start, and once it was rebuilt.
const (
	believed = "the graph was read from its snapshot"
	doubted  = "the graph is rebuilt from the templates"
	rebuilt  = "the graph was rebuilt"
)

// graphPeople are enough for a graph to answer rather than the scan, and for a snapshot of
// several chunks.
const graphPeople = 2_700

// graph is what graphStore makes once, as to build it takes seconds.
var graph struct {
	sync.Mutex
	files      map[string][]byte
	oracle     *gallerytest.Oracle
	enrolments []face.Enrolment
}

// graphStore is a closed store whose last index was a graph, with its snapshot.
func graphStore(t *testing.T) (directory string, oracle *gallerytest.Oracle, enrolments []face.Enrolment) {
	t.Helper()
	graph.Lock()
	defer graph.Unlock()
	if graph.files == nil {
		directory, graph.oracle, graph.enrolments = filledStore(t, graphPeople)
		store, log := openGraph(t, directory, doubted) // there is none yet
		log.waitFor(t, rebuilt)
		closeStore(t, store)
		graph.files = map[string][]byte{}
		for _, name := range []string{bolt.FileName, bolt.KeysFileName} {
			data, err := os.ReadFile(filepath.Join(directory, name))
			if err != nil {
				t.Fatal(err)
			}
			graph.files[name] = data
		}
	}
	directory = t.TempDir()
	for name, data := range graph.files {
		if err := os.WriteFile(filepath.Join(directory, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory, graph.oracle, graph.enrolments
}

// openGraph wants the log to say what became of the snapshot.
func openGraph(t *testing.T, directory, want string) (*bolt.Store, *recorder) {
	t.Helper()
	log := newRecorder()
	store := openStore(t, directory, bolt.Options{Index: bolt.HNSWIndex, Log: slog.New(log)})
	if log.says(believed) == log.says(doubted) || !log.says(want) {
		t.Fatalf("want %q, the log says:\n%s", want, log.all())
	}
	return store, log
}

// requireSound searches for mates and for strangers. It returns how many answers say that
// they may not be complete.
func requireSound(t *testing.T, store *bolt.Store, oracle *gallerytest.Oracle, enrolments []face.Enrolment, probes int) (approximate int) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 3))
	for n := range probes {
		probe := slices.Clone(enrolments[random.IntN(len(enrolments))].Template)
		for i := range probe {
			probe[i] += float32(random.NormFloat64() * 0.02 * float64(n%3))
		}
		for _, radius := range []float64{0, 0.4, 0.7} {
			for _, listMax := range []int{0, 5} {
				found, err := store.Candidates(t.Context(), gallerytest.Application, probe, radius, listMax)
				if err != nil {
					t.Fatal(err)
				}
				oracle.Check(t, found, probe, radius, listMax)
				if !found.Exact {
					approximate++
				}
			}
		}
	}
	return approximate
}

func TestGraphSnapshot(t *testing.T) {
	t.Parallel()
	directory, oracle, enrolments := graphStore(t)
	t.Run("OK believed after a clean close", func(t *testing.T) {
		directory := copyStore(t, directory)
		for range 2 {
			store, _ := openGraph(t, directory, believed)
			if requireSound(t, store, oracle, enrolments, 12) == 0 {
				t.Error("the graph never answered")
			}
			closeStore(t, store)
		}
	})
	t.Run("OK believed after a close with changes", func(t *testing.T) {
		directory := copyStore(t, directory)
		store, _ := openGraph(t, directory, believed)
		enrolment := enrolOne(t, store)
		closeStore(t, store)
		store, _ = openGraph(t, directory, believed)
		requireFound(t, store, enrolment)
		closeStore(t, store)
	})
	t.Run("OK rebuilt after a close that came before the graph", func(t *testing.T) {
		directory, _, _ := filledStore(t, graphPeople)
		for range 2 {
			store, _ := openGraph(t, directory, doubted)
			closeStore(t, store)
		}
	})
	t.Run("OK rebuilt after changes under the other index", func(t *testing.T) {
		directory := copyStore(t, directory)
		store := openStore(t, directory, quiet(bolt.ExactIndex))
		enrolment := enrolOne(t, store)
		closeStore(t, store)
		store, _ = openGraph(t, directory, doubted)
		requireFound(t, store, enrolment)
		closeStore(t, store)
	})
	t.Run("OK rebuilt after kill -9", func(t *testing.T) {
		directory := copyStore(t, directory)
		killAfterThree(t, directory)
		store, log := openGraph(t, directory, doubted)
		log.waitFor(t, rebuilt)
		closeStore(t, store)
		store, _ = openGraph(t, directory, believed)
		closeStore(t, store)
	})
	t.Run("OK rebuilt where the file was left by a kill", func(t *testing.T) {
		store, _ := openGraph(t, copyStore(t, directory), believed)
		defer closeStore(t, store)
		path := copyStore(t, directory)
		left, _ := openGraph(t, path, believed)
		enrolment := enrolOne(t, left)
		after := copyStore(t, path)
		closeStore(t, left)
		reopened, _ := openGraph(t, after, doubted)
		requireFound(t, reopened, enrolment)
		closeStore(t, reopened)
	})
}

// TestGraphSnapshotDamaged damages a snapshot in every chunk: no search may ever notice.
func TestGraphSnapshotDamaged(t *testing.T) {
	t.Parallel()
	whole, oracle, enrolments := graphStore(t)
	var sizes []int
	edit(t, whole, func(tx *bbolt.Tx) error {
		return graphOf(tx).ForEach(func(_, chunk []byte) error {
			sizes = append(sizes, len(chunk))
			return nil
		})
	})
	if len(sizes) < 2 {
		t.Fatalf("a snapshot of chunks %v has no middle to damage", sizes)
	}
	requireDoubted := func(name string, damage func(chunks *bbolt.Bucket) error) {
		t.Run(name, func(t *testing.T) {
			directory := copyStore(t, whole)
			edit(t, directory, func(tx *bbolt.Tx) error { return damage(graphOf(tx)) })
			store, _ := openGraph(t, directory, doubted)
			requireSound(t, store, oracle, enrolments, 2)
			closeStore(t, store)
		})
	}
	for number, size := range sizes {
		random := rand.New(rand.NewPCG(uint64(number), 7))
		for _, at := range []int{0, random.IntN(size), size - 1} {
			bit := byte(1) << random.IntN(8)
			requireDoubted(fmt.Sprintf("OK chunk %d byte %d flipped", number, at), func(chunks *bbolt.Bucket) error {
				return changeChunk(chunks, number, func(chunk []byte) []byte {
					chunk[at] ^= bit
					return chunk
				})
			})
		}
		requireDoubted(fmt.Sprintf("OK chunk %d missing", number), func(chunks *bbolt.Bucket) error {
			return chunks.Delete(chunkKey(number))
		})
		requireDoubted(fmt.Sprintf("OK chunk %d shorter", number), func(chunks *bbolt.Bucket) error {
			return changeChunk(chunks, number, func(chunk []byte) []byte { return chunk[:len(chunk)-1] })
		})
	}
	for number := range sizes {
		requireDoubted(fmt.Sprintf("OK cut before chunk %d", number), func(chunks *bbolt.Bucket) error {
			for later := number; later < len(sizes); later++ {
				if err := chunks.Delete(chunkKey(later)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	requireDoubted("OK one chunk more", func(chunks *bbolt.Bucket) error { return chunks.Put(chunkKey(len(sizes)), []byte("more")) })
	requireDoubted("OK chunks swapped", func(chunks *bbolt.Bucket) error {
		first, second := slices.Clone(chunks.Get(chunkKey(0))), slices.Clone(chunks.Get(chunkKey(1)))
		if err := chunks.Put(chunkKey(0), second); err != nil {
			return err
		}
		return chunks.Put(chunkKey(1), first)
	})
	t.Run("OK undamaged", func(t *testing.T) { // or the tests above would show nothing
		store, _ := openGraph(t, copyStore(t, whole), believed)
		closeStore(t, store)
	})
}

// TestGraphSnapshotBits flips every bit of the first kilobyte, of what is stored and of what was
// sealed: neither may be believed.
func TestGraphSnapshotBits(t *testing.T) {
	t.Parallel()
	directory, _, _ := filledStore(t, 60)
	store, log := openGraph(t, directory, doubted)
	log.waitFor(t, rebuilt)
	closeStore(t, store)
	store, _ = openGraph(t, directory, believed)
	defer closeStore(t, store)
	for name, inside := range map[string]bool{"OK as stored": false, "OK sealed again": true} {
		t.Run(name, func(t *testing.T) {
			for bit := range 8 * 1024 {
				err := store.RestoreDamaged(gallerytest.Application, inside, func(chunk []byte) { chunk[bit/8] ^= 1 << (bit % 8) })
				if !errors.Is(err, index.ErrSnapshot) {
					t.Fatalf("bit %d: %v", bit, err)
				}
			}
			if err := store.RestoreDamaged(gallerytest.Application, inside, func([]byte) {}); err != nil {
				t.Fatalf("undamaged: %v", err) // or the loop would show nothing
			}
		})
	}
}

func graphOf(tx *bbolt.Tx) *bbolt.Bucket {
	return bucketOf(tx, "applications", gallerytest.Application, "graph")
}

func chunkKey(number int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(number)) }

func changeChunk(chunks *bbolt.Bucket, number int, change func([]byte) []byte) error {
	return chunks.Put(chunkKey(number), change(slices.Clone(chunks.Get(chunkKey(number)))))
}

// enrolOne enrols somebody who is far from everybody else.
func enrolOne(t *testing.T, store *bolt.Store) face.Enrolment {
	t.Helper()
	enrolment := face.Enrolment{Session: face.Session{ID: "one more", Status: face.Approved}}
	enrolment.Template = make(face.Template, face.TemplateDim)
	enrolment.Template[3] = 4
	if _, created, err := store.Enrol(t.Context(), gallerytest.Application, enrolment); err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	return enrolment
}

func requireFound(t *testing.T, store *bolt.Store, enrolment face.Enrolment) {
	t.Helper()
	if size, err := store.Size(t.Context(), gallerytest.Application); err != nil || size != graphPeople+1 {
		t.Fatalf("%d sessions, %v", size, err)
	}
	if _, err := store.Session(t.Context(), gallerytest.Application, enrolment.Session.ID); err != nil {
		t.Fatal(err)
	}
	found, err := store.Candidates(t.Context(), gallerytest.Application, enrolment.Template, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	// A graph may miss even a stored template; a scan may not.
	if found.Exact && (found.Total != 1 || found.List[0].Session.ID != enrolment.Session.ID) {
		t.Fatalf("%+v", found)
	}
}

// killAfterThree kills a process that had the store open, after its third enrolment.
func killAfterThree(t *testing.T, directory string) {
	t.Helper()
	child := childCommand(t, directory, bolt.HNSWIndex)
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(output)
	for enrolled := 0; enrolled < 3; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "done enrol ") {
			enrolled++
		}
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Fatal(err)
	}
	child.Wait()
}
