package bolt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// bbolt never overwrites a page: what was deleted stays in the file's free pages until they
// happen to be used again. So everything personal is encrypted, each person with a key of
// his own, and the keys are kept in a file beside the store, in slots that can be
// overwritten. To erase somebody is to overwrite his key: whatever is left of him in any page
// of the store, or in any copy of it, can then be read by nobody.

// KeysFileName is the name of the keys' file in the data directory. A store without it is
// worth nothing.
const KeysFileName = "facesearch.keys"

const (
	vaultKeyBytes = 32 // AES-256
	// vaultHeader begins the file; slots follow it, so that slot 0 is not used.
	vaultHeader = "facesearch keys, version 1......"
	// vaultDestroyed overwrites a key. It is not all zeros, because zeros are what a hole in a
	// file that was damaged or badly copied reads as: that is no erasure, and must not be taken
	// for one.
	vaultDestroyed = "this key was destroyed.........."
)

// errErased is returned for what was encrypted with a key that has been overwritten.
var errErased = errors.New("the record was erased")

// A vault is the file of keys. It is safe for concurrent use.
type vault struct {
	mu   sync.RWMutex // so that nobody reads a key of which one half is overwritten
	file *os.File
}

// createVault makes the file of a new store. One that is there already may be what a crash in
// here has left; one with more keys than the first belongs to a store that has gone missing,
// and must not be overwritten.
func createVault(path string) (*vault, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	v := &vault{file: file}
	size, err := v.size()
	switch {
	case err != nil:
	case size > offsetOf(2):
		err = fmt.Errorf("it holds the keys of another store: put that store's %s back beside it, or move it away", FileName)
	default:
		err = v.begin(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), file.Close())
	}
	return v, nil
}

// begin writes the header, and sees to it that the file's name is as durable as what is in it.
func (v *vault) begin(directory string) error {
	if _, err := v.file.WriteAt([]byte(vaultHeader), 0); err != nil {
		return err
	}
	if err := v.file.Sync(); err != nil {
		return err
	}
	return syncDirectory(directory)
}

// openVault opens the file of a store that is there already.
func openVault(path string) (*vault, error) { return openVaultFor(os.O_RDWR, path) }

// openVaultToRead opens it for who writes nothing.
func openVaultToRead(path string) (*vault, error) { return openVaultFor(os.O_RDONLY, path) }

func openVaultFor(use int, path string) (*vault, error) {
	file, err := os.OpenFile(path, use, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: without its keys the store cannot be read; put back the file that belongs to it", err)
	}
	if err != nil {
		return nil, err
	}
	header := make([]byte, len(vaultHeader))
	_, err = file.ReadAt(header, 0)
	if err == nil && string(header) != vaultHeader {
		err = errors.New("it is not a file of keys of this version")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), file.Close())
	}
	return &vault{file: file}, nil
}

func (v *vault) close() error { return v.file.Close() }

func (v *vault) size() (int64, error) {
	info, err := v.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// holds reports whether the file is long enough for a slot, and so for all before it.
func (v *vault) holds(slot uint64) (bool, error) {
	size, err := v.size()
	return size >= offsetOf(slot+1), err
}

// create fills slots with new keys, durably.
func (v *vault) create(slots ...uint64) error {
	return v.write(slots, func(key []byte) {
		rand.Read(key) // never fails: crypto/rand ends the program rather than return less
	})
}

// destroy overwrites keys, durably. Slots that were destroyed already stay so.
func (v *vault) destroy(slots ...uint64) error {
	return v.write(slots, func(key []byte) { copy(key, vaultDestroyed) })
}

func (v *vault) write(slots []uint64, fill func(key []byte)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := make([]byte, vaultKeyBytes)
	for _, slot := range slots {
		if !possible(slot) {
			return errors.New("there is no such slot for a key")
		}
		fill(key)
		if _, err := v.file.WriteAt(key, offsetOf(slot)); err != nil {
			return fmt.Errorf("writing a key: %w", err)
		}
	}
	if err := v.file.Sync(); err != nil {
		return fmt.Errorf("writing keys: %w", err)
	}
	return nil
}

func offsetOf(slot uint64) int64 { return int64(slot) * vaultKeyBytes }

// possible refuses slot 0, which is the header, and those that no file is long enough for.
func possible(slot uint64) bool { return slot > 0 && slot <= 1<<40 }

// keys are where the key of a slot comes from: the vault itself, or a part of it that was read.
type keys interface {
	// key returns errErased when it was destroyed.
	key(slot uint64) (*vaultKey, error)
}

type vaultKey [vaultKeyBytes]byte

// key implements keys.
func (v *vault) key(slot uint64) (*vaultKey, error) {
	if !possible(slot) {
		return nil, errImpossible
	}
	var key vaultKey
	v.mu.RLock()
	_, err := v.file.ReadAt(key[:], offsetOf(slot))
	v.mu.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	return key.check()
}

var errImpossible = errors.New("a stored record is damaged: it names a key that cannot be")

func (k *vaultKey) check() (*vaultKey, error) {
	switch {
	case string(k[:]) == vaultDestroyed:
		return nil, errErased
	case *k == vaultKey{}:
		return nil, errors.New("the file of keys is damaged: a key is missing")
	}
	return k, nil
}

func (k *vaultKey) cipher() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// destroyed reports whether a slot's key was overwritten.
func destroyed(from keys, slot uint64) (bool, error) {
	_, err := from.key(slot)
	if errors.Is(err, errErased) {
		return true, nil
	}
	return false, err
}

// sealedOverhead is what sealing adds: the slot, a nonce and GCM's tag.
const sealedOverhead = 8 + 12 + 16

// seal encrypts data with the key of a slot. place says where it is stored, so that one
// record cannot be taken for another.
func (v *vault) seal(slot uint64, place, data []byte) ([]byte, error) {
	key, err := v.key(slot)
	if err != nil {
		return nil, err
	}
	aead, err := key.cipher()
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
func (v *vault) open(place, sealed []byte) ([]byte, error) { return open(v, place, sealed, nil) }

// open appends what was sealed to data.
func open(from keys, place, sealed, data []byte) ([]byte, error) {
	slot, err := slotOf(sealed)
	if err != nil {
		return nil, err
	}
	key, err := from.key(slot)
	if err != nil {
		return nil, err
	}
	aead, err := key.cipher()
	if err != nil {
		return nil, err
	}
	nonce := sealed[8 : 8+aead.NonceSize()]
	data, err = aead.Open(data, nonce, sealed[8+len(nonce):], place)
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

// place names a record in a bucket of an application. The length stands first because an ID may
// hold any character, also the one that separates.
func place(application string, bucket, key []byte) []byte {
	return appendPlace(nil, application, bucket, key)
}

func appendPlace(text []byte, application string, bucket, key []byte) []byte {
	text = binary.AppendUvarint(text, uint64(len(application)))
	text = append(append(text, application...), bucket...)
	return append(append(text, '/'), key...)
}
