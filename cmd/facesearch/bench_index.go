package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"facesearch/index"
	"facesearch/pkg/bench"
	"facesearch/pkg/bolt"
	"facesearch/pkg/policy"
)

type benchIndex struct {
	benchOutput `embed:""`
	N           []int         `help:"Sizes of the gallery." default:"10000,100000" name:"n"`
	Dims        []int         `help:"Dimensions of synthetic templates." default:"128"`
	Seed        uint64        `help:"Seed of the synthetic templates, or of the choice among those of a file." default:"1"`
	Templates   string        `help:"Templates to measure with: CSV, also .csv.gz, with the columns person, x0, x1, …; else raw little-endian float32, each row a person. Without it they are made up, with the geometry of dlib's." placeholder:"FILE" xor:"templates"`
	Data        string        `help:"Templates to measure with: those of the store in this directory, which no server may be using. Each session is a person." placeholder:"DIR" xor:"templates"`
	Application string        `help:"Only those of the application with this ID, with --data; all when left out." placeholder:"ID"`
	Engines     []string      `help:"Engines: exact, hnsw, plain (a scan of float32 vectors, the baseline)." enum:"exact,hnsw,plain" default:"exact,hnsw,plain"`
	HNSW        []string      `help:"Parameters of hnsw, M:K; each is measured." name:"hnsw" default:"32:800" placeholder:"M:K"`
	Probes      int           `help:"Probes with a mate in the gallery, and as many without." default:"1000"`
	K           int           `help:"Neighbours of a search for the k nearest." default:"10"`
	List        int           `help:"Hits that a radius search lists at most." default:"50"`
	Radius      float64       `help:"Distance of a radius search; 0: that of the automatic threshold for each size." default:"0"`
	Strangers   float64       `help:"Strangers expected of a search, which the automatic threshold is chosen by." default:"0.1"`
	Churn       bool          `help:"Measure again after a fifth of the gallery was replaced." default:"true" negatable:""`
	Startup     bool          `help:"Measure the start from a store on disk." default:"true" negatable:""`
	Busy        time.Duration `help:"How long each number of threads is kept busy." default:"2s"`
	BuildMax    time.Duration `help:"An engine that takes longer to build is left out." default:"10m"`
	Peers       []string      `help:"Other engines: hnswlib, faiss-flat, faiss-hnsw." enum:"hnswlib,faiss-flat,faiss-hnsw" default:"hnswlib,faiss-flat,faiss-hnsw"`
	Python      string        `help:"Python that runs the peers, as far as it has them. Empty: none." default:"python3"`
	Temp        string        `help:"Directory for temporary files, about 1.5 kB for each row." placeholder:"DIR"`
}

var peerNames = map[string]string{"hnswlib": "hnswlib", "faiss-flat": "faiss flat", "faiss-hnsw": "faiss HNSW"}

// Run writes what was finished even when it is interrupted.
func (c *benchIndex) Run(ctx context.Context, to streams) error {
	engines, err := c.engines()
	if err != nil {
		return err
	}
	calibration, err := dlibCalibration()
	if err != nil {
		return err
	}
	options := bench.IndexOptions{
		Sizes: c.N, Dimensions: c.Dims, Seed: c.Seed, Probes: c.Probes, K: c.K, List: c.List, Radius: c.radius(calibration),
		Engines: engines, Churn: c.Churn, StartUp: c.Startup, Busy: c.Busy, BuildMax: c.BuildMax, Python: c.Python,
		Directory: c.Temp,
	}
	for _, name := range c.Peers {
		options.Peers = append(options.Peers, peerNames[name])
	}
	if options.Templates, err = c.templates(); err != nil {
		return err
	}
	progress := newBenchProgress(to.err)
	options.Progress = progress.tell
	report, err := bench.Index(ctx, options)
	progress.finish()
	if report == nil {
		return err
	}
	return c.write(to, report, err)
}

// templates are nil when they are to be made up.
func (c *benchIndex) templates() (*bench.Templates, error) {
	switch {
	case c.Templates != "":
		return bench.ReadTemplates(c.Templates, c.Dims[0])
	case c.Data != "":
		return storedTemplates(c.Data, c.Application)
	case c.Application != "":
		return nil, errors.New("--application says whose templates of a store: name the store with --data")
	}
	return nil, nil
}

// storedTemplates has nothing that says whose they are.
func storedTemplates(directory, application string) (*bench.Templates, error) {
	templates := &bench.Templates{Name: "a store"}
	for template, err := range bolt.Templates(directory, application) {
		if errors.Is(err, bolt.ErrLocked) {
			return nil, fmt.Errorf("%w: stop the server, or measure with a copy of the directory that was made while it was stopped", err)
		}
		if err != nil {
			return nil, err
		}
		templates.Dim = len(template)
		templates.People = append(templates.People, [][]float32{slices.Clone(template)})
	}
	if len(templates.People) == 0 {
		return nil, fmt.Errorf("nobody is enrolled in the store in %s", directory)
	}
	return templates, nil
}

// radius is that of the automatic threshold, unless one was given.
func (c *benchIndex) radius(calibration policy.Calibration) func(n int) float64 {
	return func(n int) float64 {
		if c.Radius != 0 {
			return c.Radius
		}
		return calibration.Distance(calibration.AutoThreshold(n, c.Strangers))
	}
}

func (c *benchIndex) engines() ([]bench.Engine, error) {
	var engines []bench.Engine
	for _, name := range c.Engines {
		switch name {
		case "exact":
			engines = append(engines, bench.ExactEngine())
		case "plain":
			engines = append(engines, bench.PlainEngine())
		case "hnsw":
			for _, parameters := range c.HNSW {
				options, err := hnswOptions(parameters)
				if err != nil {
					return nil, err
				}
				engines = append(engines, bench.HNSWEngine(options))
			}
		}
	}
	return engines, nil
}

func hnswOptions(text string) (index.HNSWOptions, error) {
	m, k, _ := strings.Cut(text, ":")
	var options index.HNSWOptions
	var errs [2]error
	options.M, errs[0] = strconv.Atoi(m)
	options.SearchK, errs[1] = strconv.Atoi(k)
	if errs[0] != nil || errs[1] != nil {
		return options, fmt.Errorf("--hnsw %q is not of the form M:K, such as 32:800", text)
	}
	return options, options.Validate()
}
