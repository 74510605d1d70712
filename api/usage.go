package api

import (
	"context"
	"time"

	"facesearch/pkg/search"
)

// KeepUsage writes down when keys were last used, every search.UsageEvery, until stop is called,
// which does it once more. The gallery must still be open then.
func (s *Server) KeepUsage() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(search.UsageEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.writeUsage(context.Background())
			case <-end:
				s.writeUsage(context.Background())
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

func (s *Server) writeUsage(ctx context.Context) {
	ready := s.ready.Load()
	if ready == nil {
		return
	}
	if err := ready.usage.Write(ctx); err != nil {
		s.options.Log.WarnContext(ctx, "when keys were last used could not be written", "error", err.Error())
	}
}
