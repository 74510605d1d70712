package main

import (
	"context"
	"fmt"
	"net/http"

	"facesearch/api"
)

type creditsCommand struct {
	Show creditsShow `cmd:"" help:"Print how many credits an application has."`
	Add  creditsAdd  `cmd:"" help:"Give credits to an application."`
}

type creditsShow struct {
	ownerFlags `embed:""`
}

// Run prints the number alone on standard output, for scripts.
func (c *creditsShow) Run(ctx context.Context, to streams) error {
	var credits api.OwnerCredits
	if err := askOwner(ctx, c.Data, http.MethodGet, "/credits"+c.query(), nil, &credits); err != nil {
		return err
	}
	fmt.Fprintln(to.out, credits.Credits)
	return nil
}

type creditsAdd struct {
	ownerFlags `embed:""`
	Credits    int64 `arg:"" help:"How many to add: one for each answered search or comparison."`
}

// Run prints how many there are then.
func (c *creditsAdd) Run(ctx context.Context, to streams) error {
	var credits api.OwnerCredits
	request := api.OwnerCredits{Application: c.Application, Credits: c.Credits}
	if err := askOwner(ctx, c.Data, http.MethodPost, "/credits", request, &credits); err != nil {
		return err
	}
	fmt.Fprintf(to.err, "Application %s has this many credits:\n", credits.Application)
	fmt.Fprintln(to.out, credits.Credits)
	return nil
}
