package bolt_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// leaving is the context of a client that goes away after it was looked at so many times.
type leaving struct {
	context.Context
	looks atomic.Int64
}

func (l *leaving) Err() error {
	if l.looks.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestSessionsLeft: nobody's name is looked for any more when the client has gone.
func TestSessionsLeft(t *testing.T) {
	directory, _, enrolments := filledStore(t, 300)
	store := openStore(t, directory, quiet(bolt.ExactIndex))
	defer closeStore(t, store)
	ctx := &leaving{Context: t.Context()}
	ctx.looks.Store(100)
	filter := face.SessionFilter{Name: "nobody", Limit: 10}
	if list, _, err := store.Sessions(ctx, gallerytest.Application, filter); !errors.Is(err, context.Canceled) {
		t.Errorf("%d sessions, %v", len(list), err)
	}
	if _, total, err := store.Sessions(t.Context(), gallerytest.Application, face.SessionFilter{Limit: 10}); err != nil || total != len(enrolments) {
		t.Errorf("%d of %d sessions, %v", total, len(enrolments), err)
	}
}
