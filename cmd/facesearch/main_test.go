package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
)

// patience is how long a test waits for what must happen. Nothing is asserted about how long
// it takes.
const patience = 5 * time.Minute

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "facesearch-bin-")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(directory)
		binary = filepath.Join(directory, "facesearch")
		build := exec.Command("go", "build", "-o", binary, ".")
		if said, err := build.CombinedOutput(); err != nil {
			fmt.Printf("building the program: %v\n%s", err, said)
			return 1
		}
		return m.Run()
	}())
}

// command prepares the program with nothing of the test's own environment that it would read
// as a flag. It is killed, by its own process, when the test ends; how long a test goes on
// depends on the machine.
func command(t *testing.T, environment []string, arguments ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return commandUntil(ctx, environment, arguments...)
}

// commandUntil is a command that is killed when the context ends.
func commandUntil(ctx context.Context, environment []string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, arguments...)
	for _, each := range os.Environ() {
		if !strings.HasPrefix(each, "FACESEARCH_") && !strings.HasPrefix(each, "DIDIT_") {
			cmd.Env = append(cmd.Env, each)
		}
	}
	// A program built with the race detector would wait for a second before it ends.
	cmd.Env = append(append(cmd.Env, "GORACE=atexit_sleep_ms=0"), environment...)
	return cmd
}

// An outcome is how a command ended.
type outcome struct {
	status      int
	out, errors string
}

func run(t *testing.T, environment []string, arguments ...string) outcome {
	t.Helper()
	return finish(t, command(t, environment, arguments...))
}

func finish(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), said.String()}
}

// ended wants an exit status and words on standard error.
func (o outcome) ended(t *testing.T, status int, words ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("exit status %d, want %d\n%s%s", o.status, status, o.out, o.errors)
	}
	for _, each := range words {
		if !strings.Contains(o.errors, each) {
			t.Errorf("standard error lacks %q:\n%s", each, o.errors)
		}
	}
}

// A server is one that runs as a process of its own.
type server struct {
	cmd    *exec.Cmd
	data   string
	url    string
	said   *facetest.Buffer // standard error
	out    *facetest.Buffer
	exited chan error
}

const bootstrapKey = "bootstrap-key-of-the-tests"

var readyPattern = regexp.MustCompile(`facesearch is ready at (http://\S+)`)

// serve starts a server on a free port, unless the arguments name another, and waits until it
// is ready.
func serve(t *testing.T, data string, environment []string, arguments ...string) *server {
	t.Helper()
	s := start(t, data, environment, arguments...)
	s.waitFor(t, "facesearch is ready at")
	s.url = readyPattern.FindStringSubmatch(s.said.String())[1]
	return s
}

func start(t *testing.T, data string, environment []string, arguments ...string) *server {
	t.Helper()
	all := []string{"serve", "--data", data, "--models", facetest.Models(t)}
	if !strings.Contains(strings.Join(arguments, " "), "--addr") {
		all = append(all, "--addr", "127.0.0.1:0")
	}
	s := &server{
		cmd: commandUntil(t.Context(), environment, append(all, arguments...)...), data: data,
		said: &facetest.Buffer{}, out: &facetest.Buffer{}, exited: make(chan error, 1),
	}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.said
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.exited <- s.cmd.Wait() }()
	t.Cleanup(func() { s.kill() })
	return s
}

// waitFor waits until the server has said something.
func (s *server) waitFor(t *testing.T, words string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(s.said.String(), words); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-s.exited:
			s.exited <- err
			t.Fatalf("the server ended before it said %q: %v\n%s", words, err, s.said)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server did not say %q:\n%s", words, s.said)
		}
	}
}

// stop ends it as an operator does, and returns how it ended.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := s.wait(t); status != 0 {
		t.Errorf("after SIGTERM: exit status %d\n%s", status, s.said)
	}
}

func (s *server) wait(t *testing.T) (status int) {
	t.Helper()
	select {
	case err := <-s.exited:
		s.exited <- err
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("the server did not end:\n%s", s.said)
		return -1
	}
}

// kill ends it as kill -9 does.
func (s *server) kill() {
	s.cmd.Process.Kill() // an error means that it has ended
	err := <-s.exited
	s.exited <- err
}

// client calls a server, once for each call.
func (s *server) client(key string) *client.Client {
	c := client.New(s.url, key)
	c.Once = true
	return c
}

func (s *server) search(t *testing.T, key string, picture []byte) *client.SearchAnswer {
	t.Helper()
	answer, err := s.client(key).Search(t.Context(), picture, client.SearchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// call sends JSON, or nothing, and wants success.
func (s *server) call(method, path string, body, into any) error {
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(data)
	}
	request, err := http.NewRequest(method, s.url+path, sent)
	if err != nil {
		return err
	}
	request.Header.Set("x-api-key", bootstrapKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return &client.Error{Status: response.StatusCode, Detail: fmt.Sprintf("%d %s", response.StatusCode, answer), RetryAfter: time.Duration(seconds) * time.Second}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// count enrols one more picture and returns how many sessions there are with it.
func (s *server) count(t *testing.T, key string) int {
	t.Helper()
	answer, err := s.client(key).Enrol(t.Context(), facetest.Photograph(t, "astronaut.png"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return int(answer.SessionNumber)
}

func status(t *testing.T, method, address string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// write puts files into a folder.
func write(t *testing.T, folder string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
