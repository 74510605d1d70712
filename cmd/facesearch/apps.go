package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"facesearch/api"
	"facesearch/pkg/face"
)

type appsCommand struct {
	Create appsCreate `cmd:"" help:"Make an application and print its first API key; it is shown this once."`
	List   appsList   `cmd:"" help:"List the applications."`
	Rename appsRename `cmd:"" help:"Change the name of an application."`
	Delete appsDelete `cmd:"" help:"Erase an application with its keys, settings, sessions and saved searches."`
}

// dataFlags name the store, whether a server runs on it or not.
type dataFlags struct {
	Data string `help:"Directory of the store. A server may be running on it." default:"data" placeholder:"DIR"`
}

type appsCreate struct {
	dataFlags `embed:""`
	Name      string `arg:"" help:"What the application is called."`
}

// Run prints the secret alone on standard output, for scripts.
func (c *appsCreate) Run(ctx context.Context, to streams) error {
	var made api.OwnerApplication
	if err := askOwner(ctx, c.Data, http.MethodPost, "/applications", api.OwnerName{Name: c.Name}, &made); err != nil {
		return err
	}
	fmt.Fprintf(to.err, "Application %s. Its first key, which may do everything, is shown this once:\n", made.ID)
	fmt.Fprintln(to.out, made.Secret)
	return nil
}

type appsList struct {
	dataFlags `embed:""`
	JSON      bool `help:"Print JSON." name:"json"`
}

// Run prints a table or JSON.
func (c *appsList) Run(ctx context.Context, to streams) error {
	list, err := listApplications(ctx, c.Data)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(to.out).Encode(list)
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tCREATED")
	for _, each := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\n", each.ID, each.Name, each.CreatedAt.Format(time.RFC3339))
	}
	return table.Flush()
}

func listApplications(ctx context.Context, data string) (list []face.Application, err error) {
	return list, askOwner(ctx, data, http.MethodGet, "/applications", nil, &list)
}

type appsRename struct {
	dataFlags `embed:""`
	ID        string `arg:"" help:"ID of the application, as apps list shows it."`
	Name      string `arg:"" help:"What it is called from now on."`
}

// Run renames one application.
func (c *appsRename) Run(ctx context.Context, to streams) error {
	if err := askOwner(ctx, c.Data, http.MethodPatch, "/applications/"+url.PathEscape(c.ID), api.OwnerName{Name: c.Name}, nil); err != nil {
		return err
	}
	fmt.Fprintf(to.err, "Application %s is called %s.\n", c.ID, c.Name)
	return nil
}

type appsDelete struct {
	dataFlags `embed:""`
	ID        string `arg:"" help:"ID of the application, as apps list shows it."`
	Yes       bool   `help:"Do not ask for the application's name first."`
}

// Run erases one application, once somebody has typed its name.
func (c *appsDelete) Run(ctx context.Context, to streams) error {
	list, err := listApplications(ctx, c.Data)
	if err != nil {
		return err
	}
	name, found := "", false
	for _, each := range list {
		if each.ID == c.ID {
			name, found = each.Name, true
		}
	}
	if !found {
		return fmt.Errorf("there is no application %s: see facesearch apps list", c.ID)
	}
	if !c.Yes {
		if err := confirm(to, name); err != nil {
			return err
		}
	}
	if err := askOwner(ctx, c.Data, http.MethodDelete, "/applications/"+url.PathEscape(c.ID), nil, nil); err != nil {
		return err
	}
	fmt.Fprintf(to.err, "Application %s is erased.\n", c.ID)
	return nil
}

// confirm asks a person to type a name.
func confirm(to streams, name string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return errors.New("nothing was erased: give --yes where nobody can be asked")
	}
	fmt.Fprintf(to.err, "This erases everything of the application, for good. Type its name, %s: ", name)
	typed, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if strings.TrimSpace(typed) != name {
		return errors.New("nothing was erased: that is not its name")
	}
	return nil
}
