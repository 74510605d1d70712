//go:build opensearch

package opensearch_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
)

// TestPurge reads the nodes' own files: some time after an erasure they hold neither the
// template nor the details nor the picture, and of who was not erased they still do.
func TestPurge(t *testing.T) {
	t.Parallel() // it waits most of the time
	prefix := newPrefix(t)
	store := openStore(t, optionsFor(prefix, opensearch.ExactIndex))
	defer store.Close()
	createApplication(t, store)
	goes, stays := unlike(t, "goes", 3), unlike(t, "stays", 4)
	enrol(t, store, goes)
	enrol(t, store, stays)
	flush(t, prefix)
	for _, each := range []face.Enrolment{goes, stays} {
		for what, trace := range tracesOf(each) {
			if !onDisk(t, trace) {
				t.Fatalf("the %s of %s is nowhere in the files: this test would see nothing", what, each.Session.ID)
			}
		}
	}
	if _, err := store.Erase(t.Context(), application, []string{"goes"}); err != nil {
		t.Fatal(err)
	}
	for what, trace := range tracesOf(goes) {
		for deadline := time.Now().Add(5 * time.Minute); onDisk(t, trace); time.Sleep(time.Second) {
			if time.Now().After(deadline) {
				t.Fatalf("the %s of who was erased is still in the files", what)
			}
		}
	}
	for what, trace := range tracesOf(stays) {
		if !onDisk(t, trace) {
			t.Errorf("the %s of who was not erased is gone", what)
		}
	}
	requireWhole(t, store, stays)
}

// unlike is a person of random bytes, which no compression hides.
func unlike(t *testing.T, id string, at int) face.Enrolment {
	enrolment := person(id, at)
	enrolment.Session.Details.Name = rand.Text() + rand.Text()
	enrolment.Picture.Data = make([]byte, 3000)
	rand.Read(enrolment.Picture.Data)
	enrolment.Template = make(face.Template, face.TemplateDim)
	for i := range enrolment.Template {
		var bits [2]byte
		rand.Read(bits[:])
		enrolment.Template[i] = float32(binary.LittleEndian.Uint16(bits[:])) / (1 << 16)
	}
	return enrolment
}

// tracesOf are bytes that stand for parts of an enrolment in the files: a name, of which
// compression may keep one end elsewhere, a piece of the picture's base64, some values of the
// template.
func tracesOf(enrolment face.Enrolment) map[string][]byte {
	values := []byte{}
	for _, value := range enrolment.Template[40:44] {
		values = binary.BigEndian.AppendUint32(values, math.Float32bits(value))
	}
	return map[string][]byte{
		"name": []byte(enrolment.Session.Details.Name[10:26]), "picture": []byte(base64.StdEncoding.EncodeToString(enrolment.Picture.Data))[1200:1232], "template": values,
	}
}

func flush(t *testing.T, prefix string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, cluster.Nodes[0].URL+"/"+prefix+"-*/_flush?force=true&wait_if_ongoing=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

// onDisk looks through all files of all nodes.
func onDisk(t *testing.T, trace []byte) (found bool) {
	t.Helper()
	for _, node := range cluster.Nodes {
		err := filepath.WalkDir(node.DataFolder(), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || found || entry.IsDir() {
				return ignoreGone(err)
			}
			data, err := os.ReadFile(path)
			found = bytes.Contains(data, trace)
			return ignoreGone(err)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// ignoreGone passes over files that the node has just deleted.
func ignoreGone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
