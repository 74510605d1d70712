package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"facesearch/index"
	"facesearch/pkg/bench"
)

// forgetful is an exact index that knows only the keys below half.
type forgetful struct {
	index.Index
	half uint64
}

func (f forgetful) Put(key uint64, vector []float32) error {
	if key >= f.half {
		vector = make([]float32, len(vector)) // far from every probe
	}
	return f.Index.Put(key, vector)
}

// lying answers with a hit that is not there.
type lying struct{ index.Index }

func (l lying) Nearest(ctx context.Context, probe []float32, k int) (index.Result, error) {
	result, err := l.Index.Nearest(ctx, probe, k)
	result.Hits[0].Key += 1e6
	return result, err
}

// stuttering names its nearest neighbour again and again.
type stuttering struct{ index.Index }

func (s stuttering) Nearest(ctx context.Context, probe []float32, k int) (index.Result, error) {
	result, err := s.Index.Nearest(ctx, probe, k)
	for i := range result.Hits {
		result.Hits[i] = result.Hits[0]
	}
	return result, err
}

func options(t *testing.T, engines ...bench.Engine) bench.IndexOptions {
	return bench.IndexOptions{
		Sizes: []int{400}, Dimensions: []int{24}, Seed: 1, Probes: 40, K: 5, List: 10, Radius: func(int) float64 { return 0.5 },
		Engines: engines, Churn: true, StartUp: true, Busy: time.Millisecond, BuildMax: time.Minute, Directory: t.TempDir(),
		ReadBytes: 1 << 20, Peers: bench.IndexPeers,
	}
}

