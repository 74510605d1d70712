package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

func backup(t *testing.T, store *bolt.Store) []byte {
	t.Helper()
	var made bytes.Buffer
	if err := store.Backup(t.Context(), &made); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.VerifyBackup(bytes.NewReader(made.Bytes())); err != nil {
		t.Fatal(err)
	}
	return made.Bytes()
}

func restore(t *testing.T, made []byte, directory string, keepErased bool) bolt.Restored {
	t.Helper()
	restored, err := bolt.Restore(t.Context(), bytes.NewReader(made), directory, keepErased)
	if err != nil {
		t.Fatal(err)
	}
	return restored
}

// requireFiles wants a directory to hold nothing but a store.
func requireFiles(t *testing.T, directory string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) != len(names) {
		t.Fatalf("%v, %v", entries, err)
	}
	for i, entry := range entries {
		if entry.Name() != names[i] {
			t.Errorf("%s", entry.Name())
		}
	}
}

func TestBackup(t *testing.T) {
	bothIndexes(t, func(t *testing.T, kind bolt.IndexKind) {
		list := subjects(9)
		_, store := subjectStore(t, kind, list)
		eraseOwner(t, store, list[4])
		if _, err := store.AddCredits(t.Context(), gallerytest.Application, 7); err != nil {
			t.Fatal(err)
		}
		account := func(store *bolt.Store, id string) {
			t.Helper()
			got, err := store.ChangeAccount(t.Context(), "somebody@example.org", func(account *face.Account) error {
				if account.Application == "" {
					account.Application = id
				}
				return nil
			})
			if err != nil || got.Application != gallerytest.Application {
				t.Errorf("%+v, %v", got, err)
			}
		}
		account(store, gallerytest.Application)
		made := backup(t, store)
		closeStore(t, store)
		manifest, err := bolt.VerifyBackup(bytes.NewReader(made))
		counts := bolt.Counts{Applications: 1, Sessions: 8, Searches: 8}
		if err != nil || manifest.Counts != counts || manifest.Audit.Number == 0 {
			t.Fatalf("%+v, %v", manifest, err)
		}
		directory := filepath.Join(t.TempDir(), "new", "data")
		if restored := restore(t, made, directory, false); restored.Counts != counts {
			t.Errorf("%+v", restored)
		}
		requireFiles(t, directory, bolt.FileName, bolt.KeysFileName)
		store = openStore(t, directory, quiet(kind))
		defer closeStore(t, store)
		for i, s := range list {
			requireSubject(t, store, s, i != 4)
		}
		account(store, "")
		if credits, err := store.Credits(t.Context(), gallerytest.Application); err != nil || credits != 7 {
			t.Errorf("%d credits, %v", credits, err)
		}
		// A backup is a head that was kept.
		if verdict, err := face.VerifyAudit(t.Context(), store, manifest.Audit); err != nil || verdict.Broken != 0 || verdict.Head.Number != manifest.Audit.Number+1 {
			t.Errorf("%+v, %v", verdict, err)
		}
	})
}

// TestBackupWhileWriting backs up while people are enrolled and erased.
func TestBackupWhileWriting(t *testing.T) {
	const early, more = 40, 120
	all := subjects(early + more)
	_, store := subjectStore(t, bolt.ExactIndex, all[:early])
	for _, s := range all[:10] {
		eraseOwner(t, store, s)
	}
	var stop atomic.Bool
	erased, done := make(chan int, more), make(chan error, 1)
	go func() {
		defer close(erased)
		for i := 0; i < more && !stop.Load(); i++ {
			if _, _, err := store.Enrol(t.Context(), gallerytest.Application, all[early+i].Enrolment); err != nil {
				done <- err
				return
			}
			if i%4 != 0 || 10+i/4 >= 30 {
				continue
			}
			gone := 10 + i/4
			if _, err := store.EraseOwners(t.Context(), gallerytest.Application, []string{all[gone].Session.VendorData}); err != nil {
				done <- err
				return
			}
			erased <- gone
		}
		done <- nil
	}()
	<-erased // from here on one more is gone
	var backups [][]byte
	for range 5 {
		backups = append(backups, backup(t, store))
	}
	stop.Store(true)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	for _, made := range backups {
		directory := t.TempDir()
		restore(t, made, directory, false)
		again := openStore(t, directory, quiet(bolt.ExactIndex))
		for i, s := range all[:early] {
			if i <= 10 || i >= 30 { // who was erased before is gone, who never was is there
				requireSubject(t, again, s, i > 10)
			}
		}
		if verdict, err := face.VerifyAudit(t.Context(), again); err != nil || verdict.Broken != 0 {
			t.Errorf("%+v, %v", verdict, err)
		}
		closeStore(t, again)
	}
}

