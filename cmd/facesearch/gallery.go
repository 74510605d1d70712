package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
)

// The galleries that --gallery names.
const (
	boltGallery       = "bolt"
	openSearchGallery = "opensearch"
)

// openSearchFlags say where a gallery on OpenSearch is.
type openSearchFlags struct {
	URL      []string `help:"Address of a node of the OpenSearch cluster; several with commas between them, or the flag again." name:"opensearch-url" placeholder:"URL"`
	User     string   `help:"User of the cluster." name:"opensearch-user" placeholder:"NAME"`
	Password string   `help:"His password; better in the environment than here." name:"opensearch-password" placeholder:"TEXT"`
	CA       string   `help:"PEM file of the authority that signed the cluster's certificates; the system's without it." name:"opensearch-ca" placeholder:"FILE"`
	Prefix   string   `help:"What the names of the store's indices begin with." name:"opensearch-prefix" default:"facesearch" placeholder:"TEXT"`
	Shards   int      `help:"Parts that the sessions of a new store are split into." name:"opensearch-shards" default:"1"`
}

// A store is a gallery that can be closed.
type store interface {
	face.Gallery
	Close() error
}

// options reads the authority's file.
func (f openSearchFlags) options(index string, model face.Model, log *slog.Logger) (opensearch.Options, error) {
	options := opensearch.Options{
		URLs: f.URL, User: f.User, Password: f.Password, Prefix: f.Prefix, Shards: f.Shards,
		Index: opensearch.IndexKind(index), Model: model, Log: log,
	}
	if len(f.URL) == 0 {
		return options, fmt.Errorf("the gallery on OpenSearch needs --opensearch-url, the address of one of its nodes")
	}
	if f.CA == "" {
		return options, nil
	}
	var err error
	if options.CA, err = os.ReadFile(f.CA); err != nil {
		return options, fmt.Errorf("reading --opensearch-ca: %w", err)
	}
	// An empty one would mean the system's authorities.
	if !x509.NewCertPool().AppendCertsFromPEM(options.CA) {
		return options, fmt.Errorf("the file %s of --opensearch-ca holds no certificate in PEM", f.CA)
	}
	return options, nil
}

// openGallery opens the store that a server works on. On OpenSearch, the data directory is only
// the place of the owner's socket.
func (c *serverFlags) openGallery(ctx context.Context, model face.Model, log *slog.Logger) (store, error) {
	if c.Gallery == boltGallery {
		return bolt.Open(c.Data, bolt.Options{Index: bolt.IndexKind(c.Index), Model: model, Log: log})
	}
	options, err := c.OpenSearch.options(c.Index, model, log)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	// The file of a store on bbolt is locked by its server; here the socket has to tell.
	if ownerAnswers(c.Data) {
		return nil, fmt.Errorf("another server runs on the data directory %s: give each of them one of its own with --data", c.Data)
	}
	return opensearch.Open(ctx, options)
}
