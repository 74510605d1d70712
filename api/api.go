// Package api is the HTTP side: routes, wire types, and which error is which status. Nothing
// below it knows HTTP.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"facesearch/api/console"
	"facesearch/pkg/account"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// Options configures New.
type Options struct {
	// PublicURL is the address clients reach this server at, without a last slash, such as
	// https://faces.example.org; empty: each request's own host is used.
	PublicURL string
	Log       *slog.Logger
	// Now is the clock for the expiry of addresses and for limits; time.Now when nil.
	Now func() time.Time
	// Registration lets anybody make an application by e-mail. Mail sends the codes; nil: they
	// are written to Log.
	Registration bool
	Mail         account.Sender
	// Dev makes the server a stand-in for tests of clients: it accepts search.DevKey and obeys
	// X-Simulate.
	Dev bool
	// TrustedProxies are those whose X-Forwarded headers are believed.
	TrustedProxies []netip.Prefix
	// CORSOrigins are the origins whose pages may call the API from a browser; "*" is any.
	CORSOrigins []string
	// OpenTopUp lets any key add credits.
	OpenTopUp bool
	// MetricsApart leaves GET /metrics out; Metrics then answers it elsewhere.
	MetricsApart bool
}

// A Server answers HTTP requests. Until Ready is called it answers only /healthz, and says
// 503 to everything else, so that it can listen while models and gallery are loaded.
type Server struct {
	options Options
	ready   atomic.Pointer[parts]
	uploads chan struct{}
	console *console.Console
	router  http.Handler
	metrics *metrics
	keys    windows[[32]byte] // requests by the key's digest
	guesses guesses
}

// parts are what a ready server works with.
type parts struct {
	gallery face.Gallery
	service *search.Service
	media   *signer
	usage   *search.Usage
	// accounts is nil where registration is off.
	accounts *account.Service
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
	if options.Mail == nil {
		options.Mail = account.LogSender{Log: options.Log}
	}
	options.PublicURL = strings.TrimRight(options.PublicURL, "/")
	s := &Server{options: options, uploads: make(chan struct{}, uploadsMax)}
	s.console = console.New(console.Options{Key: s.keyByDigest, Fail: s.fail, Origin: options.PublicURL, Base: s.base, Now: options.Now})
	s.metrics = newMetrics(s)
	s.router = s.routes()
	return s
}

// Ready gives the server its parts; from then on it answers.
func (s *Server) Ready(ctx context.Context, gallery face.Gallery, service *search.Service) error {
	media := &signer{gallery: gallery, now: s.options.Now}
	if err := media.load(ctx); err != nil {
		return err
	}
	parts := &parts{gallery: gallery, service: service, media: media, usage: search.NewUsage(gallery)}
	if s.options.Registration {
		var err error
		if parts.accounts, err = account.New(ctx, gallery, s.options.Mail, s.options.Now); err != nil {
			return err
		}
	}
	s.ready.Store(parts)
	return nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

func (s *Server) routes() http.Handler {
	router := chi.NewRouter()
	router.Use(withRequestID, withLog(s.options.Log), s.metrics.withRequests, withRecovery(s.options.Log),
		withForwardedWarning(s.options.TrustedProxies, s.options.Log), withClient(s.options.TrustedProxies), withCORS(s.options.CORSOrigins),
		s.console.Forward, middleware.StripSlashes, middleware.GetHead)
	router.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, face.NotFound("There is nothing at %s.", r.URL.Path))
	})
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(methodsOf(router, r), ", "))
		s.fail(w, r, &face.Error{Code: codeMethod, Detail: r.Method + " is not possible here; the Allow header names what is."})
	})
	router.Get("/healthz", s.health)
	router.Get("/readyz", s.readiness)
	if !s.options.MetricsApart {
		router.Method(http.MethodGet, "/metrics", s.Metrics())
	}
	router.Get("/openapi.yaml", s.openAPI)
	router.Get("/docs", s.docs)
	s.console.Routes(router)
	router.Group(func(router chi.Router) {
		router.Use(s.whenReady)
		router.Get("/v3/media/{id}", s.media)
		router.Post("/auth/v2/programmatic/register", s.register)
		router.Post("/auth/v2/programmatic/verify-email", s.verifyEmail)
		router.Group(func(router chi.Router) {
			router.Use(s.withSimulation, s.withKey)
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
			router.Get("/v3/duplicates", s.findDuplicates)
			router.Get("/v3/searches", s.searches)
			router.Get("/v3/audit", s.audit)
			router.Get("/v3/audit/{number}/receipt", s.receipt)
			router.Get("/v3/settings", s.settings)
			router.Patch("/v3/settings", s.changeSettings)
			router.Get("/v3/settings/effect", s.effect)
			router.Get("/v3/usage", s.usage)
			router.Get("/v3/keys", s.listKeys)
			router.Post("/v3/keys", s.createKey)
			router.Delete("/v3/keys/{id}", s.revokeKey)
			router.Get("/v3/billing/balance", s.balance)
			router.Post("/v3/billing/top-up", s.topUp)
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
	scheme, host := proxies(s.options.TrustedProxies).forwarded(r)
	if scheme == "" {
		scheme = "http"
		if r.TLS != nil {
			scheme = "https"
		}
	}
	if host == "" {
		host = r.Host
	}
	return scheme + "://" + host
}
