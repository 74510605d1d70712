package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"facesearch/api"
	"facesearch/models"
	"facesearch/pkg/attributes"
	"facesearch/pkg/dlib"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// waitingPerWorker requests may wait for each worker; the rest is told to come again.
const waitingPerWorker = 16

// The server's patience with its clients.
const (
	headerTimeout   = 10 * time.Second
	bodyTimeout     = 60 * time.Second // for a whole request to arrive
	answerTimeout   = 2 * time.Minute
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 30 * time.Second // for requests under way to end
	headerBytesMax  = 64 * 1024
)

func defaultWorkers() int { return runtime.NumCPU() }

// serverFlags are those of a command that runs a server.
type serverFlags struct {
	Addr              string          `help:"Address to listen at." default:"127.0.0.1:8080"`
	Data              string          `help:"Directory of the store; made when missing." default:"data" placeholder:"DIR"`
	Models            string          `help:"Directory of the model files." default:"models/files" placeholder:"DIR"`
	Embedder          embedderName    `help:"Model that makes templates: dlib; dlib:FILE, other weights of its network; or onnx:FILE, a network with its description beside it." default:"dlib" placeholder:"NAME"`
	Gallery           string          `help:"Where the gallery is kept: bolt (a file on this machine) or opensearch (a cluster that many servers share)." enum:"bolt,opensearch" default:"bolt"`
	Index             string          `help:"Index that searches: exact (misses nothing) or hnsw (approximate, answers say so)." enum:"exact,hnsw" default:"exact"`
	Workers           int             `help:"Pictures worked on at once." default:"${workers}"`
	Waiting           int             `help:"Requests that may wait for a worker; more are answered 503. 0: 16 for each worker." default:"0"`
	BootstrapKey      string          `help:"API key of the first application when the store is empty, at least 16 characters; without it one is made and printed once." placeholder:"KEY"`
	PublicURL         string          `help:"Address that clients reach this server at, for the addresses of pictures; without it, the host of each request." name:"public-url" placeholder:"URL"`
	LogFormat         string          `help:"Log as text or json." enum:"text,json" default:"text"`
	Dev               bool            `help:"Not for production: stand in for the hosted API on this machine, with a fixed API key that everybody knows, registration and top-up open, and X-Simulate obeyed."`
	OpenSearch        openSearchFlags `embed:""`
	registrationFlags `embed:""`
	networkFlags      `embed:""`
	quiet             bool   // log warnings only
	Example           string `help:"Picture named in the curl line that is printed at the start." default:"photo.jpg" placeholder:"FILE"`
}

type serveCommand struct {
	serverFlags `embed:""`
}

// Run starts the server and ends when the context does.
func (c *serveCommand) Run(ctx context.Context, to streams) error {
	return c.serve(ctx, to, func(address, key string) {
		c.greet(to.err, address, key)
	})
}

func (c *serverFlags) logger(to io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if c.quiet {
		options.Level = slog.LevelWarn
	}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}

// serve runs a server; ready is called with its address and, when one was made, the first
// key, as soon as it answers searches.
func (c *serverFlags) serve(ctx context.Context, to streams, ready func(address, key string)) (err error) {
	log := c.logger(to.err)
	if c.Workers < 1 || c.Waiting < 0 {
		return errors.New("--workers is at least 1 and --waiting at least 0")
	}
	options := api.Options{PublicURL: c.PublicURL, Log: log, Dev: c.Dev, Registration: c.Registration || c.Dev}
	if options.Mail, err = c.sender(log); err != nil {
		return err
	}
	if err := c.into(&options); err != nil {
		return err
	}
	options.OpenTopUp = options.OpenTopUp || c.Dev
	certificate, err := c.tlsConfig(log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("listening at %s: %w", c.Addr, err)
	}
	if err := c.checkDev(listener, log); err != nil {
		return errors.Join(err, listener.Close())
	}
	handler := api.New(options)
	server := newHTTPServer(handler, log)
	server.TLSConfig = certificate
	served := make(chan error, 1)
	go func() { served <- serveOn(server, listener) }()
	defer func() {
		err = errors.Join(err, shutdown(server, served))
	}()

	metricsAddress, stopMetrics, err := c.serveMetrics(handler.Metrics(), newHTTPServer(nil, log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopMetrics()) }()
	if metricsAddress != "" {
		log.Info("metrics are answered apart", "address", metricsAddress+"/metrics")
	}
	parts, err := c.load(ctx, log)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // told to stop while it was starting
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.close()) }()
	key, err := c.firstKey(ctx, parts.store)
	if err != nil {
		return err
	}
	moves := &reembedder{parts: parts, flags: c, log: log}
	defer moves.stop()
	stopOwner, err := serveOwner(c.Data, handler, parts.store, moves, log)
	if err != nil {
		return err
	}
	defer stopOwner()
	if err := handler.Ready(ctx, parts.store, parts.service); err != nil {
		return err
	}
	defer handler.KeepUsage()()
	defer keepRetention(ctx, parts.store, handler.Erased, log)()
	ready(addressOf(listener, certificate != nil), key)
	select {
	case <-ctx.Done():
		log.Info("stopping: requests under way are finished first")
		// Deferred calls run last to first; the server has to stop before its parts do.
		return shutdown(server, served)
	case err := <-served:
		served <- err
		return err
	}
}

