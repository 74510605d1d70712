package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"facesearch/pkg/bench"
	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
)

type benchGallery struct {
	N          []int           `help:"Sizes of the gallery." default:"10000,100000" name:"n"`
	Seed       uint64          `help:"Seed of the synthetic templates." default:"1"`
	Probes     int             `help:"Probes with a mate in the gallery, and as many without." default:"200"`
	List       int             `help:"Candidates that a search lists at most." default:"50"`
	Strangers  float64         `help:"Strangers expected of a search, which the automatic threshold is chosen by." default:"0.1"`
	Temp       string          `help:"Directory for temporary files." placeholder:"DIR"`
	OpenSearch openSearchFlags `embed:""`
}

// Run measures bbolt, and OpenSearch where an address is given, in indices of its own, which it
// deletes again.
func (c *benchGallery) Run(ctx context.Context, to streams) error {
	progress := newBenchProgress(to.err)
	engines := []bench.GalleryEngine{{Name: "bolt exact", Open: c.bolt}}
	if len(c.OpenSearch.URL) > 0 {
		engines = append(engines,
			bench.GalleryEngine{Name: "opensearch exact", Open: c.openSearch(opensearch.ExactIndex)},
			bench.GalleryEngine{Name: "opensearch hnsw", Open: c.openSearch(opensearch.HNSWIndex)})
	}
	calibration, err := dlibCalibration()
	if err != nil {
		return err
	}
	results, err := bench.Galleries(ctx, bench.GalleryOptions{
		Sizes: c.N, Seed: c.Seed, Probes: c.Probes, List: c.List, Engines: engines, Progress: progress.tell,
		Radius: func(n int) float64 { return calibration.Distance(calibration.AutoThreshold(n, c.Strangers)) },
	})
	progress.finish()
	table := tabwriter.NewWriter(to.err, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "people\tgallery\tsearch p50 ms\tp99\tradius recall\tmates found\tenrol p50 ms\tp99\tfilled s\t")
	for _, r := range results {
		fmt.Fprintf(table, "%d\t%s\t%.2f\t%.2f\t%.4f\t%.4f\t%.1f\t%.1f\t%.0f\t\n", r.N, r.Name, r.Search, r.Search9, r.Recall, r.MateRecall, r.Enrol, r.Enrol9, r.Fill)
	}
	return errors.Join(err, table.Flush(), json.NewEncoder(to.out).Encode(results))
}

// A temporaryBolt removes its files when it is closed.
type temporaryBolt struct {
	*bolt.Store
	directory string
}

func (t temporaryBolt) Close() error { return errors.Join(t.Store.Close(), os.RemoveAll(t.directory)) }

func (c *benchGallery) bolt(context.Context, int) (bench.GalleryStore, error) {
	directory, err := os.MkdirTemp(c.Temp, "facesearch-bench-")
	if err != nil {
		return nil, err
	}
	store, err := bolt.Open(directory, bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(directory))
	}
	return temporaryBolt{store, directory}, nil
}

// A temporaryIndex deletes its indices when it is closed.
type temporaryIndex struct{ *opensearch.Store }

func (t temporaryIndex) Close() error {
	return errors.Join(t.Drop(context.Background()), t.Store.Close())
}

func (c *benchGallery) openSearch(kind opensearch.IndexKind) func(context.Context, int) (bench.GalleryStore, error) {
	return func(ctx context.Context, _ int) (bench.GalleryStore, error) {
		flags := c.OpenSearch
		flags.Prefix = "bench-" + strings.ToLower(rand.Text())
		options, err := flags.options(string(kind), face.DefaultModel, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, err
		}
		options.GraphFrom = 1
		store, err := opensearch.Open(ctx, options)
		if err != nil {
			return nil, err
		}
		return temporaryIndex{store}, nil
	}
}
