package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"facesearch/index"
)

// IndexOptions say what to measure.
type IndexOptions struct {
	Sizes      []int
	Dimensions []int // of synthetic templates
	Seed       uint64
	Templates  *Templates // nil: synthetic ones
	Probes     int        // with a mate in the gallery, and as many without
	K          int
	List       int                 // hits that a radius search lists at most
	Radius     func(n int) float64 // of a radius search in a gallery of n
	Engines    []Engine
	Churn      bool          // measure again after a part of the gallery was replaced
	StartUp    bool          // measure the start from a store on disk
	Busy       time.Duration // for each number of threads
	BuildMax   time.Duration // an engine that takes longer to build is left out
	Python     string        // that runs the peers; empty: none
	Peers      []string      // of IndexPeers
	Directory  string        // for files; the system's for temporary ones when empty
	Progress   Progress      // nil: nobody is told
	ReadBytes  int           // of the array that memory's speed is measured with; BandwidthBytes when 0
}

// An IndexReport is everything that was measured.
type IndexReport struct {
	Kind    string    `json:"kind"` // "index"
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Machine Machine   `json:"machine"`
	// What one core reads of an array in order; the limit of a scan of memory.
	ReadBytesPerSecond float64    `json:"read_bytes_per_second"`
	Runs               []IndexRun `json:"runs"`
	LeftOut            []string   `json:"left_out"`
	Interrupted        bool       `json:"interrupted"`
}

// An IndexRun is what was measured on one gallery.
type IndexRun struct {
	N          int            `json:"n"`
	Dim        int            `json:"dim"`
	Data       string         `json:"data"`
	Mates      int            `json:"probes_with_mate"`
	Strangers  int            `json:"probes_without_mate"`
	K          int            `json:"k"`
	List       int            `json:"list"`
	Radius     float64        `json:"radius"`
	ChurnShare float64        `json:"churn_share"`
	Engines    []EngineResult `json:"engines"`
}

// An EngineResult is what was measured of one engine.
type EngineResult struct {
	Name       string `json:"name"`
	Peer       bool   `json:"peer"`
	Version    string `json:"version,omitempty"`
	Parameters string `json:"parameters,omitempty"`
	// Approximate engines are not expected to find everything.
	Approximate bool `json:"approximate"`
	// What the parameter was chosen by, on probes of their own.
	Tuning []TuningPoint `json:"tuning,omitempty"`

	BuildSeconds float64  `json:"build_seconds"`
	StartSeconds *float64 `json:"start_seconds,omitempty"` // from opening a store to the first answer
	HeapBytes    *int64   `json:"heap_bytes,omitempty"`    // of Go's heap
	RSSBytes     *int64   `json:"rss_bytes,omitempty"`     // of resident memory
	IndexBytes   *int64   `json:"index_bytes,omitempty"`   // as the index reports it
	Fresh        Phase    `json:"fresh"`
	ChurnSeconds *float64 `json:"churn_seconds,omitempty"` // of removing and adding
	Churned      *Phase   `json:"churned,omitempty"`
	Note         string   `json:"note,omitempty"` // what could not be measured, and why
}

// MemoryBytes is the best figure there is of what an engine takes; 0 when there is none.
func (e *EngineResult) MemoryBytes() int64 {
	for _, bytes := range []*int64{e.IndexBytes, e.HeapBytes, e.RSSBytes} {
		if bytes != nil && *bytes > 0 {
			return *bytes
		}
	}
	return 0
}

func (o *IndexOptions) validate() error {
	if len(o.Sizes) == 0 || len(o.Dimensions) == 0 || o.Radius == nil {
		return errors.New("sizes, dimensions and a radius are needed")
	}
	for _, n := range o.Sizes {
		if n < 1 {
			return fmt.Errorf("a gallery of %d", n)
		}
	}
	for _, dim := range o.Dimensions {
		if dim < 1 || dim > index.DimensionMax {
			return fmt.Errorf("%d dimensions: 1 to %d are possible", dim, index.DimensionMax)
		}
	}
	if o.Probes < 1 || o.K < 1 || o.List < 1 {
		return errors.New("the numbers of probes, neighbours and listed hits are at least 1")
	}
	for _, name := range o.Peers {
		if !slices.Contains(IndexPeers, name) {
			return fmt.Errorf("there is no peer %q", name)
		}
	}
	return nil
}

