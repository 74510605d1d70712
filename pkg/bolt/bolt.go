// Package bolt is the gallery on one machine: a bbolt file holds the truth, and an index in
// memory for each application is derived from it.
//
// The file's buckets:
//
//	meta                       schema: its version; erasures: which keys were destroyed, as a sum;
//	                           models: what made the templates, and which bucket they are in;
//	                           and encrypted: owners: 32 random bytes, which tell whether the
//	                           file of keys is the store's; media: MediaSecrets; receipt: the
//	                           seed of the key that signs receipts
//	keys                       first 8 bytes of the digest → Key
//	accounts                   keyed hash of an e-mail address → Account
//	slots                      a sequence: the slots of the vault that are taken
//	doomed                     slot → nothing: keys that are to be destroyed, see Erase
//	audit                      number → AuditEntry, its hash
//	applications/ID            record: Application; settings: Settings; generation: a counter;
//	                           credits: what there is to spend
//	applications/ID/sessions   number (big-endian) → flags, Session
//	applications/ID/ids        session ID → number
//	applications/ID/templates  number → flags, template: all that start-up reads
//	applications/ID/templates2 the same of another model, see models.go
//	applications/ID/bare       number → nothing: sessions that have no template
//	applications/ID/pictures   picture ID → Picture
//	applications/ID/searches   request ID → SavedSearch
//	applications/ID/owners     keyed hash of a vendor_data and what is his → nothing
//	applications/ID/dates      kind, time, session number or request ID → flags
//	applications/ID/audit      a sequence → the number of an entry of the audit log
//	applications/ID/graph      chunk number → a part of the HNSW snapshot
//
// Sessions, templates, pictures, saved searches and the graph are encrypted; the keys are in
// a file beside it (see vault.go).
package bolt

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	bbolt "go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"facesearch/index"
	"facesearch/pkg/face"
)

// FileName is the name of the store's file in the data directory.
const FileName = "facesearch.db"

// schemaVersion is what this code reads and writes, and schemaVersionModels where the templates
// are not the default model's, so that a program which knows of no other leaves them alone. A file
// with another version is refused.
const (
	schemaVersion       = 1
	schemaVersionModels = 2
)

const secretBytes = 32

// lockWaitMax is how long Open waits for another process to let go of the file.
const lockWaitMax = 500 * time.Millisecond

// ErrLocked is returned by Open when another process has the store open.
var ErrLocked = errors.New("the store is in use by another process")

var (
	metaBucket         = []byte("meta")
	keysBucket         = []byte("keys")
	accountsBucket     = []byte("accounts")
	applicationsBucket = []byte("applications")
	slotsBucket        = []byte("slots")
	doomedBucket       = []byte("doomed")
	auditBucket        = []byte("audit") // of the store, and of each application

	sessionsBucket = []byte("sessions")
	idsBucket      = []byte("ids")
	picturesBucket = []byte("pictures")
	searchesBucket = []byte("searches")
	ownersBucket   = []byte("owners")
	bareBucket     = []byte("bare")
	graphBucket    = []byte("graph")
	datesBucket    = []byte("dates")

	schemaKey     = []byte("schema")
	secretKey     = []byte("secret") // of old stores
	mediaKey      = []byte("media")
	receiptKey    = []byte("receipt")
	ownersKey     = []byte("owners")
	erasuresKey   = []byte("erasures")
	modelsKey     = []byte("models")
	recordKey     = []byte("record")
	settingsKey   = []byte("settings")
	generationKey = []byte("generation")
)

// An IndexKind names the index that answers searches.
type IndexKind string

// The kinds of index.
const (
	ExactIndex IndexKind = "exact"
	HNSWIndex  IndexKind = "hnsw"
)

// Options configures Open.
type Options struct {
	Index IndexKind // ExactIndex when empty
	// Model makes the templates. A store with templates of another one is refused with
	// ErrOtherModel. The zero Model takes what the store says, and a new store DefaultModel.
	Model face.Model
	Log   *slog.Logger // slog.Default when nil
}

