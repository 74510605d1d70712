package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"facesearch/models"
	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
)

// tinyDescription is of a network that knows a picture again. Its distances mean nothing.
const tinyDescription = `
name: tiny
calibration:
  model: tiny
  distance: euclidean
  similarity: {slope: 30, middle: 0.25}
  false_match_rate: {slope: 10, base: -8, from: 0.1, to: 0.3}
  crowd: {shape: 22}
`

func tinyNetwork(t *testing.T, pool int64) string {
	return "onnx:" + facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: pool}.Write(t, t.TempDir(), "tiny.onnx", tinyDescription)
}

func reembed(t *testing.T, data, embedder string, more ...string) outcome {
	t.Helper()
	return run(t, nil, append([]string{"reembed", "--data", data, "--models", facetest.Models(t), "--embedder", embedder}, more...)...)
}

func enrolPhotograph(t *testing.T, s *server, name string) *client.SessionAnswer {
	t.Helper()
	answer, err := s.client(bootstrapKey).Enrol(t.Context(), facetest.Photograph(t, name), client.EnrolFields{"vendor_data": name})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// send sends JSON and returns the status and the body.
func send(t *testing.T, s *server, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", bootstrapKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer.String()
}

// requireMatch wants a picture to match one session and nobody else.
func requireMatch(t *testing.T, s *server, name string, session string) {
	t.Helper()
	answer := s.search(t, bootstrapKey, facetest.Photograph(t, name))
	matches := answer.FaceSearch.Matches
	if session == "" && len(matches) > 0 || session != "" && (len(matches) != 1 || matches[0].SessionID != session) {
		t.Fatalf("%s matches %+v, want %q", name, matches, session)
	}
}

// TestReembed moves a gallery to a model of the user's and back, while a server runs and while
// none does.
func TestReembed(t *testing.T) {
	data, network := t.TempDir(), tinyNetwork(t, 16)
	environment := []string{"FACESEARCH_BOOTSTRAP_KEY=" + bootstrapKey}
	s := serve(t, data, environment)
	obama, biden := enrolPhotograph(t, s, "obama.jpg"), enrolPhotograph(t, s, "biden.jpg")
	if status, body := send(t, s, http.MethodPatch, "/v3/settings/", `{"keep_picture": "nothing"}`); status != 200 {
		t.Fatal(body)
	}
	astronaut := enrolPhotograph(t, s, "astronaut.png")
	old := s.search(t, bootstrapKey, facetest.Photograph(t, "obama2.jpg"))
	requireMatch(t, s, "obama2.jpg", obama.SessionID) // which the model of before knows, and the tiny one does not

	t.Run("ErrMissing", func(t *testing.T) {
		o := reembed(t, data, network)
		o.ended(t, 1, "1 of 3 sessions", "--drop-missing")
		if !strings.Contains(o.out, astronaut.SessionID+"\tno picture of it is kept") || strings.Count(o.out, "\n") != 1 {
			t.Errorf("standard output: %q", o.out)
		}
		requireMatch(t, s, "obama2.jpg", obama.SessionID)
	})
	t.Run("OK while it is searched", func(t *testing.T) {
		var group sync.WaitGroup
		end := make(chan bool)
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-end:
					t.Log(n, "searches meanwhile")
					return
				default:
				}
				answer, err := s.client(bootstrapKey).Search(t.Context(), facetest.Photograph(t, "obama.jpg"), client.SearchOptions{Unsaved: true})
				if err != nil || len(answer.FaceSearch.Matches) != 1 || answer.FaceSearch.Matches[0].SessionID != obama.SessionID {
					t.Errorf("%+v, %v", answer, err)
					return
				}
			}
		})
		o := reembed(t, data, network, "--drop-missing")
		close(end)
		group.Wait()
		o.ended(t, 0, "was moved to the model onnx-", "--embedder "+network)
	})
	requireMatch(t, s, "obama.jpg", obama.SessionID)
	requireMatch(t, s, "biden.jpg", biden.SessionID)
	requireMatch(t, s, "astronaut.png", "")
	requireMatch(t, s, "obama2.jpg", "") // told by the new model
	t.Run("OK who is missing", func(t *testing.T) {
		var answer struct{ Status, Comment string }
		getJSON(t, s, "/v3/session/"+astronaut.SessionID+"/decision/", &answer)
		if answer.Status != "In Review" {
			t.Errorf("%+v", answer)
		}
		status, body := send(t, s, http.MethodPatch, "/v3/session/"+astronaut.SessionID+"/update-status/", `{"new_status": "Approved"}`)
		if status != 409 || !strings.Contains(body, "no template of the embedding model in use") {
			t.Error(status, body)
		}
	})
	t.Run("ErrConflict a search of before", func(t *testing.T) {
		status, body := send(t, s, http.MethodPost, "/v3/sessions/", fmt.Sprintf(`{"request_id": %q}`, old.RequestID))
		if status != 409 || !strings.Contains(body, "another embedding model") {
			t.Error(status, body)
		}
	})
	t.Run("ErrConflict the model in use", func(t *testing.T) {
		reembed(t, data, network).ended(t, 1, "of that model already")
	})
	s.stop(t)

	t.Run("ErrOtherModel", func(t *testing.T) {
		s := start(t, data, environment)
		if status := s.wait(t); status != 1 || !strings.Contains(s.said.String(), "facesearch reembed") {
			t.Errorf("exit status %d\n%s", status, s.said)
		}
	})
	t.Run("OK keys need no model", func(t *testing.T) { run(t, nil, "keys", "list", "--data", data).ended(t, 0) })
	s = serve(t, data, environment, "--embedder", network)
	requireMatch(t, s, "biden.jpg", biden.SessionID)
	s.stop(t)
	reembed(t, data, "dlib", "--drop-missing").ended(t, 0, "was moved to the model dlib-")
	s = serve(t, data, environment)
	requireMatch(t, s, "obama2.jpg", obama.SessionID)
	s.stop(t)
}