func TestBackupDamaged(t *testing.T) {
	_, store := subjectStore(t, bolt.ExactIndex, subjects(3))
	defer closeStore(t, store)
	whole := backup(t, store)
	refuse := func(t *testing.T, what string, made []byte) {
		t.Helper()
		if _, err := bolt.VerifyBackup(bytes.NewReader(made)); err == nil {
			t.Errorf("%s was not noticed", what)
		}
	}
	for at := 0; at < len(whole); at += 1 + min(at, len(whole)-at)/40 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1 << (at % 8)
		refuse(t, fmt.Sprintf("a bit of byte %d of %d", at, len(whole)), damaged)
		refuse(t, fmt.Sprintf("an end at %d", at), whole[:at])
	}
	refuse(t, "a missing last byte", whole[:len(whole)-1])
	refuse(t, "one byte more", append(bytes.Clone(whole), 0))
	refuse(t, "a backup twice", append(bytes.Clone(whole), whole...))
	refuse(t, "another file", []byte("facesearch"))
	t.Run("ErrDamaged nothing is touched", func(t *testing.T) {
		directory := t.TempDir()
		for _, made := range [][]byte{whole[:len(whole)/2], nil, whole[:len(whole)-1500]} {
			if _, err := bolt.Restore(t.Context(), bytes.NewReader(made), directory, false); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Error(err)
			}
			requireFiles(t, directory)
		}
	})
	t.Run("ErrReader", func(t *testing.T) {
		failing := io.MultiReader(bytes.NewReader(whole[:5000]), failingReader{})
		if _, err := bolt.VerifyBackup(failing); err == nil {
			t.Error("no error")
		}
	})
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestRestoreRefused(t *testing.T) {
	list := subjects(3)
	directory, store := subjectStore(t, bolt.ExactIndex, list)
	made := backup(t, store)
	refuse := func(t *testing.T, directory string, keepErased bool, words string) {
		t.Helper()
		if _, err := bolt.Restore(t.Context(), bytes.NewReader(made), directory, keepErased); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want %q", err, words)
		}
	}
	t.Run("ErrLocked", func(t *testing.T) { refuse(t, directory, true, "stop the server first") })
	eraseOwner(t, store, list[1])
	closeStore(t, store)
	t.Run("ErrStore", func(t *testing.T) {
		refuse(t, directory, false, "holds a store already")
		requireFiles(t, directory, bolt.FileName, bolt.KeysFileName)
		store := openStore(t, directory, quiet(bolt.ExactIndex))
		for i, s := range list {
			requireSubject(t, store, s, i != 1)
		}
		closeStore(t, store)
	})
	t.Run("ErrKeys alone", func(t *testing.T) {
		alone := t.TempDir()
		copyFile(t, directory, alone, bolt.KeysFileName)
		refuse(t, alone, false, "holds a store already")
	})
	t.Run("ErrKeys none", func(t *testing.T) {
		empty := t.TempDir()
		refuse(t, empty, true, "leave --keep-erased out")
		requireFiles(t, empty)
	})
	t.Run("ErrAnotherStore", func(t *testing.T) {
		other, store := subjectStore(t, bolt.ExactIndex, list)
		closeStore(t, store)
		refuse(t, other, true, "of another store")
		requireFiles(t, other, bolt.FileName, bolt.KeysFileName)
	})
}

