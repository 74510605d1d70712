package bolt_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// A subject is a person with everything that a store can hold of one.
type subject struct {
	face.Enrolment
	search  face.SavedSearch
	picture face.Picture // of the search
}

func subjects(n int) []subject {
	random := rand.New(rand.NewPCG(4, uint64(n)))
	bytesOf := func(size int) []byte {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		return data
	}
	list := make([]subject, n)
	for i, someone := range people(n) {
		s := &list[i]
		s.Enrolment = someone
		s.Session.Blocklisted = i%4 == 1
		s.Session.VendorData = fmt.Sprintf("vendor-data-%d-%x", i, bytesOf(4))
		s.Session.Details = face.Details{
			Name: fmt.Sprintf("Zacharias Ærøskøbing %x", bytesOf(4)), DocumentType: "Passport", DocumentNumber: fmt.Sprintf("DOC%x", bytesOf(5)),
		}
		s.Session.PictureID = fmt.Sprintf("picture-%d", i)
		s.Picture = face.Picture{ContentType: "image/jpeg", Data: bytesOf(9_000)}
		probe := slices.Clone(s.Template)
		probe[0] += 0.01
		s.search = face.SavedSearch{
			ID: fmt.Sprintf("search-%d", i), VendorData: s.Session.VendorData, Status: face.InReview, Template: probe,
			Result: json.RawMessage(fmt.Sprintf(`{"name":%q}`, s.Session.Details.Name)), PictureID: fmt.Sprintf("search-picture-%d", i),
		}
		s.picture = face.Picture{ContentType: "image/png", Data: bytesOf(700)}
	}
	return list
}

// subjectStore is an open store with these people in gallerytest.Application.
func subjectStore(t *testing.T, kind bolt.IndexKind, list []subject) (directory string, store *bolt.Store) {
	t.Helper()
	directory = t.TempDir()
	store = openStore(t, directory, quiet(kind))
	if err := store.CreateApplication(t.Context(), face.Application{ID: gallerytest.Application}); err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		enrolSubject(t, store, s)
		if err := store.SaveSearch(t.Context(), gallerytest.Application, s.search, s.picture); err != nil {
			t.Fatal(err)
		}
	}
	return directory, store
}

func enrolSubject(t *testing.T, store *bolt.Store, s subject) {
	t.Helper()
	if _, created, err := store.Enrol(t.Context(), gallerytest.Application, s.Enrolment); err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
}

func eraseOwner(t *testing.T, store *bolt.Store, s subject) {
	t.Helper()
	erased, err := store.EraseOwners(t.Context(), gallerytest.Application, []string{s.Session.VendorData})
	if err != nil || erased.Sessions != 1 || erased.Searches != 1 {
		t.Fatalf("%+v, %v", erased, err)
	}
}

