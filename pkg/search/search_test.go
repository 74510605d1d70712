package search_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/disintegration/imaging"
	"github.com/google/uuid"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/photo"
	"facesearch/pkg/search"
)

// A stub answers as an engine and a describer would, without models: these tests are about
// the order of the steps. It sees one face where the picture says, and counts its pictures.
type stub struct {
	box      image.Rectangle
	angle    int
	pictures int
}

func (s *stub) Find(_ context.Context, p *photo.Photo, _ bool) (face.Found, error) {
	s.pictures++
	if s.box.Empty() {
		return face.Found{}, nil
	}
	return face.Found{Angle: s.angle, Faces: []face.Detection{{Box: s.box, Score: 2}}}, nil
}

func (s *stub) Embed(_ context.Context, p *photo.Photo, angle int, box image.Rectangle) (face.Embedding, bool, error) {
	template := make(face.Template, face.TemplateDim)
	template[0] = float32(box.Dx())
	return face.Embedding{Template: template}, true, nil
}

func (s *stub) Describe(context.Context, face.Embedding, float64, float64) (face.Attributes, error) {
	return face.Attributes{Age: 30, Gender: face.Female}, nil
}

type fixture struct {
	*stub
	store       *bolt.Store
	service     *search.Service
	application string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	store := openStore(t)
	f := &fixture{stub: &stub{box: image.Rect(100, 60, 180, 140)}, store: store, application: uuid.NewString()}
	if err := store.CreateApplication(t.Context(), face.Application{ID: f.application}); err != nil {
		t.Fatal(err)
	}
	f.service = search.New(store, f.stub, f.stub, search.Options{
		Workers: 1, Confidence: func(float64) float64 { return 0.9 }, Calibration: facetest.Calibration(),
	})
	return f
}

func openStore(t *testing.T) *bolt.Store {
	t.Helper()
	store, err := bolt.Open(t.TempDir(), bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// colours is a picture whose left half is red and whose right half is blue.
func colours(t *testing.T, width, height int) []byte {
	t.Helper()
	picture := imaging.New(width, height, color.NRGBA{220, 0, 0, 255})
	picture = imaging.Paste(picture, imaging.New(width/2, height, color.NRGBA{0, 0, 220, 255}), image.Pt(width/2, 0))
	return facetest.JPEG(t, picture)
}

func TestEnrolAgain(t *testing.T) {
	f := newFixture(t)
	request := search.EnrolRequest{
		Picture: colours(t, 320, 240), SessionID: uuid.NewString(), VendorData: "user-1",
		VerifiedAt: time.Date(2025, 6, 10, 10, 30, 0, 0, time.UTC),
	}
	first, err := f.service.Enrol(t.Context(), f.application, request)
	if err != nil || !first.Created {
		t.Fatal(first, err)
	}
	t.Run("OK", func(t *testing.T) {
		f.pictures = 0
		request.Status = face.Approved // what an empty one stands for
		again, err := f.service.Enrol(t.Context(), f.application, request)
		if err != nil || again.Created || again.Session != first.Session {
			t.Errorf("%+v, %v, want %+v", again, err, first)
		}
		if f.pictures != 0 {
			t.Error("the picture was looked at again")
		}
	})
	t.Run("ErrConflict", func(t *testing.T) {
		f.pictures = 0
		other := request
		other.VendorData = "user-2"
		if _, err := f.service.Enrol(t.Context(), f.application, other); face.CodeOf(err) != face.CodeConflict {
			t.Errorf("%v, want a conflict", err)
		}
		if f.pictures != 0 {
			t.Error("the picture was looked at")
		}
	})
	t.Run("NoID", func(t *testing.T) {
		request := search.EnrolRequest{Picture: request.Picture}
		one, err1 := f.service.Enrol(t.Context(), f.application, request)
		other, err2 := f.service.Enrol(t.Context(), f.application, request)
		if err1 != nil || err2 != nil || !one.Created || !other.Created || one.Session.ID == other.Session.ID {
			t.Errorf("%+v %v, %+v %v", one, err1, other, err2)
		}
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		if _, err := f.service.Enrol(t.Context(), uuid.NewString(), request); face.CodeOf(err) != face.CodeNotFound {
			t.Errorf("%v, want that there is no such application", err)
		}
	})
}

func TestKeepPicture(t *testing.T) {
	original := colours(t, 320, 240)
	for _, each := range []struct {
		keep face.KeepPicture
		face bool
		kept string // what is kept
	}{
		{face.KeepFace, true, "face"}, {face.KeepFace, false, "nothing"},
		{face.KeepOriginal, true, "original"}, {face.KeepOriginal, false, "original"},
		{face.KeepNothing, true, "nothing"}, {face.KeepNothing, false, "nothing"},
	} {
		name := string(each.keep)
		if !each.face {
			name += "/NoFace"
		}
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if !each.face {
				f.box = image.Rectangle{}
			}
			settings := face.DefaultSettings()
			settings.KeepPicture = each.keep
			if err := f.store.PutSettings(t.Context(), f.application, settings); err != nil {
				t.Fatal(err)
			}
			result, err := f.service.Search(t.Context(), f.application, search.Request{Picture: original, Save: true})
			if err != nil {
				t.Fatal(err)
			}
			saved, err := f.store.SavedSearch(t.Context(), f.application, result.RequestID)
			if err != nil {
				t.Fatal(err)
			}
			f.checkKept(t, saved.PictureID, each.kept, original)
			if each.face {
				made, err := f.service.Enrol(t.Context(), f.application, search.EnrolRequest{Picture: original})
				if err != nil {
					t.Fatal(err)
				}
				f.checkKept(t, made.Session.PictureID, each.kept, original)
			}
		})
	}
}

