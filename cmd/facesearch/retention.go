package main

import (
	"context"
	"log/slog"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// retentionInterval is how often what is too old is erased, beside once at the start.
const retentionInterval = time.Hour

// keepRetention erases what is older than the settings allow, and tells erased how much, until stop
// is called.
func keepRetention(ctx context.Context, gallery face.Gallery, erased func(int), log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(retentionInterval)
		defer ticker.Stop()
		for {
			sessions, searches, err := search.Retain(ctx, gallery, time.Now())
			if err != nil && ctx.Err() == nil {
				log.Error("what is too old could not be erased; it is tried again in an hour", "error", err.Error())
			}
			if sessions+searches > 0 {
				erased(sessions + searches)
				log.Info("what was too old is erased", "sessions", sessions, "searches", searches)
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