// requireSubject wants a person to be there with everything, or to be nowhere.
func requireSubject(t *testing.T, store *bolt.Store, s subject, there bool) {
	t.Helper()
	ctx, application := t.Context(), gallerytest.Application
	session, sessionErr := store.Session(ctx, application, s.Session.ID)
	search, searchErr := store.SavedSearch(ctx, application, s.search.ID)
	picture, pictureErr := store.Picture(ctx, application, s.Session.PictureID)
	searched, searchedErr := store.Picture(ctx, application, s.search.PictureID)
	list, total, err := store.Sessions(ctx, application, face.SessionFilter{VendorData: s.Session.VendorData, Limit: 9})
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.Candidates(ctx, application, s.Template, 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	if !there {
		for what, err := range map[string]error{"session": sessionErr, "search": searchErr, "picture": pictureErr, "searched picture": searchedErr} {
			if face.CodeOf(err) != face.CodeNotFound {
				t.Errorf("%s: the %s gives %v", s.Session.ID, what, err)
			}
		}
		if total != 0 || len(list) != 0 || found.Total != 0 {
			t.Errorf("%s: listed %v, found %+v", s.Session.ID, list, found)
		}
		return
	}
	if sessionErr != nil || searchErr != nil || pictureErr != nil || searchedErr != nil || total != 1 || len(list) != 1 || found.Total != 1 {
		t.Fatalf("%s: %v, %v, %v, %v, %d listed, found %+v", s.Session.ID, sessionErr, searchErr, pictureErr, searchedErr, total, found)
	}
	if session.Details != s.Session.Details || !bytes.Equal(picture.Data, s.Picture.Data) || !slices.Equal(search.Template, s.search.Template) || !bytes.Equal(searched.Data, s.picture.Data) {
		t.Fatalf("%s: %+v, %+v", s.Session.ID, session, search)
	}
}

// runBytes is how long a part of a template or a picture has to be, to be a trace of it.
const runBytes = 16

// traces are what must not be found in a file: whole words, and any run of bytes.
type traces struct {
	words []string
	runs  map[[runBytes]byte]string
}

func tracesOf(list []subject) traces {
	found := traces{runs: map[[runBytes]byte]string{}}
	add := func(what string, data []byte) {
		for at := 0; at+runBytes <= len(data); at++ {
			found.runs[[runBytes]byte(data[at:])] = what
		}
	}
	for _, s := range list {
		details := s.Session.Details
		found.words = append(found.words, s.Session.VendorData, details.Name, strings.TrimPrefix(details.Name, "Zacharias "), details.DocumentNumber)
		for _, template := range []face.Template{s.Template, s.search.Template} {
			var little, big []byte
			for _, value := range template {
				little = binary.LittleEndian.AppendUint32(little, math.Float32bits(value))
				big = binary.BigEndian.AppendUint32(big, math.Float32bits(value))
			}
			add("template of "+s.Session.ID, little)
			add("template of "+s.Session.ID, big)
			text, err := json.Marshal(template)
			if err != nil {
				panic(err)
			}
			add("template as text of "+s.Session.ID, text)
		}
		add("picture of "+s.Session.ID, s.Picture.Data)
		add("searched picture of "+s.Session.ID, s.picture.Data)
	}
	return found
}

func (tr traces) in(data []byte) []string {
	found := map[string]bool{}
	for _, word := range tr.words {
		if bytes.Contains(data, []byte(word)) {
			found[word] = true
		}
	}
	for at := 0; at+runBytes <= len(data); at++ {
		if what, ok := tr.runs[[runBytes]byte(data[at:])]; ok {
			found[what] = true
		}
	}
	var list []string
	for what := range found {
		list = append(list, what)
	}
	return list
}

func requireNoTraces(t *testing.T, directory, when string, tr traces) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if found := tr.in(data); len(found) > 0 {
			t.Errorf("%s, in %s: %q", when, entry.Name(), found)
		}
	}
}

// TestNoTraces reads the files byte by byte.
func TestNoTraces(t *testing.T) {
	list := subjects(16)
	tr := tracesOf(list)
	t.Run("OK the scan would find them", func(t *testing.T) {
		for _, s := range list {
			var template []byte
			for _, value := range s.Template {
				template = binary.LittleEndian.AppendUint32(template, math.Float32bits(value))
			}
			for what, data := range map[string][]byte{
				"vendor_data": []byte("x" + s.Session.VendorData), "name": []byte(s.Session.Details.Name + "x"),
				"template": template, "part of a template": template[101 : 101+runBytes],
				"picture": s.Picture.Data, "end of a picture": s.picture.Data[len(s.picture.Data)-runBytes:],
			} {
				if len(tr.in(append([]byte("padding"), data...))) == 0 {
					t.Fatal("not found: ", what)
				}
			}
		}
	})
	bothIndexes(t, func(t *testing.T, kind bolt.IndexKind) {
		directory, store := subjectStore(t, kind, list)
		requireNoTraces(t, directory, "enrolled", tr)
		closeStore(t, store) // with a graph there is a snapshot of it now
		requireNoTraces(t, directory, "closed", tr)
		store = openStore(t, directory, quiet(kind))
		for i, s := range list[:8] {
			if i%2 == 0 {
				eraseOwner(t, store, s)
				continue
			}
			if _, err := store.Erase(t.Context(), gallerytest.Application, []string{s.Session.ID, s.search.ID}); err != nil {
				t.Fatal(err)
			}
		}
		requireNoTraces(t, directory, "erased", tr)
		closeStore(t, store)
		requireNoTraces(t, directory, "erased and closed", tr)
	})
}

