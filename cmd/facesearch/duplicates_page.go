package main

import (
	"context"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"

	"facesearch/pkg/client"
)

// duplicatesPictures groups have their pictures in the page; with more it would be too large
// for a browser.
const duplicatesPictures = 500

//go:embed duplicates.html
var duplicatesHTML string

var duplicatesTemplate = template.Must(template.New("duplicates").Parse(duplicatesHTML))

type duplicatesReport struct {
	*client.DuplicatesAnswer
	Groups   []pageGroup
	Pictures int // groups with pictures
}

type pageGroup struct {
	Number int
	People []pagePerson
	Pairs  []row
}

type pagePerson struct {
	VendorData string
	Sessions   []pageSession
}

type pageSession struct {
	client.DuplicateSession
	Picture template.URL // empty: none is kept
}

// writeDuplicatesPage fetches the pictures and writes the page.
func writeDuplicatesPage(ctx context.Context, server *client.Client, name string, found *client.DuplicatesAnswer, to io.Writer) error {
	page := duplicatesReport{DuplicatesAnswer: found, Pictures: duplicatesPictures}
	progress := newBenchProgress(to)
	defer progress.finish()
	for i, group := range found.Results {
		shown := pageGroup{Number: i + 1}
		for _, person := range group.People {
			with := pagePerson{VendorData: text(person.VendorData, "")}
			for _, session := range person.Sessions {
				picture, err := embedded(ctx, server, session.PortraitImageURL, i < duplicatesPictures)
				if err != nil {
					return err
				}
				with.Sessions = append(with.Sessions, pageSession{session, picture})
			}
			shown.People = append(shown.People, with)
		}
		page.Groups = append(page.Groups, shown)
		progress.tell("fetching pictures of groups", i+1, min(len(found.Results), duplicatesPictures))
	}
	for _, each := range rows(found) {
		group := &page.Groups[each.group-1]
		group.Pairs = append(group.Pairs, each)
	}
	return writeFile(name, func(to io.Writer) error { return duplicatesTemplate.Execute(to, page) })
}

// embedded is a picture as an address that holds it.
func embedded(ctx context.Context, server *client.Client, address *string, wanted bool) (template.URL, error) {
	if address == nil || !wanted {
		return "", nil
	}
	data, contentType, err := server.Picture(ctx, *address)
	if client.Refused(err) {
		return "", nil // erased since, or its address has expired
	}
	if err != nil {
		return "", err
	}
	return template.URL("data:" + contentType + ";base64," + base64.StdEncoding.EncodeToString(data)), nil
}
