package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

type healthCommand struct {
	Server string `help:"Address of the server." default:"http://127.0.0.1:8080" placeholder:"URL"`
}

const healthTimeout = 5 * time.Second

// Run fails unless the server is ready.
func (c *healthCommand) Run(ctx context.Context, _ streams) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(c.Server, "/")+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server is not ready: %s", response.Status)
	}
	return nil
}
