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
	"facesearch/pkg/face"
)

type keysCommand struct {
	Create keysCreate `cmd:"" help:"Make a key and print it; it is shown this once."`
	List   keysList   `cmd:"" help:"List the keys of an application."`
	Rename keysRename `cmd:"" help:"Change the name of a key."`
	Rotate keysRotate `cmd:"" help:"Make a new key in the place of another one and print it; it is shown this once."`
	Revoke keysRevoke `cmd:"" help:"End a key for good."`
}

// ownerFlags are those of commands that only the store's owner may use.
type ownerFlags struct {
	dataFlags   `embed:""`
	Application string `help:"ID of the application; the oldest one when left out." placeholder:"ID"`
}

func (f ownerFlags) query() string { return "?application=" + url.QueryEscape(f.Application) }

type keysCreate struct {
	ownerFlags `embed:""`
	Name       string        `help:"What the key is for."`
	Scope      string        `help:"What the key may do: search, enrol (which includes search), or manage (everything)." enum:"search,enrol,manage" default:"manage"`
	Expires    time.Duration `help:"After how long the key ends by itself, such as 720h; 0: never." default:"0"`
}

// Run prints the secret alone on standard output, for scripts.
func (c *keysCreate) Run(ctx context.Context, to streams) error {
	var key api.OwnerKey
	request := api.OwnerKeyRequest{
		Application: c.Application, Name: c.Name, Scope: face.Scope(c.Scope), LifetimeSeconds: c.Expires.Seconds(),
	}
	if err := askOwner(ctx, c.Data, http.MethodPost, "/keys", request, &key); err != nil {
		return err
	}
	showKey(to, key)
	return nil
}

// showKey prints the secret of a new key alone on standard output.
func showKey(to streams, key api.OwnerKey) {
	fmt.Fprintf(to.err, "Key %s of application %s, with the scope %s, shown this once:\n", key.ID, key.Application, key.Scope)
	fmt.Fprintln(to.out, key.Secret)
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
	fmt.Fprintln(table, "ID\tNAME\tSCOPE\tCREATED\tLAST USED\tEXPIRES\tREVOKED\tAPPLICATION")
	for _, key := range keys {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", key.ID, key.Name, key.Scope, key.CreatedAt.Format(time.RFC3339),
			orDash(key.LastUsedAt), orDash(key.ExpiresAt), orDash(key.RevokedAt), key.Application)
	}
	return table.Flush()
}

func orDash(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.Format(time.RFC3339)
}

type keysRename struct {
	ownerFlags `embed:""`
	ID         string `arg:"" help:"ID of the key, as keys list shows it."`
	Name       string `arg:"" help:"What it is called from now on."`
}

// Run renames one key.
func (c *keysRename) Run(ctx context.Context, to streams) error {
	if err := askOwner(ctx, c.Data, http.MethodPatch, "/keys/"+url.PathEscape(c.ID)+c.query(), api.OwnerName{Name: c.Name}, nil); err != nil {
		return err
	}
	fmt.Fprintf(to.err, "Key %s is called %s.\n", c.ID, c.Name)
	return nil
}

type keysRotate struct {
	ownerFlags `embed:""`
	ID         string        `arg:"" help:"ID of the key, as keys list shows it."`
	Grace      time.Duration `help:"For how long the old key stays valid, such as 24h; 0: it ends at once." default:"0"`
}

// Run prints the new secret alone on standard output, for scripts.
func (c *keysRotate) Run(ctx context.Context, to streams) error {
	var key api.OwnerKey
	request := api.OwnerRotation{GraceSeconds: c.Grace.Seconds()}
	if err := askOwner(ctx, c.Data, http.MethodPost, "/keys/"+url.PathEscape(c.ID)+"/rotate"+c.query(), request, &key); err != nil {
		return err
	}
	if c.Grace == 0 {
		fmt.Fprintf(to.err, "Key %s has ended. ", c.ID)
	} else {
		fmt.Fprintf(to.err, "Key %s ends in %s. ", c.ID, c.Grace)
	}
	showKey(to, key)
	return nil
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
