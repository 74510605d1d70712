package bolt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

const ours = gallerytest.Application

var nextModel = face.Model{ID: "test-next", Dim: 5}

// next is the template that the next model makes of a session.
func next(id string) face.Template {
	sum := sha256.Sum256([]byte(id))
	template := make(face.Template, nextModel.Dim)
	for i := range template {
		template[i] = float32(binary.BigEndian.Uint32(sum[4*i:])) / (1 << 31)
	}
	return template
}

// withModel opens a store for a model.
func withModel(model face.Model) bolt.Options {
	options := quiet(bolt.ExactIndex)
	options.Model = model
	return options
}

// reembedStore has people in it, of whom every fifth is in no search.
func reembedStore(t *testing.T, n int, kind bolt.IndexKind) (directory string, store *bolt.Store, enrolments []face.Enrolment) {
	t.Helper()
	directory = t.TempDir()
	store = openStore(t, directory, quiet(kind))
	if err := store.CreateApplication(t.Context(), face.Application{ID: ours}); err != nil {
		t.Fatal(err)
	}
	enrolments = people(n)
	for i := range enrolments {
		if i%5 == 2 {
			enrolments[i].Session.Status = face.Declined
		}
		enrolments[i].Session.VendorData = fmt.Sprint("vendor-", i)
	}
	if _, err := store.Fill(ours, enrolments); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	return directory, openStore(t, directory, quiet(kind)), enrolments
}

func unmade(t *testing.T, store *bolt.Store) []face.Session {
	t.Helper()
	var all []face.Session
	after := uint64(0)
	for {
		list, err := store.Unmade(t.Context(), ours, after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return all
		}
		all, after = append(all, list...), list[len(list)-1].Number
	}
}

// make makes templates of some sessions.
func makeNext(t *testing.T, store *bolt.Store, sessions []face.Session) {
	t.Helper()
	templates := map[uint64]face.Template{}
	for _, session := range sessions {
		templates[session.Number] = next(session.ID)
	}
	if err := store.PutMade(t.Context(), ours, templates); err != nil {
		t.Fatal(err)
	}
}

