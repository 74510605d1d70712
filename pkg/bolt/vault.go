package bolt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// bbolt never overwrites a page: what was deleted stays in the file's free pages until they
// happen to be used again. So everything personal is encrypted, each person with a key of
// his own, and the keys are kept in a file beside the store, in slots that can be
// overwritten. To erase somebody is to overwrite his key: whatever is left of him in any page
// of the store can then be read by nobody.

// KeysFileName is the name of the keys' file in the data directory. A store without it is
// worth nothing.
const KeysFileName = "facesearch.keys"

const (
	vaultKeyBytes = 32 // AES-256
	// vaultHeader begins the file; slots follow it, so that slot 0 is not used.
	vaultHeader = "facesearch keys, version 1......"
)

// errErased is returned for what was encrypted with a key that has been overwritten.
var errErased = errors.New("the record was erased")

// A vault is the file of keys. It is safe for concurrent use.
type vault struct{ file *os.File }

func openVault(path string) (*vault, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	header := make([]byte, len(vaultHeader))
	n, err := file.ReadAt(header, 0)
	switch {
	case n == 0 && err == io.EOF:
		_, err = file.WriteAt([]byte(vaultHeader), 0)
		if err == nil {
			err = file.Sync()
		}
	case err == nil && string(header) != vaultHeader:
		err = errors.New("it is not a file of keys of this version")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), file.Close())
	}
	return &vault{file}, nil
}

func (v *vault) close() error { return v.file.Close() }

// create fills slots with new keys, durably.
func (v *vault) create(slots ...uint64) error {
	for _, slot := range slots {
		key := make([]byte, vaultKeyBytes)
		rand.Read(key) // never fails: crypto/rand ends the program rather than return less
		if _, err := v.file.WriteAt(key, offsetOf(slot)); err != nil {
			return fmt.Errorf("storing a key: %w", err)
		}
	}
	return v.file.Sync()
}

// destroy overwrites keys with zeros, durably. Slots that were destroyed already stay so.
func (v *vault) destroy(slots ...uint64) error {
	for _, slot := range slots {
		if _, err := v.file.WriteAt(make([]byte, vaultKeyBytes), offsetOf(slot)); err != nil {
			return fmt.Errorf("destroying a key: %w", err)
		}
	}
	return v.file.Sync()
}

func offsetOf(slot uint64) int64 { return int64(slot) * vaultKeyBytes }

func (v *vault) cipher(slot uint64) (cipher.AEAD, error) {
	if slot == 0 || slot > 1<<40 {
		return nil, errors.New("a stored record names a key that cannot be")
	}
	var key [vaultKeyBytes]byte
	if _, err := v.file.ReadAt(key[:], offsetOf(slot)); err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	if key == [vaultKeyBytes]byte{} {
		return nil, errErased
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealedOverhead is what sealing adds: the slot, a nonce and GCM's tag.
const sealedOverhead = 8 + 12 + 16

// seal encrypts data with the key of a slot. place says where it is stored, so that one
// record cannot be taken for another.
func (v *vault) seal(slot uint64, place, data []byte) ([]byte, error) {
	aead, err := v.cipher(slot)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 8+aead.NonceSize(), len(data)+sealedOverhead)
	binary.BigEndian.PutUint64(sealed, slot)
	nonce := sealed[8:]
	rand.Read(nonce)
	return aead.Seal(sealed, nonce, data, place), nil
}

// open reverses seal. It returns errErased when the key is gone.
func (v *vault) open(place, sealed []byte) ([]byte, error) {
	slot, err := slotOf(sealed)
	if err != nil {
		return nil, err
	}
	aead, err := v.cipher(slot)
	if err != nil {
		return nil, err
	}
	nonce := sealed[8 : 8+aead.NonceSize()]
	data, err := aead.Open(nil, nonce, sealed[8+len(nonce):], place)
	if err != nil {
		return nil, errors.New("a stored record is damaged: it does not decrypt")
	}
	return data, nil
}

// slotOf tells which key something was sealed with.
func slotOf(sealed []byte) (uint64, error) {
	if len(sealed) < sealedOverhead {
		return 0, errors.New("a stored record is damaged: it is too short")
	}
	return binary.BigEndian.Uint64(sealed), nil
}

// place names a record in a bucket of an application.
func place(application string, bucket, key []byte) []byte {
	text := append([]byte(application), '/')
	text = append(append(text, bucket...), '/')
	return append(text, key...)
}