// A Store is a face.Gallery in one bbolt file.
type Store struct {
	db     *bbolt.DB
	vault  *vault
	kind   IndexKind
	wanted face.Model // what it was opened for; zero: any
	log    *slog.Logger
	// ownersSecret hides what is in the owners buckets. It is encrypted with the first key of the
	// vault.
	ownersSecret []byte
	receiptSeed  []byte
	// pruned is when accounts were last pruned; only the one transaction that writes looks at it.
	pruned time.Time

	mediaMu sync.RWMutex
	media   []face.MediaSecret // newest first

	mu     sync.RWMutex // guards shards, not what is in them, and model
	shards map[string]*shard
	model  face.Model // of the templates that searches compare with
}

var _ face.Gallery = (*Store)(nil)

// Open opens the store in a directory, or makes it, and builds the indexes. It returns
// ErrLocked when another process has it open.
func Open(directory string, options Options) (*Store, error) {
	if options.Index == "" {
		options.Index = ExactIndex
	}
	if options.Index != ExactIndex && options.Index != HNSWIndex {
		return nil, fmt.Errorf("index %q is not known: use exact or hnsw", options.Index)
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	if err := finishRestore(directory); err != nil {
		return nil, err
	}
	path := filepath.Join(directory, FileName)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWaitMax, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	// A restore that was killed has left keys there, which no erasure would know of.
	if err := os.RemoveAll(filepath.Join(directory, restoringName)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	store := &Store{db: db, kind: options.Index, wanted: options.Model, log: options.Log, shards: map[string]*shard{}}
	if store.vault, err = store.openVault(filepath.Join(directory, KeysFileName)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := store.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close(), store.vault.close())
	}
	return store, nil
}

// openVault makes a file of keys only where the store is as new: an old store with new keys
// would look empty instead of unreadable.
func (s *Store) openVault(path string) (*vault, error) {
	open := openVault
	err := s.db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(metaBucket) == nil {
			open = createVault
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return open(path)
}

// begin deletes and destroys nothing before prepare has found the keys to be those of this store.
func (s *Store) begin() error {
	for _, step := range []func() error{s.prepare, s.dropOldSets, s.destroyDoomed, s.forgetErased, s.loadShards} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// prepare checks the schema version and the keys, or writes them into a new file.
func (s *Store) prepare() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		// Apart from the others: stores of before there were accounts have none.
		if _, err := tx.CreateBucketIfNotExists(accountsBucket); err != nil {
			return err
		}
		meta := tx.Bucket(metaBucket)
		if meta != nil {
			if err := s.check(tx); err != nil {
				return err
			}
			if err := s.openSecrets(tx); err != nil {
				return err
			}
			if err := s.upgrade(tx); err != nil {
				return err
			}
			return s.checkModel(tx)
		}
		for _, name := range [][]byte{metaBucket, keysBucket, applicationsBucket, slotsBucket, doomedBucket, auditBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if err := s.sealOwnersSecret(tx); err != nil {
			return err
		}
		if err := s.openSecrets(tx); err != nil {
			return err
		}
		return s.firstModel(tx)
	})
}

// check reads what a store that is there already says of itself.
func (s *Store) check(tx *bbolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		return errors.New("it is not a store")
	}
	version := binary.BigEndian.Uint32(append(make([]byte, 4), meta.Get(schemaKey)...)[len(meta.Get(schemaKey)):])
	if version != schemaVersion && version != schemaVersionModels {
		return fmt.Errorf("the store has schema version %d, this program reads %d and %d: use the program version that wrote it", version, schemaVersion, schemaVersionModels)
	}
	return s.checkVault(tx)
}

func (s *Store) sealOwnersSecret(tx *bbolt.Tx) error {
	s.ownersSecret = newSecret()
	slot, err := s.newSlot(tx)
	if err == nil && slot != secretsSlot {
		err = errors.New("a new store has keys already")
	}
	if err != nil {
		return err
	}
	return s.sealSecret(tx, ownersKey, s.ownersSecret)
}

