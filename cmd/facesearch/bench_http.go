package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sort"
	"time"

	"facesearch/pkg/bench"
	"facesearch/pkg/client"
	"facesearch/pkg/photo"
)

type benchHTTP struct {
	clientFlags `embed:""`
	benchOutput `embed:""`
	Rate        float64       `help:"Requests a second, to each server. They are sent when they are due, however slow the answers are." default:"5"`
	Clients     int           `help:"So many clients instead, each of which sends its next request when it has its answer; 0 for a rate." default:"0" placeholder:"N"`
	PID         int           `help:"Process of the server, on this machine, to watch the memory of." name:"pid" placeholder:"N"`
	Duration    time.Duration `help:"How long requests are sent." default:"60s"`
	Arrivals    string        `help:"poisson: at random, as of many clients; constant: at even distances." enum:"poisson,constant" default:"poisson"`
	Seed        uint64        `help:"Seed of random arrivals." default:"1"`
	Pictures    string        `help:"Folder of pictures, searched in turn." default:"testdata/photographs/files" placeholder:"FOLDER"`
	Rotate      bool          `help:"Ask for the pictures to be tried at 0, 90, 180 and 270 degrees."`
	Saved       bool          `help:"Let the server keep the searches."`
	Timeout     time.Duration `help:"Longest time for one answer." default:"30s"`
	InFlight    int           `help:"Requests under way at each server; what is due while there are so many is counted and not sent." default:"256"`
	Against     string        `help:"Another server, which is sent the same pictures at the same moments and compared." placeholder:"URL"`
	AgainstKey  string        `help:"API key of the other server." placeholder:"KEY"`
}

// Run writes what was measured even when it is interrupted.
func (c *benchHTTP) Run(ctx context.Context, to streams) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	options := bench.LoadOptions{
		Targets: []bench.Target{{Name: shownAddress(c.Server), Server: server}}, Rate: c.Rate, Duration: c.Duration,
		Poisson: c.Arrivals == "poisson", Seed: c.Seed, Timeout: c.Timeout, InFlightMax: c.InFlight, Rotate: c.Rotate, Saved: c.Saved,
		Clients: c.Clients, Process: c.PID,
	}
	if c.Against != "" {
		if c.AgainstKey == "" { // the first server's key is not the other's business
			return errors.New("--against needs the other server's key: --against-key, or FACESEARCH_AGAINST_KEY")
		}
		options.Targets = append(options.Targets, bench.Target{Name: shownAddress(c.Against), Server: client.New(c.Against, c.AgainstKey)})
	}
	if options.Pictures, err = readPictures(c.Pictures); err != nil {
		return err
	}
	progress := newBenchProgress(to.err)
	options.Progress = progress.tell
	report, err := bench.HTTP(ctx, options)
	progress.finish()
	if report == nil {
		return err
	}
	return c.write(to, report, err)
}

// shownAddress is an address without the password that may be in it.
func shownAddress(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "a server"
	}
	return parsed.Redacted()
}

// benchPicturesMax bounds what is held in memory, at 5 MB each.
const benchPicturesMax = 500

// readPictures reads the pictures of a folder in the order of their names; one that no server would take is passed over.
func readPictures(folder string) ([]bench.NamedPicture, error) {
	entries, err := folderEntries(folder)
	if err != nil {
		return nil, fmt.Errorf("%w: fetch the photographs with facesearch models fetch --photographs, or name a folder with --pictures", err)
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].file < entries[j].file })
	var pictures []bench.NamedPicture
	for _, entry := range entries[:min(len(entries), benchPicturesMax)] {
		data, err := os.ReadFile(entry.file)
		if err != nil {
			return nil, err
		}
		if len(data) <= photo.BytesMax {
			pictures = append(pictures, bench.NamedPicture{Name: entry.file, Data: data})
		}
	}
	if len(pictures) == 0 {
		return nil, errors.New(folder + " has no pictures")
	}
	return pictures, nil
}