// TestRestoreKeepErased: nobody comes back who was erased since the backup, with or without
// the store's own file, and also from a second restore.
func TestRestoreKeepErased(t *testing.T) {
	for _, lost := range []bool{false, true} {
		list := subjects(8)
		directory, store := subjectStore(t, bolt.ExactIndex, list[:6])
		first := backup(t, store)
		eraseOwner(t, store, list[2])
		second := backup(t, store)
		enrolSubject(t, store, list[6])
		third := backup(t, store)
		eraseOwner(t, store, list[0])
		closeStore(t, store)
		if lost {
			if err := os.Remove(filepath.Join(directory, bolt.FileName)); err != nil {
				t.Fatal(err)
			}
		}
		for round, made := range [][]byte{second, first, second, first, third} {
			restored := restore(t, made, directory, true)
			if got, want := restored.Counts.Sessions, 4+round/4; got != want {
				t.Errorf("round %d: %d sessions, want %d", round, got, want)
			}
			requireFiles(t, directory, bolt.FileName, bolt.KeysFileName)
			store := openStore(t, directory, quiet(bolt.ExactIndex))
			for i, s := range list {
				if i < 6 {
					requireSubject(t, store, s, i != 0 && i != 2)
				}
			}
			// Somebody who comes and goes must take nobody of a backup along.
			enrolSubject(t, store, list[7])
			if _, err := store.Erase(t.Context(), gallerytest.Application, []string{list[7].Session.ID}); err != nil {
				t.Fatal(round, err)
			}
			closeStore(t, store)
		}
	}
}

// TestRestoreKilled leaves what a kill would leave, at each moment.
func TestRestoreKilled(t *testing.T) {
	list := subjects(4)
	whole, store := subjectStore(t, bolt.ExactIndex, list)
	closeStore(t, store)
	old, oldStore := subjectStore(t, bolt.ExactIndex, list[:1])
	closeStore(t, oldStore)
	require := func(t *testing.T, directory string, people int) {
		t.Helper()
		for range 2 {
			store := openStore(t, directory, quiet(bolt.ExactIndex))
			for i, s := range list {
				requireSubject(t, store, s, i < people)
			}
			closeStore(t, store)
			requireFiles(t, directory, bolt.FileName, bolt.KeysFileName)
		}
	}
	leave := func(t *testing.T, directory, name string, files ...string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(directory, name), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			copyFile(t, whole, filepath.Join(directory, name), file)
		}
	}
	t.Run("OK before it was done", func(t *testing.T) {
		directory := copyStore(t, old)
		leave(t, directory, "restore.tmp", bolt.FileName, bolt.KeysFileName)
		require(t, directory, 1)
	})
	t.Run("OK nothing moved", func(t *testing.T) {
		directory := copyStore(t, old)
		leave(t, directory, "restore.done", bolt.FileName, bolt.KeysFileName)
		require(t, directory, 4)
	})
	t.Run("OK the keys moved", func(t *testing.T) {
		directory := copyStore(t, old)
		leave(t, directory, "restore.done", bolt.FileName)
		copyFile(t, whole, directory, bolt.KeysFileName)
		require(t, directory, 4)
	})
	t.Run("OK both moved", func(t *testing.T) {
		directory := copyStore(t, whole)
		leave(t, directory, "restore.done")
		require(t, directory, 4)
	})
	t.Run("OK another restore clears up", func(t *testing.T) {
		directory := t.TempDir()
		leave(t, directory, "restore.tmp", bolt.FileName)
		store := openStore(t, whole, quiet(bolt.ExactIndex))
		made := backup(t, store)
		closeStore(t, store)
		restore(t, made, directory, false)
		require(t, directory, 4)
	})
}
