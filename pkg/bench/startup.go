package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
)

// storeBatch rows are written in one transaction.
const storeBatch = 50_000

var storeBucket = []byte("templates")

// writeStore writes a gallery into a bbolt file with rows as the program's own store has them, but not encrypted: the number of the session,
// a byte of flags, the components.
func writeStore(ctx context.Context, file string, g *gallery, progress Progress) error {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{NoSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	defer db.Close()
	for begin := 0; begin < len(g.keys); begin += storeBatch {
		progress("writing a store to start from", begin, len(g.keys))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists(storeBucket)
			if err != nil {
				return err
			}
			bucket.FillPercent = 1 // keys only grow
			for row := begin; row < min(begin+storeBatch, len(g.keys)); row++ {
				if err := bucket.Put(binary.BigEndian.AppendUint64(nil, g.keys[row]), encodeRow(g.row(row))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return db.Close()
}

func encodeRow(vector []float32) []byte {
	row := make([]byte, 1, 1+4*len(vector))
	for _, component := range vector {
		row = binary.LittleEndian.AppendUint32(row, math.Float32bits(component))
	}
	return row
}

// loadStore puts every row into an index.
func loadStore(ctx context.Context, file string, x index.Index, dim int) error {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	all, isBulk := x.(bulk)
	var keys []uint64
	var vectors [][]float32
	vector := make([]float32, dim)
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(storeBucket).ForEach(func(key, row []byte) error {
			number := binary.BigEndian.Uint64(key)
			if number%putEvery == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if isBulk {
				vector = make([]float32, dim)
			}
			for i := range vector {
				vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(row[1+4*i:]))
			}
			if !isBulk {
				return x.Put(number, vector)
			}
			keys, vectors = append(keys, number), append(vectors, vector)
			return nil
		})
	})
	if err != nil || !isBulk {
		return err
	}
	return all.PutAll(keys, vectors)
}

// startUp is the time from opening a store until a new index has answered its first search; a graph is read from the
// snapshot of the one that was measured. The files are in the system's cache.
func startUp(ctx context.Context, directory, store string, engine Engine, built index.Index, probe []float32) (time.Duration, error) {
	snapshot := ""
	if kept, ok := built.(snapshotter); ok {
		snapshot = filepath.Join(directory, "snapshot")
		if err := writeSnapshot(snapshot, kept); err != nil {
			return 0, err
		}
		defer os.Remove(snapshot)
	}
	started := time.Now()
	x := engine.Open(len(probe))
	defer closeIndex(x)
	if err := loadStore(ctx, store, x, len(probe)); err != nil {
		return 0, err
	}
	if snapshot != "" {
		if err := readSnapshot(snapshot, x.(snapshotter)); err != nil {
			return 0, err
		}
	}
	if _, err := x.Nearest(ctx, probe, 1); err != nil {
		return 0, err
	}
	took := time.Since(started)
	if x.Len() != built.Len() {
		return 0, fmt.Errorf("%d of %d vectors came back from the store", x.Len(), built.Len())
	}
	return took, nil
}

func writeSnapshot(file string, x snapshotter) error {
	to, err := os.Create(file)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(to, 1<<20)
	return errors.Join(x.Snapshot(buffered, 1), buffered.Flush(), to.Close())
}

func readSnapshot(file string, x snapshotter) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	return x.Restore(bufio.NewReaderSize(from, 1<<20), 1)
}
