package opensearch

import (
	"context"
	"time"
)

func nowMillis() int64 { return time.Now().UnixMilli() }

// upkeepInterval is how often a server looks for what is left undone.
const upkeepInterval = 30 * time.Second

// abandonedAfter is when something half done is taken to have nobody who goes on with it. It is
// far beyond the time of a call, and leaves room for clocks that differ.
const abandonedAfter = 10 * time.Minute

// keepUp runs until the store is closed. Each server does all of it, whatever others do.
func (s *Store) keepUp(ctx context.Context) {
	ticker := time.NewTicker(upkeepInterval)
	defer ticker.Stop()
	var purge purger
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, step := range []func(context.Context) error{
			func(ctx context.Context) error { return s.finishErasures(ctx, upkeepInterval) },
			func(ctx context.Context) error { return s.finishDrops(ctx, upkeepInterval) },
			s.pruneAccounts,
			s.settleRegisters,
			s.withdrawAbandoned,
			func(ctx context.Context) error { return s.purge(ctx, &purge) },
		} {
			if err := step(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("the upkeep of the gallery on OpenSearch failed and is tried again", "error", err)
				break
			}
		}
	}
}

// withdrawAbandoned deletes what enrolments have staged and left, and pictures without an owner.
func (s *Store) withdrawAbandoned(ctx context.Context) error {
	before := time.Now().Add(-abandonedAfter).UnixMilli()
	if err := s.refresh(ctx, s.names.sessions); err != nil {
		return err
	}
	stale := []object{{"range": object{"staged_at": object{"lt": before}}}}
	err := s.each(ctx, s.names.sessions, stale, func(each hit) error {
		document := document{place: each.place, Found: true, SeqNo: each.SeqNo, Term: each.Term, Source: each.Source}
		waiting, err := readSession(document)
		if err != nil || waiting.Staged == nil {
			return err
		}
		return s.withdrawStaged(ctx, document, waiting)
	})
	if err != nil {
		return err
	}
	return s.sweepPictures(ctx, before)
}
