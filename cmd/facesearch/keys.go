package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"facesearch/api"
)

type keysCommand struct {
	Create keysCreate `cmd:"" help:"Make a key and print it; it is shown this once."`
	List   keysList   `cmd:"" help:"List the keys of an application."`
	Revoke keysRevoke `cmd:"" help:"End a key for good."`
}

// ownerFlags are those of commands that only the store's owner may use.
type ownerFlags struct {
	Data        string `help:"Directory of the store. A server may be running on it." default:"data" placeholder:"DIR"`
	Application string `help:"ID of the application; the oldest one when left out." placeholder:"ID"`
}

func (f ownerFlags) query() string { return "?application=" + url.QueryEscape(f.Application) }

type keysCreate struct {
	ownerFlags `embed:""`
	Name       string `help:"What the key is for."`
}

// Run prints the secret alone on standard output, for scripts.
func (c *keysCreate) Run(ctx context.Context, to streams) error {
	var key api.OwnerKey
	request := api.OwnerKeyRequest{Application: c.Application, Name: c.Name}
	if err := askOwner(ctx, c.Data, http.MethodPost, "/keys", request, &key); err != nil {
		return err
	}
	fmt.Fprintf(to.err, "Key %s of application %s, shown this once:\n", key.ID, key.Application)
	fmt.Fprintln(to.out, key.Secret)
	return nil
}

type keysList struct {
	ownerFlags `embed:""`
	JSON       bool `help:"Print JSON." name:"json"`
}

// Run prints a table or JSON.
func (c *keysList) Run(ctx context.Context, to streams) error {
	var keys []api.OwnerKey
	if err := askOwner(ctx, c.Data, http.MethodGet, "/keys"+c.query(), nil, &keys); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(to.out).Encode(keys)
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tCREATED\tREVOKED\tAPPLICATION")
	for _, key := range keys {
		revoked := "-"
		if key.RevokedAt != nil {
			revoked = key.RevokedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", key.ID, key.Name, key.CreatedAt.Format(time.RFC3339), revoked, key.Application)
	}
	return table.Flush()
}

type keysRevoke struct {
	ownerFlags `embed:""`
	ID         string `arg:"" help:"ID of the key, as keys list shows it."`
}

// Run revokes one key.
func (c *keysRevoke) Run(ctx context.Context, to streams) error {
	if err := askOwner(ctx, c.Data, http.MethodDelete, "/keys/"+url.PathEscape(c.ID)+c.query(), nil, nil); err != nil {
		return err
	}
	fmt.Fprintf(to.err, "Key %s is revoked.\n", c.ID)
	return nil
}
