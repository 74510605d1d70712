package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"facesearch/models"
	"facesearch/pkg/dlib"
	"facesearch/pkg/face"
	"facesearch/pkg/onnxface"
	"facesearch/pkg/policy"
	"facesearch/pkg/search"
)

// An embedderName is how the user names an embedding model: dlib, dlib:FILE or onnx:FILE.
type embedderName string

// defaultEmbedder is the model that facesearch fetches.
const defaultEmbedder embedderName = "dlib"

// split returns dlib or onnx, and the file, which the default has none of.
func (n embedderName) split() (kind, file string, err error) {
	kind, file, named := strings.Cut(string(n), ":")
	if n == defaultEmbedder || named && file != "" && (kind == "dlib" || kind == "onnx") {
		return kind, file, nil
	}
	return "", "", fmt.Errorf("--embedder %q is not known: use dlib, dlib:FILE or onnx:FILE", string(n))
}

// Validate refuses what names no model.
func (n embedderName) Validate() error {
	_, _, err := n.split()
	return err
}

// absolute names the same model for a process that runs elsewhere.
func (n embedderName) absolute() (embedderName, error) {
	kind, file, err := n.split()
	if err != nil || file == "" {
		return n, err
	}
	file, err = filepath.Abs(file)
	return embedderName(kind + ":" + file), err
}

// An embedder is an open one. It has a detector of its own, so that it can be closed while
// another is in use.
type embedder struct {
	search.Embedder
	finder  *dlib.Engine
	network *onnxface.Engine // nil when the templates are dlib's
}

func (e *embedder) close() {
	if e.network != nil {
		e.network.Close()
	}
	e.finder.Close()
}

// openEmbedder loads a model. The files of the models directory must have been checked before.
func openEmbedder(ctx context.Context, name embedderName, modelsDirectory string, workers int, log *slog.Logger) (*embedder, error) {
	kind, file, err := name.split()
	switch {
	case err != nil:
		return nil, err
	case kind == "onnx":
		return openNetwork(ctx, file, modelsDirectory, workers)
	case file != "":
		return openWeights(ctx, file, modelsDirectory, workers, log)
	}
	calibration, err := dlibCalibration()
	if err != nil {
		return nil, err
	}
	engine, err := dlib.Open(ctx, modelsDirectory, workers)
	if err != nil {
		return nil, err
	}
	return &embedder{Embedder: search.Embedder{Engine: engine, Model: face.DefaultModel, Calibration: calibration}, finder: engine}, nil
}

// openWeights opens other weights of dlib's network.
func openWeights(ctx context.Context, file, modelsDirectory string, workers int, log *slog.Logger) (*embedder, error) {
	sum, err := hashOf(file)
	if err != nil {
		return nil, fmt.Errorf("reading the embedding network: %w", err)
	}
	model := face.Model{ID: "dlib-" + sum, Dim: face.TemplateDim}
	calibration, found, err := calibrationBeside(file)
	if err == nil && !found {
		if calibration, err = dlibCalibration(); err == nil && model != face.DefaultModel {
			log.Warn("the embedding model has no calibration beside it: similarities and the automatic threshold are reckoned with that of dlib's own model, and may be far off",
				"model", model.ID, "wanted", filepath.Base(calibrationFile(file)))
		}
	}
	if err != nil {
		return nil, err
	}
	engine, err := dlib.OpenWith(ctx, modelsDirectory, file, workers)
	if err != nil {
		return nil, err
	}
	return &embedder{Embedder: search.Embedder{Engine: engine, Model: model, Calibration: calibration}, finder: engine}, nil
}

// openNetwork opens an ONNX network beside dlib's detector.
func openNetwork(ctx context.Context, file, modelsDirectory string, workers int) (*embedder, error) {
	description, err := onnxface.ReadDescription(file)
	if err != nil {
		return nil, err
	}
	calibration, found, err := calibrationBeside(file)
	if description.Calibration != nil {
		found = true
		calibration, err = policy.ParseCalibration(description.Calibration)
	}
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, fmt.Errorf("%s needs a calibration, in its description or as %s: without one nobody knows what its distances mean",
			filepath.Base(file), filepath.Base(calibrationFile(file)))
	}
	finder, err := dlib.Open(ctx, modelsDirectory, workers)
	if err != nil {
		return nil, err
	}
	network, err := onnxface.Open(file, description, filepath.Join(modelsDirectory, models.ONNXRuntime), workers, finder)
	if err != nil {
		finder.Close()
		return nil, err
	}
	return &embedder{search.Embedder{Engine: network, Model: network.Model(), Calibration: calibration}, finder, network}, nil
}

// hashOf is the beginning of a file's SHA-256, long enough that no two models share it.
func hashOf(file string) (string, error) {
	sum, err := models.Sum(file)
	if err != nil {
		return "", err
	}
	return sum[:16], nil
}

// calibrationFile is the model's file with another ending.
func calibrationFile(model string) string {
	return strings.TrimSuffix(model, filepath.Ext(model)) + ".calibration"
}

func calibrationBeside(model string) (calibration policy.Calibration, found bool, err error) {
	data, err := os.ReadFile(calibrationFile(model))
	if errors.Is(err, fs.ErrNotExist) {
		return calibration, false, nil
	}
	if err != nil {
		return calibration, false, err
	}
	calibration, err = policy.ParseCalibration(data)
	return calibration, err == nil, err
}

// dlibCalibration says what distances between templates of the default model mean.
func dlibCalibration() (policy.Calibration, error) {
	data, err := models.Calibration(models.Embedder)
	if err != nil {
		return policy.Calibration{}, err
	}
	return policy.ParseCalibration(data)
}
