package bolt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// TestDeleteApplication reads the files byte by byte, and puts a copy of the store from before
// beside the keys from after it.
func TestDeleteApplication(t *testing.T) { bothIndexes(t, testDeleteApplication) }

func testDeleteApplication(t *testing.T, kind bolt.IndexKind) {
	list := subjects(8)
	tr := tracesOf(list)
	directory, store := subjectStore(t, kind, list)
	other := face.Application{ID: "other"}
	if err := store.CreateApplication(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	neighbour := people(9)[8]
	if _, _, err := store.Enrol(t.Context(), other.ID, neighbour); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store) // a graph has its snapshot now
	old := copyStore(t, directory)
	buckets := sealedBuckets
	if kind == bolt.HNSWIndex {
		buckets = append(buckets[:len(buckets):len(buckets)], "graph")
	}
	sealed := recordsOf(t, old, buckets...)
	if len(sealed) < 8*5 {
		t.Fatalf("%d records", len(sealed))
	}
	store = openStore(t, directory, quiet(kind))
	if err := store.DeleteApplication(t.Context(), gallerytest.Application); err != nil {
		t.Fatal(err)
	}
	requireNoTraces(t, directory, "deleted", tr)
	closeStore(t, store)
	requireNoTraces(t, directory, "deleted and closed", tr)
	for _, r := range sealed {
		if !r.opens(t, filepath.Join(old, bolt.KeysFileName)) {
			t.Fatalf("%s %q does not open with the keys of its time", r.bucket, r.key)
		}
		if r.opens(t, filepath.Join(directory, bolt.KeysFileName)) {
			t.Fatalf("%s %q still opens", r.bucket, r.key)
		}
	}
	edit(t, directory, func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("applications")).Bucket([]byte(gallerytest.Application)) != nil {
			t.Error("its buckets are still there")
		}
		if key, _ := tx.Bucket([]byte("doomed")).Cursor().First(); key != nil {
			t.Errorf("slot %x is still to be destroyed", key)
		}
		return nil
	})
	store = openStore(t, directory, quiet(kind))
	if _, err := store.Session(t.Context(), other.ID, neighbour.Session.ID); err != nil {
		t.Error("the other application:", err)
	}
	closeStore(t, store)
}

// TestDeleteApplicationCrash stops a deletion between the transaction and the overwriting of keys.
func TestDeleteApplicationCrash(t *testing.T) {
	list := subjects(3)
	directory, store := subjectStore(t, bolt.ExactIndex, list)
	sealed := recordsOf(t, copyStore(t, directory), sealedBuckets...)
	unlock, err := store.LockKeys()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // nobody is told that there is nothing while the keys are there
		if err := store.DeleteApplication(t.Context(), gallerytest.Application); err == nil || face.CodeOf(err) == face.CodeNotFound {
			t.Fatalf("the keys are still there, and DeleteApplication says %v", err)
		}
	}
	crashed := copyStore(t, directory)
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	requireOpens := func(opens bool) {
		t.Helper()
		for _, r := range sealed {
			if r.opens(t, filepath.Join(crashed, bolt.KeysFileName)) != opens {
				t.Fatalf("%s %q opens %v", r.bucket, r.key, !opens)
			}
		}
	}
	requireOpens(true)
	closeStore(t, openStore(t, crashed, quiet(bolt.ExactIndex)))
	requireOpens(false)
}

// TestDeleteApplicationDamaged: a record that cannot be read may name somebody else's key, so
// that nothing is deleted.
func TestDeleteApplicationDamaged(t *testing.T) {
	list := subjects(3)
	directory, store := subjectStore(t, bolt.ExactIndex, list)
	closeStore(t, store)
	edit(t, directory, func(tx *bbolt.Tx) error {
		searches := bucketOf(tx, "applications", gallerytest.Application, "searches")
		key := []byte(list[1].search.ID)
		value := bytes.Clone(searches.Get(key))
		value[8]-- // the last byte of the slot
		return searches.Put(key, value)
	})
	store = openStore(t, directory, quiet(bolt.ExactIndex))
	if err := store.DeleteApplication(t.Context(), gallerytest.Application); err == nil {
		t.Fatal("it was deleted")
	}
	requireSubject(t, store, list[0], true)
	requireSubject(t, store, list[2], true)
	closeStore(t, store)
}

// TestAccountHidden: no e-mail address is in the files.
func TestAccountHidden(t *testing.T) {
	directory, store := subjectStore(t, bolt.ExactIndex, nil)
	const address = "somebody.special@faces.example.org"
	_, err := store.ChangeAccount(t.Context(), address, func(account *face.Account) error {
		account.Password = "the hash of a password"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	stored := false
	for _, name := range []string{bolt.FileName, bolt.KeysFileName} {
		data, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		stored = stored || bytes.Contains(data, []byte("the hash of a password"))
		if bytes.Contains(data, []byte("special")) {
			t.Errorf("%s holds the address", name)
		}
	}
	if !stored {
		t.Error("the account is in no file, so that this test says nothing")
	}
}

// TestAccountsForgotten: accounts that are to be forgotten do not stay in the store.
func TestAccountsForgotten(t *testing.T) {
	directory, store := subjectStore(t, bolt.ExactIndex, nil)
	put := func(email string, forget time.Time) {
		t.Helper()
		_, err := store.ChangeAccount(t.Context(), email, func(account *face.Account) error {
			account.Password, account.ForgetAt = email, forget
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("for good", time.Time{})
	put("for now", time.Now().Add(time.Hour))
	put("no more", time.Now().Add(-time.Hour))
	closeStore(t, store)
	store = openStore(t, directory, quiet(bolt.ExactIndex))
	put("another", time.Time{})
	closeStore(t, store)
	left := map[string]bool{}
	edit(t, directory, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("accounts")).ForEach(func(_, value []byte) error {
			var account face.Account
			err := json.Unmarshal(value, &account)
			left[account.Password] = true
			return err
		})
	})
	if len(left) != 3 || left["no more"] {
		t.Errorf("%v", left)
	}
}

// TestKeyOfBefore: a key that was stored before there were scopes may do everything.
func TestKeyOfBefore(t *testing.T) {
	directory, store := subjectStore(t, bolt.ExactIndex, nil)
	key := face.Key{ID: "old", Application: gallerytest.Application, Scope: face.ScopeSearch, Digest: [32]byte{1, 2, 3}}
	if err := store.CreateKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	edit(t, directory, func(tx *bbolt.Tx) error {
		keys := tx.Bucket([]byte("keys"))
		old := bytes.Replace(keys.Get(key.Digest[:8]), []byte(`"scope":"search",`), nil, 1)
		return errors.Join(keys.Put(key.Digest[:8], old), tx.DeleteBucket([]byte("accounts")))
	})
	store = openStore(t, directory, quiet(bolt.ExactIndex))
	got, err := store.KeyByDigest(t.Context(), key.Digest)
	if err != nil || got.Scope != face.ScopeManage {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := store.ChangeAccount(t.Context(), "x", func(*face.Account) error { return nil }); err != nil {
		t.Error(err)
	}
	closeStore(t, store)
}
