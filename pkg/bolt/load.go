package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	bbolt "go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"

	"facesearch/pkg/face"
)

const (
	// loadRows templates are opened and put into the index at a time: 1 MiB of 128 values each,
	// which stays in a core's cache on the way.
	loadRows = 2048

	// collectRows templates leave about 45 MB of ciphers behind, as each has a key of its own.
	collectRows = 1 << 15
)

// A loader takes many vectors in portions; both kinds of index do.
type loader interface {
	Load(fill func(put func(keys []uint64, vectors [][]float32) error) error) error
}

// loadShard opens all templates and puts them into the index. Those of sessions that are in no
// search are opened too, as only that tells a flag that was meant from one that is damaged.
func (r records) loadShard(shard *shard) error {
	return shard.blocklisted.Load(func(blocklisted func([]uint64, [][]float32) error) error {
		return shard.approved.(loader).Load(func(approved func([]uint64, [][]float32) error) error {
			return r.eachTemplates(runtime.GOMAXPROCS(0), func(batch *openedRows) error {
				shard.sessions.Add(int64(len(batch.rows)))
				return errors.Join(
					batch.put(blocklisted, func(flags byte) bool { return flags&flagBlocklisted != 0 }),
					batch.put(approved, func(flags byte) bool { return flags&(flagBlocklisted|flagApproved) == flagApproved }))
			})
		})
	})
}

// A sealedRow is a template as it is stored; key and value belong to the transaction.
type sealedRow struct {
	number     uint64
	key, value []byte
}

// openedRows are a batch of templates, each in the place of its row.
type openedRows struct {
	rows      []sealedRow
	templates [loadRows]face.Template // they share one piece of memory

	keys    []uint64 // room for put
	vectors [][]float32
}

func newOpenedRows(dim int) *openedRows {
	batch, values := new(openedRows), make([]float32, loadRows*dim)
	for i := range batch.templates {
		batch.templates[i] = values[i*dim : (i+1)*dim : (i+1)*dim]
	}
	return batch
}

// put hands on the templates with some flags.
func (o *openedRows) put(to func([]uint64, [][]float32) error, wanted func(flags byte) bool) error {
	o.keys, o.vectors = o.keys[:0], o.vectors[:0]
	for i, row := range o.rows {
		if wanted(row.value[0]) {
			o.keys, o.vectors = append(o.keys, row.number), append(o.vectors, o.templates[i])
		}
	}
	return to(o.keys, o.vectors)
}

// eachTemplates opens all templates with so many goroutines, in batches of ascending numbers, and
// calls visit from each of them.
func (r records) eachTemplates(goroutines int, visit func(*openedRows) error) error {
	walk := &templateWalk{cursor: r.Bucket.Bucket(r.set.bucket()).Cursor()}
	group, ctx := errgroup.WithContext(context.Background())
	for range goroutines {
		group.Go(func() error {
			opener := &templateOpener{records: r, keys: window{vault: r.vault}}
			for batch := newOpenedRows(r.set.Dim); ctx.Err() == nil; {
				if err := walk.next(batch); err != nil || len(batch.rows) == 0 {
					return err
				}
				if err := opener.open(batch); err != nil {
					return err
				}
				if err := visit(batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// A templateWalk is one walk over the templates bucket that many goroutines share.
type templateWalk struct {
	mu     sync.Mutex
	cursor *bbolt.Cursor
	walked int
}

// next fills a batch with the rows that follow; none when there are no more.
func (w *templateWalk) next(batch *openedRows) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch.rows = batch.rows[:0]
	for len(batch.rows) < loadRows {
		step := w.cursor.Next
		if w.walked == 0 {
			step = w.cursor.First
		}
		key, value := step()
		if key == nil {
			break
		}
		number, err := numberOf(key)
		if err != nil {
			return err
		}
		batch.rows = append(batch.rows, sealedRow{number, key, value})
		if w.walked++; w.walked%collectRows == 0 {
			runtime.GC() // which else would wait for as much garbage as there is index
		}
	}
	return nil
}

// A templateOpener decrypts templates. It is for one goroutine.
type templateOpener struct {
	records
	keys        window
	place, data []byte
}

// open leaves out who was erased after an older copy of the store was made.
func (o *templateOpener) open(batch *openedRows) (err error) {
	kept := batch.rows[:0]
	for _, row := range batch.rows {
		if len(row.value) < flagsBytes {
			return fmt.Errorf("session %d: %w", row.number, errEmpty)
		}
		o.place = append(appendPlace(o.place[:0], o.application, o.set.bucket(), row.key), row.value[0])
		o.data, err = open(&o.keys, o.place, row.value[flagsBytes:], o.data[:0])
		if errors.Is(err, errErased) {
			continue
		}
		if err == nil {
			err = decodeTemplate(o.data, batch.templates[len(kept)])
		}
		if err != nil {
			return fmt.Errorf("session %d: %w", row.number, err)
		}
		kept = append(kept, row)
	}
	batch.rows = kept
	return nil
}
