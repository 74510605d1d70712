package search_test

import (
	"context"
	"image"
	"image/color"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/disintegration/imaging"
	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/photo"
	"facesearch/pkg/search"
)

// A shade makes a template of how red and how blue a picture is, with as many values as its model
// has. It waits at each face while it is held, and fails when it is told to.
type shade struct {
	model face.Model
	seen  atomic.Int64
	looks atomic.Int64
	held  chan bool // nil: it does not wait
	blind func(p *photo.Photo) bool
}

func (s *shade) Find(_ context.Context, p *photo.Photo, _ bool) (face.Found, error) {
	s.looks.Add(1)
	if s.blind != nil && s.blind(p) {
		return face.Found{}, nil
	}
	return face.Found{Faces: []face.Detection{{Box: image.Rect(4, 4, 60, 60), Score: 2}}}, nil
}

func (s *shade) Embed(ctx context.Context, p *photo.Photo, _ int, box image.Rectangle) (face.Embedding, bool, error) {
	s.seen.Add(1)
	if s.held != nil {
		select {
		case <-s.held:
		case <-ctx.Done():
			return face.Embedding{}, false, ctx.Err()
		}
	}
	pixel := p.CropTurned(box, 1, 1, 0).RGBAAt(0, 0)
	template := make(face.Template, s.model.Dim)
	template[0], template[s.model.Dim-1] = float32(pixel.R)/64, float32(pixel.B)/64
	return face.Embedding{Template: template}, true, nil
}

func (s *shade) embedder() search.Embedder {
	return search.Embedder{Engine: s, Model: s.model, Calibration: facetest.Calibration()}
}

// painted is a picture of one colour.
func painted(t *testing.T, red, blue int) []byte {
	t.Helper()
	return facetest.JPEG(t, imaging.New(64, 64, color.NRGBA{byte(red), 0, byte(blue), 255}))
}

type mover struct {
	*fixture
	old, next *shade
}

func newMover(t *testing.T) *mover {
	t.Helper()
	f := newFixture(t)
	m := &mover{fixture: f, old: &shade{model: face.DefaultModel}, next: &shade{model: face.Model{ID: "test-next", Dim: 3}}}
	m.service = search.New(f.store, m.old, f.stub, search.Options{
		Workers: 4, WaitingMax: 100, Confidence: func(float64) float64 { return 0.9 }, Calibration: facetest.Calibration(),
	})
	t.Cleanup(m.service.Close)
	return m
}

func (m *mover) enrol(t *testing.T, picture []byte) string {
	t.Helper()
	result, err := m.service.Enrol(t.Context(), m.application, search.EnrolRequest{Picture: picture, SessionID: uuid.NewString()})
	if err != nil {
		t.Fatal(err)
	}
	return result.Session.ID
}

func (m *mover) reembed(ctx context.Context, drop bool) (search.ReembedResult, error) {
	return m.service.Reembed(ctx, m.store, search.ReembedRequest{Embedder: m.next.embedder(), Parallel: 2, DropMissing: drop})
}

func (m *mover) requireFound(t *testing.T, picture []byte, id string) {
	t.Helper()
	result, err := m.service.Search(t.Context(), m.application, search.Request{Picture: picture})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Sessions) != 1 || result.Sessions[0].ID != id {
		t.Fatalf("found %+v, want %s", result.Outcome.Matches, id)
	}
}

// TestReembedWhileServing: people are enrolled and searched in the middle of it, also when it has
// seen all that there were at its beginning, and are neither lost nor compared across models.
func TestReembedWhileServing(t *testing.T) {
	m := newMover(t)
	m.next.held = make(chan bool)
	first := painted(t, 250, 0)
	id := m.enrol(t, first)
	m.enrol(t, painted(t, 250, 250))
	saved, err := m.service.Search(t.Context(), m.application, search.Request{Picture: first, Save: true})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var result search.ReembedResult
	group.Go(func() { result, err = m.reembed(t.Context(), false) })
	m.next.held <- true // it has begun, and waits at the other one
	late := painted(t, 0, 250)
	lateID := m.enrol(t, late)
	m.requireFound(t, first, id)
	m.requireFound(t, late, lateID)
	close(m.next.held)
	group.Wait()
	if err != nil || !result.Adopted || len(result.Missing) != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	if m.next.seen.Load() != 3 {
		t.Errorf("%d templates were made of 3 pictures", m.next.seen.Load())
	}
	if m.service.Embedder().Model != m.next.model {
		t.Error(m.service.Embedder().Model)
	}
	before := m.old.seen.Load()
	m.requireFound(t, first, id)
	m.requireFound(t, late, lateID)
	if m.old.seen.Load() != before {
		t.Error("the model of before is still asked")
	}
	_, err = m.service.Enrol(t.Context(), m.application, search.EnrolRequest{RequestID: saved.RequestID})
	if face.CodeOf(err) != face.CodeConflict {
		t.Errorf("a search by the model of before was enrolled: %v", err)
	}
	again, err := m.service.Search(t.Context(), m.application, search.Request{Picture: painted(t, 120, 120), Save: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = m.service.Enrol(t.Context(), m.application, search.EnrolRequest{RequestID: again.RequestID}); err != nil {
		t.Error(err)
	}
}

// TestReembedGoesOn: what was stopped is not made again.
func TestReembedGoesOn(t *testing.T) {
	m := newMover(t)
	const people = 70
	for n := range people {
		m.enrol(t, painted(t, 3*n, 250-3*n))
	}
	m.next.held = make(chan bool)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for range 40 {
			m.next.held <- true
		}
		cancel()
	})
	if result, err := m.reembed(ctx, false); err == nil || result.Adopted {
		t.Fatalf("%+v, %v", result, err)
	}
	group.Wait()
	close(m.next.held)
	m.next.seen.Store(0)
	result, err := m.reembed(t.Context(), false)
	if err != nil || !result.Adopted {
		t.Fatal(result, err)
	}
	if seen := m.next.seen.Load(); seen != people-32 {
		t.Errorf("%d templates were made after 32 had been stored", seen)
	}
}

