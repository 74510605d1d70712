package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"facesearch/models"
	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

type reembedCommand struct {
	Embedder    embedderName `help:"Model to move to: dlib, dlib:FILE or onnx:FILE, as for serve." required:"" placeholder:"NAME"`
	Data        string       `help:"Directory of the store." default:"data" placeholder:"DIR"`
	Models      string       `help:"Directory of the model files, where no server runs." default:"models/files" placeholder:"DIR"`
	Parallel    int          `help:"Pictures worked on at once; 0: one where a server runs, else one for each core." default:"0"`
	DropMissing bool         `help:"Move although of some sessions no template can be made: they stay, but leave the gallery and the blocklist."`
}

// reembedPoll is how often a running server is asked how far it is.
const reembedPoll = 500 * time.Millisecond

// Run can be stopped, or killed, and run again to go on. It lists the sessions of which no template
// can be made on standard output.
func (c *reembedCommand) Run(ctx context.Context, to streams) error {
	name, err := c.Embedder.absolute()
	if err != nil {
		return err
	}
	if c.Parallel < 0 {
		return errors.New("--parallel is at least 0")
	}
	c.Embedder = name
	progress := newBenchProgress(to.err)
	defer progress.finish()
	tell := func(done, total int) { progress.tell("making templates", done, total) }
	result, err := c.move(ctx, to.err, tell)
	progress.finish()
	for _, each := range result.Missing {
		fmt.Fprintf(to.out, "%s\t%s\t%s\n", each.Application, each.SessionID, each.Reason)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("stopped; run it again to go on: %w", ctx.Err())
	}
	if err != nil && !result.Adopted {
		return err
	}
	if !result.Adopted {
		fmt.Fprintf(to.err, "The gallery was not moved: of %d of %d sessions no template can be made. Enrol these people again, erase them, or run this again with --drop-missing.\n",
			len(result.Missing), result.Sessions)
		return errFailed
	}
	fmt.Fprintf(to.err, "The gallery was moved to the model %s; %d of %d sessions have no template of it. From now on start the server with --embedder %s.\n",
		result.Model, len(result.Missing), result.Sessions, c.Embedder)
	return err
}

// move leaves it to the server, where one runs.
func (c *reembedCommand) move(ctx context.Context, log io.Writer, tell func(done, total int)) (search.ReembedResult, error) {
	if ownerAnswers(c.Data) {
		return c.live(ctx, tell)
	}
	if _, err := os.Stat(filepath.Join(c.Data, bolt.FileName)); err != nil {
		return search.ReembedResult{}, fmt.Errorf("there is no store in %s: start the server once, or name its directory with --data", c.Data)
	}
	result, err := c.alone(ctx, log, tell)
	if errors.Is(err, bolt.ErrLocked) { // a server that is starting
		return c.live(ctx, tell)
	}
	return result, err
}

// alone moves the store of which no server runs.
func (c *reembedCommand) alone(ctx context.Context, log io.Writer, tell func(done, total int)) (result search.ReembedResult, err error) {
	store, err := bolt.Open(c.Data, bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := models.Verify(c.Models); err != nil {
		return result, err
	}
	if c.Parallel == 0 {
		c.Parallel = defaultWorkers()
	}
	opened, err := openEmbedder(ctx, c.Embedder, c.Models, c.Parallel, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		return result, err
	}
	defer opened.close()
	return search.Reembed(face.WithActor(ctx, face.OwnerActor), store, search.ReembedRequest{
		Embedder: opened.Embedder, Parallel: c.Parallel, DropMissing: c.DropMissing, Progress: tell,
	})
}

// live lets the server that runs on the store move it, and watches.
func (c *reembedCommand) live(ctx context.Context, tell func(done, total int)) (search.ReembedResult, error) {
	order := reembedOrder{Embedder: c.Embedder, Parallel: max(1, c.Parallel), DropMissing: c.DropMissing}
	state, err := c.ask(ctx, http.MethodPost, order)
	for err == nil && state.Running {
		select {
		case <-time.After(reembedPoll):
			state, err = c.ask(ctx, http.MethodGet, nil)
			tell(int(state.Done), int(state.Total))
		case <-ctx.Done():
			_, err = c.ask(context.WithoutCancel(ctx), http.MethodDelete, nil)
			return search.ReembedResult{}, errors.Join(ctx.Err(), err)
		}
	}
	var result search.ReembedResult
	if state.Result != nil {
		result = *state.Result
	}
	if state.Error != "" {
		err = errors.New(state.Error)
	}
	return result, err
}

func (c *reembedCommand) ask(ctx context.Context, method string, order any) (state reembedState, err error) {
	encoded, err := json.Marshal(order)
	if err != nil {
		return state, err
	}
	ctx, cancel := context.WithTimeout(ctx, ownerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://owner"+reembedPath, bytes.NewReader(encoded))
	if err != nil {
		return state, err
	}
	err = askRunning(request, c.Data, &state)
	return state, err
}
