package api

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"facesearch/pkg/face"
)

// The bounds of counting requests.
const (
	windowLength = time.Minute
	// wrongKeysPerWindow is how many requests with keys that are not known are looked at from
	// one address.
	wrongKeysPerWindow = 100
	// countedMax bounds what is remembered of keys, of addresses, and of which key came from
	// where: about 100 bytes each. Where that is not enough, all are forgotten.
	countedMax = 1 << 17
)

// A windows counts requests by key, in windows that begin with the first request of each.
type windows[K comparable] struct {
	mu     sync.Mutex
	counts map[K]window
}

type window struct {
	ends  time.Time
	count int
}

// at is the window of a key at a time. The caller holds the lock.
func (w *windows[K]) at(key K, now time.Time) window {
	found, ok := w.counts[key]
	if !ok || !now.Before(found.ends) {
		return window{ends: now.Add(windowLength)}
	}
	return found
}

// add counts one request more, unless there are as many as limit already.
func (w *windows[K]) add(key K, limit int, now time.Time) (after window, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	after = w.at(key, now)
	if after.count >= limit {
		return after, false
	}
	after.count++
	if _, known := w.counts[key]; w.counts == nil || !known && len(w.counts) >= countedMax {
		w.counts = map[K]window{}
	}
	w.counts[key] = after
	return after, true
}

func (w *windows[K]) look(key K, now time.Time) window {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at(key, now)
}

// admit counts a request of a key against the application's requests_per_minute, and says in
// the answer's headers how many are left. CodeRateLimited: none are.
func (s *Server) admit(ctx context.Context, header http.Header, key face.Key) error {
	// Read from the gallery each time, so that a change holds at once: bbolt has it in memory.
	settings, err := s.ready.Load().gallery.Settings(ctx, key.Application)
	if err != nil || settings.RequestsPerMinute == 0 {
		return err
	}
	limit, now := settings.RequestsPerMinute, s.options.Now()
	used, ok := s.keys.add(key.Digest, limit, now)
	header.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(max(limit-used.count, 0)))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(ceilSecond(used.ends), 10))
	if ok {
		return nil
	}
	s.metrics.limited("key")
	return tooMany(used.ends.Sub(now), "This API key has sent as many requests as its application allows in a minute: wait until X-RateLimit-Reset.")
}

// ceilSecond is a time in seconds since 1970, at which it has certainly come.
func ceilSecond(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

func tooMany(wait time.Duration, detail string) error {
	return &face.Error{Code: face.CodeRateLimited, RetryAfter: max(wait, time.Second), Detail: detail}
}

// A guesses keeps keys from being guessed: an address that sent too many wrong ones is not
// listened to for the rest of its window, but for the keys that were right when they came from
// there before, so that others behind the same address can go on.
type guesses struct {
	wrong windows[netip.Addr]

	mu    sync.Mutex
	right map[origin]struct{}
}

// An origin is a key, as its digest, and where it came from.
type origin struct {
	client netip.Addr
	digest [32]byte
}

// check refuses to look a key up. CodeRateLimited: too many wrong ones came from its address.
func (g *guesses) check(from origin, now time.Time) error {
	seen := g.wrong.look(from.client, now)
	if seen.count < wrongKeysPerWindow || g.known(from) {
		return nil
	}
	return tooMany(seen.ends.Sub(now), "Too many requests with an API key that is not one of this server came from this address: wait, then send the right key.")
}

func (g *guesses) known(from origin) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, known := g.right[from]
	return known
}

// remember notes whether a key that was looked up was one.
func (g *guesses) remember(from origin, right bool, now time.Time) {
	if !right {
		g.wrong.add(from.client, wrongKeysPerWindow, now)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.right[from]; known {
		return
	}
	if g.right == nil || len(g.right) >= countedMax {
		g.right = map[origin]struct{}{}
	}
	g.right[from] = struct{}{}
}