// record is one encrypted value with where it was stored.
type record struct{ bucket, key, value []byte }

// recordsOf reads what a closed store holds encrypted in some buckets.
func recordsOf(t *testing.T, directory string, buckets ...string) (list []record) {
	t.Helper()
	edit(t, directory, func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			err := bucketOf(tx, "applications", gallerytest.Application, name).ForEach(func(key, value []byte) error {
				list = append(list, record{[]byte(name), bytes.Clone(key), bytes.Clone(value)})
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list
}

// opens tries all keys in a file; of a graph, which is large, the one that it names.
func (r record) opens(t *testing.T, keysFile string) bool {
	t.Helper()
	keys, err := os.ReadFile(keysFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(r.bucket) == "graph" {
		keys = keys[32*binary.BigEndian.Uint64(r.value[1:9]):][:32]
	}
	for key := range slices.Chunk(keys, 32) {
		if len(key) == 32 && bolt.Opens(key, gallerytest.Application, r.bucket, r.key, r.value) {
			return true
		}
	}
	return false
}

func copyFile(t *testing.T, fromDirectory, toDirectory, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fromDirectory, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(toDirectory, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

var sealedBuckets = []string{"sessions", "templates", "pictures", "searches"}

// TestEraseOldCopy puts a copy of the store from before an erasure beside the keys from after
// it: what an old backup, and every free page, comes down to.
func TestEraseOldCopy(t *testing.T) {
	bothIndexes(t, func(t *testing.T, kind bolt.IndexKind) {
		list := subjects(8)
		directory, store := subjectStore(t, kind, list)
		closeStore(t, store)
		old := copyStore(t, directory)
		store = openStore(t, directory, quiet(kind))
		for _, s := range list[2:5] {
			eraseOwner(t, store, s)
		}
		closeStore(t, store)
		keys := filepath.Join(directory, bolt.KeysFileName)
		lost := 0
		for _, r := range recordsOf(t, old, sealedBuckets...) {
			if !r.opens(t, filepath.Join(old, bolt.KeysFileName)) {
				t.Fatalf("%s %q does not open with the keys of its time", r.bucket, r.key)
			}
			if !r.opens(t, keys) {
				lost++
			}
		}
		if lost != 3*5 { // a session, its template and picture, a search and its picture
			t.Fatalf("%d records cannot be opened any more", lost)
		}
		copyFile(t, directory, old, bolt.KeysFileName)
		for range 2 {
			store = openStore(t, old, quiet(kind))
			for i, s := range list {
				requireSubject(t, store, s, i < 2 || i >= 5)
			}
			if size, err := store.Size(t.Context(), gallerytest.Application); err != nil || size != 5 {
				t.Fatalf("size %d, %v", size, err)
			}
			_, total, err := store.Sessions(t.Context(), gallerytest.Application, face.SessionFilter{})
			if err != nil || total != 5 {
				t.Fatalf("%d sessions, %v", total, err)
			}
			if erased, err := store.EraseOwners(t.Context(), gallerytest.Application, []string{list[2].Session.VendorData}); err != nil || erased.Sessions != 0 || erased.Searches != 0 {
				t.Fatalf("%+v is left of who was erased, %v", erased, err)
			}
			closeStore(t, store)
		}
		for _, r := range recordsOf(t, old, sealedBuckets...) {
			if !r.opens(t, keys) {
				t.Fatalf("%s %q was left", r.bucket, r.key)
			}
		}
		edit(t, old, func(tx *bbolt.Tx) error {
			if dates := bucketOf(tx, "applications", gallerytest.Application, "dates").Stats().KeyN; dates != 10 {
				t.Errorf("%d dates are left of five people", dates)
			}
			return nil
		})
		store = openStore(t, old, quiet(kind))
		enrolSubject(t, store, list[3])
		closeStore(t, store)
	})
}

// TestEraseCrash stops an erasure between the transaction and the overwriting of keys.
func TestEraseCrash(t *testing.T) {
	list := subjects(4)
	directory, store := subjectStore(t, bolt.ExactIndex, list)
	before := copyStore(t, directory)
	unlock, err := store.LockKeys()
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{list[1].Session.ID, list[1].search.ID}
	for range 2 { // nobody is told that there is nothing while the keys are there
		if _, err := store.Erase(t.Context(), gallerytest.Application, ids); err == nil || face.CodeOf(err) == face.CodeNotFound {
			t.Fatalf("the keys are still there, and Erase says %v", err)
		}
	}
	requireSubject(t, store, list[1], false)
	crashed := copyStore(t, directory)
	doomed := slices.DeleteFunc(recordsOf(t, before, sealedBuckets...), func(r record) bool {
		return !slices.ContainsFunc([]string{list[1].Session.ID, list[1].search.ID, list[1].Session.PictureID, list[1].search.PictureID, "\x00\x00\x00\x00\x00\x00\x00\x02"},
			func(key string) bool { return string(r.key) == key })
	})
	requireDoomed := func(t *testing.T, directory string, opens bool) {
		t.Helper()
		if len(doomed) != 5 {
			t.Fatalf("%d records", len(doomed))
		}
		for _, r := range doomed {
			if r.opens(t, filepath.Join(directory, bolt.KeysFileName)) != opens {
				t.Fatalf("%s %q opens %v", r.bucket, r.key, !opens)
			}
		}
	}
	requireDoomed(t, crashed, true)
	t.Run("OK destroyed at the next start", func(t *testing.T) {
		store := openStore(t, crashed, quiet(bolt.ExactIndex))
		requireDoomed(t, crashed, false)
		for i, s := range list {
			requireSubject(t, store, s, i != 1)
		}
		closeStore(t, store)
		edit(t, crashed, func(tx *bbolt.Tx) error {
			if key, _ := tx.Bucket([]byte("doomed")).Cursor().First(); key != nil {
				t.Errorf("slot %x is still to be destroyed", key)
			}
			return nil
		})
	})
	t.Run("OK destroyed by the next call", func(t *testing.T) {
		if err := unlock(); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Erase(t.Context(), gallerytest.Application, ids); face.CodeOf(err) != face.CodeNotFound {
			t.Fatal(err)
		}
		requireDoomed(t, directory, false)
		closeStore(t, store)
	})
}

// TestKeysNotWritable: where the keys cannot be written nothing new is stored, and nothing is lost.
func TestKeysNotWritable(t *testing.T) {
	list := subjects(3)
	directory, store := subjectStore(t, bolt.ExactIndex, list[:2])
	unlock, err := store.LockKeys()
	if err != nil {
		t.Fatal(err)
	}
	if _, created, err := store.Enrol(t.Context(), gallerytest.Application, list[2].Enrolment); err == nil || created {
		t.Fatalf("created %v, %v", created, err)
	}
	if err := store.SaveSearch(t.Context(), gallerytest.Application, list[2].search, list[2].picture); err == nil {
		t.Fatal("saved")
	}
	requireSubject(t, store, list[2], false)
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, s := range list[:2] {
			requireSubject(t, store, s, true)
		}
		closeStore(t, store)
		store = openStore(t, directory, quiet(bolt.ExactIndex))
	}
	enrolSubject(t, store, list[2])
	closeStore(t, store)
}

func TestOpenKeys(t *testing.T) { bothIndexes(t, testOpenKeys) }

func testOpenKeys(t *testing.T, kind bolt.IndexKind) {
	list := subjects(3)
	whole, store := subjectStore(t, kind, list)
	early := copyStore(t, whole)
	enrolSubject(t, store, subject{Enrolment: people(4)[3]})
	closeStore(t, store)
	other, store := subjectStore(t, kind, list)
	enrolSubject(t, store, subject{Enrolment: people(4)[3]})
	closeStore(t, store)
	empty := t.TempDir()
	closeStore(t, openStore(t, empty, quiet(kind)))
	keysOf := func(directory string) []byte {
		data, err := os.ReadFile(filepath.Join(directory, bolt.KeysFileName))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, row := range map[string]struct {
		keys []byte
		says string
	}{
		"ErrMissing":                       {nil, "without its keys"},
		"ErrForeign":                       {keysOf(other), "another store"},
		"ErrForeign of an empty store":     {keysOf(empty), "another store"},
		"ErrOlder":                         {keysOf(early), "older than the store"},
		"ErrCut":                           {keysOf(whole)[:len(keysOf(whole))-1], "cut short"},
		"ErrHeader":                        {append([]byte("F"), keysOf(whole)[1:]...), "not a file of keys"},
		"ErrForeign and damaged, of zeros": {append(keysOf(whole)[:32:32], make([]byte, 32*8)...), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := copyStore(t, whole)
			path := filepath.Join(directory, bolt.KeysFileName)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if row.keys != nil {
				if err := os.WriteFile(path, row.keys, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// Keys that are doomed are to be destroyed at the start, but not in another store's file.
			edit(t, directory, func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte("doomed")).Put(binary.BigEndian.AppendUint64(nil, 2), nil)
			})
			requireRefused(t, directory, kind, bolt.KeysFileName, row.says)
			left, err := os.ReadFile(path)
			if row.keys == nil != os.IsNotExist(err) || !bytes.Equal(left, row.keys) {
				t.Fatalf("the file was changed: %d bytes, %v", len(left), err)
			}
		})
	}
	t.Run("ErrStoreMissing", func(t *testing.T) {
		directory := t.TempDir()
		copyFile(t, whole, directory, bolt.KeysFileName)
		requireRefused(t, directory, kind, bolt.KeysFileName, bolt.FileName)
		if !bytes.Equal(keysOf(directory), keysOf(whole)) {
			t.Fatal("the keys were changed")
		}
		copyFile(t, whole, directory, bolt.FileName)
		store := openStore(t, directory, quiet(kind))
		for _, s := range list {
			requireSubject(t, store, s, true)
		}
		closeStore(t, store)
	})
	t.Run("OK only the owner reads them", func(t *testing.T) {
		info, err := os.Stat(filepath.Join(whole, bolt.KeysFileName))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Fatalf("mode %v, %v", info.Mode(), err)
		}
	})
}

// requireChunks wants a snapshot to be readable with a store's keys, or not to be.
func requireChunks(t *testing.T, chunks []record, directory string, opens bool) {
	t.Helper()
	if len(chunks) == 0 {
		t.Fatal("there is no snapshot")
	}
	for _, r := range chunks {
		if r.opens(t, filepath.Join(directory, bolt.KeysFileName)) != opens {
			t.Fatalf("chunk %x opens %v", r.key, !opens)
		}
	}
}

// TestEraseGraph: an erasure takes the graph's snapshot with it, whichever index is in use.
func TestEraseGraph(t *testing.T) {
	t.Parallel()
	whole, _, enrolments := graphStore(t)
	chunks := recordsOf(t, whole, "graph")
	requireChunks(t, chunks, whole, true)
	erased := enrolments[1]
	requireGone := func(t *testing.T, store *bolt.Store) {
		t.Helper()
		found, err := store.Candidates(t.Context(), gallerytest.Application, erased.Template, 0, 5)
		if err != nil || found.Total != 0 {
			t.Fatalf("%+v, %v", found, err)
		}
	}
	bothIndexes(t, func(t *testing.T, kind bolt.IndexKind) {
		directory := copyStore(t, whole)
		store := openStore(t, directory, quiet(kind))
		if _, err := store.Erase(t.Context(), gallerytest.Application, []string{erased.Session.ID}); err != nil {
			t.Fatal(err)
		}
		requireGone(t, store)
		left := copyStore(t, directory)
		closeStore(t, store)
		requireChunks(t, chunks, left, false)
		edit(t, left, func(tx *bbolt.Tx) error {
			if graphOf(tx) != nil {
				t.Error("the snapshot is still there")
			}
			return nil
		})
		store, log := openGraph(t, left, doubted)
		requireGone(t, store)
		if kind == bolt.HNSWIndex { // once is enough, it takes its time
			log.waitFor(t, rebuilt)
			requireGone(t, store)
		}
		closeStore(t, store)
	})
	testSnapshotKeys(t, whole, chunks, enrolments)
}

// TestEraseGraphInARow: many erasures share a build, after which the graph has none of them in
// memory, or it could not be saved.
func TestEraseGraphInARow(t *testing.T) {
	t.Parallel()
	directory, _, enrolments := graphStore(t)
	store, log := openGraph(t, directory, believed)
	for _, enrolment := range enrolments[:30] {
		if _, err := store.Erase(t.Context(), gallerytest.Application, []string{enrolment.Session.ID}); err != nil {
			t.Fatal(err)
		}
	}
	for answered := false; !answered; time.Sleep(2 * time.Millisecond) {
		found, err := store.Candidates(t.Context(), gallerytest.Application, enrolments[99].Template, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		answered = !found.Exact
	}
	closeStore(t, store)
	if builds := strings.Count(log.all(), rebuilt); builds > 15 {
		t.Errorf("%d builds for 30 erasures", builds)
	}
	store, _ = openGraph(t, directory, believed)
	closeStore(t, store)
}

// testSnapshotKeys: what becomes of a snapshot's key without an erasure, and when it is damaged.
func testSnapshotKeys(t *testing.T, whole string, chunks []record, enrolments []face.Enrolment) {
	erased := enrolments[1]
	t.Run("OK a new snapshot dooms the old one", func(t *testing.T) {
		directory := copyStore(t, whole)
		store, _ := openGraph(t, directory, believed)
		closeStore(t, store)
		requireChunks(t, chunks, directory, false)
		store, _ = openGraph(t, directory, believed)
		closeStore(t, store)
	})
	t.Run("OK a damaged snapshot takes nobody with it", func(t *testing.T) {
		directory := copyStore(t, whole)
		var slot []byte // of somebody else, which the damaged chunk names
		edit(t, directory, func(tx *bbolt.Tx) error {
			sessions := bucketOf(tx, "applications", gallerytest.Application, "sessions")
			slot = bytes.Clone(sessions.Get(binary.BigEndian.AppendUint64(nil, 5))[1:9])
			return changeChunk(graphOf(tx), 0, func(chunk []byte) []byte {
				copy(chunk[1:], slot)
				return chunk
			})
		})
		store := openStore(t, directory, quiet(bolt.ExactIndex))
		if _, err := store.Erase(t.Context(), gallerytest.Application, []string{erased.Session.ID}); err != nil {
			t.Fatal(err)
		}
		requireChunks(t, chunks, directory, false)
		if _, err := store.Session(t.Context(), gallerytest.Application, enrolments[4].Session.ID); err != nil {
			t.Fatal("somebody else:", err)
		}
		closeStore(t, store)
	})
	t.Run("OK details do not wear the graph out", func(t *testing.T) {
		directory := copyStore(t, whole)
		store := openStore(t, directory, bolt.Options{Index: bolt.HNSWIndex, Log: slog.New(newRecorder())})
		_, err := store.Change(t.Context(), gallerytest.Application, erased.Session.ID, func(session *face.Session) { session.Details.Name = "new" })
		if err != nil {
			t.Fatal(err)
		}
		left := copyStore(t, directory)
		closeStore(t, store)
		store, _ = openGraph(t, left, believed)
		closeStore(t, store)
	})
}