// addressOf is where this machine reaches the server: its own loopback address when it
// listens at all of them.
func addressOf(listener net.Listener, secure bool) string {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	address := listener.Addr().(*net.TCPAddr)
	if address.IP.IsUnspecified() {
		return fmt.Sprintf("%s127.0.0.1:%d", scheme, address.Port)
	}
	return scheme + address.String()
}

// serveOn speaks TLS, and HTTP/2, where the server has a certificate.
func serveOn(server *http.Server, listener net.Listener) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(listener, "", "")
	}
	return server.Serve(listener)
}

func newHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout,
		WriteTimeout: answerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytesMax,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// shutdown lets requests under way end. It may be called again.
func shutdown(server *http.Server, served chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	served <- http.ErrServerClosed
	return err
}

// serverParts are what serve opens and has to close.
type serverParts struct {
	embedder  *embedder // the one in use; reembed may change it
	estimator *attributes.Estimator
	store     store
	service   *search.Service
}

// load checks and opens models and store, side by side. Only of the default embedder it is known
// before it is open which store it fits.
func (c *serverFlags) load(ctx context.Context, log *slog.Logger) (*serverParts, error) {
	if err := models.Verify(c.Models); err != nil {
		return nil, err
	}
	parts, name, model := &serverParts{}, c.Embedder, face.DefaultModel
	openEmbedder := func() (err error) {
		parts.embedder, err = openEmbedder(ctx, name, c.Models, c.Workers, log)
		return err
	}
	var group errgroup.Group
	if name == defaultEmbedder {
		group.Go(openEmbedder)
	} else {
		if err := openEmbedder(); err != nil {
			return nil, err
		}
		model = parts.embedder.Model
	}
	group.Go(func() (err error) {
		parts.estimator, err = openEstimator(c.Models, c.Workers)
		return err
	})
	group.Go(func() error {
		opened, err := c.openGallery(ctx, model, log)
		if err == nil {
			parts.store = opened
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, parts.close())
	}
	waiting := c.Waiting
	if waiting == 0 {
		waiting = waitingPerWorker * c.Workers
	}
	parts.service = search.New(parts.store, parts.embedder.Engine, parts.estimator, search.Options{
		Workers: c.Workers, WaitingMax: waiting, Confidence: dlib.Confidence,
		Calibration: parts.embedder.Calibration, Model: parts.embedder.Model,
	})
	log.Info("embedding model loaded", "model", parts.embedder.Model.ID, "dim", parts.embedder.Model.Dim)
	return parts, nil
}

func openEstimator(directory string, workers int) (*attributes.Estimator, error) {
	files := attributes.Files{Runtime: models.ONNXRuntime, Age: models.Age, Gender: models.Gender}
	return attributes.Open(directory, files, workers, dlib.Chip)
}

func (p *serverParts) close() error {
	var failures []error
	if p.service != nil {
		p.service.Close()
	}
	if p.store != nil {
		failures = append(failures, p.store.Close())
	}
	if p.estimator != nil {
		p.estimator.Close()
	}
	if p.embedder != nil {
		p.embedder.close()
	}
	return errors.Join(failures...)
}

// greet tells a person what to do next, all at once: the log is written meanwhile.
func (c *serveCommand) greet(to io.Writer, address, key string) {
	var text strings.Builder
	fmt.Fprintf(&text, "\nfacesearch is ready at %s\n\n", address)
	shown := key
	if key == "" {
		shown = "$FACESEARCH_API_KEY"
		fmt.Fprintf(&text, "  The API key was printed at the first start. Another one:\n\n    %s keys create --data %s\n\n", os.Args[0], c.Data)
	} else if c.Dev {
		fmt.Fprintf(&text, "  API key of every server with --dev: %s\n\n", key)
	} else {
		fmt.Fprintf(&text, "  API key, shown this once: %s\n\n", key)
	}
	if absolute, err := filepath.Abs(c.Example); err == nil && c.Example != "photo.jpg" {
		c.Example = absolute
	}
	fmt.Fprintf(&text, "  Enrol somebody, then search for the same face:\n\n")
	fmt.Fprintf(&text, "    curl -s %s/v3/sessions/ -H 'x-api-key: %s' -F portrait_image=@%s -F vendor_data=user-1\n", address, quoted(shown), c.Example)
	fmt.Fprintf(&text, "    curl -s %s/v3/face-search/ -H 'x-api-key: %s' -F user_image=@%s\n\n", address, quoted(shown), c.Example)
	io.WriteString(to, text.String())
}

// quoted ends the single quotes of a shell line around a variable.
func quoted(key string) string {
	if key == "$FACESEARCH_API_KEY" {
		return `'"` + key + `"'`
	}
	return key
}