// requireFoundBy wants a session to be the only one at a template, or nobody to be.
func requireFoundBy(t *testing.T, store *bolt.Store, template face.Template, id string, there bool) {
	t.Helper()
	found, err := store.Candidates(t.Context(), ours, template, 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	if there && (found.Total != 1 || found.List[0].Session.ID != id) || !there && found.Total != 0 {
		t.Fatalf("%s, to be there %v: %+v", id, there, found)
	}
}

func begin(t *testing.T, store *bolt.Store) {
	t.Helper()
	if err := store.BeginModel(t.Context(), nextModel); err != nil {
		t.Fatal(err)
	}
}

func TestReembed(t *testing.T) { bothIndexes(t, testReembed) }

func testReembed(t *testing.T, kind bolt.IndexKind) {
	directory, store, enrolments := reembedStore(t, 60, kind)
	begin(t, store)
	first := unmade(t, store)
	if len(first) != 60 || first[0].Number != 1 || first[59].Number != 60 {
		t.Fatalf("%d sessions have no template of a model that was only begun with", len(first))
	}
	makeNext(t, store, first[:40])
	if err := store.Close(); err != nil { // and whoever comes after it goes on
		t.Fatal(err)
	}
	store = openStore(t, directory, quiet(kind))
	begin(t, store)
	if left := unmade(t, store); len(left) != 20 || left[0].Number != 41 {
		t.Fatalf("%d are left after a restart, from %d", len(left), left[0].Number)
	}
	requireFoundBy(t, store, enrolments[0].Template, "person-0", true)

	// What happens meanwhile.
	if _, err := store.Erase(t.Context(), ours, []string{"person-3", "person-50"}); err != nil {
		t.Fatal(err)
	}
	made, bare := enrolments[4].Session.ID, enrolments[45].Session.ID
	for _, id := range []string{made, bare} {
		if _, err := store.Change(t.Context(), ours, id, func(s *face.Session) { s.Status = face.Declined }); err != nil {
			t.Fatal(err)
		}
	}
	late := people(61)[60]
	late.Session.ID = "late"
	if _, _, err := store.Enrol(t.Context(), ours, late); err != nil {
		t.Fatal(err)
	}
	makeNext(t, store, []face.Session{{ID: "person-3", Number: 4}}) // who was erased since

	unmadeCount, err := store.Adopt(t.Context(), false)
	if face.CodeOf(err) != face.CodeConflict || unmadeCount != 20 || store.Model() != face.DefaultModel {
		t.Fatalf("adopted with %d unmade, %v", unmadeCount, err)
	}
	requireFoundBy(t, store, enrolments[0].Template, "person-0", true)
	makeNext(t, store, unmade(t, store))
	if count, err := store.Adopt(t.Context(), false); err != nil || count != 0 {
		t.Fatal(count, err)
	}
	for _, when := range []string{"at once", "after a restart"} {
		if store.Model() != nextModel {
			t.Fatalf("%s the model is %v", when, store.Model())
		}
		size := 0
		for _, enrolment := range append(enrolments, late) {
			id := enrolment.Session.ID
			there := enrolment.Session.InGallery() && id != "person-3" && id != "person-50" && id != made && id != bare
			requireFoundBy(t, store, next(id), id, there)
			if there {
				size++
			}
		}
		if got, err := store.Size(t.Context(), ours); err != nil || got != size {
			t.Errorf("%s searches compare with %d, %v, want %d", when, got, err, size)
		}
		if _, err := store.Candidates(t.Context(), ours, enrolments[0].Template, 1, 5); err == nil {
			t.Error("a template of the old model is searched " + when)
		}
		if _, _, err := store.Enrol(t.Context(), ours, people(62)[61]); err == nil {
			t.Error("a template of the old model is enrolled " + when)
		}
		if stats, err := store.Stats(t.Context()); err != nil || stats.Sessions != 59 {
			t.Errorf("%s there are %d sessions", when, stats.Sessions)
		}
		if when == "at once" {
			// Its flags changed while it had both templates.
			if _, err := store.Change(t.Context(), ours, made, func(s *face.Session) { s.Status = face.Approved }); err != nil {
				t.Fatal(err)
			}
			requireFoundBy(t, store, next(made), made, true)
			if _, err := store.Change(t.Context(), ours, made, func(s *face.Session) { s.Status = face.Declined }); err != nil {
				t.Fatal(err)
			}
		}
		closeStore(t, store)
		edit(t, directory, func(tx *bbolt.Tx) error {
			if bucketOf(tx, "applications", ours).Bucket([]byte("templates")) != nil {
				t.Error("the old templates are still there")
			}
			return nil
		})
		store = openStore(t, directory, bolt.Options{Index: kind, Model: nextModel, Log: quiet(kind).Log})
	}
	closeStore(t, store)
}

// TestReembedBack: what a model made once is made anew when one comes back to it.
func TestReembedBack(t *testing.T) {
	directory, store, enrolments := reembedStore(t, 10, bolt.ExactIndex)
	begin(t, store)
	makeNext(t, store, unmade(t, store)[:5])
	t.Run("ErrConflict the model in use", func(t *testing.T) {
		if err := store.BeginModel(t.Context(), face.DefaultModel); face.CodeOf(err) != face.CodeConflict {
			t.Error(err)
		}
	})
	other := face.Model{ID: "test-third", Dim: nextModel.Dim}
	if err := store.BeginModel(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if left := unmade(t, store); len(left) != 10 {
		t.Fatalf("of a third model %d are missing: it has those of the second", len(left))
	}
	begin(t, store)
	makeNext(t, store, unmade(t, store))
	if _, err := store.Adopt(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := store.BeginModel(t.Context(), face.DefaultModel); err != nil {
		t.Fatal(err)
	}
	templates := map[uint64]face.Template{}
	for _, session := range unmade(t, store) {
		templates[session.Number] = enrolments[session.Number-1].Template
	}
	if err := store.PutMade(t.Context(), ours, templates); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Adopt(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	store = openStore(t, directory, withModel(face.DefaultModel))
	requireFoundBy(t, store, enrolments[0].Template, "person-0", true)
	closeStore(t, store)
}

// TestReembedDrop: who has no picture stays, but is found by nobody.
func TestReembedDrop(t *testing.T) {
	directory, store, enrolments := reembedStore(t, 30, bolt.ExactIndex)
	begin(t, store)
	var keep []face.Session
	for _, session := range unmade(t, store) {
		if session.Number > 10 {
			keep = append(keep, session)
		}
	}
	makeNext(t, store, keep)
	count, err := store.Adopt(t.Context(), true)
	if err != nil || count != 10 {
		t.Fatal(count, err)
	}
	for _, when := range []string{"at once", "after a restart"} {
		for i, enrolment := range enrolments {
			id := enrolment.Session.ID
			session, err := store.Session(t.Context(), ours, id)
			if err != nil {
				t.Fatal(err)
			}
			if i >= 10 {
				requireFoundBy(t, store, next(id), id, enrolment.Session.InGallery())
				continue
			}
			requireFoundBy(t, store, next(id), id, false)
			was := enrolment.Session
			if was.InGallery() && (session.Status != face.InReview || session.Blocklisted || session.Comment == "" ||
				was.Blocklisted != strings.Contains(session.Comment, "blocklist")) || !was.InGallery() && session.Status != was.Status {
				t.Errorf("%s: %+v became %+v", when, was, session)
			}
			_, err = store.Change(t.Context(), ours, id, func(s *face.Session) { s.Status = face.Approved })
			if face.CodeOf(err) != face.CodeConflict {
				t.Errorf("%s it was approved without a template: %v", when, err)
			}
			if _, err = store.Change(t.Context(), ours, id, func(s *face.Session) { s.Status = session.Status; s.Comment += "." }); err != nil {
				t.Error(err)
			}
		}
		if stats, err := store.Stats(t.Context()); err != nil || stats.Sessions != 30 {
			t.Errorf("%s there are %d sessions", when, stats.Sessions)
		}
		closeStore(t, store)
		store = openStore(t, directory, withModel(nextModel))
	}
	for i := range 10 {
		if _, err := store.Erase(t.Context(), ours, []string{enrolments[i].Session.ID}); err != nil {
			t.Fatal(err)
		}
	}
	if stats, err := store.Stats(t.Context()); err != nil || stats.Sessions != 20 {
		t.Errorf("after ten erasures of 30 there are %d sessions", stats.Sessions)
	}
	closeStore(t, store)
}

// TestReembedErase: who is erased while there are two templates of him is gone from both.
func TestReembedErase(t *testing.T) {
	directory, store, _ := reembedStore(t, 8, bolt.ExactIndex)
	begin(t, store)
	makeNext(t, store, unmade(t, store))
	old := t.TempDir()
	copyFile(t, directory, old, bolt.FileName)
	if _, err := store.Erase(t.Context(), ours, []string{"person-1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.EraseOwners(t.Context(), ours, []string{"vendor-6"}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	for _, name := range []string{"templates", "templates2"} {
		rows := 0
		edit(t, directory, func(tx *bbolt.Tx) error {
			return bucketOf(tx, "applications", ours, name).ForEach(func(_, _ []byte) error { rows++; return nil })
		})
		if rows != 6 {
			t.Errorf("%s has %d rows", name, rows)
		}
	}
	// Even where an older copy of the store comes back, nobody can read them, and they go.
	copyFile(t, old, directory, bolt.FileName)
	store = openStore(t, directory, quiet(bolt.ExactIndex))
	if left, err := store.Adopt(t.Context(), false); err != nil || left != 0 {
		t.Fatal(left, err)
	}
	requireFoundBy(t, store, next("person-1"), "person-1", false)
	requireFoundBy(t, store, next("person-5"), "person-5", true)
	closeStore(t, store)
}

func TestModels(t *testing.T) {
	directory, store, enrolments := reembedStore(t, 3, bolt.ExactIndex)
	if _, err := store.Unmade(t.Context(), ours, 0, 1); err == nil {
		t.Error("sessions lack the template of no model")
	}
	if err := store.PutMade(t.Context(), ours, map[uint64]face.Template{1: next("person-0")}); err == nil {
		t.Error("a template of no model was stored")
	}
	if _, err := store.Adopt(t.Context(), true); err == nil {
		t.Error("no model was adopted")
	}
	begin(t, store)
	if err := store.PutMade(t.Context(), ours, map[uint64]face.Template{1: enrolments[0].Template}); err == nil {
		t.Error("a template of the old model was stored as one of the new")
	}
	closeStore(t, store)
	t.Run("ErrOtherModel", func(t *testing.T) {
		for _, model := range []face.Model{nextModel, {ID: nextModel.ID, Dim: face.TemplateDim}, {ID: face.DefaultModel.ID, Dim: 5}} {
			_, err := bolt.Open(directory, withModel(model))
			if !errors.Is(err, bolt.ErrOtherModel) || !strings.Contains(err.Error(), "facesearch reembed") {
				t.Errorf("%v: %v", model, err)
			}
		}
	})
	t.Run("OK a store of before there were models", func(t *testing.T) {
		edit(t, directory, func(tx *bbolt.Tx) error { return bucketOf(tx, "meta").Delete([]byte("models")) })
		if _, err := bolt.Open(directory, withModel(nextModel)); !errors.Is(err, bolt.ErrOtherModel) {
			t.Fatal(err)
		}
		store := openStore(t, directory, withModel(face.DefaultModel))
		requireFoundBy(t, store, enrolments[0].Template, "person-0", true)
		closeStore(t, store)
	})
	t.Run("ErrDamaged", func(t *testing.T) {
		directory := copyStore(t, directory)
		edit(t, directory, func(tx *bbolt.Tx) error { return bucketOf(tx, "meta").Put([]byte("models"), []byte("{")) })
		requireRefused(t, directory, bolt.ExactIndex, "what made its templates")
	})
	t.Run("OK an empty store takes any", func(t *testing.T) {
		directory := t.TempDir()
		store := openStore(t, directory, quiet(bolt.ExactIndex))
		if err := store.CreateApplication(t.Context(), face.Application{ID: ours}); err != nil {
			t.Fatal(err)
		}
		closeStore(t, store)
		store = openStore(t, directory, withModel(nextModel))
		enrolment := face.Enrolment{Session: face.Session{ID: "one", Status: face.Approved}, Template: next("one")}
		if _, _, err := store.Enrol(t.Context(), ours, enrolment); err != nil {
			t.Fatal(err)
		}
		closeStore(t, store)
		store = openStore(t, directory, quiet(bolt.ExactIndex)) // whoever does not care, such as facesearch keys
		if store.Model() != nextModel {
			t.Error(store.Model())
		}
		requireFoundBy(t, store, next("one"), "one", true)
		closeStore(t, store)
		// A program that knows of one model only keeps away.
		edit(t, directory, func(tx *bbolt.Tx) error {
			if version := bucketOf(tx, "meta").Get([]byte("schema")); !bytes.Equal(version, []byte{0, 0, 0, 2}) {
				t.Errorf("schema %v", version)
			}
			return nil
		})
	})
}

// reembedDirectory names the store of the process that is killed in the middle of a change of
// models.
const reembedDirectory = "FACESEARCH_BOLT_REEMBED_DIRECTORY"

// reembedChild makes the templates of the next model, adopts it, and says so.
func reembedChild(directory string) error {
	store, err := bolt.Open(directory, quiet(bolt.ExactIndex))
	if err != nil {
		return err
	}
	ctx := context.Background()
	if store.Model() == nextModel {
		fmt.Println("adopted")
		return errors.New("adopted already")
	}
	if err := store.BeginModel(ctx, nextModel); err != nil {
		return err
	}
	fmt.Println("begun")
	for {
		list, err := store.Unmade(ctx, ours, 0, 3)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		templates := map[uint64]face.Template{}
		for _, session := range list {
			templates[session.Number] = next(session.ID)
		}
		if err := store.PutMade(ctx, ours, templates); err != nil {
			return err
		}
	}
	if _, err := store.Adopt(ctx, false); err != nil {
		return err
	}
	fmt.Println("adopted")
	return nil
}

// TestReembedKilled kills, again and again, a process that changes the models, each time at another
// moment. Whatever it leaves has all templates of one model, and what was made of the other is not
// made again.
func TestReembedKilled(t *testing.T) {
	directory, store, enrolments := reembedStore(t, 150, bolt.ExactIndex)
	closeStore(t, store)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	left, rounds, said := 150, 0, ""
	for store = nil; !strings.Contains(said, "adopted"); rounds++ {
		if rounds == 200 {
			t.Fatal("it never came to an end")
		}
		var out bytes.Buffer
		command := exec.CommandContext(t.Context(), program)
		command.Env = append(os.Environ(), reembedDirectory+"="+directory)
		command.Stdout = &out
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(60+10*rounds)) * time.Millisecond) // a machine may be slow
		command.Process.Kill()
		command.Wait()
		said = out.String()
		store = openStore(t, directory, quiet(bolt.ExactIndex))
		isNext := store.Model() == nextModel
		if strings.Contains(said, "adopted") && !isNext {
			t.Fatal("it said that it had adopted the model, and has not")
		}
		for i, enrolment := range enrolments {
			template, id := enrolment.Template, fmt.Sprint("person-", i)
			if isNext {
				template = next(id)
			}
			requireFoundBy(t, store, template, id, enrolment.Session.InGallery())
		}
		if !isNext && strings.Contains(said, "begun") {
			begin(t, store)
			now := len(unmade(t, store))
			if now > left {
				t.Fatalf("%d templates are missing, and were %d before", now, left)
			}
			left = now
		}
		closeStore(t, store)
	}
	t.Logf("killed %d times", rounds)
}
