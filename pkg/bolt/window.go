package bolt

import (
	"errors"
	"fmt"
	"io"
)

// windowKeys is how many keys are read of the vault at once: 64 KiB.
const windowKeys = 2048

// A window reads the keys of records in the order in which they were enrolled with few calls
// of the system: their slots ascend. It is for one goroutine, and for a time when nobody
// destroys keys.
type window struct {
	vault *vault
	first uint64 // slot of the first key in it
	keys  []byte
}

// key implements keys.
func (w *window) key(slot uint64) (*vaultKey, error) {
	key, err := w.at(slot)
	if err != nil {
		return nil, err
	}
	return key.check()
}

// at is what stands in a slot, until the next call.
func (w *window) at(slot uint64) (*vaultKey, error) {
	if !possible(slot) {
		return nil, errImpossible
	}
	if slot < w.first || slot >= w.first+uint64(len(w.keys)/vaultKeyBytes) {
		if err := w.read(slot); err != nil {
			return nil, fmt.Errorf("reading a key: %w", err)
		}
	}
	return (*vaultKey)(w.keys[(slot-w.first)*vaultKeyBytes:]), nil
}

// read moves the window so that it begins with a slot.
func (w *window) read(slot uint64) error {
	if w.keys == nil {
		w.keys = make([]byte, windowKeys*vaultKeyBytes)
	}
	whole := w.keys[:cap(w.keys)]
	w.vault.mu.RLock()
	n, err := w.vault.file.ReadAt(whole, offsetOf(slot))
	w.vault.mu.RUnlock()
	w.first, w.keys = slot, whole[:n/vaultKeyBytes*vaultKeyBytes]
	if len(w.keys) > 0 && errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// erasures stands for the set of all slots up to one whose keys were destroyed: two equal sets
// have equal sums, and two others hardly ever.
func (v *vault) erasures(last uint64) (sum uint64, err error) {
	w := window{vault: v}
	for slot := uint64(1); slot <= last; slot++ {
		key, err := w.at(slot)
		if err != nil {
			return 0, err
		}
		if string(key[:]) == vaultDestroyed {
			sum += erasure(slot)
		}
	}
	return sum, nil
}

// erasure is what a destroyed slot adds to the sum: the finaliser of MurmurHash3, so that no
// two sets of neighbours have the same sum.
func erasure(slot uint64) uint64 {
	slot = (slot ^ slot>>33) * 0xff51afd7ed558ccd
	slot = (slot ^ slot>>33) * 0xc4ceb9fe1a85ec53
	return slot ^ slot>>33
}
