package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"testing"
	"time"

	"facesearch/api"
	"facesearch/pkg/search"
)

// simulate asks with X-Simulate. Its answers are not held against the document, in which most
// operations have no 429.
func (a *tenant) simulate(ctx context.Context, t *testing.T, what string) (answer, error) {
	t.Helper()
	request := a.request(t, http.MethodGet, "/v3/settings/", "", nil).WithContext(ctx)
	request.Header.Set("X-Simulate", what)
	response, err := (&http.Client{Timeout: patience}).Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}, err
}

func TestSimulate(t *testing.T) {
	a := newTenant(t)
	dev := *a
	dev.url = a.serve(t, api.Options{Dev: true}, a.engine, 1, 10)
	for what, want := range map[string]struct {
		status int
		code   string
	}{
		"401": {401, "unauthorized"}, "403": {403, "insufficient_credits"}, "429": {429, "rate_limited"}, "503": {503, "busy"},
		"200": {400, "invalid_request"}, "SLOW": {400, "invalid_request"},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := dev.simulate(t.Context(), t, what)
			if err != nil {
				t.Fatal(err)
			}
			got.refused(t, want.status, want.code, "")
			after, _ := strconv.Atoi(got.header.Get("Retry-After"))
			if (after > 0) != (what == "429" || what == "503") {
				t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
			}
			reset, _ := strconv.ParseInt(got.header.Get("X-RateLimit-Reset"), 10, 64)
			if what == "429" && (got.header.Get("X-RateLimit-Limit") != "60" || got.header.Get("X-RateLimit-Remaining") != "0" || reset < time.Now().Unix()) {
				t.Errorf("%v", got.header)
			}
			without, err := a.simulate(t.Context(), t, what)
			if err != nil || without.status != 200 {
				t.Errorf("without --dev: %d %s, %v", without.status, without.body, err)
			}
		})
	}
	t.Run("Nothing", func(t *testing.T) {
		if got := dev.get(t, "/v3/settings/"); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("slow", func(t *testing.T) {
		started := time.Now()
		if got, err := dev.simulate(t.Context(), t, "slow"); err != nil || got.status != 200 || time.Since(started) < api.SimulatedWait {
			t.Errorf("%d after %v, %v", got.status, time.Since(started), err)
		}
	})
	t.Run("slow, and the client goes", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		sent := httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }}
		if got, err := dev.simulate(httptrace.WithClientTrace(ctx, &sent), t, "slow"); err == nil {
			t.Errorf("%d", got.status)
		}
		waitForLog(t, `"status":499`)
	})
}

func TestDevKey(t *testing.T) {
	a := newTenant(t)
	if err := search.EnsureDevKey(t.Context(), a.gallery); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it may be there already
		if err := search.EnsureDevKey(t.Context(), a.gallery); err != nil {
			t.Fatal(err)
		}
	}
	holder := &tenant{world: a.world, key: search.DevKey, url: a.url}
	holder.get(t, "/v3/settings/").refused(t, 401, "unauthorized", "--dev")
	holder.url = a.serve(t, api.Options{Dev: true}, a.engine, 1, 10)
	if got := holder.get(t, "/v3/settings/"); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// waitForLog waits until something is logged.
func waitForLog(t *testing.T, words string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(logged.String(), words); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not logged", words)
		}
	}
}
