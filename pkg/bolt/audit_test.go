package bolt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// requireBroken opens a store and wants its audit log to be broken first at an entry, or
// nowhere when that is 0.
func requireBroken(t *testing.T, directory string, broken uint64, kept ...face.AuditHead) face.AuditVerdict {
	t.Helper()
	store := openStore(t, directory, quiet(bolt.ExactIndex))
	defer closeStore(t, store)
	verdict, err := face.VerifyAudit(t.Context(), store, kept...)
	if err != nil || verdict.Broken != broken || (verdict.Reason == "") != (broken == 0) {
		t.Fatalf("%+v, %v, want entry %d to be broken", verdict, err, broken)
	}
	return verdict
}

func TestAuditDamaged(t *testing.T) {
	directory, store := subjectStore(t, bolt.ExactIndex, subjects(3))
	if _, err := store.Erase(t.Context(), gallerytest.Application, []string{"person-1"}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	head := requireBroken(t, directory, 0).Head
	if head.Number != 5 {
		t.Fatalf("%d entries", head.Number)
	}
	var stored [][]byte
	edit(t, directory, func(tx *bbolt.Tx) error {
		return bucketOf(tx, "audit").ForEach(func(_, value []byte) error {
			stored = append(stored, bytes.Clone(value))
			return nil
		})
	})
	put := func(t *testing.T, number int, value []byte) {
		t.Helper()
		edit(t, directory, func(tx *bbolt.Tx) error {
			key := binary.BigEndian.AppendUint64(nil, uint64(number))
			if value == nil {
				return bucketOf(tx, "audit").Delete(key)
			}
			return bucketOf(tx, "audit").Put(key, value)
		})
	}
	t.Run("ErrBroken any byte", func(t *testing.T) {
		for i, value := range stored {
			// All bytes of the first and last entry, some of the others.
			for at := i; at < len(value); at += 1 + 36*min(i, len(stored)-1-i) {
				damaged := slices.Clone(value)
				damaged[at] ^= 1 << (at % 8)
				put(t, i+1, damaged)
				requireBroken(t, directory, uint64(i+1))
			}
			put(t, i+1, value)
		}
		requireBroken(t, directory, 0, head)
	})
	t.Run("ErrBroken cut short, empty, gone, another's", func(t *testing.T) {
		for i, value := range stored {
			for _, damaged := range [][]byte{value[:len(value)-1], value[:20], {}, nil, stored[(i+1)%len(stored)]} {
				put(t, i+1, damaged)
				requireBroken(t, directory, uint64(i+1))
			}
			put(t, i+1, value)
		}
	})
	t.Run("ErrBroken a new chain from an entry on", func(t *testing.T) {
		entry, err := face.DecodeAuditEntry(stored[2][:len(stored[2])-32])
		if err != nil {
			t.Fatal(err)
		}
		entry.Object = "somebody else"
		sum := entry.Sum()
		put(t, 3, append(entry.Encode(), sum[:]...))
		requireBroken(t, directory, 4) // the next one does not follow
		put(t, 3, stored[2])
	})
	// Who can write the file can also set its counter back: only what was kept elsewhere tells.
	cut := func(number uint64) {
		edit(t, directory, func(tx *bbolt.Tx) error {
			for n := number + 1; n <= head.Number; n++ {
				if err := bucketOf(tx, "audit").Delete(binary.BigEndian.AppendUint64(nil, n)); err != nil {
					return err
				}
			}
			return bucketOf(tx, "audit").SetSequence(number)
		})
	}
	t.Run("ErrBroken the end taken off", func(t *testing.T) {
		cut(4)
		requireBroken(t, directory, 0)
		requireBroken(t, directory, 5, head)
		cut(2)
		requireBroken(t, directory, 3, head)
	})
	t.Run("ErrBroken written anew", func(t *testing.T) {
		store := openStore(t, directory, quiet(bolt.ExactIndex))
		for range 5 {
			if err := store.RotateMediaSecret(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		}
		closeStore(t, store)
		requireBroken(t, directory, 0)
		requireBroken(t, directory, head.Number, head)
	})
}

// TestAuditReceipt holds receipts of every kind of erasure against the chain.
func TestAuditReceipt(t *testing.T) {
	list := subjects(4)
	for i := range list {
		list[i].Session.CreatedAt = time.Now().AddDate(-i/3, 0, 0) // the last is the only old one
	}
	_, store := subjectStore(t, bolt.ExactIndex, list)
	defer closeStore(t, store)
	key, err := store.ReceiptKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, application := t.Context(), gallerytest.Application
	for name, row := range map[string]struct {
		erase              func() (face.Erasure, error)
		sessions, searches int
		ids                []string
	}{
		"OK one":     {func() (face.Erasure, error) { return store.Erase(ctx, application, []string{"person-0"}) }, 1, 0, []string{"person-0"}},
		"OK several": {func() (face.Erasure, error) { return store.Erase(ctx, application, []string{"search-1", "person-1"}) }, 1, 1, []string{"search-1", "person-1"}},
		"OK people": {func() (face.Erasure, error) {
			return store.EraseOwners(ctx, application, []string{list[2].Session.VendorData})
		}, 1, 1, []string{}},
		"OK retention": {func() (face.Erasure, error) {
			return store.EraseBefore(ctx, application, time.Now().Add(-time.Hour), time.Time{}, 9)
		}, 1, 0, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			erasure, err := row.erase()
			if err != nil {
				t.Fatal(err)
			}
			receipt, err := face.NewReceipt(erasure.Entry, key)
			if err != nil || receipt.Verify() != nil || receipt.Sessions != row.sessions || receipt.Searches != row.searches || !slices.Equal(receipt.IDs, row.ids) {
				t.Fatalf("%+v, %v, %v", receipt, err, receipt.Verify())
			}
			verdict, err := face.VerifyAudit(ctx, store, face.AuditHead{Number: receipt.Entry.Number, Hash: receipt.Entry.Hash})
			if err != nil || verdict.Broken != 0 {
				t.Errorf("%+v, %v", verdict, err)
			}
		})
	}
	t.Run("ErrNotFound", func(t *testing.T) {
		entries, _, err := store.AuditWhole(ctx, face.AuditPage{Limit: 1, OldestFirst: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := face.NewReceipt(entries[0], key); face.CodeOf(err) != face.CodeNotFound {
			t.Error(err)
		}
	})
}

// TestUpgrade opens a store as it was before there were dates, an audit log and sealed secrets.
func TestUpgrade(t *testing.T) {
	list := subjects(5)
	directory, store := subjectStore(t, bolt.ExactIndex, list)
	closeStore(t, store)
	old := bytes.Repeat([]byte{7}, 32)
	edit(t, directory, func(tx *bbolt.Tx) error {
		meta, application := bucketOf(tx, "meta"), bucketOf(tx, "applications", gallerytest.Application)
		return errors.Join(tx.DeleteBucket([]byte("audit")), application.DeleteBucket([]byte("audit")), application.DeleteBucket([]byte("dates")),
			meta.Delete([]byte("media")), meta.Delete([]byte("receipt")), meta.Put([]byte("secret"), old))
	})
	for range 2 {
		store = openStore(t, directory, quiet(bolt.ExactIndex))
		secrets, err := store.MediaSecrets(t.Context())
		if err != nil || len(secrets) != 1 || !bytes.Equal(secrets[0].Secret, old) {
			t.Fatalf("%v, %v", secrets, err)
		}
		_, total, err := store.Searches(t.Context(), gallerytest.Application, face.SearchFilter{Status: face.InReview, Limit: 9})
		if err != nil || total != 5 {
			t.Fatalf("%d searches, %v", total, err)
		}
		for _, s := range list {
			requireSubject(t, store, s, true)
		}
		closeStore(t, store)
	}
	edit(t, directory, func(tx *bbolt.Tx) error {
		if bucketOf(tx, "meta").Get([]byte("secret")) != nil {
			t.Error("the secret is still there in the clear")
		}
		return nil
	})
	store = openStore(t, directory, quiet(bolt.ExactIndex))
	erased, err := store.EraseBefore(t.Context(), gallerytest.Application, time.Now(), time.Now(), 100)
	if err != nil || erased.Sessions != 5 || erased.Searches != 5 || erased.Entry.Number != 1 {
		t.Fatalf("%+v, %v", erased, err)
	}
	closeStore(t, store)
}

// TestRetentionNoTraces reads the files byte by byte after a retention, and tries all keys.
func TestRetentionNoTraces(t *testing.T) {
	list := subjects(8)
	bothIndexes(t, func(t *testing.T, kind bolt.IndexKind) {
		now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		for i := range list {
			list[i].Session.CreatedAt = now.AddDate(0, 0, -i)
			list[i].search.CreatedAt = now.AddDate(0, 0, -i)
		}
		directory, store := subjectStore(t, kind, list)
		closeStore(t, store)
		before := recordsOf(t, directory, append(slices.Clone(sealedBuckets), graphBuckets(kind)...)...)
		store = openStore(t, directory, quiet(kind))
		cutoff := now.AddDate(0, 0, -3)
		erased, err := store.EraseBefore(t.Context(), gallerytest.Application, cutoff, cutoff, 100)
		if err != nil || erased.Sessions != 4 || erased.Searches != 4 {
			t.Fatalf("%+v, %v", erased, err)
		}
		for i, s := range list {
			requireSubject(t, store, s, i < 4)
		}
		closeStore(t, store)
		requireNoTraces(t, directory, "after retention", tracesOf(list))
		lost := 0
		for _, r := range before {
			if !r.opens(t, filepath.Join(directory, bolt.KeysFileName)) {
				lost++
			}
		}
		if want := 4*5 + len(graphBuckets(kind)); lost != want {
			t.Errorf("%d records cannot be opened any more, want %d", lost, want)
		}
		edit(t, directory, func(tx *bbolt.Tx) error {
			for bucket, want := range map[string]int{"dates": 8, "owners": 8, "pictures": 8, "ids": 4} {
				if got := bucketOf(tx, "applications", gallerytest.Application, bucket).Stats().KeyN; got != want {
					t.Errorf("%s has %d keys, want %d", bucket, got, want)
				}
			}
			return nil
		})
	})
}

// graphBuckets names the bucket of a graph where there is one.
func graphBuckets(kind bolt.IndexKind) []string {
	if kind == bolt.HNSWIndex {
		return []string{"graph"}
	}
	return nil
}
