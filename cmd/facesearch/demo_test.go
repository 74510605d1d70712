package main_test

import (
	"os"
	"strings"
	"testing"

	"facesearch/pkg/facetest"
)

// TestDemo runs it twice on the same store: the second time everybody is enrolled already.
func TestDemo(t *testing.T) {
	facetest.Photograph(t, "obama.jpg") // says what to do when there are none
	data := t.TempDir()
	for range 2 {
		s := &server{
			cmd: command(t, nil, "demo", "--addr", "127.0.0.1:0", "--data", data, "--models", facetest.Models(t),
				"--photographs", os.Getenv("FACESEARCH_PHOTOGRAPHS")),
			said: &facetest.Buffer{}, out: &facetest.Buffer{}, exited: make(chan error, 1),
		}
		s.cmd.Stdout, s.cmd.Stderr = s.out, s.said
		if err := s.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { s.exited <- s.cmd.Wait() }()
		t.Cleanup(s.kill)
		s.waitFor(t, "until Ctrl-C")
		said := s.said.String()
		for _, probe := range []string{"obama2.jpg", "obama_partial_face.jpg", "obama3.jpg"} {
			_, after, _ := strings.Cut(said, probe+": In Review")
			lines := strings.SplitN(after, "\n", 3)
			if len(lines) < 2 || !strings.Contains(lines[1], "obama (session 1, Approved)") {
				t.Errorf("%s is not found to be obama:\n%s", probe, said)
			}
		}
		s.stop(t)
	}
}
