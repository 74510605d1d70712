package opensearch

import (
	"sync"
	"time"
)

// cacheLife is how long a server believes what it has read of applications, settings and keys.
// What it changes itself it forgets at once; what another server changes it sees this much later.
const cacheLife = 5 * time.Second

// cacheMax bounds how many of a kind are remembered.
const cacheMax = 10_000

// A cache remembers what was read, for cacheLife.
type cache[K comparable, V any] struct {
	mu   sync.Mutex
	kept map[K]remembered[V]
	// changes counts the calls of forget: what was read before one is not remembered after it.
	changes int
}

type remembered[V any] struct {
	value V
	until time.Time
}

// get returns what is remembered, or what read reads. An error is not remembered.
func (c *cache[K, V]) get(key K, read func() (V, error)) (V, error) {
	c.mu.Lock()
	known, ok := c.kept[key]
	changes := c.changes
	c.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known.value, nil
	}
	until := time.Now().Add(cacheLife) // from before it is read
	value, err := read()
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != changes {
		return value, nil
	}
	if c.kept == nil || len(c.kept) >= cacheMax {
		c.kept = map[K]remembered[V]{}
	}
	c.kept[key] = remembered[V]{value, until}
	return value, nil
}

// forget is called when something was changed.
func (c *cache[K, V]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = nil
	c.changes++
}
