package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"facesearch/pkg/facetest"
)

// patience is how long a test waits for what must happen. Nothing is asserted about how long it
// takes.
const patience = 3 * time.Minute

// binary is the server, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "facesearch-console-")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(directory)
		binary = filepath.Join(directory, "facesearch")
		if said, err := exec.Command("go", "build", "-o", binary, "facesearch/cmd/facesearch").CombinedOutput(); err != nil {
			fmt.Printf("building the server: %v\n%s", err, said)
			return 1
		}
		defer closeBrowser()
		return m.Run()
	}())
}

const bootstrapKey = "bootstrap-key-of-the-console-tests"

// A server is one that runs as a process of its own, on a store of its own.
type server struct {
	url, data string
}

var readyPattern = regexp.MustCompile(`facesearch is ready at (http://\S+)`)

func serve(t *testing.T) *server {
	t.Helper()
	return serveAt(t, filepath.Join(t.TempDir(), "data"))
}

func serveAt(t testing.TB, data string) *server {
	t.Helper()
	s := &server{data: data}
	said := &facetest.Buffer{}
	cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--data", s.data, "--models", facetest.Models(t), "--bootstrap-key", bootstrapKey)
	for _, each := range os.Environ() {
		if !strings.HasPrefix(each, "FACESEARCH_") {
			cmd.Env = append(cmd.Env, each)
		}
	}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-exited
		if t.Failed() {
			for line := range strings.Lines(said.String()) {
				if !strings.Contains(line, " msg=request ") {
					t.Log(line)
				}
			}
		}
		if strings.Contains(said.String(), "internal error") || strings.Contains(said.String(), "panic") {
			t.Errorf("the server's log:\n%s", said.String())
		}
	})
	for start := time.Now(); time.Since(start) < patience; time.Sleep(20 * time.Millisecond) {
		if found := readyPattern.FindStringSubmatch(said.String()); found != nil {
			s.url = found[1]
			return s
		}
		select {
		case <-exited:
			t.Fatalf("the server ended:\n%s", said.String())
		default:
		}
	}
	t.Fatal("the server is not ready:\n", said.String())
	return nil
}

// api asks the API as any client does, wants a status, and decodes the answer.
func (s *server) api(t *testing.T, method, path string, body any, want int, answer any) {
	t.Helper()
	var reader io.Reader
	contentType := "application/json"
	switch body := body.(type) {
	case nil:
	case *form:
		reader, contentType = &body.data, body.kind
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", bootstrapKey)
	request.Header.Set("Content-Type", contentType)
	got, data := s.do(t, request)
	if got.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.StatusCode, want, data)
	}
	if answer != nil {
		if err := json.Unmarshal(data, answer); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *server) do(t *testing.T, request *http.Request) (*http.Response, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(request.Context(), patience)
	defer cancel()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, data
}

// A form is a multipart body.
type form struct {
	kind string
	data bytes.Buffer
}

func formOf(t *testing.T, field string, picture []byte, fields ...string) *form {
	t.Helper()
	f := &form{}
	writer := multipart.NewWriter(&f.data)
	part, err := writer.CreateFormFile(field, "photo.jpg")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(picture)
	for i := 0; i+1 < len(fields); i += 2 {
		writer.WriteField(fields[i], fields[i+1])
	}
	writer.Close()
	f.kind = writer.FormDataContentType()
	return f
}

// enrol enrols a photograph and returns the session's ID.
func (s *server) enrol(t *testing.T, photograph string, fields ...string) string {
	t.Helper()
	var session struct {
		ID string `json:"session_id"`
	}
	s.api(t, "POST", "/v3/sessions/", formOf(t, "portrait_image", facetest.Photograph(t, photograph), fields...), 201, &session)
	return session.ID
}

// search searches a photograph, keeps the search and returns its ID.
func (s *server) search(t *testing.T, picture []byte, fields ...string) string {
	t.Helper()
	var answer struct {
		ID string `json:"request_id"`
	}
	s.api(t, "POST", "/v3/face-search/", formOf(t, "user_image", picture, fields...), 200, &answer)
	return answer.ID
}

// photographPath is where a photograph is on the disk, for a browser to choose.
func photographPath(t *testing.T, name string) string {
	t.Helper()
	facetest.Photograph(t, name)
	path, err := filepath.Abs(filepath.Join(os.Getenv("FACESEARCH_PHOTOGRAPHS"), name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// command runs a command of the server's owner on its store, and returns what it prints.
func (s *server) command(t *testing.T, arguments ...string) string {
	t.Helper()
	cmd := exec.Command(binary, append(arguments, "--data", s.data)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", arguments, err, said.String())
	}
	return string(out)
}
