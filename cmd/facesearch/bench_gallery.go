package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"facesearch/pkg/bench"
	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
	"facesearch/pkg/opensearch/opensearchtest"
)

type benchGallery struct {
	benchOutput    `embed:""`
	N              []int           `help:"Sizes of the gallery." default:"10000,100000" name:"n"`
	Seed           uint64          `help:"Seed of the synthetic templates." default:"1"`
	Probes         int             `help:"Probes with a mate in the gallery, and as many without." default:"200"`
	K              int             `help:"Neighbours of a search for the nearest." default:"10"`
	List           int             `help:"Candidates that a radius search lists at most." default:"50"`
	AtOnce         int             `help:"Enrolments under way at once, for the figure of enrolments a second." default:"8"`
	Strangers      float64         `help:"Strangers expected of a search, which the automatic threshold is chosen by." default:"0.1"`
	Temp           string          `help:"Directory for temporary files." placeholder:"DIR"`
	OpenSearchHome string          `help:"Folder of an OpenSearch distribution with the k-NN plugin: a node of it is run for the time of the measurement." name:"opensearch-home" placeholder:"DIR"`
	OpenSearch     openSearchFlags `embed:""`
}

// Run measures bbolt, and OpenSearch where there is an address or a distribution, in indices of
// its own, which it deletes again. It writes what was finished even when it is interrupted.
func (c *benchGallery) Run(ctx context.Context, to streams) (err error) {
	calibration, err := dlibCalibration()
	if err != nil {
		return err
	}
	progress := newBenchProgress(to.err)
	if c.OpenSearchHome != "" {
		progress.tell("starting a node of OpenSearch", 0, 0)
		cluster, err := opensearchtest.StartLasting(c.OpenSearchHome)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cluster.Close()) }()
		c.OpenSearch.URL = cluster.URLs()
	}
	engines := []bench.GalleryEngine{{Name: "bolt exact", Open: c.bolt}}
	if len(c.OpenSearch.URL) > 0 {
		engines = append(engines,
			bench.GalleryEngine{Name: "opensearch exact", Open: c.openSearch(opensearch.ExactIndex)},
			bench.GalleryEngine{Name: "opensearch hnsw", Open: c.openSearch(opensearch.HNSWIndex)})
	}
	report, err := bench.Galleries(ctx, bench.GalleryOptions{
		Sizes: c.N, Seed: c.Seed, Probes: c.Probes, K: c.K, List: c.List, AtOnce: c.AtOnce, Engines: engines, Progress: progress.tell,
		Radius: func(n int) float64 { return calibration.Distance(calibration.AutoThreshold(n, c.Strangers)) },
	})
	progress.finish()
	if report == nil {
		return err
	}
	return c.write(to, report, err)
}

// A temporaryBolt removes its files when it is closed.
type temporaryBolt struct {
	*bolt.Store
	directory string
}

func (t temporaryBolt) Close() error { return errors.Join(t.Store.Close(), os.RemoveAll(t.directory)) }

func (c *benchGallery) bolt(context.Context) (bench.GalleryStore, error) {
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

// A temporaryIndex deletes its indices when it is closed, even after an interruption.
type temporaryIndex struct{ *opensearch.Store }

func (t temporaryIndex) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(t.Drop(ctx), t.Store.Close())
}

// busyTimeout is that of a call: beside a batch of people, a node may be busy for long.
const busyTimeout = 2 * time.Minute

func (c *benchGallery) openSearch(kind opensearch.IndexKind) func(context.Context) (bench.GalleryStore, error) {
	return func(ctx context.Context) (bench.GalleryStore, error) {
		flags := c.OpenSearch
		flags.Prefix = "bench-" + strings.ToLower(rand.Text())
		options, err := flags.options(string(kind), face.DefaultModel, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, err
		}
		options.GraphFrom, options.Timeout = 1, busyTimeout
		store, err := opensearch.Open(ctx, options)
		if err != nil {
			return nil, err
		}
		return temporaryIndex{store}, nil
	}
}
