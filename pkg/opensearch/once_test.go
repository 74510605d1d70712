//go:build opensearch

package opensearch_test

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
)

// TestEntryOnce lets three servers carry out the same erasure, and the same deletion of an
// application, at the same moment: each is about to write the entry of the audit log when none has.
// One entry is written, and the server that was asked answers with it.
func TestEntryOnce(t *testing.T) {
	for name, do := range map[string]func(context.Context, *opensearch.Store) (face.AuditEntry, error){
		face.AuditErase: func(ctx context.Context, store *opensearch.Store) (face.AuditEntry, error) {
			erased, err := store.Erase(ctx, application, []string{"person"})
			return erased.Entry, err
		},
		face.AuditApplicationDelete: func(ctx context.Context, store *opensearch.Store) (face.AuditEntry, error) {
			return face.AuditEntry{}, store.DeleteApplication(ctx, application)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var meeting meeting
			options := optionsFor(newPrefix(t), opensearch.ExactIndex)
			options.URLs = []string{newProxy(t, meeting.hold)}
			store := openStore(t, options)
			defer store.Close()
			createApplication(t, store)
			enrol(t, store, person("person", 1))

			meeting.begin(3)
			var group sync.WaitGroup
			var answered face.AuditEntry
			group.Go(func() {
				var err error
				if answered, err = do(t.Context(), store); err != nil {
					t.Error(err)
				}
			})
			meeting.await(1)
			for range 2 { // they find it undone when they start
				group.Go(func() {
					other, err := opensearch.Open(t.Context(), options)
					if err != nil {
						t.Error(err)
						return
					}
					other.Close()
				})
			}
			group.Wait()

			list, _, err := store.AuditWhole(t.Context(), face.AuditPage{Limit: 100, OldestFirst: true})
			if err != nil {
				t.Fatal(err)
			}
			var written []face.AuditEntry
			for _, entry := range list {
				if entry.Action == name {
					written = append(written, entry)
				}
			}
			if len(written) != 1 {
				t.Fatalf("%d entries: %+v", len(written), written)
			}
			if name == face.AuditErase && answered != written[0] {
				t.Errorf("answered with %+v, and in the log is %+v", answered, written[0])
			}
			if verdict, err := face.VerifyAudit(t.Context(), store); err != nil || verdict.Broken != 0 {
				t.Errorf("%+v, %v", verdict, err)
			}
		})
	}
}

// A meeting holds the first writers of entries until all are there.
type meeting struct {
	wanted  atomic.Int64
	come    atomic.Int64
	arrived chan struct{}
	all     chan struct{}
}

func (m *meeting) begin(wanted int64) {
	m.arrived, m.all = make(chan struct{}, wanted), make(chan struct{})
	m.wanted.Store(wanted)
}

func (m *meeting) await(count int) {
	for range count {
		<-m.arrived
	}
}

func (m *meeting) hold(w http.ResponseWriter, r *http.Request, through http.Handler) {
	if wanted := m.wanted.Load(); wanted > 0 && r.Method == http.MethodPut {
		if bytes.Contains(bodyOf(r), []byte(`"kind":"audit",`)) {
			switch come := m.come.Add(1); {
			case come == wanted:
				close(m.all)
			case come < wanted:
				m.arrived <- struct{}{}
			}
			select {
			case <-m.all:
			case <-r.Context().Done():
			}
		}
	}
	through.ServeHTTP(w, r)
}