// Index measures. When it returns an error, the report still holds what was finished before.
func Index(ctx context.Context, options IndexOptions) (*IndexReport, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	if options.Progress == nil {
		options.Progress = func(string, int, int) {}
	}
	if options.ReadBytes == 0 {
		options.ReadBytes = BandwidthBytes
	}
	started := time.Now()
	report := &IndexReport{Kind: "index", Started: started.UTC(), Machine: ThisMachine(), Runs: []IndexRun{}, LeftOut: []string{}}
	options.Progress("reading memory", 0, 0)
	report.ReadBytesPerSecond = ReadBandwidth(options.ReadBytes)
	err := report.measure(ctx, options)
	report.Seconds = time.Since(started).Seconds()
	report.Interrupted = ctx.Err() != nil
	return report, err
}

func (report *IndexReport) measure(ctx context.Context, options IndexOptions) error {
	done := map[[2]int]bool{}
	for _, dim := range options.Dimensions {
		for _, n := range options.Sizes {
			data, err := options.data(ctx, n, dim)
			if err != nil {
				return err
			}
			if size := [2]int{data.Rows(), data.Dim}; done[size] {
				continue // a file has no more
			} else {
				done[size] = true
			}
			if data.Rows() < n {
				report.LeftOut = append(report.LeftOut, fmt.Sprintf("a gallery of %d: %s has templates for %d", n, data.Name, data.Rows()))
			}
			if err := report.run(ctx, options, data); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *IndexOptions) data(ctx context.Context, n, dim int) (*Data, error) {
	if o.Templates != nil {
		return o.Templates.Data(o.Seed, n, o.Probes)
	}
	return Synthetic(ctx, o.Seed, n, dim, o.Probes, o.Progress.in(fmt.Sprint(n)))
}

// An indexRun is a run under way.
type indexRun struct {
	options       IndexOptions
	directory     string // for its files
	data          *Data
	questions     *questionnaire
	readPerSecond float64
	progress      Progress

	before       *gallery
	truthsBefore []truth
	churn        *churn // nil: none
	truthsAfter  []truth
}

// run measures every engine on one gallery, one after the other, so that none has another's memory beside it.
func (report *IndexReport) run(ctx context.Context, options IndexOptions, data *Data) error {
	directory, err := os.MkdirTemp(options.Directory, "facesearch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	n := data.Rows()
	newRandom(options.Seed).Shuffle(len(data.Probes), func(i, j int) {
		data.Probes[i], data.Probes[j] = data.Probes[j], data.Probes[i]
	})
	r := &indexRun{
		options: options, directory: directory, data: data, readPerSecond: report.ReadBytesPerSecond,
		questions: &questionnaire{data.Probes, options.K, options.Radius(n), options.List},
		progress:  options.Progress.in(fmt.Sprint(n)), before: newGallery(data),
	}
	if err := r.findTruth(ctx); err != nil {
		return err
	}
	result := IndexRun{N: n, Dim: data.Dim, Data: data.Name, K: options.K, List: options.List, Radius: r.questions.radius, Engines: []EngineResult{}}
	if r.churn != nil {
		result.ChurnShare = ChurnShare
	}
	for _, probe := range data.Probes {
		if probe.Mate == noMate {
			result.Strangers++
		} else {
			result.Mates++
		}
	}
	defer func() { report.Runs = append(report.Runs, result) }()
	for _, engine := range options.Engines {
		measured, err := r.engine(ctx, engine)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errLeftOut) {
			report.LeftOut = append(report.LeftOut, fmt.Sprintf("%s at %d: %v", engine.Name, n, err))
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", engine.Name, err)
		}
		result.Engines = append(result.Engines, measured)
	}
	peers, leftOut, err := r.peers(ctx, options.Python)
	result.Engines = append(result.Engines, peers...)
	report.LeftOut = append(report.LeftOut, leftOut...)
	return err
}

func (r *indexRun) findTruth(ctx context.Context) (err error) {
	q := r.questions
	r.truthsBefore, err = r.before.oracle(ctx, q.probes, q.k, q.radius, r.progress)
	if err == nil && r.options.StartUp {
		err = writeStore(ctx, r.store(), r.before, r.progress)
	}
	if err != nil || !r.options.Churn {
		return err
	}
	r.churn = newChurn(r.data, r.before)
	r.truthsAfter, err = r.churn.after.oracle(ctx, q.probes, q.k, q.radius, r.progress.in("after churn"))
	return err
}

func (r *indexRun) store() string { return filepath.Join(r.directory, "store.db") }

// engine measures one of our own.
func (r *indexRun) engine(ctx context.Context, engine Engine) (EngineResult, error) {
	result := EngineResult{Name: engine.Name, Parameters: engine.Parameters, Approximate: engine.Approximate}
	progress := r.progress.in(engine.Name)
	empty := footprintNow()
	x := engine.Open(r.data.Dim)
	defer closeIndex(x)
	seconds, err := r.limited(ctx, func(ctx context.Context) error { return fill(ctx, x, r.before, progress) })
	if err != nil {
		return result, err
	}
	result.BuildSeconds = seconds
	full := footprintNow()
	result.HeapBytes = positive(full.heap - empty.heap)
	result.RSSBytes = positive(full.rss - empty.rss)
	if sized, ok := x.(interface{ MemoryBytes() int64 }); ok {
		result.IndexBytes = positive(sized.MemoryBytes())
	}
	if result.Fresh, err = r.questions.measure(ctx, x, r.before, r.truthsBefore, r.readPerSecond, progress); err != nil {
		return result, err
	}
	if result.Fresh.Throughput, err = r.questions.throughput(ctx, x, r.options.Busy, progress); err != nil {
		return result, err
	}
	if r.options.StartUp {
		progress("starting from a store", 0, 0)
		took, err := startUp(ctx, r.directory, r.store(), engine, x, r.questions.probes[0].Vector)
		if err != nil {
			return result, fmt.Errorf("starting from a store: %w", err)
		}
		seconds := took.Seconds()
		result.StartSeconds = &seconds
	}
	return r.churned(ctx, x, result, progress)
}

// churned measures an index again after a part of it was replaced. One that takes too long to take the change in keeps
// the rest of its result.
func (r *indexRun) churned(ctx context.Context, x index.Index, result EngineResult, progress Progress) (EngineResult, error) {
	if r.churn == nil {
		return result, nil
	}
	progress = progress.in("churn")
	seconds, err := r.limited(ctx, func(ctx context.Context) error { return r.churn.apply(ctx, x, progress) })
	if errors.Is(err, errLeftOut) {
		result.Note = "after churn: " + err.Error()
		return result, nil
	}
	if err != nil {
		return result, err
	}
	result.ChurnSeconds = &seconds
	phase, err := r.questions.measure(ctx, x, r.churn.after, r.truthsAfter, r.readPerSecond, progress)
	result.Churned = &phase
	return result, err
}

// limited times what may take BuildMax.
func (r *indexRun) limited(ctx context.Context, work func(context.Context) error) (seconds float64, err error) {
	tooLong := fmt.Errorf("%w: it took longer than %v to build", errLeftOut, r.options.BuildMax)
	ctx, cancel := context.WithTimeoutCause(ctx, r.options.BuildMax, tooLong)
	defer cancel()
	started := time.Now()
	err = work(ctx)
	return time.Since(started).Seconds(), err
}

func positive(bytes int64) *int64 {
	if bytes <= 0 {
		return nil
	}
	return &bytes
}

// A Machine is where something was measured.
type Machine struct {
	System    string `json:"system"`
	Processor string `json:"processor,omitempty"`
	Cores     int    `json:"cores"`
	Go        string `json:"go"`
}

// ThisMachine is the one that this runs on.
func ThisMachine() Machine {
	return Machine{runtime.GOOS + "/" + runtime.GOARCH, processorName(), runtime.NumCPU(), runtime.Version()}
}
