package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"facesearch/pkg/client"
)

// clientFlags are those of commands that talk to a server.
type clientFlags struct {
	Server string `help:"Address of the server." default:"http://127.0.0.1:8080" placeholder:"URL"`
	APIKey string `help:"API key." name:"api-key" env:"FACESEARCH_API_KEY,DIDIT_API_KEY" placeholder:"KEY"`
}

func (f clientFlags) open() (*client.Client, error) {
	if f.APIKey == "" {
		return nil, errors.New("no API key: set FACESEARCH_API_KEY, or make one with facesearch keys create")
	}
	return client.New(f.Server, f.APIKey), nil
}

type searchCommand struct {
	clientFlags `embed:""`
	Files       []string `arg:"" name:"file" help:"Pictures: JPEG, PNG, WebP or TIFF, at most 5 MB."`
	Rotate      bool     `help:"Try the picture at 0, 90, 180 and 270 degrees."`
	VendorData  string   `help:"Your own reference for the search."`
	JSON        bool     `help:"Print each answer as the server gave it, one on a line." name:"json"`
}

// Run searches one picture after the other; one that fails does not keep the rest from it.
func (c *searchCommand) Run(ctx context.Context, to streams) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	failed := false
	for _, file := range c.Files {
		answer, err := c.search(ctx, server, file)
		if err != nil {
			fmt.Fprintf(to.err, "%s: %v\n", file, err)
			failed = true
			continue
		}
		if c.JSON {
			var line bytes.Buffer
			if err := json.Compact(&line, answer.Raw); err != nil {
				return err
			}
			fmt.Fprintln(to.out, line.String())
			continue
		}
		printAnswer(to.out, file, answer)
	}
	if failed {
		return errFailed
	}
	return nil
}

func (c *searchCommand) search(ctx context.Context, server *client.Client, file string) (*client.SearchAnswer, error) {
	picture, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return server.Search(ctx, picture, client.SearchOptions{Rotate: c.Rotate, VendorData: c.VendorData})
}

// printAnswer says an answer in words.
func printAnswer(to io.Writer, file string, answer *client.SearchAnswer) {
	found := answer.FaceSearch
	faces := "no face"
	if n := len(found.UserImage.Entities); n > 0 {
		first := found.UserImage.Entities[0]
		faces = fmt.Sprintf("%d face(s), the largest %s, %s", n, text(first.Gender, "of unknown gender"), "about "+text(first.Age, "?")+" years old")
	}
	if found.UserImage.BestAngle != 0 {
		faces += fmt.Sprintf(", turned by %d°", found.UserImage.BestAngle)
	}
	fmt.Fprintf(to, "%s: %s — %d match(es); %s\n", filepath.Base(file), found.Status, found.TotalMatches, faces)
	for _, match := range found.Matches {
		note := ""
		if match.IsBlocklisted {
			note = ", on the blocklist"
		}
		if match.ExpectedFalseMatches != nil {
			note += fmt.Sprintf(", %g strangers expected as near", *match.ExpectedFalseMatches)
		}
		fmt.Fprintf(to, "  %5.1f %%  %s (session %d, %s%s)\n", match.SimilarityPercentage,
			text(match.VendorData, match.SessionID), match.SessionNumber, match.Status, note)
	}
	for _, warning := range found.Warnings {
		more := ""
		if warning.AdditionalData != nil {
			more = " " + *warning.AdditionalData
		}
		fmt.Fprintf(to, "  %s: %s%s\n", warning.LogType, warning.ShortDescription, more)
	}
}

func text(value *string, missing string) string {
	if value == nil || *value == "" {
		return missing
	}
	return *value
}
