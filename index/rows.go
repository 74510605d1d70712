package index

import "math/rand/v2"

const (
	slotsMin = 16

	// A table is doubled when it is fuller than four fifths, and halved when it is emptier than a fifth.
	fullNum, fullDen   = 4, 5
	emptyNum, emptyDen = 1, 5
)

// rowTable finds the row of a key: a hash table by linear probing that holds rows only, as the keys stand with the
// vectors. It takes 5 to 10 bytes a row while it grows, where Go's map takes 20 to 40.
type rowTable struct {
	slots []uint32 // row+1, or 0; a power of two of them
	used  int
	seed  uint64
	keyOf func(row int) uint64
}

func newRowTable(keyOf func(row int) uint64) rowTable {
	return rowTable{slots: make([]uint32, slotsMin), seed: rand.Uint64(), keyOf: keyOf}
}

// home is the slot to look at first. The mixing is the finaliser of MurmurHash3.
func (t *rowTable) home(key uint64) int {
	h := key ^ t.seed
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return int((h ^ h>>33) & uint64(len(t.slots)-1))
}

// find returns the slot of a key, or the empty one where it would go.
func (t *rowTable) find(key uint64) (slot int, ok bool) {
	mask := len(t.slots) - 1
	for slot = t.home(key); t.slots[slot] != 0; slot = (slot + 1) & mask {
		if t.keyOf(t.row(slot)) == key {
			return slot, true
		}
	}
	return slot, false
}

func (t *rowTable) row(slot int) int {
	return int(t.slots[slot]) - 1
}

// add puts in a key that is not there. keyOf has to know the row already.
func (t *rowTable) add(key uint64, row int) {
	if (t.used+1)*fullDen > len(t.slots)*fullNum {
		t.resize(2 * len(t.slots))
	}
	slot, _ := t.find(key)
	t.slots[slot] = uint32(row) + 1
	t.used++
}

func (t *rowTable) set(slot, row int) {
	t.slots[slot] = uint32(row) + 1
}

// remove empties a slot, and moves those after it that could not be found any more otherwise.
func (t *rowTable) remove(slot int) {
	mask := len(t.slots) - 1
	for next := (slot + 1) & mask; t.slots[next] != 0; next = (next + 1) & mask {
		home := t.home(t.keyOf(t.row(next)))
		if (next-home)&mask >= (next-slot)&mask {
			t.slots[slot] = t.slots[next]
			slot = next
		}
	}
	t.slots[slot] = 0
	t.used--
}

// shrink gives memory back. It is not part of remove, as it needs the keys of all rows.
func (t *rowTable) shrink() {
	if len(t.slots) > slotsMin && t.used*emptyDen < len(t.slots)*emptyNum {
		t.resize(len(t.slots) / 2)
	}
}

func (t *rowTable) resize(slots int) {
	old := t.slots
	t.slots = make([]uint32, slots)
	for _, entry := range old {
		if entry != 0 {
			slot, _ := t.find(t.keyOf(int(entry) - 1))
			t.slots[slot] = entry
		}
	}
}
