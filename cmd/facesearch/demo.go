package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"facesearch/api"
	"facesearch/pkg/client"
)

type demoCommand struct {
	serverFlags `embed:""`
	Photographs string `help:"Directory of the photographs, as facesearch models fetch leaves them." default:"testdata/photographs/files" placeholder:"DIR"`
}

// The demo enrols one photograph of each person, and searches for others.
var (
	demoPeople = []string{"obama.jpg", "biden.jpg", "astronaut.png"}
	demoProbes = []string{"obama2.jpg", "obama_partial_face.jpg", "obama3.jpg", "astronaut.png"}
)

// Run shows the demo and leaves the server running.
func (c *demoCommand) Run(ctx context.Context, to streams) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.quiet = true
	shown := make(chan error, 1)
	started := false
	err := c.serve(ctx, to, func(address, key string) {
		started = true
		go func() {
			err := c.show(ctx, to, address, key)
			if err != nil {
				if ctx.Err() != nil { // stopped in the middle of it
					err = nil
				}
				cancel()
			}
			shown <- err
		}()
	})
	if started {
		err = errors.Join(err, <-shown)
	}
	return err
}

func (c *demoCommand) show(ctx context.Context, to streams, address, key string) error {
	if key == "" {
		var created api.OwnerKey
		request := api.OwnerKeyRequest{Name: "demo"}
		if err := askOwner(ctx, c.Data, http.MethodPost, "/keys", request, &created); err != nil {
			return err
		}
		key = created.Secret
	}
	server := client.New(address, key)
	fmt.Fprintf(to.err, "\nEnrolling %d people:\n\n", len(demoPeople))
	for _, name := range demoPeople {
		person := name[:len(name)-len(filepath.Ext(name))]
		fields := client.EnrolFields{"vendor_data": person, "full_name": person}
		if err := enrol(ctx, server, entry{filepath.Join(c.Photographs, name), fields}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(to.err, "  %s as %q\n", name, person)
	}
	fmt.Fprintf(to.err, "\nSearching:\n\n")
	for _, name := range demoProbes {
		picture, err := os.ReadFile(filepath.Join(c.Photographs, name))
		if err != nil {
			return err
		}
		answer, err := server.Search(ctx, picture, client.SearchOptions{})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		printAnswer(to.err, name, answer)
	}
	probe, err := filepath.Abs(filepath.Join(c.Photographs, demoProbes[0]))
	if err != nil {
		return err
	}
	fmt.Fprintf(to.err, "\nThe server goes on at %s until Ctrl-C. The same search with curl:\n\n  curl -s %s/v3/face-search/ -H 'x-api-key: %s' -F user_image=@%s\n\n",
		address, address, key, probe)
	return nil
}
