package gallerytest

import (
	"bytes"
	"testing"

	"facesearch/pkg/face"
)

func (f *fixture) mediaSecrets() []face.MediaSecret {
	f.Helper()
	list, err := f.store.MediaSecrets(f.Context())
	if err != nil {
		f.Fatal("MediaSecrets:", err)
	}
	return list
}

func testMediaSecrets(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	first := f.mediaSecrets()
	rotate := func(t *testing.T, revoke bool) {
		t.Helper()
		if err := f.store.RotateMediaSecret(t.Context(), revoke); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("OK one", func(t *testing.T) {
		if len(first) != 1 || len(first[0].Secret) != 32 || bytes.Equal(first[0].Secret, make([]byte, 32)) || first[0].Since.IsZero() {
			t.Fatalf("%+v", first)
		}
	})
	t.Run("OK the caller has a copy", func(t *testing.T) {
		clear(f.mediaSecrets()[0].Secret)
		requireSame(t, "secrets", f.mediaSecrets(), first)
	})
	t.Run("OK the same after a restart", func(t *testing.T) {
		f.reopen()
		requireSame(t, "secrets", f.mediaSecrets(), first)
	})
	t.Run("OK another store has another", func(t *testing.T) {
		if other := open(t, place).mediaSecrets(); bytes.Equal(first[0].Secret, other[0].Secret) {
			t.Fatal("the same")
		}
	})
	t.Run("OK rotated", func(t *testing.T) {
		for n := 2; n < 5; n++ {
			before := f.mediaSecrets()
			rotate(t, false)
			for range 2 {
				list := f.mediaSecrets()
				if len(list) != n || bytes.Equal(list[0].Secret, before[0].Secret) || list[0].Since.Before(before[0].Since) {
					t.Fatalf("%+v", list)
				}
				requireSame(t, "those before it", list[1:], before)
				f.reopen()
			}
		}
	})
	t.Run("OK revoked", func(t *testing.T) {
		before := f.mediaSecrets()
		rotate(t, true)
		for range 2 {
			if list := f.mediaSecrets(); len(list) != 1 || bytes.Equal(list[0].Secret, before[0].Secret) {
				t.Fatalf("%+v", list)
			}
			f.reopen()
		}
	})
}

func testReceiptKey(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	read := func(f *fixture) []byte {
		key, err := f.store.ReceiptKey(f.Context())
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Clone(key)
	}
	first := read(f)
	f.reopen()
	if len(first) != 64 || !bytes.Equal(first, read(f)) {
		t.Fatal("the key has changed, or is none")
	}
	if bytes.Equal(first, read(open(t, place))) {
		t.Fatal("two stores have one key")
	}
}