func measured(t *testing.T, o bench.IndexOptions) *bench.IndexReport {
	t.Helper()
	report, err := bench.Index(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(o.Directory)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return report
}

func TestIndexExact(t *testing.T) {
	o := options(t, bench.ExactEngine(), bench.PlainEngine())
	o.Sizes = []int{400, 1}
	report := measured(t, o)
	if len(report.Runs) != 2 || report.Machine.Cores < 1 || report.ReadBytesPerSecond <= 0 || report.Interrupted {
		t.Fatalf("%+v", report)
	}
	for _, run := range report.Runs {
		for _, engine := range run.Engines {
			if engine.Churned == nil || engine.StartSeconds == nil || len(engine.Fresh.Throughput) == 0 {
				t.Fatalf("%s was not measured whole", engine.Name)
			}
			for _, phase := range []bench.Phase{engine.Fresh, *engine.Churned} {
				if *phase.Recall1 != 1 || *phase.RecallK != 1 || phase.WrongHits != 0 || phase.WrongTotals != 0 {
					t.Errorf("%s at %d: %+v", engine.Name, run.N, phase)
				}
				if run.N == 400 && (*phase.RadiusRecall != 1 || phase.RadiusNeighbours == 0 || *phase.Recall1Mates != 1 || *phase.Recall1Strangers != 1) {
					t.Errorf("%s at %d: %+v", engine.Name, run.N, phase)
				}
			}
		}
	}
	if plain := report.Runs[0].Engines[1].Fresh; plain.BytesPerSearch == nil || *plain.BytesPerSearch != 400*24*4 {
		t.Errorf("the plain scan reads %v bytes", plain.BytesPerSearch)
	}
}

func TestIndexBad(t *testing.T) {
	bad := bench.Engine{Name: "forgetful", Open: func(dim int) index.Index { return forgetful{index.NewExact(dim), 200} }}
	liar := bench.Engine{Name: "liar", Open: func(dim int) index.Index { return lying{index.NewExact(dim)} }}
	stutterer := bench.Engine{Name: "stutterer", Open: func(dim int) index.Index { return stuttering{index.NewExact(dim)} }}
	o := options(t, bad, liar, stutterer)
	o.Churn, o.StartUp = false, false
	report := measured(t, o)
	forgot, lied := report.Runs[0].Engines[0].Fresh, report.Runs[0].Engines[1].Fresh
	if *forgot.Recall1 > 0.8 || *forgot.Recall1 < 0.2 || *forgot.Recall1Mates > 0.7 || *forgot.RadiusRecall > 0.8 || forgot.WrongTotals == 0 {
		t.Errorf("half of the gallery is missing, and it was not seen: %+v", forgot)
	}
	if *lied.Recall1 != 0 || *lied.RecallK != 0.8 || lied.WrongHits != 2*80 || *lied.RadiusRecall != 1 {
		t.Errorf("every first hit is invented, and it was not seen: %+v", lied)
	}
	if again := report.Runs[0].Engines[2].Fresh; *again.Recall1 != 1 || *again.RecallK != 0.2 || again.WrongHits != 4*80 {
		t.Errorf("the same hit five times was not seen: %+v", again)
	}
	var table bytes.Buffer
	if err := report.WriteTable(&table); err != nil || !strings.Contains(table.String(), "liar answered with 160 wrong hits") {
		t.Errorf("%v\n%s", err, &table)
	}
}

func TestIndexLeftOut(t *testing.T) {
	o := options(t, bench.ExactEngine(), bench.HNSWEngine(index.HNSWOptions{M: 4, SearchK: 20}))
	o.Python, o.Churn, o.StartUp = "no-such-python", false, false
	report := measured(t, o)
	if len(report.LeftOut) != 1 || !strings.Contains(report.LeftOut[0], "hnswlib, faiss flat, faiss HNSW: there is no no-such-python") || len(report.Runs[0].Engines) != 2 {
		t.Errorf("%v", report.LeftOut)
	}
	o.BuildMax, o.Python = 1, ""
	if report = measured(t, o); len(report.LeftOut) != 2 || len(report.Runs[0].Engines) != 0 {
		t.Errorf("%v", report.LeftOut)
	}
}

// TestIndexPeers needs a Python; without the packages the script names each peer as left out, with them it measures.
func TestIndexPeers(t *testing.T) {
	o := options(t)
	o.Churn, o.StartUp, o.Python = false, false, "python3"
	report := measured(t, o)
	if len(report.LeftOut) == 1 && strings.Contains(report.LeftOut[0], "there is no python3") {
		t.Skip(report.LeftOut[0])
	}
	if len(report.LeftOut)+len(report.Runs[0].Engines) != len(bench.IndexPeers) {
		t.Errorf("%v, %d measured", report.LeftOut, len(report.Runs[0].Engines))
	}
	for _, reason := range report.LeftOut {
		if !strings.Contains(reason, "the Python package") {
			t.Error(reason)
		}
	}
	for _, engine := range report.Runs[0].Engines {
		if !engine.Peer || *engine.Fresh.Recall1 < 0.9 || engine.Fresh.WrongHits > 0 || engine.Fresh.Nearest1.P50 <= 0 {
			t.Errorf("%+v", engine)
		}
	}
}

// fakePeer answers as the script would, for 80 probes: always row 0, and as faiss does, -1 for nothing.
const fakePeer = `#!/bin/sh
echo "# building" >&2
answers='{"times_ms":[1'
labels='],"labels":[[0,-1]'
i=1
while [ $i -lt 80 ]; do answers="$answers,1"; labels="$labels,[0,-1]"; i=$((i+1)); done
a="$answers$labels]}"
echo "{\"version\":\"9\",\"parameters\":\"ef=16\",\"build_seconds\":2,\"tuning\":[],\"nearest_1\":$a,\"nearest_k\":$a,\"within\":$a}"
`

func TestIndexPeerScored(t *testing.T) {
	python := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(python, []byte(fakePeer), 0o700); err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Churn, o.StartUp, o.Python = false, false, python
	report := measured(t, o)
	if len(report.LeftOut) > 0 {
		t.Fatal(report.LeftOut)
	}
	for _, engine := range report.Runs[0].Engines {
		if *engine.Fresh.Recall1 > 0.1 || engine.BuildSeconds != 2 || engine.Fresh.Nearest1.P50 != 1 || engine.Fresh.WrongHits != 0 {
			t.Errorf("%+v", engine)
		}
	}
	if err := os.WriteFile(python, []byte("#!/bin/sh\necho 'MemoryError: <no more>' >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	report = measured(t, o)
	if len(report.LeftOut) != 3 || !strings.Contains(report.LeftOut[0], "MemoryError: <no more>") {
		t.Error(report.LeftOut)
	}
}

func TestIndexStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := options(t, bench.ExactEngine(), bench.PlainEngine())
	o.Progress = func(what string, _, _ int) {
		if strings.Contains(what, "plain") {
			cancel()
		}
	}
	report, err := bench.Index(ctx, o)
	if !errors.Is(err, context.Canceled) || !report.Interrupted || len(report.Runs) != 1 || len(report.Runs[0].Engines) != 1 {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestIndexRefuses(t *testing.T) {
	for name, change := range map[string]func(*bench.IndexOptions){
		"Err no size":      func(o *bench.IndexOptions) { o.Sizes = nil },
		"Err size":         func(o *bench.IndexOptions) { o.Sizes = []int{0} },
		"Err dimension":    func(o *bench.IndexOptions) { o.Dimensions = []int{index.DimensionMax + 1} },
		"Err no probes":    func(o *bench.IndexOptions) { o.Probes = 0 },
		"Err peer":         func(o *bench.IndexOptions) { o.Peers = []string{"magic"} },
		"Err no neighbour": func(o *bench.IndexOptions) { o.K = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, bench.ExactEngine())
			change(&o)
			if report, err := bench.Index(context.Background(), o); err == nil || report != nil {
				t.Error("measured")
			}
		})
	}
}

// outside finds what a page could load from elsewhere.
var outside = regexp.MustCompile(`(?i)(src|href|action|data|poster)\s*=|url\(|@import|https?:|<script|<iframe|<link|<object`)

func requireClosed(t *testing.T, page string) {
	t.Helper()
	style, body := page[:strings.Index(page, "<body>")], page[strings.Index(page, "<body>"):]
	for _, part := range []string{style, strings.ReplaceAll(body, "data-heading=", "")} {
		if found := outside.FindString(part); found != "" {
			t.Errorf("the page may load something: %q", found)
		}
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
}

func TestIndexReports(t *testing.T) {
	evil := `</title><img src=x onerror="alert(1)"> & 'x'`
	engine := bench.ExactEngine()
	engine.Name = evil
	o := options(t, engine, bench.PlainEngine())
	o.Sizes = []int{100, 300}
	report := measured(t, o)
	report.LeftOut = append(report.LeftOut, evil)
	var page bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	if strings.Contains(text, "<img") || !strings.Contains(text, "&lt;img src=x") {
		t.Error("a name was not escaped")
	}
	requireClosed(t, strings.ReplaceAll(text, "&lt;img src=x", ""))
	if strings.Count(text, `<svg class="chart"`) != 3 || !strings.Contains(text, "<polyline") {
		t.Error("charts are missing")
	}
	requireSameJSON(t, report, &bench.IndexReport{})
}

// requireSameJSON writes a report, reads it and writes it again.
func requireSameJSON(t *testing.T, report, empty any) {
	t.Helper()
	once, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(once))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(empty); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(empty)
	if err != nil || !bytes.Equal(once, again) {
		t.Errorf("%v\n%s\n%s", err, once, again)
	}
}
