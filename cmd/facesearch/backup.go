package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
)

type backupCommand struct {
	File string `arg:"" help:"File to write; it must not be there yet. - is standard output."`
	Data string `help:"Directory of the store. A server may be running on it." default:"data" placeholder:"DIR"`
}

// Help is shown with the flags.
func (c *backupCommand) Help() string {
	return "A backup holds the keys, so that whoever has it can read everything in it, and whoever is erased later is still in it: " +
		"keep it safe, and delete it when its time is over. For an erasure to be complete, the backups from before it have to be deleted."
}

// Run writes a backup, reads it back, and gives it its name only then.
func (c *backupCommand) Run(ctx context.Context, to streams) error {
	if c.File == "-" {
		manifest, err := c.write(ctx, to, to.out)
		if err == nil {
			said(to, "backed up", manifest)
		}
		return err
	}
	if _, err := os.Stat(c.File); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: name another file", c.File)
	}
	partial, err := os.CreateTemp(filepath.Dir(c.File), filepath.Base(c.File)+".partial-")
	if err != nil {
		return err
	}
	defer os.Remove(partial.Name()) // there is none after the renaming
	buffered := bufio.NewWriterSize(partial, 1<<20)
	_, err = c.write(ctx, to, buffered)
	if err := errors.Join(err, buffered.Flush(), partial.Sync(), partial.Close()); err != nil {
		return err
	}
	manifest, err := c.readBack(to, partial.Name())
	if err != nil {
		return fmt.Errorf("reading the backup back: %w", err)
	}
	if err := os.Rename(partial.Name(), c.File); err != nil {
		return err
	}
	said(to, "backed up", manifest)
	return nil
}

// write copies a backup from the store, and checks it on the way.
func (c *backupCommand) write(ctx context.Context, to streams, file io.Writer) (bolt.Manifest, error) {
	stream, err := c.open(ctx)
	if err != nil {
		return bolt.Manifest{}, err
	}
	manifest, err := bolt.VerifyBackup(io.TeeReader(newProgressReader(stream, to.err, "backing up"), file))
	return manifest, errors.Join(err, stream.Close())
}

func (c *backupCommand) readBack(to streams, name string) (bolt.Manifest, error) {
	file, err := os.Open(name)
	if err != nil {
		return bolt.Manifest{}, err
	}
	defer file.Close()
	return bolt.VerifyBackup(newProgressReader(file, to.err, "reading back"))
}

// open streams a backup from the server that runs on the directory, or else from its files.
func (c *backupCommand) open(ctx context.Context) (io.ReadCloser, error) {
	if _, err := os.Stat(filepath.Join(c.Data, bolt.FileName)); err != nil {
		return nil, fmt.Errorf("there is no store in %s: name its directory with --data", c.Data)
	}
	store, err := bolt.Open(c.Data, bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if errors.Is(err, bolt.ErrLocked) {
		return c.openRunning(ctx)
	}
	if err != nil {
		return nil, err
	}
	reader, writer := io.Pipe()
	closed := make(chan error, 1)
	go func() {
		writer.CloseWithError(store.Backup(face.WithActor(ctx, face.OwnerActor), writer))
		closed <- store.Close()
	}()
	return pipe{reader, closed}, nil
}

// A pipe is closed when its writer's store is.
type pipe struct {
	*io.PipeReader
	closed chan error
}

func (p pipe) Close() error { return errors.Join(p.PipeReader.Close(), <-p.closed) }

func (c *backupCommand) openRunning(ctx context.Context) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://owner/backup", nil)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(c.Data, ownerSocket))
	}
	response, err := (&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("the store is in use, and the server that uses it does not answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, readOwner(response.StatusCode, response.Body, nil)
	}
	return response.Body, nil
}

func said(to streams, what string, manifest bolt.Manifest) {
	fmt.Fprintf(to.err, "%s: %d application(s), %d session(s), %d saved search(es), as of %s; the audit log's head is %d:%s\n", what,
		manifest.Counts.Applications, manifest.Counts.Sessions, manifest.Counts.Searches, manifest.MadeAt.Format(time.RFC3339),
		manifest.Audit.Number, manifest.Audit.Hash)
}
