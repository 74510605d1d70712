package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// checkDev keeps a server with a key that everybody knows from being reached from elsewhere.
func (c *serverFlags) checkDev(listener net.Listener, log *slog.Logger) error {
	if !c.Dev {
		return nil
	}
	if address, ok := listener.Addr().(*net.TCPAddr); !ok || !address.IP.IsLoopback() {
		return errors.New("--dev accepts a key that everybody knows, and so listens on this machine alone: give --addr a loopback address such as 127.0.0.1:8080")
	}
	log.Warn("--dev: THIS SERVER IS NOT FOR PRODUCTION. Everybody knows its API key, anybody may register, and X-Simulate is obeyed")
	return nil
}

// firstKey makes the first application of an empty store, and returns the key to be shown:
// the one that was made, or the fixed one with --dev.
func (c *serverFlags) firstKey(ctx context.Context, gallery face.Gallery) (string, error) {
	if c.BootstrapKey == search.DevKey && !c.Dev {
		return "", errors.New("the bootstrap key is the fixed key of --dev, which everybody knows: choose another")
	}
	secret := c.BootstrapKey
	if c.Dev && secret == "" {
		secret = search.DevKey
	}
	_, key, _, err := search.Bootstrap(ctx, gallery, secret)
	if err != nil || !c.Dev {
		return key, err
	}
	return search.DevKey, search.EnsureDevKey(ctx, gallery)
}
