package main

import (
	"bytes"
	"context"
	"encoding/json"
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

	"facesearch/api"
	"facesearch/pkg/bolt"
	"facesearch/pkg/client"
	"facesearch/pkg/face"
)

// ownerSocket is the socket in the data directory through which whoever may use that
// directory talks to a running server, which has the store to itself.
const ownerSocket = "owner.sock"

const ownerTimeout = 30 * time.Second

// serveOwner listens on the owner's socket until stop is called; moves answers at reembedPath.
func serveOwner(data string, server *api.Server, gallery face.Gallery, moves http.Handler, log *slog.Logger) (stop func(), err error) {
	path := filepath.Join(data, ownerSocket)
	// No other server runs on this directory, so a socket that is there was left by a dead one.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		log.Warn("commands such as keys cannot reach this server while it runs", "error", err.Error())
		return func() {}, nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	requests := http.NewServeMux()
	requests.Handle(reembedPath, moves)
	requests.Handle("/", api.Owner(server, gallery))
	owner := newHTTPServer(requests, log)
	done := make(chan struct{})
	go func() {
		defer close(done)
		owner.Serve(listener)
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		owner.Shutdown(ctx)
		<-done
	}, nil
}

// askOwner sends a request to the server that runs on a data directory, or, when none does,
// to one that lives as long as the request. An answer that is not a success is an error.
func askOwner(ctx context.Context, data, method, path string, body, answer any) error {
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, ownerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://owner"+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	if ownerAnswers(data) {
		return askRunning(request, data, answer)
	}
	if _, err := os.Stat(filepath.Join(data, bolt.FileName)); err != nil {
		return fmt.Errorf("there is no store in %s: start the server once, or name its directory with --data (a gallery on OpenSearch is reached while a server runs)", data)
	}
	store, err := bolt.Open(data, bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if errors.Is(err, bolt.ErrLocked) {
		return askRunning(request, data, answer)
	}
	if err != nil {
		return err
	}
	recorder := &recorder{header: http.Header{}, status: http.StatusOK}
	api.Owner(api.New(api.Options{Log: slog.New(slog.DiscardHandler)}), store).ServeHTTP(recorder, request)
	return errors.Join(readOwner(recorder.status, &recorder.body, answer), store.Close())
}

// ownerAnswers reports whether a server runs on a data directory.
func ownerAnswers(data string) bool {
	connection, err := net.Dial("unix", filepath.Join(data, ownerSocket))
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

func askRunning(request *http.Request, data string, answer any) error {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(data, ownerSocket))
	}
	response, err := (&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return fmt.Errorf("the store is in use, and the server that uses it does not answer: %w", err)
	}
	defer response.Body.Close()
	return readOwner(response.StatusCode, response.Body, answer)
}

func readOwner(status int, body io.Reader, answer any) error {
	data, err := io.ReadAll(io.LimitReader(body, 16<<20))
	if err != nil {
		return err
	}
	if status >= 300 {
		refusal := &client.Error{Status: status}
		json.Unmarshal(data, refusal)
		return refusal
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(data, answer)
}

// A recorder is a response that stays in the process.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header            { return r.header }
func (r *recorder) WriteHeader(status int)         { r.status = status }
func (r *recorder) Write(data []byte) (int, error) { return r.body.Write(data) }
