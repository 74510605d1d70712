// Package onnx opens ONNX Runtime, which a process can do only once, for the packages that run
// networks with it. It sees to it that the library sends nothing to its maker.
package onnx

import (
	"fmt"
	"os"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

var started struct {
	sync.Mutex
	library string
}

// Start loads ONNX Runtime, once in a process: it cannot be loaded from two files.
func Start(library string) error {
	started.Lock()
	defer started.Unlock()
	if started.library == library {
		return nil
	}
	if started.library != "" {
		return fmt.Errorf("ONNX Runtime is loaded from %s already", started.library)
	}
	// The library sends usage data to its maker unless it is told not to before it starts;
	// DisableTelemetry, later, stops only the rest.
	if err := os.Setenv("ORT_DISABLE_TELEMETRY", "1"); err != nil {
		return err
	}
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return fmt.Errorf("loading ONNX Runtime: %w", err)
	}
	started.library = library
	return ort.DisableTelemetry()
}

// OneThread are the options of a session that computes on its caller's thread alone; the caller
// destroys them.
func OneThread() (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	if err := options.SetIntraOpNumThreads(1); err != nil {
		return nil, err
	}
	return options, options.SetInterOpNumThreads(1)
}
