package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// reembedPath is where the owner begins (POST), watches (GET) and stops (DELETE) a move to another
// embedding model.
const reembedPath = "/reembed"

// A reembedOrder is what the owner begins one with.
type reembedOrder struct {
	Embedder    embedderName `json:"embedder"`
	Parallel    int          `json:"parallel"`
	DropMissing bool         `json:"drop_missing"`
}

// A reembedState says how far it is.
type reembedState struct {
	Running bool                  `json:"running"`
	Done    int64                 `json:"done"`
	Total   int64                 `json:"total"`
	Result  *search.ReembedResult `json:"result"` // nil until it has ended by itself
	Error   string                `json:"error"`  // why it ended otherwise
}

// A reembedder moves the gallery of a running server, one move at a time, in the background.
type reembedder struct {
	parts *serverParts
	flags *serverFlags
	log   *slog.Logger

	done, total atomic.Int64
	mu          sync.Mutex // guards what follows
	state       reembedState
	cancel      context.CancelFunc
	running     sync.WaitGroup
	stopped     bool
}

// stop ends what is under way, which can be gone on with later, and waits for it.
func (r *reembedder) stop() {
	r.mu.Lock()
	r.stopped = true
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	r.running.Wait()
}

// ServeHTTP is for the owner's socket.
func (r *reembedder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	switch request.Method {
	case http.MethodPost:
		var order reembedOrder
		if err := json.NewDecoder(http.MaxBytesReader(w, request.Body, 64*1024)).Decode(&order); err != nil {
			answerOwner(w, http.StatusBadRequest, refusal(face.CodeInvalid, "The body is not the JSON that is expected here."))
			return
		}
		if !r.begin(order) {
			answerOwner(w, http.StatusConflict, refusal(face.CodeConflict, "The gallery is being moved already, or the server is stopping."))
			return
		}
	case http.MethodDelete:
		r.mu.Lock()
		if r.cancel != nil {
			r.cancel()
		}
		r.mu.Unlock()
		r.running.Wait()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.state
	state.Done, state.Total = r.done.Load(), r.total.Load()
	answerOwner(w, http.StatusOK, state)
}

func refusal(code face.Code, detail string) map[string]string {
	return map[string]string{"error": string(code), "detail": detail}
}

func answerOwner(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func (r *reembedder) begin(order reembedOrder) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Running || r.stopped {
		return false
	}
	ctx, cancel := context.WithCancel(face.WithActor(context.Background(), face.OwnerActor))
	r.state, r.cancel = reembedState{Running: true}, cancel
	r.done.Store(0)
	r.total.Store(0)
	r.running.Go(func() {
		defer cancel()
		result, err := r.run(ctx, order)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.state.Running, r.state.Result = false, &result
		if err != nil {
			r.state.Error = err.Error()
			r.log.Warn("the gallery was not moved to another embedding model", "model", result.Model, "error", err.Error())
			return
		}
		r.log.Info("the gallery was looked through for another embedding model",
			"model", result.Model, "in_use", result.Adopted, "sessions", result.Sessions, "missing", len(result.Missing))
	})
	return true
}

// run loads the model, moves the gallery, and closes the model that is then not in use.
func (r *reembedder) run(ctx context.Context, order reembedOrder) (search.ReembedResult, error) {
	store, ok := r.parts.store.(face.Reembedder)
	if !ok {
		return search.ReembedResult{}, face.Invalid("A gallery on OpenSearch is not moved to another embedding model where it is: stop the servers, move it to bbolt with facesearch migrate, reembed it there, and move it back under another --opensearch-prefix.")
	}
	fresh, err := openEmbedder(ctx, order.Embedder, r.flags.Models, r.flags.Workers, r.log)
	if err != nil {
		return search.ReembedResult{}, err
	}
	r.log.Info("a move to another embedding model begins", "model", fresh.Model.ID)
	result, err := r.parts.service.Reembed(ctx, store, search.ReembedRequest{
		Embedder: fresh.Embedder, Parallel: order.Parallel, DropMissing: order.DropMissing,
		Progress: func(done, total int) {
			r.done.Store(int64(done))
			r.total.Store(int64(total))
		},
	})
	if result.Adopted {
		fresh, r.parts.embedder = r.parts.embedder, fresh
	}
	fresh.close()
	return result, err
}