func (f *fixture) checkKept(t *testing.T, id, kept string, original []byte) {
	t.Helper()
	if kept == "nothing" {
		if id != "" {
			t.Errorf("a picture is kept")
		}
		return
	}
	picture, err := f.store.Picture(t.Context(), f.application, id)
	if err != nil || picture.ContentType != "image/jpeg" {
		t.Fatal(picture.ContentType, err)
	}
	if same := bytes.Equal(picture.Data, original); same != (kept == "original") {
		t.Errorf("the original is kept: %v, want %s", same, kept)
	}
	if kept == "face" {
		// 80 pixels of face with 40 on each side, all of it inside the picture.
		config, err := jpeg.DecodeConfig(bytes.NewReader(picture.Data))
		if err != nil || config.Width != 160 || config.Height != 160 {
			t.Errorf("%d x %d, %v", config.Width, config.Height, err)
		}
	}
}

// TestKeptFaceIsTurned: what is kept of a picture that lay on its side is the face upright.
func TestKeptFaceIsTurned(t *testing.T) {
	f := newFixture(t)
	// Turned clockwise by 90 degrees, the picture of 320 x 240 is 240 x 320: red above blue.
	f.angle, f.box = 90, image.Rect(80, 140, 120, 180)
	result, err := f.service.Search(t.Context(), f.application, search.Request{Picture: colours(t, 320, 240), Rotate: true, Save: true})
	if err != nil {
		t.Fatal(err)
	}
	saved, err := f.store.SavedSearch(t.Context(), f.application, result.RequestID)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := f.store.Picture(t.Context(), f.application, saved.PictureID)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jpeg.Decode(bytes.NewReader(kept.Data))
	if err != nil || decoded.Bounds().Size() != image.Pt(80, 80) {
		t.Fatal(decoded.Bounds(), err)
	}
	top, _, _, _ := decoded.At(40, 10).RGBA()
	bottom, _, _, _ := decoded.At(40, 70).RGBA()
	if top < 0x8000 || bottom > 0x4000 {
		t.Errorf("red is %#x at the top and %#x at the bottom", top, bottom)
	}
}

// TestOriginalBox: whatever the detector answers, the box that clients see is of whole pixels
// inside the upright picture, and about where it was.
func TestOriginalBox(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	// The last two are large enough to be decoded at a fraction of their size, by which their
	// sides do not divide.
	scaled := 0
	for _, size := range []image.Point{{7, 5}, {321, 239}, {3203, 1601}, {1609, 6427}} {
		p, err := photo.Decode(facetest.JPEG(t, image.NewGray(image.Rectangle{Max: size})))
		if err != nil {
			t.Fatal(err)
		}
		if p.Scale() > 1 {
			scaled++
		}
		for _, angle := range []int{0, 90, 180, 270} {
			decoded := photo.TurnedBounds(p.Bounds(), angle)
			whole := photo.TurnedBounds(image.Rect(0, 0, p.Width, p.Height), angle)
			for range 2000 {
				box := randomBox(random, decoded)
				got := search.OriginalBox(p, box, angle)
				if got.Min.X > got.Max.X || got.Min.Y > got.Max.Y || !got.Min.In(whole) || !got.Max.In(whole) {
					t.Fatalf("%v of %v at %d became %v, outside of %v", box, decoded, angle, got, whole)
				}
				if scale := int(p.Scale()); box.In(decoded) &&
					(got.Min.X < min(box.Min.X*scale, whole.Dx()-1) || got.Min.X > box.Min.X*scale || got.Max.X >= box.Max.X*scale ||
						got.Max.Y >= box.Max.Y*scale || got.Max.Y < min(box.Max.Y*scale, whole.Dy())-1) {
					t.Fatalf("%v at scale %d became %v", box, scale, got)
				}
			}
		}
	}
	if scaled != 2 {
		t.Errorf("%d pictures were decoded at a fraction of their size, want 2", scaled)
	}
}

// randomBox is not empty, and may reach outside.
func randomBox(random *rand.Rand, bounds image.Rectangle) image.Rectangle {
	x := random.IntN(2*bounds.Dx()) - bounds.Dx()/2
	y := random.IntN(2*bounds.Dy()) - bounds.Dy()/2
	return image.Rect(x, y, x+1+random.IntN(bounds.Dx()), y+1+random.IntN(bounds.Dy()))
}

func TestBootstrap(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		store := openStore(t)
		application, key, made, err := search.Bootstrap(t.Context(), store, "")
		if err != nil || !made || len(key) < 40 {
			t.Fatal(made, err)
		}
		found, err := store.KeyByDigest(t.Context(), search.Digest(key))
		if err != nil || found.Application != application.ID {
			t.Error(found, err)
		}
		if _, key, made, err := search.Bootstrap(t.Context(), store, "a-key-that-comes-late"); key != "" || made || err != nil {
			t.Errorf("a second time: %v, %v", made, err)
		}
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		store := openStore(t)
		for _, key := range []string{"short", strings.Repeat("x", search.BootstrapKeyMin-1), "a key with a line end\n", " 0123456789abcdef"} {
			if _, _, made, err := search.Bootstrap(t.Context(), store, key); face.CodeOf(err) != face.CodeInvalid || made {
				t.Errorf("%q: %v, %v", key, made, err)
			}
		}
		list, err := store.Applications(t.Context())
		if err != nil || len(list) != 0 {
			t.Errorf("a refused key left %d applications behind, %v", len(list), err)
		}
		key := strings.Repeat("x", search.BootstrapKeyMin)
		if _, got, made, err := search.Bootstrap(t.Context(), store, key); got != key || !made || err != nil {
			t.Errorf("afterwards: %v, %v", made, err)
		}
	})
}
