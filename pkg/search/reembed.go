package search

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
	"facesearch/pkg/policy"
)

// An Embedder is what makes templates, and what the distances between them mean.
type Embedder struct {
	Engine      Engine
	Model       face.Model
	Calibration policy.Calibration
}

// Embedder is the one in use.
func (s *Service) Embedder() Embedder {
	s.embedderMu.RLock()
	defer s.embedderMu.RUnlock()
	return s.embedder
}

// A ReembedRequest says how a gallery is moved over to another embedding model.
type ReembedRequest struct {
	Embedder Embedder // the one that is to follow
	// Parallel is how many pictures are worked on at once.
	Parallel int
	// DropMissing moves over although of some sessions no template can be made: these stay, but
	// leave the gallery.
	DropMissing bool
	// Progress, when there is one, is called with the sessions that are done of all that there are.
	Progress func(done, total int)
}

// A ReembedResult says what became of a gallery.
type ReembedResult struct {
	Model    string `json:"model"` // the ID of the one that was to follow
	Sessions int    `json:"sessions"`
	// Missing are those of which no template could be made.
	Missing []MissingTemplate `json:"missing"`
	// Adopted: the new model is in use. It is not when some are missing and were not to be dropped.
	Adopted bool `json:"adopted"`
}

// A MissingTemplate is a session of which no template can be made, and why.
type MissingTemplate struct {
	Application string `json:"application"`
	SessionID   string `json:"session_id"`
	// InGallery: searches compare with it, as long as the old model is in use.
	InGallery bool   `json:"in_gallery"`
	Reason    string `json:"reason"`
}

// Reembed moves a gallery that nobody else uses over to another embedding model: it makes templates
// of all kept pictures, and puts them in the place of the old ones at once. It can be stopped, or
// killed, and called again with the same embedder to go on. CodeConflict: the model is in use
// already.
func Reembed(ctx context.Context, gallery face.Reembedder, request ReembedRequest) (ReembedResult, error) {
	return newReembedding(gallery, request).run(ctx, func(last func() error) error { return last() })
}

// Reembed does the same while the service goes on answering: with the old model until the last
// template is made, and then with the new one. For the moment of the change all requests wait.
func (s *Service) Reembed(ctx context.Context, gallery face.Reembedder, request ReembedRequest) (ReembedResult, error) {
	r := newReembedding(gallery, request)
	return r.run(ctx, func(last func() error) error {
		s.embedderMu.Lock()
		defer s.embedderMu.Unlock()
		if err := last(); err != nil || !r.result.Adopted {
			return err
		}
		s.embedder = request.Embedder
		s.duplicates.forgetEnded()
		return nil
	})
}

// A reembedding is one run of Reembed.
type reembedding struct {
	gallery face.Reembedder
	request ReembedRequest
	result  ReembedResult

	mu     sync.Mutex // guards what follows
	failed map[sessionKey]string
	done   int
}

type sessionKey struct{ application, id string }

func newReembedding(gallery face.Reembedder, request ReembedRequest) *reembedding {
	return &reembedding{
		gallery: gallery, request: request, failed: map[sessionKey]string{},
		result: ReembedResult{Model: request.Embedder.Model.ID, Missing: []MissingTemplate{}},
	}
}

// run makes all templates, again and again for who is enrolled meanwhile, until there are hardly any
// left; whole calls the last part of it while nobody can enrol.
func (r *reembedding) run(ctx context.Context, whole func(last func() error) error) (ReembedResult, error) {
	if err := r.gallery.BeginModel(ctx, r.request.Embedder.Model); err != nil {
		return r.result, err
	}
	if err := r.count(ctx); err != nil {
		return r.result, err
	}
	for made := 1; made > 0; {
		var err error
		if made, err = r.pass(ctx); err != nil {
			return r.result, err
		}
	}
	err := whole(func() error {
		if _, err := r.pass(ctx); err != nil {
			return err
		}
		if err := r.missing(ctx); err != nil {
			return err
		}
		if len(r.result.Missing) > 0 && !r.request.DropMissing {
			return nil
		}
		_, err := r.gallery.Adopt(ctx, r.request.DropMissing)
		r.result.Adopted = r.gallery.Model() == r.request.Embedder.Model // also where an error came after it
		return err
	})
	return r.result, err
}

