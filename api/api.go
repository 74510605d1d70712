// Package api is the HTTP side: routes, wire types, and which error is which status. Nothing
// below it knows HTTP.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// Options configures New.
type Options struct {
	// PublicURL is the address clients reach this server at, without a last slash, such as
	// https://faces.example.org; empty: each request's own host is used.
	PublicURL string
	Log       *slog.Logger
	// Now is the clock for the expiry of addresses; time.Now when nil.
	Now func() time.Time
}

// A Server answers HTTP requests. Until Ready is called it answers only /healthz, and says
// 503 to everything else, so that it can listen while models and gallery are loaded.
type Server struct {
	options Options
	ready   atomic.Pointer[parts]
	uploads chan struct{}
	router  http.Handler
}

// parts are what a ready server works with.
type parts struct {
	gallery face.Gallery
	service *search.Service
	media   *signer
}

// uploadsMax is how many request bodies are read at once; each holds at most its pictures and
// formBytesMax in memory.
const uploadsMax = 128

// New makes a Server that is not ready.
func New(options Options) *Server {
	if options.Log == nil {
		options.Log = slog.Default()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	options.PublicURL = strings.TrimRight(options.PublicURL, "/")
	s := &Server{options: options, uploads: make(chan struct{}, uploadsMax)}
	s.router = s.routes()
	return s
}

// Ready gives the server its parts; from then on it answers.
func (s *Server) Ready(ctx context.Context, gallery face.Gallery, service *search.Service) error {
	media := &signer{now: s.options.Now}
	if err := media.load(ctx, gallery); err != nil {
		return err
	}
	s.ready.Store(&parts{gallery, service, media})
	return nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

func (s *Server) routes() http.Handler {
	router := chi.NewRouter()
	router.Use(withRequestID, withLog(s.options.Log), withRecovery(s.options.Log), middleware.StripSlashes, middleware.GetHead)
	router.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, face.NotFound("There is nothing at %s.", r.URL.Path))
	})
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(methodsOf(router, r), ", "))
		s.fail(w, r, &face.Error{Code: codeMethod, Detail: r.Method + " is not possible here; the Allow header names what is."})
	})
	router.Get("/healthz", s.health)
	router.Get("/readyz", s.readiness)
	router.Get("/openapi.yaml", s.openAPI)
	router.Get("/docs", s.docs)
	router.Group(func(router chi.Router) {
		router.Use(s.whenReady)
		router.Get("/v3/media/{id}", s.media)
		router.Group(func(router chi.Router) {
			router.Use(s.withKey)
			router.Post("/v3/face-search", s.faceSearch)
			router.Post("/v3/face-match", s.faceMatch)
			router.Get("/v3/sessions", s.sessions)
			router.Post("/v3/sessions", s.createSession)
			router.Get("/v3/session/{id}/decision", s.decision)
			router.Patch("/v3/session/{id}/update-status", s.updateStatus)
			router.Delete("/v3/session/{id}/delete", s.deleteSession)
			router.Post("/v3/users/delete", s.deleteUsers)
			router.Get("/v3/blocklist", s.blocklist)
			router.Post("/v3/blocklist/add", s.addToBlocklist)
			router.Post("/v3/blocklist/remove", s.removeFromBlocklist)
			router.Post("/v3/blocklist/faces", s.blocklistFace)
			router.Get("/v3/searches", s.searches)
			router.Get("/v3/audit", s.audit)
			router.Get("/v3/audit/{number}/receipt", s.receipt)
			router.Get("/v3/settings", s.settings)
			router.Patch("/v3/settings", s.changeSettings)
		})
	})
	return router
}

// methodsOf are the methods that a path knows.
func methodsOf(router chi.Routes, r *http.Request) []string {
	path := strings.TrimRight(r.URL.Path, "/")
	var methods []string
	for _, method := range []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"} {
		asked := method
		if method == "HEAD" {
			asked = "GET"
		}
		if router.Match(chi.NewRouteContext(), asked, path) {
			methods = append(methods, method)
		}
	}
	sort.Strings(methods)
	return methods
}

// base is the server's address as this client sees it.
func (s *Server) base(r *http.Request) string {
	if s.options.PublicURL != "" {
		return s.options.PublicURL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
