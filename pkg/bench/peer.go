package bench

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed peer_dlib.py
var peerScript string

// ErrNoPeer is returned when the Python given cannot run the peer.
var ErrNoPeer = errors.New("the Python peer needs the packages dlib-bin, numpy and pillow")

// A PeerResult is what the peer measured on one sample.
type PeerResult struct {
	Faces int
	Steps map[string]Durations
}

// Peer measures the plain Python pipeline over the dlib models of a directory, on one thread,
// and returns a result for each sample in order.
func Peer(ctx context.Context, python, models string, samples []Sample, runs int) ([]PeerResult, error) {
	if err := exec.CommandContext(ctx, python, "-c", "import dlib, numpy, PIL").Run(); err != nil {
		return nil, fmt.Errorf("%w (%s: %v)", ErrNoPeer, python, err)
	}
	directory, err := os.MkdirTemp("", "facesearch-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	script := filepath.Join(directory, "peer.py")
	if err := os.WriteFile(script, []byte(peerScript), 0o600); err != nil {
		return nil, err
	}
	arguments := []string{script, models, strconv.Itoa(runs)}
	for i, sample := range samples {
		file := filepath.Join(directory, fmt.Sprintf("%d.jpg", i))
		if err := os.WriteFile(file, sample.JPEG, 0o600); err != nil {
			return nil, err
		}
		arguments = append(arguments, file)
	}
	command := exec.CommandContext(ctx, python, arguments...)
	command.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1")
	var complaint strings.Builder
	command.Stderr = &complaint
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("the Python peer: %w: %s", err, complaint.String())
	}
	return readPeer(output, arguments[3:])
}

func readPeer(output []byte, files []string) ([]PeerResult, error) {
	var measured map[string]struct {
		Faces int                  `json:"faces"`
		Steps map[string][]float64 `json:"steps"`
	}
	if err := json.Unmarshal(output, &measured); err != nil {
		return nil, fmt.Errorf("the Python peer's answer: %w", err)
	}
	var results []PeerResult
	for _, file := range files {
		result := PeerResult{Faces: measured[file].Faces, Steps: map[string]Durations{}}
		for step, times := range measured[file].Steps {
			for _, milliseconds := range times {
				result.Steps[step] = append(result.Steps[step], time.Duration(milliseconds*float64(time.Millisecond)))
			}
		}
		results = append(results, result)
	}
	return results, nil
}
