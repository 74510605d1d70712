// Package onnxface makes templates with a network that the user brings as an ONNX file, such as
// one of the ArcFace family. Faces and their landmarks are found by another engine; this package
// aligns the face, runs the network and normalises what it answers.
package onnxface

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"facesearch/pkg/face"
	"facesearch/pkg/onnx"
	"facesearch/pkg/photo"
)

// A Finder finds faces and their landmarks; pkg/dlib has one.
type Finder interface {
	Find(ctx context.Context, p *photo.Photo, rotate bool) (face.Found, error)
	Embed(ctx context.Context, p *photo.Photo, angle int, box image.Rectangle) (face.Embedding, bool, error)
}

// An Engine runs one network. It is safe for concurrent use.
type Engine struct {
	Finder
	description Description
	model       face.Model
	jobs        chan job
	workers     sync.WaitGroup
}

// A job is a chip; the answer goes to reply, which has room for it.
type job struct {
	chip  *image.RGBA
	reply chan answer
}

type answer struct {
	template face.Template
	err      error
}

// Open loads a network, once for each worker, with ONNX Runtime's library. What faces are
// looked for with is the finder's, which the Engine does not close.
func Open(file string, description Description, library string, workers int, finder Finder) (*Engine, error) {
	if workers < 1 {
		return nil, fmt.Errorf("%d workers: at least one is needed", workers)
	}
	weights, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the embedding network: %w", err)
	}
	if err := onnx.Start(library); err != nil {
		return nil, err
	}
	shape, err := shapeOf(weights, &description)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	engine := &Engine{
		Finder: finder, description: description, jobs: make(chan job),
		model: face.Model{ID: identify(weights, description), Dim: description.Dim},
	}
	opened := make(chan error, workers)
	for range workers {
		engine.workers.Go(func() { engine.work(weights, shape, opened) })
	}
	for range workers {
		err = errors.Join(err, <-opened)
	}
	if err == nil {
		err = engine.try()
	}
	if err != nil {
		engine.Close()
		return nil, fmt.Errorf("loading %s: %w", filepath.Base(file), err)
	}
	return engine, nil
}

// identify names a model by everything that its templates depend on.
func identify(weights []byte, description Description) string {
	hash := sha256.New()
	sum := sha256.Sum256(weights)
	hash.Write(sum[:])
	hash.Write(description.identity())
	return "onnx-" + hex.EncodeToString(hash.Sum(nil)[:8])
}

// Model is what the templates are of.
func (e *Engine) Model() face.Model { return e.model }

// Close waits for the calls under way and frees the network. No other method may be called
// after it.
func (e *Engine) Close() {
	close(e.jobs)
	e.workers.Wait()
}

// work is one worker's life, on a thread of its own that counts denormal numbers as zero, as the
// networks of pkg/attributes do. The thread ends with it, as it is never unlocked.
func (e *Engine) work(weights []byte, shape ort.Shape, opened chan<- error) {
	runtime.LockOSThread()
	n, err := newNetwork(weights, e.description, shape)
	onnx.DenormalsAreZero() // only now: the first session sets the thread back
	opened <- err
	if err != nil {
		return
	}
	for job := range e.jobs {
		template, err := n.run(job.chip)
		job.reply <- answer{template, err}
	}
	n.close()
}

// try runs the network on a grey chip and on one of many colours, so that a network which fails,
// or says the same of any picture, is refused before anybody waits for it.
func (e *Engine) try() error {
	width, height := e.description.InputSize[0], e.description.InputSize[1]
	grey, colours := image.NewRGBA(image.Rect(0, 0, width, height)), image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			grey.SetRGBA(x, y, color.RGBA{100, 100, 100, 255})
			colours.SetRGBA(x, y, color.RGBA{byte(255 * (x + 1) / width), byte(255 * (y + 1) / height), 128, 255})
		}
	}
	one, err := e.template(context.Background(), grey)
	if err != nil {
		return err
	}
	other, err := e.template(context.Background(), colours)
	if err != nil {
		return err
	}
	if one.Distance(other) == 0 {
		return errors.New("it gives two different pictures the same template")
	}
	return nil
}

// Embed makes the template of one face of a picture that Find found, at the angle that it found.
// ok is false when the landmarks cannot be found: then there is no face to compare.
func (e *Engine) Embed(ctx context.Context, p *photo.Photo, angle int, box image.Rectangle) (embedding face.Embedding, ok bool, err error) {
	embedding, ok, err = e.Finder.Embed(ctx, p, angle, box)
	if !ok || err != nil {
		return embedding, ok, err
	}
	chip, ok := e.description.chip(p, angle, inPicture(embedding))
	if !ok {
		return face.Embedding{}, false, nil
	}
	embedding.Template, err = e.template(ctx, chip)
	return embedding, err == nil, err
}

// inPicture brings the landmarks from the piece to the turned picture that it was cut from.
func inPicture(embedding face.Embedding) (landmarks [5]point) {
	region, crop := embedding.Region, embedding.Crop.Bounds()
	across, down := float64(region.Dx())/float64(crop.Dx()), float64(region.Dy())/float64(crop.Dy())
	for i, at := range embedding.Landmarks {
		landmarks[i] = complex(float64(region.Min.X)+(float64(at.X)+0.5)*across-0.5, float64(region.Min.Y)+(float64(at.Y)+0.5)*down-0.5)
	}
	return landmarks
}

func (e *Engine) template(ctx context.Context, chip *image.RGBA) (face.Template, error) {
	reply := make(chan answer, 1)
	select {
	case e.jobs <- job{chip, reply}:
		result := <-reply
		return result.template, result.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// normalised divides a template by its length.
func normalised(template face.Template) error {
	var squares float64
	for _, v := range template {
		squares += float64(v) * float64(v)
	}
	if !(squares > 0) {
		return errors.New("the network answered with zeros, which have no direction")
	}
	length := math.Sqrt(squares)
	for i := range template {
		template[i] = float32(float64(template[i]) / length)
	}
	return nil
}
