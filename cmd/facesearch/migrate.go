package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/migrate"
	"facesearch/pkg/opensearch"
)

type migrateCommand struct {
	From       string          `help:"The store to read: bolt:DIR or opensearch:URL[,URL…]. No server may run on it." required:"" placeholder:"STORE"`
	To         string          `help:"The store to write, empty or what an earlier run has left: bolt:DIR or opensearch:URL[,URL…]." required:"" placeholder:"STORE"`
	Index      string          `help:"Index that a new store on OpenSearch is made for: exact or hnsw." enum:"exact,hnsw" default:"exact"`
	Sample     int             `help:"Sessions of each application that are compared, and searched with, in both stores afterwards." default:"100"`
	OpenSearch openSearchFlags `embed:""`
}

// Run can be stopped and run again: what is there already is not copied again.
func (c *migrateCommand) Run(ctx context.Context, to streams) (err error) {
	if c.From == c.To {
		return errors.New("--from and --to are the same store")
	}
	log := slog.New(slog.NewTextHandler(to.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	source, err := c.open(ctx, c.From, true, face.Model{}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := c.open(ctx, c.To, false, source.Model(), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	started := time.Now()
	if err := migrate.Move(ctx, source, target, tell(to)); err != nil {
		return fmt.Errorf("stopped; run it again to go on: %w", err)
	}
	fmt.Fprintf(to.err, "Everything is copied, in %.1f s. Comparing both stores.\n", time.Since(started).Seconds())
	report, err := migrate.Verify(ctx, source, target, c.Sample)
	if err != nil {
		return fmt.Errorf("the stores differ: %w", err)
	}
	fmt.Fprintf(to.err, "Both stores hold the same: %d applications, %d keys, %d sessions, %d saved searches, %d accounts, %d secrets for addresses of pictures; %d sessions were compared in full and searched with.\n",
		report.Applications, report.Keys, report.Sessions, report.Searches, report.Accounts, report.MediaSecrets, report.Sampled)
	return json.NewEncoder(to.out).Encode(report)
}

// tellEvery is how often a person is told how far it is.
const tellEvery = 2 * time.Second

func tell(to streams) migrate.Progress {
	var last time.Time
	return func(application string, sessions, of, searches int) {
		if time.Since(last) < tellEvery && sessions != of {
			return
		}
		last = time.Now()
		fmt.Fprintf(to.err, "  application %s: %d of %d sessions, %d saved searches\n", application, sessions, of, searches)
	}
}

type movable interface {
	migrate.Store
	Close() error
}

// open opens a store by the name that --from and --to give it.
func (c *migrateCommand) open(ctx context.Context, name string, existing bool, model face.Model, log *slog.Logger) (movable, error) {
	kind, place, _ := strings.Cut(name, ":")
	switch {
	case kind == boltGallery && place != "":
		if existing {
			if _, err := os.Stat(filepath.Join(place, bolt.FileName)); err != nil {
				return nil, fmt.Errorf("there is no store in %s", place)
			}
		}
		return asMovable(bolt.Open(place, bolt.Options{Model: model, Log: log}))
	case kind == openSearchGallery:
		flags := c.OpenSearch
		if place != "" {
			flags.URL = strings.Split(place, ",")
		}
		options, err := flags.options(c.Index, model, log)
		if err != nil {
			return nil, err
		}
		if existing {
			options.Index = opensearch.ExactIndex // which reads every store
		}
		return asMovable(opensearch.Open(ctx, options))
	}
	return nil, fmt.Errorf("%q names no store: it is bolt:DIR or opensearch:URL", name)
}

// asMovable keeps a nil pointer from becoming an interface that is not nil.
func asMovable[T movable](store T, err error) (movable, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}
