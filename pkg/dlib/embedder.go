package dlib

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The names under which go-face looks for its files.
const (
	shapePredictorFile = "shape_predictor_5_face_landmarks.dat"
	cnnDetectorFile    = "mmod_human_face_detector.dat"
	embedderFile       = "dlib_face_recognition_resnet_model_v1.dat"
)

// OpenWith is Open with the weights of another embedding network of the same shape as dlib's. The
// file is the user's, and is believed no further than dlib does: one of another shape is an error.
func OpenWith(ctx context.Context, modelsDirectory, embedder string, workers int) (engine *Engine, err error) {
	directory, err := os.MkdirTemp("", "facesearch-models-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	for name, file := range map[string]string{
		shapePredictorFile: filepath.Join(modelsDirectory, shapePredictorFile),
		cnnDetectorFile:    filepath.Join(modelsDirectory, cnnDetectorFile),
		embedderFile:       embedder,
	} {
		whole, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		if err := os.Symlink(whole, filepath.Join(directory, name)); err != nil {
			return nil, err
		}
	}
	engine, err = Open(ctx, directory, workers)
	if err != nil {
		return nil, fmt.Errorf("%s is no weights of dlib's face recognition network: %w", filepath.Base(embedder), err)
	}
	return engine, nil
}