// TestReembedKilled: a server that is killed in the middle of a move starts with the model that its
// store is of, and the move can be gone on with.
func TestReembedKilled(t *testing.T) {
	data, network := t.TempDir(), tinyNetwork(t, 16)
	environment := []string{"FACESEARCH_BOOTSTRAP_KEY=" + bootstrapKey}
	s := serve(t, data, environment)
	var ids []string
	for _, picture := range facetest.Variants(t, []string{"obama.jpg", "biden.jpg"}, 400, 40) {
		answer, err := s.client(bootstrapKey).Enrol(t.Context(), picture, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, answer.SessionID)
	}
	moving := command(t, nil, "reembed", "--data", data, "--embedder", network)
	if err := moving.Start(); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, "msg=\"a move to another embedding model begins\"")
	time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
	s.kill()
	moving.Wait()
	embedder := network
	s = start(t, data, environment, "--embedder", network)
	if !startsOrRefuses(t, s) {
		embedder = "dlib"
		s = serve(t, data, environment)
		reembed(t, data, network).ended(t, 0, "was moved")
	}
	t.Log("after the kill the store was of", embedder)
	requireMatchesAll(t, s, ids)
	s.stop(t)
}

// startsOrRefuses reports whether a server that was started fits its store.
func startsOrRefuses(t *testing.T, s *server) bool {
	t.Helper()
	ended := make(chan int, 1)
	go func() {
		err := <-s.exited
		s.exited <- err
		ended <- s.cmd.ProcessState.ExitCode()
	}()
	for {
		select {
		case status := <-ended:
			if status != 1 || !strings.Contains(s.said.String(), "another embedding model") {
				t.Fatalf("exit status %d\n%s", status, s.said)
			}
			return false
		default:
		}
		if found := readyPattern.FindStringSubmatch(s.said.String()); found != nil {
			s.url = found[1]
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func requireMatchesAll(t *testing.T, s *server, ids []string) {
	t.Helper()
	var list struct{ Count int }
	getJSON(t, s, "/v3/sessions/?status=Approved", &list)
	if list.Count != len(ids) {
		t.Fatalf("%d sessions of %d", list.Count, len(ids))
	}
	if answer := s.search(t, bootstrapKey, facetest.Photograph(t, "obama.jpg")); answer.FaceSearch.TotalMatches == 0 {
		t.Error("nobody is found")
	}
}

// TestEmbedderWeights: weights of dlib's network by their file.
func TestEmbedderWeights(t *testing.T) {
	weights, err := os.ReadFile(filepath.Join(facetest.Models(t), models.Embedder))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write(t, folder, map[string][]byte{"same.dat": weights, "broken.dat": weights[:len(weights)/2], "no.dat": []byte("weights")})
	environment := []string{"FACESEARCH_BOOTSTRAP_KEY=" + bootstrapKey}
	t.Run("OK the same weights are the same model", func(t *testing.T) {
		data := t.TempDir()
		s := serve(t, data, environment)
		obama := enrolPhotograph(t, s, "obama.jpg")
		s.stop(t)
		s = serve(t, data, environment, "--embedder", "dlib:"+filepath.Join(folder, "same.dat"))
		requireMatch(t, s, "obama2.jpg", obama.SessionID)
		if strings.Contains(s.said.String(), "no calibration beside it") {
			t.Errorf("the default model has a calibration:\n%s", s.said)
		}
		s.stop(t)
	})
	for _, name := range []string{"broken.dat", "no.dat", "missing.dat"} {
		t.Run("ErrWeights "+name, func(t *testing.T) {
			s := start(t, t.TempDir(), environment, "--embedder", "dlib:"+filepath.Join(folder, name))
			if status := s.wait(t); status != 1 {
				t.Errorf("exit status %d\n%s", status, s.said)
			}
		})
	}
}

func TestEmbedderRefused(t *testing.T) {
	for _, name := range []string{"arcface", "onnx", "onnx:", "dlib:", "tensor:file"} {
		run(t, nil, "serve", "--embedder", name).ended(t, 2, "dlib:FILE or onnx:FILE")
	}
	file := facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: 16}.Write(t, t.TempDir(), "tiny.onnx", "name: tiny\n")
	for name, says := range map[string]string{"onnx:" + file: "needs a calibration", "onnx:" + file + "x": "needs a description"} {
		s := start(t, t.TempDir(), nil, "--embedder", name)
		if status := s.wait(t); status != 1 || !strings.Contains(s.said.String(), says) {
			t.Errorf("%s: exit status %d\n%s", name, status, s.said)
		}
	}
}
