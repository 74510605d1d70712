package search

import (
	"context"
	"errors"
	"sync"
	"time"

	"facesearch/pkg/face"
)

// UsageEvery is how often the last uses of keys are written. What was used in the minute before
// a crash is lost.
const UsageEvery = time.Minute

// A Usage notes when keys are used, and writes that down in batches: no request waits for it.
// It is safe for concurrent use.
type Usage struct {
	gallery face.Gallery
	mu      sync.Mutex
	used    map[usedKey]time.Time
}

type usedKey struct{ application, id string }

// NewUsage makes one that has noted nothing.
func NewUsage(gallery face.Gallery) *Usage {
	return &Usage{gallery: gallery, used: map[usedKey]time.Time{}}
}

// Note remembers that a key is used at a time.
func (u *Usage) Note(key face.Key, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used[usedKey{key.Application, key.ID}] = at.UTC()
}

// Write stores what was noted since the last time. A key that is gone by now is none to write;
// what fails otherwise is lost.
func (u *Usage) Write(ctx context.Context) error {
	u.mu.Lock()
	used := u.used
	u.used = map[usedKey]time.Time{}
	u.mu.Unlock()
	var failures []error
	for key, at := range used {
		_, err := u.gallery.ChangeKey(ctx, key.application, key.id, func(key *face.Key) error {
			if at.After(key.LastUsedAt) {
				key.LastUsedAt = at
			}
			return nil
		})
		if err != nil && face.CodeOf(err) != face.CodeNotFound {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}
