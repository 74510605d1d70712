package main

import (
	"context"
	"fmt"
	"os"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
)

type restoreCommand struct {
	File       string `arg:"" help:"The backup. - is standard input."`
	Data       string `help:"Directory to restore into: made when missing, and refused when it holds a store." default:"data" placeholder:"DIR"`
	KeepErased bool   `help:"Replace the store that the directory holds, which must be the one that was backed up, stopped. Whoever was erased from it since stays erased; what was enrolled since is lost."`
}

// Run checks the backup, restores it and opens it before it takes its place.
func (c *restoreCommand) Run(ctx context.Context, to streams) (err error) {
	file := os.Stdin
	if c.File != "-" {
		if file, err = os.Open(c.File); err != nil {
			return err
		}
		defer file.Close()
	}
	restored, err := bolt.Restore(face.WithActor(ctx, face.OwnerActor), newProgressReader(file, to.err, "restoring"), c.Data, c.KeepErased)
	if err != nil {
		return err
	}
	said(to, "the backup", restored.Manifest)
	fmt.Fprintf(to.err, "restored: %d application(s), %d session(s), %d saved search(es)\n", restored.Counts.Applications, restored.Counts.Sessions, restored.Counts.Searches)
	return nil
}
