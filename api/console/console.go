// Package console is the web console: the pages under /console/, embedded, and who is signed in
// to them. The pages call the same API as every client does, through Forward, which lets a
// signed-in browser in without the API key ever being in a page.
package console

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

//go:embed static
var static embed.FS

// Path is where the console is. Its cookie is sent nowhere else.
const Path = "/console/"

// apiPath stands before the path of an API request that comes from a page of the console.
const apiPath = Path + "api"

// pageHeader has to come with every request of the console's pages. A page of another origin
// cannot send it without asking first, and is not allowed to.
const pageHeader = "X-Facesearch-Console"

// policy lets a browser load what this server serves, show pictures that the viewer chose, and
// nothing else; scripts cannot write HTML.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// signInBytesMax bounds the body of a sign-in.
const signInBytesMax = 4096

// Options configures New.
type Options struct {
	// Key finds a valid key, by the digest of its secret, for whoever sent a request. The API asks
	// it with every request, so that a key that is revoked signs out whoever used it.
	Key func(r *http.Request, digest [32]byte) (face.Key, error)
	// Fail answers with an error in the API's form.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
	// Origin is where clients reach the server at, such as https://faces.example.org, when a proxy
	// hides that from it; empty: where each request says.
	Origin string
	// Base is the server's address as this client sees it.
	Base func(r *http.Request) string
	// Now is the clock of the sign-ins.
	Now func() time.Time
}

// A Console serves the pages and keeps the sign-ins.
type Console struct {
	options Options
	signIns *signIns
	origins *http.CrossOriginProtection
	files   map[string]file
}

// A file is one of the embedded ones.
type file struct {
	data []byte
	kind string // its content type
	tag  string // changes with its content
}

// New makes a Console.
func New(options Options) *Console {
	origins := http.NewCrossOriginProtection()
	if parsed, err := url.Parse(options.Origin); err == nil && parsed.Host != "" {
		origins.AddTrustedOrigin(parsed.Scheme + "://" + parsed.Host) // an error would only trust nothing
	}
	return &Console{options: options, signIns: newSignIns(options.Now), origins: origins, files: files()}
}