// count is for the progress only.
func (r *reembedding) count(ctx context.Context) error {
	left := 0
	err := r.each(ctx, func(application string) error {
		_, total, err := r.gallery.Sessions(ctx, application, face.SessionFilter{})
		if err != nil {
			return err
		}
		r.result.Sessions += total
		return r.eachUnmade(ctx, application, func(sessions []face.Session) error {
			left += len(sessions)
			return nil
		})
	})
	r.done = r.result.Sessions - left
	return err
}

// each visits all applications; one that is deleted meanwhile is passed over.
func (r *reembedding) each(ctx context.Context, visit func(application string) error) error {
	applications, err := r.gallery.Applications(ctx)
	if err != nil {
		return err
	}
	for _, application := range applications {
		if err := visit(application.ID); err != nil && face.CodeOf(err) != face.CodeNotFound {
			return err
		}
	}
	return nil
}

// reembedBatch sessions are worked on between two writes, and lost where the process is killed.
const reembedBatch = 32

func (r *reembedding) eachUnmade(ctx context.Context, application string, visit func([]face.Session) error) error {
	after := uint64(0)
	for {
		sessions, err := r.gallery.Unmade(ctx, application, after, reembedBatch)
		if err != nil || len(sessions) == 0 {
			return err
		}
		if err := visit(sessions); err != nil {
			return err
		}
		after = sessions[len(sessions)-1].Number
	}
}

// pass makes what templates are missing, but for those of which none could be made.
func (r *reembedding) pass(ctx context.Context) (made int, err error) {
	err = r.each(ctx, func(application string) error {
		return r.eachUnmade(ctx, application, func(sessions []face.Session) error {
			templates, err := r.makeAll(ctx, application, sessions)
			if err != nil || len(templates) == 0 {
				return err
			}
			made += len(templates)
			return r.gallery.PutMade(ctx, application, templates)
		})
	})
	return made, err
}

func (r *reembedding) makeAll(ctx context.Context, application string, sessions []face.Session) (map[uint64]face.Template, error) {
	templates := map[uint64]face.Template{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, r.request.Parallel))
	for _, session := range sessions {
		key := sessionKey{application, session.ID}
		if r.hasFailed(key) {
			continue
		}
		group.Go(func() error {
			template, reason, err := r.make(ctx, application, session)
			if err != nil {
				return err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.done++; r.request.Progress != nil {
				r.request.Progress(min(r.done, r.result.Sessions), r.result.Sessions)
			}
			if reason != "" {
				r.failed[key] = reason
			} else {
				templates[session.Number] = template
			}
			return nil
		})
	}
	return templates, group.Wait()
}

func (r *reembedding) hasFailed(key sessionKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed[key] != ""
}

// Why there is no template of a session.
const (
	noPicture     = "no picture of it is kept"
	brokenPicture = "the picture that is kept of it cannot be read"
	noFace        = "no face was found in the picture that is kept of it"
)

// make returns a reason where there is none to make.
func (r *reembedding) make(ctx context.Context, application string, session face.Session) (template face.Template, reason string, err error) {
	if session.PictureID == "" {
		return nil, noPicture, nil
	}
	picture, err := r.gallery.Picture(ctx, application, session.PictureID)
	switch {
	case face.CodeOf(err) == face.CodeNotFound: // it is being erased
		return nil, noPicture, nil
	case err != nil:
		return nil, "", err
	}
	decoded, err := photo.Decode(picture.Data)
	if err != nil {
		return nil, brokenPicture, nil
	}
	// A kept face is upright; an original may have been searched at any angle.
	for _, rotate := range []bool{false, true} {
		found, err := r.request.Embedder.Engine.Find(ctx, decoded, rotate)
		if err != nil {
			return nil, "", err
		}
		for _, each := range found.Faces {
			embedding, ok, err := r.request.Embedder.Engine.Embed(ctx, decoded, found.Angle, each.Box)
			if ok || err != nil {
				return embedding.Template, "", err
			}
		}
	}
	return nil, noFace, nil
}

// missing lists who has no template still.
func (r *reembedding) missing(ctx context.Context) error {
	return r.each(ctx, func(application string) error {
		return r.eachUnmade(ctx, application, func(sessions []face.Session) error {
			for _, session := range sessions {
				r.result.Missing = append(r.result.Missing, MissingTemplate{
					application, session.ID, session.InGallery(), r.failed[sessionKey{application, session.ID}],
				})
			}
			return nil
		})
	})
}
