package bolt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func newVault(t *testing.T, slots ...uint64) (*vault, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), KeysFileName)
	v, err := createVault(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.close() })
	if err := v.create(slots...); err != nil {
		t.Fatal(err)
	}
	return v, path
}

func TestVaultSeal(t *testing.T) {
	v, path := newVault(t, 1, 2, 3)
	at := place("application", []byte("bucket"), []byte("key"))
	data := []byte("what nobody else may read")
	seal := func(slot uint64) []byte {
		t.Helper()
		sealed, err := v.seal(slot, at, data)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	sealed := seal(2)
	requireOpen := func(t *testing.T, v *vault) {
		t.Helper()
		if got, err := v.open(at, sealed); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	t.Run("OK", func(t *testing.T) {
		requireOpen(t, v)
		if bytes.Contains(sealed, data[:8]) || len(sealed) != len(data)+sealedOverhead {
			t.Fatalf("%d bytes: %q", len(sealed), sealed)
		}
		if slot, err := slotOf(sealed); slot != 2 || err != nil {
			t.Fatalf("slot %d, %v", slot, err)
		}
		if bytes.Equal(sealed, seal(2)) {
			t.Fatal("sealed twice with one nonce")
		}
	})
	t.Run("OK empty", func(t *testing.T) {
		sealed, err := v.seal(1, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.open(at, sealed); err != nil || len(got) != 0 {
			t.Fatalf("%q, %v", got, err)
		}
	})
	t.Run("OK opened again", func(t *testing.T) {
		again, err := openVault(path)
		if err != nil {
			t.Fatal(err)
		}
		defer again.close()
		requireOpen(t, again)
	})
}

func TestVaultRefuses(t *testing.T) {
	v, _ := newVault(t, 1, 2, 3)
	at := place("application", []byte("bucket"), []byte("key"))
	data := []byte("what nobody else may read")
	sealed, err := v.seal(2, at, data)
	if err != nil {
		t.Fatal(err)
	}
	requireShut := func(t *testing.T, at, sealed []byte) {
		t.Helper()
		if got, err := v.open(at, sealed); err == nil || got != nil || errors.Is(err, errErased) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	t.Run("ErrPlace", func(t *testing.T) {
		for _, other := range [][]byte{
			nil, place("application", []byte("bucket"), []byte("kez")), place("application", []byte("bucke"), []byte("tkey")),
			place("applicatio", []byte("nbucket"), []byte("key")), place("application/bucket", []byte("key"), nil), place("", []byte("bucket"), []byte("key")),
		} {
			requireShut(t, other, sealed)
		}
	})
	t.Run("ErrDamaged", func(t *testing.T) {
		for i := range sealed {
			flipped := bytes.Clone(sealed)
			flipped[i] ^= 1
			requireShut(t, at, flipped)
		}
		for size := range sealed {
			requireShut(t, at, sealed[:size])
		}
		requireShut(t, at, append(bytes.Clone(sealed), 0))
	})
	t.Run("ErrSlot", func(t *testing.T) {
		for _, slot := range []uint64{0, 4, 1 << 20, 1<<40 + 1, 1<<64 - 1} {
			if _, err := v.seal(slot, at, data); err == nil {
				t.Errorf("sealed with slot %d", slot)
			}
			if gone, err := destroyed(v, slot); err == nil || gone {
				t.Errorf("slot %d: destroyed %v, %v", slot, gone, err)
			}
		}
		for _, slot := range []uint64{0, 1<<64 - 1} { // 0 is the header
			if v.create(slot) == nil || v.destroy(slot) == nil {
				t.Errorf("slot %d was written", slot)
			}
		}
	})
	t.Run("ErrMissing", func(t *testing.T) {
		if err := v.create(6); err != nil { // leaves a hole, as a bad copy would
			t.Fatal(err)
		}
		if _, err := v.seal(5, at, data); err == nil || errors.Is(err, errErased) {
			t.Fatalf("a key of zeros: %v", err)
		}
	})
}

func TestVaultDestroy(t *testing.T) {
	v, path := newVault(t, 1, 2, 3)
	at := []byte("place")
	sealed := map[uint64][]byte{}
	keys, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for slot := uint64(1); slot <= 3; slot++ {
		if sealed[slot], err = v.seal(slot, at, []byte("data")); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.destroy(2); err != nil {
		t.Fatal(err)
	}
	if err := v.destroy(2); err != nil {
		t.Fatal("again:", err)
	}
	for slot, data := range sealed {
		_, err := v.open(at, data)
		gone, stateErr := destroyed(v, slot)
		if errors.Is(err, errErased) != (slot == 2) || gone != (slot == 2) || stateErr != nil {
			t.Errorf("slot %d: %v, destroyed %v, %v", slot, err, gone, stateErr)
		}
	}
	if _, err := v.seal(2, at, nil); !errors.Is(err, errErased) {
		t.Errorf("sealed with a destroyed key: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 2 * vaultKeyBytes; at < 3*vaultKeyBytes-4; at++ {
		if bytes.Contains(after, keys[at:at+4]) {
			t.Fatalf("four bytes of the destroyed key are left: %x", keys[at:at+4])
		}
	}
	if len(after) != len(keys) || !bytes.Equal(after[3*vaultKeyBytes:], keys[3*vaultKeyBytes:]) || !bytes.Equal(after[:2*vaultKeyBytes], keys[:2*vaultKeyBytes]) {
		t.Fatal("other keys changed")
	}
}

// TestVaultConcurrently: who opens while the key is destroyed gets the data or errErased, and
// never half a key.
func TestVaultConcurrently(t *testing.T) {
	slots := make([]uint64, 200)
	for i := range slots {
		slots[i] = uint64(i) + 1
	}
	v, _ := newVault(t, slots...)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, slot := range slots {
				sealed, err := v.seal(slot, nil, []byte("data"))
				if err == nil {
					_, err = v.open(nil, sealed)
				}
				if err != nil && !errors.Is(err, errErased) {
					t.Errorf("slot %d: %v", slot, err)
				}
			}
		})
	}
	group.Go(func() {
		for _, slot := range slots {
			if err := v.destroy(slot); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
}

func TestVaultOpen(t *testing.T) {
	write := func(t *testing.T, content string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), KeysFileName)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, content := range map[string]string{
		"empty": "", "short": vaultHeader[:31], "zeros": strings.Repeat("\x00", 64),
		"another version": strings.Replace(vaultHeader, "1", "2", 1) + strings.Repeat("k", 32),
	} {
		t.Run("ErrHeader "+name, func(t *testing.T) {
			path := write(t, content)
			if _, err := openVault(path); err == nil || !strings.Contains(err.Error(), KeysFileName) {
				t.Fatalf("opened, or %v", err)
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != content {
				t.Fatalf("it was changed to %q, %v", data, err)
			}
		})
	}
	t.Run("ErrMissing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), KeysFileName)
		if _, err := openVault(path); !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("it was made: %v", err)
		}
	})
	t.Run("OK what a crash has left of a new one", func(t *testing.T) {
		for _, content := range []string{"", vaultHeader[:7], vaultHeader, vaultHeader + strings.Repeat("k", 32)} {
			path := write(t, content)
			v, err := createVault(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(v.create(1), v.close()); err != nil {
				t.Fatal(err)
			}
			if v, err = openVault(path); err != nil {
				t.Fatal(err)
			}
			v.close()
		}
	})
	t.Run("ErrInUse a new one over an old one", func(t *testing.T) {
		content := vaultHeader + strings.Repeat("k", 64)
		path := write(t, content)
		if _, err := createVault(path); err == nil || !strings.Contains(err.Error(), FileName) {
			t.Fatalf("made, or %v", err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != content {
			t.Fatalf("it was changed to %q, %v", data, err)
		}
	})
}
