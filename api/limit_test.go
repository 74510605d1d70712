package api_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facesearch/api"
	"facesearch/pkg/search"
)

// A clock goes on when it is told to.
type clock struct{ nanos atomic.Int64 }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.nanos.Store(at.UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) wait(pass time.Duration) { c.nanos.Add(int64(pass)) }

// on is the same tenant at a server of its own.
func (a *tenant) on(t *testing.T, options api.Options) *tenant {
	t.Helper()
	return &tenant{world: a.world, id: a.id, key: a.key, url: a.serve(t, options, a.engine, worldWorkers, 1000)}
}

// limits are the headers about the limit, "-" for none.
func (got answer) limits() string {
	if got.header.Get("X-RateLimit-Limit") == "" {
		return "-"
	}
	return got.header.Get("X-RateLimit-Limit") + " " + got.header.Get("X-RateLimit-Remaining") + " " + got.header.Get("X-RateLimit-Reset")
}

func TestRateLimit(t *testing.T) {
	const began = 1_750_000_000
	clock := newClock(time.Unix(began, 500_000_000))
	a := newTenant(t).on(t, api.Options{Now: clock.now})
	if got := a.get(t, "/v3/blocklist/"); got.limits() != "-" {
		t.Errorf("without a limit: %s", got.limits())
	}
	a.patch(t, `{"requests_per_minute": 3}`)
	requireLimits := func(got answer, status int, want string) {
		t.Helper()
		if got.status != status || got.limits() != want {
			t.Errorf("%d with %s, want %d with %s: %s", got.status, got.limits(), status, want, got.body)
		}
	}
	reset := strconv.Itoa(began + 61) // the minute ends half a second earlier
	requireLimits(a.get(t, "/v3/blocklist/"), 200, "3 2 "+reset)
	clock.wait(20 * time.Second)
	requireLimits(a.get(t, "/v3/session/nothing/decision/"), 404, "3 1 "+reset)
	requireLimits(a.post(t, "/v3/face-search/"), 400, "3 0 "+reset)
	for range 2 { // what is refused is not counted, and changes nothing
		got := a.json(t, http.MethodPatch, "/v3/settings/", `{"max_matches": 9}`)
		got.refused(t, 429, "rate_limited", "X-RateLimit-Reset")
		requireLimits(got, 429, "3 0 "+reset)
		if got.header.Get("Retry-After") != "40" {
			t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
		}
	}
	secret, _ := a.newKey(t)
	second := &tenant{world: a.world, id: a.id, key: secret, url: a.url}
	requireLimits(second.get(t, "/v3/blocklist/"), 200, "3 2 "+strconv.Itoa(began+81))
	if got := newTenant(t); true {
		other := &tenant{world: a.world, id: got.id, key: got.key, url: a.url}
		requireLimits(other.get(t, "/v3/blocklist/"), 200, "-")
	}
	clock.wait(40*time.Second - 1)
	requireLimits(a.get(t, "/v3/blocklist/"), 429, "3 0 "+reset)
	clock.wait(1)
	got := a.get(t, "/v3/settings/")
	requireLimits(got, 200, "3 2 "+strconv.Itoa(began+121))
	var shown shownSettings
	got.decode(t, 200, &shown)
	if shown.Settings["max_matches"].Value != 5.0 {
		t.Errorf("a refused request set max_matches to %v", shown.Settings["max_matches"].Value)
	}
	a.patch(t, `{"requests_per_minute": 1}`) // lower than what was used already
	requireLimits(a.get(t, "/v3/blocklist/"), 429, "1 0 "+strconv.Itoa(began+121))
}

// TestRateLimitConcurrently: never are more answered than the limit says.
func TestRateLimitConcurrently(t *testing.T) {
	const limit, requests = 7, 40
	clock := newClock(time.Unix(1_750_000_000, 0))
	a := newTenant(t).on(t, api.Options{Now: clock.now})
	a.patch(t, fmt.Sprintf(`{"requests_per_minute": %d}`, limit))
	var answered, refused atomic.Int64
	var group sync.WaitGroup
	for range requests {
		group.Go(func() {
			got, err := do(a.request(t, http.MethodGet, "/v3/blocklist/", "", nil))
			switch {
			case err == nil && got.status == 200:
				answered.Add(1)
			case err == nil && got.status == 429:
				refused.Add(1)
			default:
				t.Errorf("%d, %v", got.status, err)
			}
		})
	}
	group.Wait()
	if answered.Load() != limit || refused.Load() != requests-limit {
		t.Errorf("%d answered and %d refused", answered.Load(), refused.Load())
	}
}

// TestGuessing: after too many wrong keys an address is not listened to, but for the keys that
// came from there before. Other addresses are not touched.
func TestGuessing(t *testing.T) {
	clock := newClock(time.Unix(1_750_000_000, 0))
	a := newTenant(t).on(t, api.Options{Now: clock.now, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	fresh, _ := a.newKey(t)
	ask := func(key, from string) answer {
		t.Helper()
		request := a.request(t, http.MethodGet, "/v3/blocklist/", "", nil)
		request.Header.Set("x-api-key", key)
		request.Header.Set("X-Forwarded-For", from)
		got, err := do(request)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	wrong := func() string { return confide(search.NewSecret()) }
	if got := ask(a.key, "2001:db8:1:2::1"); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for i := range api.WrongKeysPerWindow {
		// All of one network of 64 bits, which one client has to itself.
		ask(wrong(), fmt.Sprintf("2001:db8:1:2::%x", i+1)).refused(t, 401, "unauthorized", "")
	}
	clock.wait(10 * time.Second)
	for _, key := range []string{wrong(), fresh} {
		got := ask(key, "2001:db8:1:2:ffff::9")
		got.refused(t, 429, "rate_limited", "this address")
		if got.header.Get("Retry-After") != "50" || got.limits() != "-" {
			t.Errorf("%v", got.header)
		}
	}
	if got := ask(a.key, "2001:db8:1:2::77"); got.status != 200 {
		t.Errorf("a key that was used from there before: %d %s", got.status, got.body)
	}
	if got := ask(fresh, "2001:db8:1:3::1"); got.status != 200 {
		t.Errorf("from another network: %d %s", got.status, got.body)
	}
	ask(wrong(), "192.0.2.7").refused(t, 401, "unauthorized", "")
	clock.wait(50 * time.Second)
	ask(wrong(), "2001:db8:1:2::1").refused(t, 401, "unauthorized", "")
	if got := ask(fresh, "2001:db8:1:2::1"); got.status != 200 {
		t.Errorf("after a minute: %d %s", got.status, got.body)
	}
}

// TestCountedMax: what is remembered is bounded.
func TestCountedMax(t *testing.T) {
	if most := api.FillWindows(3*api.CountedMax + 1); most > api.CountedMax {
		t.Errorf("%d windows were kept at once", most)
	}
}
