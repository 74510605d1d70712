package bench

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"facesearch/index"
)

//go:embed peer_index.py
var peerIndexScript string

// IndexPeers are the engines that the Python script knows.
var IndexPeers = []string{"hnswlib", "faiss flat", "faiss HNSW"}

const (
	peerRecall = 0.99 // recall@1 that a graph's ef is chosen for
	peerEfMax  = 8192
)

// errLeftOut wraps why an engine was not measured.
var errLeftOut = errors.New("left out")

// A peerJob is what the script reads.
type peerJob struct {
	Engine          string    `json:"engine"`
	N               int       `json:"n"`
	Dim             int       `json:"dim"`
	K               int       `json:"k"`
	List            int       `json:"list"`
	Radius          float64   `json:"radius"`
	Recall          float64   `json:"recall"`
	EfMax           int       `json:"ef_max"`
	BuildThreads    int       `json:"build_threads"`
	BuildSecondsMax int       `json:"build_seconds_max"`
	Vectors         string    `json:"vectors"`
	Probes          string    `json:"probes"`
	Tuning          string    `json:"tuning"`
	TuningDistances []float64 `json:"tuning_distances"`
}

type peerAnswers struct {
	TimesMS []float64 `json:"times_ms"`
	Labels  [][]int   `json:"labels"`
}

type peerReply struct {
	LeftOut      string        `json:"left_out"`
	Version      string        `json:"version"`
	Parameters   string        `json:"parameters"`
	BuildSeconds float64       `json:"build_seconds"`
	MemoryBytes  *int64        `json:"memory_bytes"`
	Tuning       []TuningPoint `json:"tuning"`
	Nearest1     peerAnswers   `json:"nearest_1"`
	NearestK     peerAnswers   `json:"nearest_k"`
	Within       peerAnswers   `json:"within"`
}

// A TuningPoint is what one value of an engine's parameter gave on probes of its own.
type TuningPoint struct {
	Parameter int     `json:"parameter"`
	Recall1   float64 `json:"recall_at_1"`
	P50       float64 `json:"p50_ms"`
}

// peers runs every peer on one gallery.
func (r *indexRun) peers(ctx context.Context, python string) ([]EngineResult, []string, error) {
	if python == "" || len(r.options.Peers) == 0 {
		return nil, nil, nil
	}
	if _, err := exec.LookPath(python); err != nil {
		return nil, []string{fmt.Sprintf("%s: there is no %s", strings.Join(r.options.Peers, ", "), python)}, nil
	}
	job, err := r.writePeerFiles(ctx)
	if err != nil {
		return nil, nil, err
	}
	var results []EngineResult
	var leftOut []string
	for _, name := range r.options.Peers {
		job.Engine = name
		result, err := r.peer(ctx, python, job)
		if ctx.Err() != nil {
			return results, leftOut, context.Cause(ctx)
		}
		if err != nil {
			leftOut = append(leftOut, fmt.Sprintf("%s at %d: %v", name, job.N, err))
			continue
		}
		results = append(results, result)
	}
	return results, leftOut, nil
}

func (r *indexRun) writePeerFiles(ctx context.Context) (peerJob, error) {
	data, q := r.data, r.questions
	job := peerJob{
		N: data.Rows(), Dim: data.Dim, K: q.k, List: q.list, Radius: q.radius, Recall: peerRecall, EfMax: peerEfMax,
		BuildThreads: runtime.NumCPU(), BuildSecondsMax: int(math.Ceil(r.options.BuildMax.Seconds())),
		Vectors: filepath.Join(r.directory, "vectors"), Probes: filepath.Join(r.directory, "probes"),
		Tuning: filepath.Join(r.directory, "tuning"), TuningDistances: []float64{},
	}
	truths, err := r.before.oracle(ctx, data.Tuning, 1, 0, r.progress)
	if err != nil {
		return job, err
	}
	for _, truth := range truths {
		job.TuningDistances = append(job.TuningDistances, truth.nearest[0])
	}
	err = errors.Join(
		writeFloats(job.Vectors, func(write func([]float32)) { write(data.Vectors) }),
		writeFloats(job.Probes, func(write func([]float32)) {
			for _, probe := range data.Probes {
				write(probe.Vector)
			}
		}),
		writeFloats(job.Tuning, func(write func([]float32)) {
			for _, probe := range data.Tuning {
				write(probe.Vector)
			}
		}),
	)
	return job, err
}

// writeFloats writes a file of little-endian float32.
func writeFloats(file string, each func(write func([]float32))) error {
	to, err := os.Create(file)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(to, 1<<20)
	var word [4]byte
	each(func(vector []float32) {
		for _, component := range vector {
			binary.LittleEndian.PutUint32(word[:], math.Float32bits(component))
			buffered.Write(word[:])
		}
	})
	return errors.Join(buffered.Flush(), to.Close())
}

