package search_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/search"
)

// meter switches credits on and gives some.
func (f *fixture) meter(t *testing.T, credits int64) {
	t.Helper()
	settings := face.DefaultSettings()
	settings.CreditsMetered = true
	if err := f.store.PutSettings(t.Context(), f.application, settings); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.AddCredits(t.Context(), f.application, credits); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) left(t *testing.T) int64 {
	t.Helper()
	credits, err := f.store.Credits(t.Context(), f.application)
	if err != nil {
		t.Fatal(err)
	}
	return credits
}

func TestCredits(t *testing.T) {
	f := newFixture(t)
	picture := colours(t, 320, 240)
	f.meter(t, 3)
	find := func(picture []byte, save bool) error {
		_, err := f.service.Search(t.Context(), f.application, search.Request{Picture: picture, Save: save})
		return err
	}
	compare := func(user []byte) error {
		_, err := f.service.Compare(t.Context(), f.application, search.CompareRequest{User: user, Reference: picture})
		return err
	}
	for name, err := range map[string]error{"search": find([]byte("no picture"), true), "compare": compare([]byte("no picture"))} {
		if face.CodeOf(err) != face.CodeInvalid || f.left(t) != 3 {
			t.Errorf("a refused %s: %v, %d credits left", name, err, f.left(t))
		}
	}
	if _, err := f.service.Enrol(t.Context(), f.application, search.EnrolRequest{Picture: picture}); err != nil || f.left(t) != 3 {
		t.Errorf("an enrolment: %v, %d credits left", err, f.left(t))
	}
	for i, answer := range []error{find(picture, true), compare(picture), find(picture, false)} {
		if answer != nil {
			t.Errorf("answer %d: %v", i, answer)
		}
	}
	if f.left(t) != 0 {
		t.Errorf("%d credits are left of 3 after 3 answers", f.left(t))
	}
	f.pictures = 0
	for _, err := range []error{find(picture, true), compare(picture)} {
		if face.CodeOf(err) != face.CodeInsufficientCredits || f.pictures != 0 || f.left(t) != 0 {
			t.Errorf("without a credit: %v, %d pictures looked at, %d credits", err, f.pictures, f.left(t))
		}
	}
	settings := face.DefaultSettings()
	if err := f.store.PutSettings(t.Context(), f.application, settings); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(find(picture, true), compare(picture)); err != nil {
		t.Errorf("not metered: %v", err)
	}
}

// A failing gallery cannot save, and counts who asks for credits.
type failing struct {
	face.Gallery
	cancel context.CancelFunc // nil: an error of its own
	asked  atomic.Int64
}

func (g *failing) SaveSearch(ctx context.Context, _ string, _ face.SavedSearch, _ face.Picture) error {
	if g.cancel != nil {
		g.cancel()
		return ctx.Err()
	}
	return errors.New("the disk is full")
}

func (g *failing) Credits(ctx context.Context, application string) (int64, error) {
	g.asked.Add(1)
	return g.Gallery.Credits(ctx, application)
}

func (g *failing) Charge(ctx context.Context, application string, credits int64) (int64, error) {
	g.asked.Add(1)
	return g.Gallery.Charge(ctx, application, credits)
}

func (f *fixture) serviceOver(gallery face.Gallery, workers, waitingMax int) *search.Service {
	return search.New(gallery, f.stub, f.stub, search.Options{
		Workers: workers, WaitingMax: waitingMax, Confidence: func(float64) float64 { return 0.9 }, Calibration: facetest.Calibration(),
	})
}

// TestCreditsGivenBack: a search that could not be saved costs nothing, also when its client
// has gone away meanwhile.
func TestCreditsGivenBack(t *testing.T) {
	f := newFixture(t)
	f.meter(t, 2)
	request := search.Request{Picture: colours(t, 320, 240), Save: true}
	ctx, cancel := context.WithCancel(t.Context())
	for _, gallery := range []*failing{{Gallery: f.store}, {Gallery: f.store, cancel: cancel}} {
		_, err := f.serviceOver(gallery, 1, 0).Search(ctx, f.application, request)
		if err == nil || f.left(t) != 2 || gallery.asked.Load() != 3 {
			t.Errorf("%v, %d credits left, asked %d times", err, f.left(t), gallery.asked.Load())
		}
	}
}

// TestCreditsNotMetered: nothing is read or written for credits that are not metered.
func TestCreditsNotMetered(t *testing.T) {
	f := newFixture(t)
	gallery := &failing{Gallery: f.store}
	if _, err := f.serviceOver(gallery, 1, 0).Search(t.Context(), f.application, search.Request{Picture: colours(t, 320, 240)}); err != nil {
		t.Fatal(err)
	}
	if gallery.asked.Load() != 0 {
		t.Errorf("credits were asked for %d times", gallery.asked.Load())
	}
}

// TestCreditsConcurrently: never are more requests answered than there are credits, although
// all of them were found solvent.
func TestCreditsConcurrently(t *testing.T) {
	const credits, requests = 7, 24
	f := newFixture(t)
	f.meter(t, credits)
	// One worker, as the stub counts its pictures; the charges come after it, side by side.
	service := f.serviceOver(f.store, 1, requests)
	picture := colours(t, 320, 240)
	var answered, refused atomic.Int64
	var group sync.WaitGroup
	for range requests {
		group.Go(func() {
			_, err := service.Search(context.Background(), f.application, search.Request{Picture: picture, Save: true})
			switch {
			case err == nil:
				answered.Add(1)
			case face.CodeOf(err) == face.CodeInsufficientCredits:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if answered.Load() != credits || refused.Load() != requests-credits || f.left(t) != 0 {
		t.Errorf("%d answered and %d refused with %d credits, %d left", answered.Load(), refused.Load(), credits, f.left(t))
	}
	if load := service.Load(); load != (search.Load{}) {
		t.Errorf("%+v when all is done", load)
	}
}
