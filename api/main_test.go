package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"facesearch/api"
	"facesearch/models"
	"facesearch/pkg/attributes"
	"facesearch/pkg/bolt"
	"facesearch/pkg/dlib"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/search"
)

// patience is how long a test waits for what must happen. Nothing is asserted about how long
// it takes.
const patience = 3 * time.Minute

// A world is what the tests of this package share: the models, one store on disk, and a
// server over both that listens on loopback. Each test has an application of its own.
type world struct {
	engine    *dlib.Engine
	describer *attributes.Estimator
	gallery   *counted
	url       string
	close     func()
}

const worldWorkers = 2

var (
	shared   *world
	sharedMu sync.Mutex
	// logged is everything that any server of these tests has logged.
	logged facetest.Buffer
	// confidential is what must never be found in it.
	confidential sync.Map
)

func TestMain(m *testing.M) {
	status := m.Run()
	if shared != nil {
		shared.close()
		if err := checkLog(logged.String()); err != nil {
			fmt.Println("FAIL: the log of all tests:", err)
			status = 1
		}
	}
	os.Exit(status)
}

// checkLog finds what is personal or secret in a log.
func checkLog(text string) (err error) {
	confidential.Range(func(key, _ any) bool {
		if strings.Contains(text, key.(string)) {
			err = fmt.Errorf("it holds %q", key)
		}
		return err == nil
	})
	if err == nil && !strings.Contains(text, `"route":"/v3/`) {
		err = errors.New("no request is in it")
	}
	return err
}

// confide marks a text that must never be logged.
func confide(text string) string {
	if text != "" {
		confidential.Store(text, true)
	}
	return text
}

func open(tb testing.TB) *world {
	tb.Helper()
	directory := facetest.Models(tb)
	sharedMu.Lock()
	defer sharedMu.Unlock()
	if shared == nil {
		made, err := newWorld(directory)
		if err != nil {
			tb.Fatal(err)
		}
		shared = made
	}
	return shared
}

func newWorld(directory string) (*world, error) {
	engine, err := dlib.Open(context.Background(), directory, worldWorkers)
	if err != nil {
		return nil, err
	}
	files := attributes.Files{Runtime: models.ONNXRuntime, Age: models.Age, Gender: models.Gender}
	describer, err := attributes.Open(directory, files, worldWorkers, dlib.Chip)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "facesearch-api-")
	if err != nil {
		return nil, err
	}
	store, err := bolt.Open(data, bolt.Options{Log: testLog()})
	if err != nil {
		return nil, err
	}
	w := &world{engine: engine, describer: describer, gallery: &counted{Gallery: store}}
	server, service, err := w.start(api.Options{OpenTopUp: true}, engine, worldWorkers, 1000)
	if err != nil {
		return nil, err
	}
	w.url = server.URL
	w.close = func() {
		server.Close()
		service.Close()
		store.Close()
		describer.Close()
		engine.Close()
		os.RemoveAll(data)
	}
	return w, nil
}