func (r *indexRun) peer(ctx context.Context, python string, job peerJob) (EngineResult, error) {
	progress := r.progress.in(job.Engine)
	progress("starting", 0, 0)
	answer, err := runPeer(ctx, python, r.directory, job, progress)
	if err != nil {
		return EngineResult{}, err
	}
	if answer.LeftOut != "" {
		return EngineResult{}, fmt.Errorf("%w: %s", errLeftOut, answer.LeftOut)
	}
	result := EngineResult{
		Name: job.Engine, Peer: true, Approximate: len(answer.Tuning) > 0, Version: answer.Version, Parameters: answer.Parameters, Tuning: answer.Tuning,
		BuildSeconds: answer.BuildSeconds, RSSBytes: answer.MemoryBytes,
	}
	result.Fresh, err = r.scorePeer(answer)
	return result, err
}

// runPeer starts the script on a job.
func runPeer(ctx context.Context, python, directory string, job peerJob, progress Progress) (*peerReply, error) {
	script, file := filepath.Join(directory, "peer.py"), filepath.Join(directory, "job.json")
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(script, []byte(peerIndexScript), 0o600), os.WriteFile(file, text, 0o600)); err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, python, script, file)
	command.Env = append(os.Environ(), "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1", "PYTHONDONTWRITEBYTECODE=1")
	command.WaitDelay = time.Second // a grandchild may hold the pipe open
	var output bytes.Buffer
	complaint := &scriptLog{progress: progress}
	command.Stdout, command.Stderr = &output, complaint
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, complaint.last())
	}
	var answer peerReply
	if err := json.Unmarshal(output.Bytes(), &answer); err != nil {
		return nil, fmt.Errorf("the Python script's answer: %w", err)
	}
	return &answer, nil
}

// A scriptLog tells a script's lines of progress from its complaints.
type scriptLog struct {
	progress  Progress
	rest      []byte
	complaint string
}

// Write implements io.Writer.
func (l *scriptLog) Write(data []byte) (int, error) {
	l.rest = append(l.rest, data...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		l.rest = rest
		if text, ok := strings.CutPrefix(string(line), "# "); ok {
			l.progress(text, 0, 0)
		} else if text := strings.TrimSpace(string(line)); text != "" {
			l.complaint = text // Python names the error last
		}
	}
}

func (l *scriptLog) last() string { return l.complaint + strings.TrimSpace(string(l.rest)) }

var _ io.Writer = (*scriptLog)(nil)

// scorePeer compares a peer's labels with the truth, as if they were an index's answers; distances are computed here.
func (r *indexRun) scorePeer(answer *peerReply) (Phase, error) {
	var phase Phase
	q := r.questions
	replay := func(answers peerAnswers, check func(int, index.Result)) (Latency, error) {
		if len(answers.TimesMS) != len(q.probes) || len(answers.Labels) != len(q.probes) {
			return Latency{}, fmt.Errorf("%d answers to %d probes", len(answers.Labels), len(q.probes))
		}
		var durations Durations
		for i, labels := range answers.Labels {
			durations = append(durations, time.Duration(answers.TimesMS[i]*float64(time.Millisecond)))
			check(i, index.Result{Hits: r.hitsOf(q.probes[i].Vector, labels), Total: len(labels)})
		}
		return durations.Latency(), nil
	}
	var errs [3]error
	phase.Nearest1, errs[0] = replay(answer.Nearest1, q.checkNearest1(r.before, r.truthsBefore, &phase))
	check, recallK := q.checkNearestK(r.before, r.truthsBefore, &phase)
	phase.NearestK, errs[1] = replay(answer.NearestK, check)
	phase.RecallK = recallK.ratio()
	check, radiusRecall := q.checkWithin(r.before, r.truthsBefore, &phase)
	phase.Within, errs[2] = replay(answer.Within, check)
	phase.RadiusRecall = radiusRecall.ratio()
	phase.WrongTotals = 0 // a list that was cut short is not a count
	return phase, errors.Join(errs[:]...)
}

func (r *indexRun) hitsOf(probe []float32, labels []int) []index.Hit {
	var hits []index.Hit
	for _, label := range labels {
		if label < 0 {
			continue // faiss fills up with -1
		}
		hit := index.Hit{Key: uint64(label)}
		if r.before.holds(label) {
			hit.Distance = distance(r.before.row(r.before.rowOf[label]), probe)
		}
		hits = append(hits, hit)
	}
	return hits
}