// checkVault refuses a file of keys that is another store's, or an older copy of this one's.
func (s *Store) checkVault(tx *bbolt.Tx) (err error) {
	s.ownersSecret, err = s.vault.open(place("", metaBucket, ownersKey), tx.Bucket(metaBucket).Get(ownersKey))
	if err != nil {
		return fmt.Errorf("%s is damaged or belongs to another store: %w", KeysFileName, err)
	}
	whole, err := s.vault.holds(tx.Bucket(slotsBucket).Sequence())
	if err == nil && !whole {
		err = fmt.Errorf("%s is older than the store, or was cut short: keys are missing", KeysFileName)
	}
	return err
}

// Close writes the snapshots of the graphs that are whole, and closes the file. No other method
// may be called after it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failures []error
	for id, shard := range s.shards {
		if err := s.closeShard(id, shard); err != nil {
			failures = append(failures, err)
		}
	}
	s.shards = nil
	return errors.Join(append(failures, s.db.Close(), s.vault.close())...)
}

// view reads one application's buckets.
func (s *Store) view(ctx context.Context, application string, read func(records) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		bucket, err := applicationBucket(tx, application)
		if err != nil {
			return err
		}
		r, err := s.records(application, bucket)
		if err != nil {
			return err
		}
		return read(r)
	})
}

// newSlot makes a key for a new record, durable before the record is.
func (s *Store) newSlot(tx *bbolt.Tx) (uint64, error) {
	slot, err := tx.Bucket(slotsBucket).NextSequence()
	if err != nil {
		return 0, err
	}
	return slot, s.vault.create(slot)
}

// update changes one application's buckets in one transaction, and then, when that is
// durable, its index. Writers of one application follow each other, so that the index sees
// changes in the order in which the file has them.
func (s *Store) update(ctx context.Context, application string, change func(records) error, after func(*shard) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	shard, err := s.shard(application)
	if err != nil {
		return err
	}
	shard.writer.Lock()
	defer shard.writer.Unlock()
	err = s.db.Update(func(tx *bbolt.Tx) error {
		bucket, err := applicationBucket(tx, application)
		if err != nil {
			return err
		}
		r, err := s.records(application, bucket)
		if err != nil {
			return err
		}
		return change(r)
	})
	if err != nil || after == nil {
		return err
	}
	if err := after(shard); err != nil {
		// The file has the change and the index does not: the index must not go on
		// answering as if it were whole.
		return fmt.Errorf("the change is stored but the index refused it: %w", err)
	}
	return nil
}

func applicationBucket(tx *bbolt.Tx, application string) (*bbolt.Bucket, error) {
	if application == "" {
		return nil, unknownApplication()
	}
	bucket := tx.Bucket(applicationsBucket).Bucket([]byte(application))
	if bucket == nil {
		return nil, unknownApplication()
	}
	return bucket, nil
}

func unknownApplication() error { return face.NotFound("There is no such application.") }

// putJSON and getJSON keep records as JSON, so that a field can be added without a new
// schema version.
func putJSON(bucket *bbolt.Bucket, key []byte, record any) error {
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return bucket.Put(key, data)
}

func getJSON(bucket *bbolt.Bucket, key []byte, record any) (found bool, err error) {
	data := bucket.Get(key)
	if data == nil {
		return false, nil
	}
	if err := json.Unmarshal(data, record); err != nil {
		return false, fmt.Errorf("a stored record is damaged: %w", err)
	}
	return true, nil
}

func numberKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

func addGeneration(bucket *bbolt.Bucket) error {
	return bucket.Put(generationKey, binary.BigEndian.AppendUint64(nil, generation(bucket)+1))
}

// generation counts the changes of an application's gallery: a snapshot of the index is
// worth something only for the generation that it was taken at.
func generation(bucket *bbolt.Bucket) uint64 {
	value := bucket.Get(generationKey)
	if len(value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}

// newIndex makes an empty index of the chosen kind.
func (s *Store) newIndex(dim int) index.Index {
	if s.kind == HNSWIndex {
		return index.NewHNSW(dim, index.HNSWOptions{OnSample: s.watchRecall})
	}
	return index.NewExact(dim)
}