func testLog() *slog.Logger {
	return slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// start makes one more server over the same store.
func (w *world) start(options api.Options, engine search.Engine, workers, waitingMax int) (*httptest.Server, *search.Service, error) {
	options.Log = testLog()
	handler := api.New(options)
	service := search.New(w.gallery, engine, w.describer, search.Options{
		Workers: workers, WaitingMax: waitingMax, Confidence: dlib.Confidence, Calibration: facetest.Calibration(),
	})
	if err := handler.Ready(context.Background(), w.gallery, service); err != nil {
		return nil, nil, err
	}
	return listen(handler), service, nil
}

func listen(handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout = patience
	server.Config.ErrorLog = log.New(&logged, "", 0)
	server.Start()
	return server
}

// serve is start for one test.
func (w *world) serve(t *testing.T, options api.Options, engine search.Engine, workers, waitingMax int) string {
	t.Helper()
	server, service, err := w.start(options, engine, workers, waitingMax)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	t.Cleanup(server.Close)
	return server.URL
}

// counted counts the saved searches of each application, which a Gallery cannot list.
type counted struct {
	face.Gallery
	saved sync.Map // application → *atomic.Int64
}

func (c *counted) SaveSearch(ctx context.Context, application string, search face.SavedSearch, picture face.Picture) error {
	counter, _ := c.saved.LoadOrStore(application, new(atomic.Int64))
	counter.(*atomic.Int64).Add(1)
	return c.Gallery.SaveSearch(ctx, application, search, picture)
}

// Stats are those of the store.
func (c *counted) Stats(ctx context.Context) (face.Stats, error) {
	return c.Gallery.(*bolt.Store).Stats(ctx)
}

func (c *counted) savedBy(application string) int64 {
	counter, ok := c.saved.Load(application)
	if !ok {
		return 0
	}
	return counter.(*atomic.Int64).Load()
}

// A tenant is one application with a key, and the server that it talks to.
type tenant struct {
	*world
	id, key, url string
}

func newTenant(t *testing.T) *tenant {
	t.Helper()
	w := open(t)
	application := face.Application{ID: uuid.NewString(), Name: t.Name(), CreatedAt: time.Now()}
	if err := w.gallery.CreateApplication(t.Context(), application); err != nil {
		t.Fatal(err)
	}
	one := &tenant{world: w, id: application.ID, url: w.url}
	one.key, _ = one.newKey(t)
	return one
}

func (a *tenant) newKey(t *testing.T) (secret, id string) {
	t.Helper()
	secret = confide(search.NewSecret())
	key, err := search.CreateKey(t.Context(), a.gallery, a.id, "test", secret)
	if err != nil {
		t.Fatal(err)
	}
	return secret, key.ID
}

// withScope is the same tenant with a key of that scope.
func (a *tenant) withScope(t *testing.T, scope face.Scope) *tenant {
	t.Helper()
	other := *a
	other.key = confide(search.NewSecret())
	if _, err := search.StoreKey(t.Context(), a.gallery, face.Key{Application: a.id, Name: string(scope), Scope: scope}, other.key); err != nil {
		t.Fatal(err)
	}
	return &other
}

// size is how many sessions the application's searches compare with.
func (a *tenant) size(t *testing.T) int {
	t.Helper()
	size, err := a.gallery.Size(t.Context(), a.id)
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// A part is one part of a form; with a file name it is a file.
type part struct {
	name, file string
	data       []byte
}

func file(name string, data []byte) part { return part{name, "photo.jpg", data} }
func text(name, value string) part       { return part{name, "", []byte(value)} }

// form encodes parts as the clients of the API do: every file is declared a JPEG.
func form(parts ...part) (contentType string, body []byte) {
	var buffer bytes.Buffer
	writer := multipart.NewWriter(&buffer)
	for _, each := range parts {
		header := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name="%s"`, each.name)
		if each.file != "" {
			disposition += fmt.Sprintf(`; filename="%s"`, each.file)
			header.Set("Content-Type", "image/jpeg")
		}
		header.Set("Content-Disposition", disposition)
		into, err := writer.CreatePart(header)
		if err != nil {
			panic(err) // a buffer takes everything
		}
		into.Write(each.data)
	}
	writer.Close()
	return writer.FormDataContentType(), buffer.Bytes()
}

// An answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *tenant) request(t *testing.T, method, path, contentType string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if a.key != "" {
		request.Header.Set("x-api-key", a.key)
	}
	return request
}

var httpClient = &http.Client{Timeout: patience}

func do(request *http.Request) (answer, error) {
	response, err := httpClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}, err
}

func (a *tenant) send(t *testing.T, method, path, contentType string, body []byte) answer {
	t.Helper()
	got, err := do(a.request(t, method, path, contentType, bytes.NewReader(body)))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

func (a *tenant) post(t *testing.T, path string, parts ...part) answer {
	t.Helper()
	for _, each := range parts {
		// What identifies nobody, such as a status, may be logged.
		if each.file == "" && len(each.data) > 8 && !strings.HasPrefix(each.name, "rotate") {
			confide(string(each.data))
		}
	}
	contentType, body := form(parts...)
	return a.send(t, http.MethodPost, path, contentType, body)
}

// search posts a picture and wants 200.
func (a *tenant) search(t *testing.T, picture []byte, fields ...part) searched {
	t.Helper()
	got := a.post(t, "/v3/face-search/", append([]part{file("user_image", picture)}, fields...)...)
	var result searched
	got.decode(t, http.StatusOK, &result)
	result.raw = got.body
	for _, match := range result.FaceSearch.Matches {
		confideAddress(match.MatchImageURL)
	}
	return result
}

// enrol posts a portrait and wants 201.
func (a *tenant) enrol(t *testing.T, picture []byte, fields ...part) enrolled {
	t.Helper()
	got := a.post(t, "/v3/sessions/", append([]part{file("portrait_image", picture)}, fields...)...)
	var result enrolled
	got.decode(t, http.StatusCreated, &result)
	confideAddress(result.PortraitImageURL)
	return result
}

func confideAddress(address *string) {
	if address == nil {
		return
	}
	if parsed, err := url.Parse(*address); err == nil {
		confide(parsed.Query().Get("signature"))
	}
}

func (got answer) decode(t *testing.T, status int, into any) {
	t.Helper()
	if got.status != status {
		t.Fatalf("status %d, want %d: %s", got.status, status, got.body)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("Content-Type %q", kind)
	}
	if err := json.Unmarshal(got.body, into); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
}

// refused wants an error of the one form that all errors have.
func (got answer) refused(t *testing.T, status int, code, words string) {
	t.Helper()
	var refusal map[string]any
	got.decode(t, status, &refusal)
	detail, _ := refusal["detail"].(string)
	if len(refusal) != 2 || refusal["error"] != code || !strings.Contains(detail, words) {
		t.Errorf("answer %s, want error %q and a detail with %q", got.body, code, words)
	}
	if !strings.HasSuffix(detail, ".") || strings.TrimSpace(detail) != detail || len(detail) < 10 {
		t.Errorf("detail %q is not a sentence", detail)
	}
}

// searched and enrolled are what the tests read of the answers; the golden files hold all.
type searched struct {
	RequestID  string `json:"request_id"`
	FaceSearch struct {
		Status       string `json:"status"`
		TotalMatches int    `json:"total_matches"`
		Matches      []struct {
			SessionID            string  `json:"session_id"`
			SessionNumber        int     `json:"session_number"`
			SimilarityPercentage float64 `json:"similarity_percentage"`
			VendorData           *string `json:"vendor_data"`
			VerificationDate     string  `json:"verification_date"`
			UserDetails          struct {
				Name           string `json:"name"`
				DocumentType   string `json:"document_type"`
				DocumentNumber string `json:"document_number"`
			} `json:"user_details"`
			MatchImageURL        *string  `json:"match_image_url"`
			ExpectedFalseMatches *float64 `json:"expected_false_matches"`
		} `json:"matches"`
		UserImage struct {
			Entities []struct {
				BBox       [4]int  `json:"bbox"`
				Confidence float64 `json:"confidence"`
			} `json:"entities"`
			BestAngle int `json:"best_angle"`
		} `json:"user_image"`
		Warnings []struct {
			Risk           string  `json:"risk"`
			LogType        string  `json:"log_type"`
			AdditionalData *string `json:"additional_data"`
		} `json:"warnings"`
	} `json:"face_search"`
	raw []byte
}

// first is the vendor_data of the best match.
func (s searched) first() string {
	if len(s.FaceSearch.Matches) == 0 || s.FaceSearch.Matches[0].VendorData == nil {
		return ""
	}
	return *s.FaceSearch.Matches[0].VendorData
}

type enrolled struct {
	SessionID        string  `json:"session_id"`
	SessionNumber    int     `json:"session_number"`
	Status           string  `json:"status"`
	VerificationDate string  `json:"verification_date"`
	PortraitImageURL *string `json:"portrait_image_url"`
}