// files reads what is embedded, once.
var files = sync.OnceValue(func() map[string]file {
	list, err := fs.ReadDir(static, "static")
	if err != nil {
		panic(err) // it is embedded
	}
	read := map[string]file{}
	for _, item := range list {
		data, err := static.ReadFile("static/" + item.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		read[item.Name()] = file{data, kinds[path.Ext(item.Name())], `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	return read
})

var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// Routes adds what is under /console, but for the API.
func (c *Console) Routes(router chi.Router) {
	router.Group(func(router chi.Router) {
		router.Use(withHeaders)
		router.Get("/console", c.page)
		router.Get("/console/*", c.page)
		router.With(c.fromPage).Get("/console/session", c.showSession)
		router.With(c.fromPage).Post("/console/session", c.signIn)
		router.With(c.fromPage).Delete("/console/session", c.signOut)
	})
}

func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
		next.ServeHTTP(w, r)
	})
}

// page answers with a file; the console itself is index.html.
func (c *Console) page(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == strings.TrimSuffix(Path, "/") {
		// A relative address, so that a proxy may serve all of this under another path.
		w.Header().Set("Location", strings.Trim(Path, "/")+"/")
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, Path)
	if name == "" {
		name = "index.html"
	}
	found, ok := c.files[name]
	if !ok {
		c.options.Fail(w, r, face.NotFound("The console has no such page: it begins at %s.", Path))
		return
	}
	w.Header().Set("Content-Type", found.kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", found.tag)
	if r.Header.Get("If-None-Match") == found.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(found.data)
}

// fromPage refuses what a page of another origin may have sent.
func (c *Console) fromPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := c.origins.Check(r)
		if err != nil || r.Header.Get(pageHeader) == "" {
			c.options.Fail(w, r, &face.Error{Code: face.CodeForbidden, Detail: "This request does not come from a page of the console.", Cause: err})
			return
		}
		next.ServeHTTP(w, r)
	})
}

type contextKey struct{}

// Digest is that of the key which a request of the console acts with; false for every other
// request, which brings its key in a header.
func Digest(ctx context.Context) ([32]byte, bool) {
	digest, ok := ctx.Value(contextKey{}).([32]byte)
	return digest, ok
}

// Forward turns a request for /console/api/v3/… of a signed-in browser into one for /v3/… that
// acts with the browser's key. Only here the cookie counts.
func (c *Console) Forward(next http.Handler) http.Handler {
	forwarded := c.fromPage(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signedIn, ok := c.signIns.of(r)
		if !ok {
			c.options.Fail(w, r, signedOut())
			return
		}
		// The next handler asks for the key as it does for every request, and refuses one that
		// was revoked since.
		r = r.Clone(context.WithValue(r.Context(), contextKey{}, signedIn.digest))
		r.URL.Path, r.URL.RawPath = strings.TrimPrefix(r.URL.Path, apiPath), strings.TrimPrefix(r.URL.RawPath, apiPath)
		next.ServeHTTP(w, r)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, apiPath+"/v3/") {
			forwarded.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func signedOut() error {
	return &face.Error{Code: face.CodeUnauthorized, Detail: "You are not signed in to the console, or no longer: sign in with an API key."}
}

// A sessionResponse says who is signed in; the rest is null when nobody is.
type sessionResponse struct {
	SignedIn  bool       `json:"signed_in"`
	KeyID     *string    `json:"key_id"`
	KeyName   *string    `json:"key_name"`
	ExpiresAt *time.Time `json:"expires_at"`
	// Base is the address that clients of the API use.
	Base string `json:"base"`
}

// showSession says who is signed in.
func (c *Console) showSession(w http.ResponseWriter, r *http.Request) {
	signedIn, ok := c.signIns.of(r)
	if !ok {
		c.answer(w, sessionResponse{Base: c.options.Base(r)})
		return
	}
	key, err := c.options.Key(r, signedIn.digest)
	if face.CodeOf(err) == face.CodeUnauthorized {
		c.signIns.end(r)
		c.answer(w, sessionResponse{Base: c.options.Base(r)})
		return
	}
	if err != nil {
		c.options.Fail(w, r, err)
		return
	}
	c.answer(w, c.responseOf(r, key, signedIn))
}

func (c *Console) responseOf(r *http.Request, key face.Key, signedIn signIn) sessionResponse {
	return sessionResponse{SignedIn: true, KeyID: &key.ID, KeyName: &key.Name, ExpiresAt: &signedIn.expires, Base: c.options.Base(r)}
}

func (c *Console) answer(w http.ResponseWriter, response sessionResponse) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(response) // an error here is a client that went away
}

// signIn exchanges an API key for a cookie.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Key string `json:"api_key"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, signInBytesMax)).Decode(&request)
	if err != nil || request.Key == "" {
		c.options.Fail(w, r, face.Invalid("api_key is missing: send {\"api_key\": \"…\"}."))
		return
	}
	digest := search.Digest(request.Key)
	key, err := c.options.Key(r, digest)
	if err == nil && !key.Scope.Covers(face.ScopeManage) {
		err = &face.Error{Code: face.CodeForbidden, Detail: "This API key has the scope " + string(key.Scope) + ", and the console needs the scope manage: use a key that has it."}
	}
	if err != nil {
		c.options.Fail(w, r, err)
		return
	}
	token, signedIn := c.signIns.begin(digest)
	http.SetCookie(w, c.cookie(r, token, int(signInLife.Seconds())))
	c.answer(w, c.responseOf(r, key, signedIn))
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	c.signIns.end(r)
	http.SetCookie(w, c.cookie(r, "", -1))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

func (c *Console) cookie(r *http.Request, token string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: token, Path: Path, MaxAge: maxAge, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: strings.HasPrefix(c.options.Base(r), "https://"),
	}
}
