// Package opensearch is the gallery on an OpenSearch cluster, shared by any number of servers.
// The cluster holds everything; a server keeps nothing but what it has read of applications,
// settings and keys, for cacheLife.
//
// The indices, each behind the store's prefix (see indices.go for the fields):
//
//	sessions   a document a session, with its template and its place on the blocklist
//	pictures   a document a kept picture, which counts only while its owner names it
//	searches   a document a saved search
//	records    small documents of several kinds: applications, settings, keys, credits,
//	           accounts, the audit log, registers
//
// A document's name is a hash of the application and of the caller's ID, so that any two
// callers mean the same document and "create if absent" tells who was first. What has to
// change together is one document. Where an operation spans several, one write decides it, and
// whoever comes next carries out what a crash has left undone: see enrol.go and erase.go.
package opensearch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"facesearch/pkg/face"
)

// An IndexKind names how searches compare.
type IndexKind string

// The kinds of index.
const (
	// ExactIndex compares with everybody.
	ExactIndex IndexKind = "exact"
	// HNSWIndex asks Lucene's graph, which may miss neighbours. The blocklist is searched exactly.
	HNSWIndex IndexKind = "hnsw"
)

// Options configures Open.
type Options struct {
	URLs     []string // of the cluster's nodes, one or more
	User     string   // empty where the cluster asks for none
	Password string
	// CA is the PEM of the authority that signed the cluster's certificates; empty for the
	// system's.
	CA     []byte
	Prefix string    // of the indices' names; "facesearch" when empty
	Index  IndexKind // ExactIndex when empty
	// Model makes the templates. A store with templates of another one is refused with
	// ErrOtherModel. The zero Model takes what the store says, and a new store DefaultModel.
	Model face.Model
	// GraphFrom is how many sessions an application has before HNSWIndex asks the graph for it;
	// 1,000 when zero.
	GraphFrom int
	// Shards is into how many parts a new store's sessions are split; 1 when zero.
	Shards int
	// Timeout bounds a call of the gallery; 15 s when zero. A node that does not answer within
	// a third of it is passed over for another.
	Timeout time.Duration
	Log     *slog.Logger // slog.Default when nil
}

const (
	prefixDefault    = "facesearch"
	graphFromDefault = 1000
	timeoutDefault   = 15 * time.Second
)

// shardsMax is OpenSearch's own limit of shards an index.
const shardsMax = 1024

var prefixPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,100}$`)

// A Store is a face.Gallery in an OpenSearch cluster.
type Store struct {
	engine *engine
	names  names
	kind   IndexKind
	// graphFrom is Options.GraphFrom.
	graphFrom int
	timeout   time.Duration
	log       *slog.Logger
	model     face.Model // of the templates
	// accountSecret hides e-mail addresses; receiptSeed is of the key that signs receipts.
	accountSecret, receiptSeed []byte

	tenants    cache[string, string] // by application
	settingsOf cache[string, face.Settings]
	keys       cache[[32]byte, face.Key] // by digest
	media      cache[struct{}, []face.MediaSecret]
	sizes      cache[string, int] // of galleries, by tenant; for samples only

	known knownStats

	mu        sync.Mutex
	registers map[string]*register // by tenant

	accountMu sync.Mutex
	pruned    time.Time // when accounts were last pruned; only the upkeep looks at it

	auditMu   sync.Mutex
	auditLast *knownHead // nil: not known

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

var _ face.Gallery = (*Store)(nil)

// Open connects to the cluster, makes the indices where they are missing, and carries out what
// a crash has left undone.
func Open(ctx context.Context, options Options) (*Store, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	engine, err := newEngine(options)
	if err != nil {
		return nil, err
	}
	s := &Store{
		engine: engine, names: namesOf(options.Prefix), kind: options.Index, graphFrom: options.GraphFrom, timeout: options.Timeout, log: options.Log,
		model: options.Model, registers: map[string]*register{},
	}
	if s.model == (face.Model{}) {
		s.model = face.DefaultModel
	}
	if err := s.begin(ctx, options); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the gallery on OpenSearch: %w", explain(err, options)), engine.close())
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.stopped.Go(func() { s.keepUp(background) })
	return s, nil
}

func (o Options) complete() (Options, error) {
	if len(o.URLs) == 0 {
		return o, errors.New("the gallery on OpenSearch needs the address of at least one node")
	}
	if o.Index == "" {
		o.Index = ExactIndex
	}
	if o.Index != ExactIndex && o.Index != HNSWIndex {
		return o, fmt.Errorf("index %q is not known: use exact or hnsw", o.Index)
	}
	if o.Prefix == "" {
		o.Prefix = prefixDefault
	}
	if !prefixPattern.MatchString(o.Prefix) {
		return o, fmt.Errorf("the prefix %q is not one that names of indices can begin with: use small letters, digits, - and _", o.Prefix)
	}
	if o.Shards == 0 {
		o.Shards = 1
	}
	if o.Shards < 1 || o.Shards > shardsMax {
		return o, fmt.Errorf("a store is split into 1 to %d parts", shardsMax)
	}
	if o.GraphFrom == 0 {
		o.GraphFrom = graphFromDefault
	}
	if o.Timeout == 0 {
		o.Timeout = timeoutDefault
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o, nil
}

func (s *Store) begin(ctx context.Context, options Options) error {
	if err := s.checkVersion(ctx); err != nil {
		return err
	}
	if err := s.prepareIndices(ctx, options); err != nil {
		return err
	}
	if err := s.loadSecrets(ctx); err != nil {
		return err
	}
	if err := s.moveHead(ctx); err != nil {
		return err
	}
	if err := s.finishErasures(ctx, 0); err != nil {
		return err
	}
	if err := s.finishDrops(ctx, 0); err != nil {
		return err
	}
	if err := s.settleRegisters(ctx); err != nil {
		return err
	}
	// What a server that died had just written may not be searchable yet.
	return s.refresh(ctx, s.personal())
}

// Close ends the work in the background and closes the connections. No other method may be
// called after it.
func (s *Store) Close() error {
	s.stop()
	s.stopped.Wait()
	return s.engine.close()
}

// bounded gives a call its time. One that is cancelled already does nothing.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	return ctx, cancel, nil
}

// Model is what made the templates.
func (s *Store) Model() face.Model { return s.model }
