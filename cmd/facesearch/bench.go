package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/bench"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

type benchCommand struct {
	Index   benchIndex   `cmd:"" help:"Compare indexes: recall, latency, memory and more by size of the gallery."`
	Detect  benchDetect  `cmd:"" help:"Look for the faces in copies of photographs that are small, turned, dark, noisy, covered and more, beside thorough ways to find them."`
	Gallery benchGallery `cmd:"" help:"Compare whole galleries, bbolt and OpenSearch: latency and recall by size."`
	HTTP    benchHTTP    `cmd:"" name:"http" help:"Put load on a running server at a fixed rate, or on two side by side."`
	Photo   benchPhoto   `cmd:"" help:"Time the steps of a search, from the picture to the stored answer, in this process."`
}

type benchPhoto struct {
	Models   string `help:"Directory of the model files." default:"models/files" placeholder:"DIR"`
	Picture  string `help:"Photograph of a face that the samples are made from." default:"testdata/photographs/files/obama.jpg" placeholder:"FILE"`
	Runs     int    `help:"Searches of each sample." default:"100"`
	Workers  int    `help:"Workers for the figure of pictures a second." default:"${workers}"`
	Gallery  int    `help:"Sessions enrolled, synthetic, beside which the search runs." default:"10000"`
	Python   string `help:"Python that measures the plain dlib pipeline in the same run; empty: none." default:"python3"`
	PeerRuns int    `help:"Runs of the Python pipeline." default:"10"`
	JSON     bool   `help:"Print JSON." name:"json"`
}

// A photoRow is the result for one sample.
type photoRow struct {
	Sample     string             `json:"sample"`
	Bytes      int                `json:"bytes"`
	Rotate     bool               `json:"rotate"`
	P50        map[string]float64 `json:"p50_ms"`
	P99        map[string]float64 `json:"p99_ms"`
	PerSecond  float64            `json:"pictures_per_second"`
	PeerP50    map[string]float64 `json:"peer_p50_ms,omitempty"`
	PeerFaces  int                `json:"peer_faces,omitempty"`
	TimesFast  float64            `json:"times_as_fast_as_peer,omitempty"`
	Similarity float64            `json:"similarity_to_enrolled"`
}