// TestReembedMissing: of whom no template can be made is named with the reason.
func TestReembedMissing(t *testing.T) {
	m := newMover(t)
	m.enrol(t, painted(t, 250, 0))
	hidden := m.enrol(t, painted(t, 0, 0))
	m.next.blind = func(p *photo.Photo) bool { return p.CropTurned(p.Bounds(), 1, 1, 0).RGBAAt(0, 0).R < 50 }
	settings := face.DefaultSettings()
	settings.KeepPicture = face.KeepNothing
	if err := m.store.PutSettings(t.Context(), m.application, settings); err != nil {
		t.Fatal(err)
	}
	bare := m.enrol(t, painted(t, 0, 250))
	broken := face.Enrolment{
		Session:  face.Session{ID: "broken", Status: face.Declined, PictureID: "broken"},
		Template: make(face.Template, face.TemplateDim), Picture: face.Picture{ContentType: "image/jpeg", Data: []byte("no picture")},
	}
	if _, _, err := m.store.Enrol(t.Context(), m.application, broken); err != nil {
		t.Fatal(err)
	}
	want := []search.MissingTemplate{
		{Application: m.application, SessionID: hidden, InGallery: true, Reason: "no face was found in the picture that is kept of it"},
		{Application: m.application, SessionID: bare, InGallery: true, Reason: "no picture of it is kept"},
		{Application: m.application, SessionID: "broken", Reason: "the picture that is kept of it cannot be read"},
	}
	for _, drop := range []bool{false, true} {
		result, err := m.reembed(t.Context(), drop)
		if looks := m.next.looks.Swap(0); looks > 3 { // at one at any angle too; then it is known
			t.Errorf("it was looked for faces %d times", looks)
		}
		if err != nil || result.Adopted != drop || result.Sessions != 4 || len(result.Missing) != len(want) {
			t.Fatalf("drop %v: %+v, %v", drop, result, err)
		}
		for i, each := range result.Missing {
			if each != want[i] {
				t.Errorf("drop %v: %+v, want %+v", drop, each, want[i])
			}
		}
	}
	if size, err := m.store.Size(t.Context(), m.application); err != nil || size != 1 {
		t.Error(size, err)
	}
}

// TestReembedRace searches, compares, enrols and looks for duplicates while the models change.
func TestReembedRace(t *testing.T) {
	m := newMover(t)
	first := painted(t, 250, 0)
	id := m.enrol(t, first)
	m.enrol(t, painted(t, 0, 250))
	end := make(chan bool)
	var group sync.WaitGroup
	work := func(step func() error) {
		group.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				if err := step(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work(func() error {
		result, err := m.service.Search(t.Context(), m.application, search.Request{Picture: first})
		if err == nil && (len(result.Sessions) != 1 || result.Sessions[0].ID != id || result.Outcome.Matches[0].Similarity != 100) {
			t.Errorf("found %+v", result.Outcome.Matches)
		}
		return err
	})
	work(func() error {
		_, err := m.service.Compare(t.Context(), m.application, search.CompareRequest{User: first, Reference: first})
		return err
	})
	work(func() error {
		_, err := m.service.Duplicates(t.Context(), m.application, search.DuplicatesRequest{Fresh: true}, 0)
		if face.CodeOf(err) == face.CodeConflict {
			return nil // told that the model was changed
		}
		return err
	})
	for range 4 {
		result, err := m.reembed(t.Context(), false)
		if err != nil || !result.Adopted {
			t.Fatal(result, err)
		}
		m.old, m.next = m.next, m.old
	}
	close(end)
	group.Wait()
}
