package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A certificate is a pair of files that may be renewed while the server runs.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	files  [2]stamp // as they were when they were last read
}

// A stamp tells whether a file has changed.
type stamp struct {
	modified time.Time
	bytes    int64
}

// tlsConfig is nil without a certificate. The pair is read at once, so that a mistake is told
// at the start.
func (f *networkFlags) tlsConfig(log *slog.Logger) (*tls.Config, error) {
	if f.TLSCert == "" && f.TLSKey == "" {
		return nil, nil
	}
	if f.TLSCert == "" || f.TLSKey == "" {
		return nil, errors.New("--tls-cert and --tls-key belong together: give both, or neither")
	}
	pair := &certificate{certFile: f.TLSCert, keyFile: f.TLSKey, log: log}
	if err := pair.load(); err != nil {
		return nil, fmt.Errorf("--tls-cert and --tls-key cannot be used: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}, nil
}

// get is asked at each handshake. Files that have changed are read again; while they do not
// fit together, as in the middle of a renewal, the old pair stays.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stamps() == c.files {
		return c.loaded, nil
	}
	if err := c.load(); err != nil {
		c.log.Warn("the changed certificate cannot be used, the one before stays", "error", err.Error())
	} else {
		c.log.Info("the certificate was read again")
	}
	return c.loaded, nil
}

// load reads the pair. What was found wrong is not read again before it changes.
func (c *certificate) load() error {
	c.files = c.stamps() // before reading: a change meanwhile is seen at the next handshake
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.loaded = &pair
	return nil
}

// stamps are of both files; a file that cannot be looked at has none.
func (c *certificate) stamps() (files [2]stamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if file, err := os.Stat(name); err == nil {
			files[i] = stamp{file.ModTime(), file.Size()}
		}
	}
	return files
}