// Run measures each sample alone, on one picture at a time, and then with all workers.
func (c *benchPhoto) Run(ctx context.Context, to streams) error {
	photograph, err := os.ReadFile(c.Picture)
	if err != nil {
		return fmt.Errorf("%w: fetch the photographs with facesearch models fetch --photographs, or name one with --picture", err)
	}
	samples, err := bench.Samples(photograph)
	if err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "facesearch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	flags := serverFlags{Data: directory, Models: c.Models, Embedder: defaultEmbedder, Index: "exact", Workers: c.Workers, Waiting: 1024}
	parts, err := flags.load(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer parts.close()
	application, err := c.prepare(ctx, parts, photograph)
	if err != nil {
		return err
	}
	var rows []photoRow
	for _, rotate := range []bool{false, true} {
		for _, sample := range samples {
			fmt.Fprintf(to.err, "measuring %s, rotate %v\n", sample.Name, rotate)
			row, err := c.measure(ctx, parts.service, application, sample, rotate)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
	}
	if err := c.addPeer(ctx, to, samples, rows); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(to.out).Encode(rows)
	}
	return printPhotoRows(to, rows, c)
}

// prepare fills a gallery with synthetic templates, and enrols the photograph.
func (c *benchPhoto) prepare(ctx context.Context, parts *serverParts, photograph []byte) (string, error) {
	application := face.Application{ID: uuid.NewString(), Name: "bench", CreatedAt: time.Now()}
	if err := parts.store.CreateApplication(ctx, application); err != nil {
		return "", err
	}
	random := rand.New(rand.NewPCG(3, 4))
	var group sync.WaitGroup
	failures := make(chan error, c.Gallery)
	templates := make(chan face.Template)
	for range 64 { // concurrent writers share the disk's syncs
		group.Go(func() {
			for template := range templates {
				session := face.Session{ID: uuid.NewString(), Status: face.Approved}
				if _, _, err := parts.store.Enrol(ctx, application.ID, face.Enrolment{Session: session, Template: template}); err != nil {
					failures <- err
				}
			}
		})
	}
	for range c.Gallery {
		templates <- syntheticTemplate(random)
	}
	close(templates)
	group.Wait()
	close(failures)
	for err := range failures {
		return "", err
	}
	_, err := parts.service.Enrol(ctx, application.ID, search.EnrolRequest{Picture: photograph})
	return application.ID, err
}

// syntheticNorm is the length of a template of dlib's.
const syntheticNorm = 1.4

func syntheticTemplate(random *rand.Rand) face.Template {
	template := make(face.Template, face.TemplateDim)
	var squares float64
	for i := range template {
		value := random.NormFloat64()
		template[i] = float32(value)
		squares += value * value
	}
	for i := range template {
		template[i] *= float32(syntheticNorm / math.Sqrt(squares))
	}
	return template
}

func (c *benchPhoto) measure(ctx context.Context, service *search.Service, application string, sample bench.Sample, rotate bool) (photoRow, error) {
	row := photoRow{Sample: sample.Name, Bytes: len(sample.JPEG), Rotate: rotate, P50: map[string]float64{}, P99: map[string]float64{}}
	request := search.Request{Picture: sample.JPEG, Rotate: rotate, Save: true}
	measured := map[string]bench.Durations{}
	for run := range c.Runs + 2 {
		started := time.Now()
		result, err := service.Search(ctx, application, request)
		total := time.Since(started)
		if err != nil {
			return row, err
		}
		if len(result.Outcome.Matches) == 0 {
			return row, errors.New("the search did not find the face that it was enrolled with")
		}
		row.Similarity = result.Outcome.Matches[0].Similarity
		if run < 2 {
			continue // warms up
		}
		for step, took := range result.Timings {
			measured[string(step)] = append(measured[string(step)], took)
		}
		measured["total"] = append(measured["total"], total)
	}
	for step, durations := range measured {
		row.P50[step], row.P99[step] = durations.Percentile(0.5), durations.Percentile(0.99)
	}
	perSecond, err := c.throughput(ctx, service, application, request)
	row.PerSecond = perSecond
	return row, err
}

// throughput keeps every worker busy.
func (c *benchPhoto) throughput(ctx context.Context, service *search.Service, application string, request search.Request) (float64, error) {
	var group sync.WaitGroup
	failures := make(chan error, c.Workers)
	started := time.Now()
	each := max(1, c.Runs/c.Workers)
	for range c.Workers {
		group.Go(func() {
			for range each {
				if _, err := service.Search(ctx, application, request); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(failures)
	for err := range failures {
		return 0, err
	}
	return float64(each*c.Workers) / time.Since(started).Seconds(), nil
}

func (c *benchPhoto) addPeer(ctx context.Context, to streams, samples []bench.Sample, rows []photoRow) error {
	if c.Python == "" {
		return nil
	}
	fmt.Fprintln(to.err, "measuring the plain Python pipeline")
	results, err := bench.Peer(ctx, c.Python, c.Models, samples, c.PeerRuns)
	if errors.Is(err, bench.ErrNoPeer) {
		fmt.Fprintln(to.err, "left out:", err)
		return nil
	}
	if err != nil {
		return err
	}
	for i := range samples {
		row := &rows[i] // the rows without rotation come first, one for each sample
		row.PeerP50, row.PeerFaces = map[string]float64{}, results[i].Faces
		total := 0.0
		for step, durations := range results[i].Steps {
			row.PeerP50[step] = durations.Percentile(0.5)
			total += row.PeerP50[step]
		}
		row.PeerP50["total"] = total
		row.TimesFast = total / row.P50["total"]
	}
	return nil
}

func printPhotoRows(to streams, rows []photoRow, c *benchPhoto) error {
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "picture\trotate\tms\tdecode\tdetect\ttemplate\tattributes\tindex\tstore\ttotal\tpictures/s, %d workers\t\n", c.Workers)
	steps := []string{"decode", "detect", "template", "attributes", "index", "store", "total"}
	line := func(row photoRow, name string, values map[string]float64, perSecond string) {
		fmt.Fprintf(table, "%s\t%v\t%s\t", row.Sample, row.Rotate, name)
		for _, step := range steps {
			value, ok := values[step]
			if !ok {
				fmt.Fprint(table, "-\t")
				continue
			}
			fmt.Fprintf(table, "%.1f\t", value)
		}
		fmt.Fprintf(table, "%s\t\n", perSecond)
	}
	for _, row := range rows {
		line(row, "p50", row.P50, fmt.Sprintf("%.1f", row.PerSecond))
		line(row, "p99", row.P99, "")
		if row.PeerP50 != nil {
			line(row, "plain Python p50", row.PeerP50, "")
			fmt.Fprintf(table, "\t\ttimes as fast\t\t\t\t\t\t\t%.1f\t\t\n", row.TimesFast)
		}
	}
	return table.Flush()
}
