package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
)

type mediaCommand struct {
	Rotate mediaRotate `cmd:"" help:"Make a new secret for the addresses of pictures."`
}

type mediaRotate struct {
	Data   string `help:"Directory of the store. A server may be running on it." default:"data" placeholder:"DIR"`
	Revoke bool   `help:"Also end all addresses that were given out; without it they live out their hour."`
}

// Run makes the running server sign with a new secret at once.
func (c *mediaRotate) Run(ctx context.Context, to streams) error {
	if err := askOwner(ctx, c.Data, http.MethodPost, "/media/rotate?revoke="+strconv.FormatBool(c.Revoke), nil, nil); err != nil {
		return err
	}
	if c.Revoke {
		fmt.Fprintln(to.err, "Addresses of pictures have a new secret; all that were given out are refused.")
		return nil
	}
	fmt.Fprintln(to.err, "Addresses of pictures have a new secret; those that were given out are good until they expire.")
	return nil
}
