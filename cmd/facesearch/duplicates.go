package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"facesearch/pkg/client"
)

const (
	duplicatesPage = 200                    // groups asked for at once
	duplicatesPoll = 200 * time.Millisecond // between two questions how far the server has come; each waits there too
)

type duplicatesCommand struct {
	clientFlags `embed:""`
	Similarity  float64 `help:"Least similarity in percent of two faces; the threshold in force when left out."`
	SamePerson  bool    `help:"Also compare sessions of the same vendor_data with each other."`
	Fresh       bool    `help:"Compare anew even if the server did so in the last 15 minutes."`
	JSON        string  `help:"Write the groups as JSON; - is standard output, in place of the table." name:"json" placeholder:"FILE"`
	CSV         string  `help:"Write the pairs as CSV, a row each; - is standard output, in place of the table." name:"csv" placeholder:"FILE"`
	HTML        string  `help:"Write one HTML page with the faces side by side, which needs nothing else." name:"html" placeholder:"FILE"`
}

// Run asks the server until it has compared everybody. The server goes on when this program is
// stopped: run it again to go on waiting. A server that was killed begins anew when it is asked
// again, which this program does.
func (c *duplicatesCommand) Run(ctx context.Context, to streams) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	found, err := c.wait(ctx, server, to.err)
	if err != nil {
		return err
	}
	if err := c.writeText(to.out, found); err != nil {
		return err
	}
	if c.HTML != "" {
		if err := writeDuplicatesPage(ctx, server, c.HTML, found, to.err); err != nil {
			return err
		}
	}
	fmt.Fprintf(to.err, "%d sessions compared with each other: %d pairs are at least %.4g %% similar, in %d groups\n",
		found.SessionsTotal, found.TotalPairs, found.Similarity, found.Count)
	return nil
}

// wait returns all groups.
func (c *duplicatesCommand) wait(ctx context.Context, server *client.Client, to io.Writer) (*client.DuplicatesAnswer, error) {
	options := client.DuplicatesOptions{Similarity: c.Similarity, SamePerson: c.SamePerson, Fresh: c.Fresh, Limit: duplicatesPage}
	progress := newBenchProgress(to)
	defer progress.finish()
	var all *client.DuplicatesAnswer
	for {
		page, err := server.Duplicates(ctx, options)
		if err != nil {
			return nil, err
		}
		options.Fresh = false // or it would begin again with each page
		if page.Status != "done" {
			progress.tell("comparing sessions", page.SessionsExamined, page.SessionsTotal)
			select {
			case <-time.After(duplicatesPoll):
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		options.Similarity = page.Similarity // the threshold in force may move with the gallery
		options.Offset += duplicatesPage
		switch {
		case all == nil:
			all = page
		case page.StartedAt != all.StartedAt && (page.Count != all.Count || page.TotalPairs != all.TotalPairs):
			return nil, errors.New("the server compared everybody anew while the groups were read, and found others: run this again")
		default:
			all.Results = append(all.Results, page.Results...)
		}
		if options.Offset >= page.Count {
			return all, nil
		}
		progress.tell("reading groups", options.Offset, page.Count)
	}
}

func (c *duplicatesCommand) writeText(to io.Writer, found *client.DuplicatesAnswer) error {
	writeJSON := func(to io.Writer) error {
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		return encoder.Encode(found)
	}
	writeCSV := func(to io.Writer) error { return writePairs(to, found) }
	table := true
	for _, each := range []struct {
		name  string
		write func(io.Writer) error
	}{{c.JSON, writeJSON}, {c.CSV, writeCSV}} {
		var err error
		switch each.name {
		case "":
		case "-":
			table = false
			err = each.write(to)
		default:
			err = writeFile(each.name, each.write)
		}
		if err != nil {
			return err
		}
	}
	if !table {
		return nil
	}
	return writeGroups(to, found)
}

// A row is a pair with what is known of its two sessions.
type row struct {
	group int // from 1
	client.DuplicatePair
	A, B             client.DuplicateSession
	vendorA, vendorB string
}

// rows lists the pairs of all groups.
func rows(found *client.DuplicatesAnswer) (list []row) {
	for i, group := range found.Results {
		sessions, vendors := map[string]client.DuplicateSession{}, map[string]string{}
		for _, person := range group.People {
			for _, session := range person.Sessions {
				sessions[session.SessionID], vendors[session.SessionID] = session, text(person.VendorData, "")
			}
		}
		for _, pair := range group.Pairs {
			list = append(list, row{
				i + 1, pair, sessions[pair.SessionID], sessions[pair.OtherSessionID],
				vendors[pair.SessionID], vendors[pair.OtherSessionID],
			})
		}
	}
	return list
}

func writeGroups(to io.Writer, found *client.DuplicatesAnswer) error {
	if len(found.Results) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GROUP\tSIMILARITY\tSESSION\tVENDOR_DATA\tSESSION\tVENDOR_DATA\t")
	for _, each := range rows(found) {
		note := ""
		if each.WeakBridge {
			note = "weak bridge"
		}
		fmt.Fprintf(table, "%d\t%.1f %%\t%d\t%s\t%d\t%s\t%s\n", each.group, each.Similarity,
			each.A.SessionNumber, text(&each.vendorA, "-"), each.B.SessionNumber, text(&each.vendorB, "-"), note)
	}
	return table.Flush()
}

func writePairs(to io.Writer, found *client.DuplicatesAnswer) error {
	table := csv.NewWriter(to)
	table.Write([]string{
		"group", "similarity_percentage", "weak_bridge",
		"session_id", "session_number", "vendor_data", "status", "is_blocklisted",
		"other_session_id", "other_session_number", "other_vendor_data", "other_status", "other_is_blocklisted",
	})
	of := func(session client.DuplicateSession, vendor string) []string {
		return []string{
			session.SessionID, strconv.FormatUint(session.SessionNumber, 10), vendor, session.Status, strconv.FormatBool(session.IsBlocklisted),
		}
	}
	for _, each := range rows(found) {
		line := []string{strconv.Itoa(each.group), strconv.FormatFloat(each.Similarity, 'f', 1, 64), strconv.FormatBool(each.WeakBridge)}
		table.Write(append(append(line, of(each.A, each.vendorA)...), of(each.B, each.vendorB)...))
	}
	table.Flush()
	return table.Error()
}
