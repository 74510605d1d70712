package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"

	"facesearch/pkg/face"
)

func TestWindow(t *testing.T) {
	slots := make([]uint64, 2*windowKeys+100)
	for i := range slots {
		slots[i] = uint64(i) + 1
	}
	v, _ := newVault(t, slots...)
	last := slots[len(slots)-1]
	if err := v.destroy(5, windowKeys, last); err != nil {
		t.Fatal(err)
	}
	requireSame := func(t *testing.T, w *window, slot uint64) {
		t.Helper()
		want, wantErr := v.key(slot)
		got, err := w.key(slot)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || errors.Is(err, errErased) != errors.Is(wantErr, errErased) {
			t.Fatalf("slot %d: %v, want %v", slot, err, wantErr)
		}
		if err == nil && *got != *want {
			t.Fatalf("slot %d has the key of another", slot)
		}
	}
	t.Run("OK ascending", func(t *testing.T) {
		w := &window{vault: v}
		for _, slot := range slots {
			requireSame(t, w, slot)
		}
	})
	t.Run("OK in any order", func(t *testing.T) {
		w, random := &window{vault: v}, rand.New(rand.NewPCG(1, 1))
		for range 1000 {
			requireSame(t, w, 1+random.Uint64N(last))
		}
	})
	t.Run("ErrSlot", func(t *testing.T) {
		w := &window{vault: v}
		for _, slot := range []uint64{0, last + 1, last + 10*windowKeys, 1<<40 + 1, 1<<64 - 1, 1} {
			if key, err := w.key(slot); (err == nil) != (slot == 1) || err != nil && key != nil {
				t.Errorf("slot %d: %v, %v", slot, key, err)
			}
		}
		if _, err := w.key(last + 1); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
	t.Run("ErrMissing", func(t *testing.T) {
		v, _ := newVault(t, 1, 3) // 2 is a hole, as a bad copy would leave
		w := &window{vault: v}
		for slot := uint64(1); slot <= 3; slot++ {
			if _, err := w.key(slot); (err == nil) != (slot != 2) || errors.Is(err, errErased) {
				t.Errorf("slot %d: %v", slot, err)
			}
		}
	})
	t.Run("OK erasures", func(t *testing.T) {
		for upTo, want := range map[uint64]uint64{
			0: 0, 4: 0, 5: erasure(5), windowKeys: erasure(5) + erasure(windowKeys),
			last: erasure(5) + erasure(windowKeys) + erasure(last),
		} {
			if got, err := v.erasures(upTo); got != want || err != nil {
				t.Errorf("up to %d: %x, want %x, %v", upTo, got, want, err)
			}
		}
		if _, err := v.erasures(last + 1); !errors.Is(err, io.EOF) {
			t.Errorf("beyond the file: %v", err)
		}
		if erasure(1)+erasure(4) == erasure(2)+erasure(3) {
			t.Error("two sets have one sum")
		}
	})
}

// TestErasuresKnown: a store knows of its own erasures, or each start would look for them.
func TestErasuresKnown(t *testing.T) {
	directory := t.TempDir()
	open := func() *Store {
		t.Helper()
		store, err := Open(directory, Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	requireKnown := func(store *Store) (sum uint64) {
		t.Helper()
		tx, err := store.db.Begin(false)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		want, err := store.vault.erasures(tx.Bucket(slotsBucket).Sequence())
		if err != nil {
			t.Fatal(err)
		}
		sum, known := erasuresOf(tx)
		if !known || sum != want {
			t.Fatalf("the store knows of %x (%v), its keys of %x", sum, known, want)
		}
		return sum
	}
	store := open()
	if requireKnown(store) != 0 {
		t.Error("something was erased in a new store")
	}
	if err := store.CreateApplication(t.Context(), face.Application{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"one", "two", "three"} {
		if _, _, err := store.Enrol(t.Context(), "a", face.Enrolment{Session: face.Session{ID: id, Status: face.Approved}, Template: make(face.Template, face.TemplateDim)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Erase(t.Context(), "a", []string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	if requireKnown(store) == 0 {
		t.Error("nothing was erased")
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = open()
	requireKnown(store)

	var backup bytes.Buffer
	if err := store.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Erase(t.Context(), "a", []string{"three"}); err != nil {
		t.Fatal(err)
	}
	sum := requireKnown(store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), &backup, directory, true); err != nil {
		t.Fatal(err)
	}
	store = open()
	defer store.Close()
	if requireKnown(store) != sum {
		t.Error("the restored store has other erasures than the one before it")
	}
}
