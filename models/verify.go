package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The states of a file on disk.
const (
	StateOK         = "ok"
	StateMissing    = "missing"
	StateCutOff     = "cut off"    // shorter than it should be: a download or a copy that broke
	StateWrong      = "wrong"      // another size or checksum
	StateUnreadable = "unreadable" // not a regular file, or no permission
)

// A Status is what Inspect found out about one file.
type Status struct {
	File
	State string
}

// Inspect tells the state of every file the server needs in dir, by size and checksum.
func Inspect(dir string) []Status {
	return inspect(dir, Files())
}

func inspect(dir string, files []File) []Status {
	statuses := make([]Status, len(files))
	for i, file := range files {
		state, _ := stateOf(dir, file)
		statuses[i] = Status{File: file, State: state}
	}
	return statuses
}

// Verify returns an error, unless every file the server needs is in dir, complete and
// unchanged. The error names each bad file and the command that mends it.
func Verify(dir string) error {
	if _, ok := onnxRuntime[platform()]; !ok {
		return fmt.Errorf("models: no ONNX Runtime library is pinned for %s, only for linux/amd64 and linux/arm64", platform())
	}
	var faults []string
	for _, file := range Files() {
		if state, detail := stateOf(dir, file); state != StateOK {
			faults = append(faults, fmt.Sprintf("%s is %s%s", file.Name, state, detail))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("models: in %s %s; to mend it, run: facesearch models fetch --models %s",
		dir, strings.Join(faults, ", "), dir)
}

// stateOf returns the state of a file and, when that is not StateOK, what a person may want
// to know besides, in brackets.
func stateOf(dir string, file File) (state, detail string) {
	path := filepath.Join(dir, file.Name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return StateMissing, ""
	case err != nil:
		return StateUnreadable, fmt.Sprintf(" (%v)", err)
	case !info.Mode().IsRegular():
		return StateUnreadable, " (not a regular file)"
	case info.Size() < file.Bytes:
		return StateCutOff, fmt.Sprintf(" (%d of %d bytes)", info.Size(), file.Bytes)
	case info.Size() > file.Bytes:
		return StateWrong, fmt.Sprintf(" (%d bytes, not %d)", info.Size(), file.Bytes)
	}
	sum, err := Sum(path)
	if err != nil {
		return StateUnreadable, fmt.Sprintf(" (%v)", err)
	}
	if sum != file.SHA256 {
		return StateWrong, fmt.Sprintf(" (its sha256 is %s, not %s)", sum, file.SHA256)
	}
	return StateOK, ""
}

// Sum is the SHA-256 of a file, in hexadecimal.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
