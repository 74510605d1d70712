package dlib_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"slices"
	"sync"
	"testing"

	"github.com/disintegration/imaging"

	"facesearch/pkg/dlib"
	"facesearch/pkg/face"
	"facesearch/pkg/photo"
)

// people are the photographs of one face each, by who is on them.
var people = map[string]string{
	"obama.jpg": "obama", "obama2.jpg": "obama", "obama3.jpg": "obama", "biden.jpg": "biden",
	"obama_partial_face.jpg": "obama", "obama_partial_face2.jpg": "obama", "astronaut.png": "astronaut",
}

// differentMin is a distance that no two of these people come near to.
const differentMin = 0.6

// sameMax is a distance that all pictures of one of these people keep to, the ones that show
// half a face included.
const sameMax = 0.55

func pixels(t *testing.T, name string) image.Image {
	t.Helper()
	decoded := decode(t, photograph(t, name))
	return decoded.RGB(max(decoded.Width, decoded.Height))
}

// encoded is a photo of pixels made in a test.
func encoded(t *testing.T, picture image.Image) *photo.Photo {
	t.Helper()
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, picture); err != nil {
		t.Fatal(err)
	}
	return decode(t, buffer.Bytes())
}

func find(t *testing.T, engine *dlib.Engine, p *photo.Photo, rotate bool) face.Found {
	t.Helper()
	found, err := engine.Find(context.Background(), p, rotate)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// template is that of the only face of a picture.
func template(t *testing.T, engine *dlib.Engine, p *photo.Photo, rotate bool) face.Template {
	t.Helper()
	found := find(t, engine, p, rotate)
	if len(found.Faces) != 1 {
		t.Fatalf("%d faces instead of one", len(found.Faces))
	}
	embedding, ok, err := engine.Embed(context.Background(), p, found.Angle, found.Faces[0].Box)
	if err != nil || !ok {
		t.Fatalf("no template: %v, %v", ok, err)
	}
	return embedding.Template
}

func TestPeopleAreToldApart(t *testing.T) {
	engine := open(t, 1)
	templates := map[string]face.Template{}
	for name := range people {
		templates[name] = template(t, engine, decode(t, photograph(t, name)), false)
	}
	for a, personA := range people {
		for b, personB := range people {
			distance := templates[a].Distance(templates[b])
			if personA == personB && distance > sameMax || personA != personB && distance < differentMin {
				t.Errorf("%s and %s are %.3f apart", a, b, distance)
			}
		}
	}
}

func TestFindTheRightAngle(t *testing.T) {
	engine := open(t, 1)
	turns := map[int]func(image.Image) *image.NRGBA{ // by the turn that makes it upright again
		0: imaging.Clone, 90: imaging.Rotate90, 180: imaging.Rotate180, 270: imaging.Rotate270,
	}
	for _, name := range []string{"obama.jpg", "obama2.jpg", "biden.jpg", "astronaut.png"} {
		source := pixels(t, name)
		upright := template(t, engine, encoded(t, source), false)
		for angle, turn := range turns {
			turned := encoded(t, turn(source))
			found := find(t, engine, turned, true)
			if found.Angle != angle || len(found.Faces) != 1 {
				t.Errorf("%s: %d faces at angle %d, want one at %d", name, len(found.Faces), found.Angle, angle)
				continue
			}
			box := found.Faces[0].Box
			if bounds := photo.TurnedBounds(turned.Bounds(), angle); !box.Overlaps(bounds) {
				t.Errorf("%s at %d: box %v is outside of %v", name, angle, box, bounds)
			}
			if distance := upright.Distance(template(t, engine, turned, true)); distance > 0.1 {
				t.Errorf("%s at %d: the template moved by %.3f", name, angle, distance)
			}
			if angle == 90 || angle == 270 {
				if without := find(t, engine, turned, false); len(without.Faces) != 0 {
					t.Errorf("%s at %d: a face was found that lies on its side", name, angle)
				}
			}
		}
	}
}

// Every face at least half as wide as the largest is found, wherever the climb could end.
func TestFindEveryFaceThatMatters(t *testing.T) {
	engine := open(t, 1)
	source := pixels(t, "obama.jpg")
	for _, share := range []float64{1, 0.8, 0.65, 0.55, 0.5} {
		for _, longest := range []int{500, 900, 1800} {
			other := imaging.Resize(source, int(float64(source.Bounds().Dx())*share), 0, imaging.Lanczos)
			sheet := image.NewRGBA(image.Rect(0, 0, source.Bounds().Dx()+other.Bounds().Dx(), source.Bounds().Dy()))
			draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)
			draw.Draw(sheet, source.Bounds(), source, image.Point{}, draw.Src)
			draw.Draw(sheet, other.Bounds().Add(image.Pt(source.Bounds().Dx(), 0)), other, image.Point{}, draw.Src)
			found := find(t, engine, encoded(t, imaging.Fit(sheet, longest, longest, imaging.Lanczos)), false)
			if len(found.Faces) != 2 {
				t.Errorf("a face of %.2f of the largest's width, %d px: %d faces found", share, longest, len(found.Faces))
				continue
			}
			if found.Faces[0].Box.Dx() < found.Faces[1].Box.Dx() {
				t.Errorf("the faces are not largest first: %v", found.Faces)
			}
		}
	}
}

func TestFindSmallFaces(t *testing.T) {
	engine := open(t, 1)
	source := pixels(t, "obama.jpg") // its face is 268 px wide
	for _, width := range []int{60, 80, 120} {
		small := imaging.Resize(source, source.Bounds().Dx()*width/268, 0, imaging.Lanczos)
		sheet := image.NewRGBA(image.Rect(0, 0, 1000, 1000))
		draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.Gray{200}), image.Point{}, draw.Src)
		draw.Draw(sheet, small.Bounds().Add(image.Pt(500, 500)), small, image.Point{}, draw.Src)
		if found := find(t, engine, encoded(t, sheet), false); len(found.Faces) != 1 {
			t.Errorf("a face of %d px in 1,000: %d faces found", width, len(found.Faces))
		}
	}
}

// Shrunk, this portrait has patterns in its background that look a little like faces.
func TestFindNoSecondFaceInABackground(t *testing.T) {
	engine := open(t, 1)
	source := pixels(t, "astronaut.png")
	for _, side := range []int{300, 360, 450, 500} {
		cropped := imaging.Crop(source, image.Rect(20, 10, 505, 512))
		if found := find(t, engine, encoded(t, imaging.Fit(cropped, side, side, imaging.Lanczos)), false); len(found.Faces) != 1 {
			t.Errorf("%d px: %d faces found", side, len(found.Faces))
		}
	}
}

func TestNoFace(t *testing.T) {
	engine := open(t, 1)
	sizes := []image.Point{{X: 1, Y: 1}, {X: 40, Y: 40}, {X: 79, Y: 81}, {X: 3, Y: 2000}, {X: 2000, Y: 90}, {X: 640, Y: 480}}
	for _, size := range sizes {
		sheet := image.NewRGBA(image.Rectangle{Max: size})
		for y := range size.Y {
			for x := range size.X {
				sheet.SetRGBA(x, y, color.RGBA{R: uint8(x * 7), G: uint8(y * 5), B: uint8(x ^ y), A: 255})
			}
		}
		for _, rotate := range []bool{false, true} {
			if found := find(t, engine, encoded(t, sheet), rotate); len(found.Faces) != 0 {
				t.Errorf("%v: %d faces in a pattern", size, len(found.Faces))
			}
		}
	}
}

// The network sees a face of which the detector sees too little.
func TestNetworkSeesACoveredFace(t *testing.T) {
	engine := open(t, 1)
	source := imaging.Clone(pixels(t, "obama.jpg"))
	// A hand over the left half of the face.
	draw.Draw(source, image.Rect(350, 130, 500, 420), image.NewUniform(color.RGBA{R: 150, G: 110, B: 90, A: 255}), image.Point{}, draw.Src)
	upright := encoded(t, source)
	found := find(t, engine, upright, false)
	if len(found.Faces) != 1 {
		t.Fatalf("%d faces found", len(found.Faces))
	}
	if found.Faces[0].Score >= 0 {
		t.Fatalf("the detector saw the face with a score of %.2f, so that the network was not asked", found.Faces[0].Score)
	}
	if !image.Pt(540, 250).In(found.Faces[0].Box) {
		t.Errorf("the face is at %v", found.Faces[0].Box)
	}
	if turned := find(t, engine, encoded(t, imaging.Rotate90(source)), true); len(turned.Faces) != 1 || turned.Angle != 90 {
		t.Errorf("turned: %d faces at %d", len(turned.Faces), turned.Angle)
	}
	if turned := find(t, engine, encoded(t, imaging.Rotate90(source)), false); len(turned.Faces) != 0 {
		t.Error("a face was found that lies on its side")
	}
}

func TestWorkersAgree(t *testing.T) {
	engine := open(t, 2)
	picture := decode(t, photograph(t, "astronaut.png"))
	first := template(t, engine, picture, false)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			found, err := engine.Find(context.Background(), picture, true)
			if err != nil || len(found.Faces) != 1 {
				t.Errorf("%d faces, %v", len(found.Faces), err)
				return
			}
			embedding, ok, err := engine.Embed(context.Background(), picture, found.Angle, found.Faces[0].Box)
			if !ok || err != nil || !slices.Equal(embedding.Template, first) {
				t.Errorf("another template: %v, %v", ok, err)
			}
		})
	}
	group.Wait()
}

func TestCancelled(t *testing.T) {
	engine := open(t, 1)
	picture := decode(t, photograph(t, "astronaut.png"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := engine.Find(ctx, picture, true); !errors.Is(err, context.Canceled) {
		t.Errorf("Find: %v", err)
	}
	if _, _, err := engine.Embed(ctx, picture, 0, image.Rect(0, 0, 100, 100)); !errors.Is(err, context.Canceled) {
		t.Errorf("Embed: %v", err)
	}
	template(t, engine, picture, false) // the worker is free again
}

func TestEmbedWithoutAFace(t *testing.T) {
	engine := open(t, 1)
	picture := decode(t, photograph(t, "astronaut.png"))
	for _, box := range []image.Rectangle{image.Rect(350, 350, 450, 450), image.Rect(-300, -300, -200, -200), image.Rect(0, 0, 1, 1)} {
		if _, ok, err := engine.Embed(context.Background(), picture, 0, box); ok || err != nil {
			t.Errorf("%v: %v, %v", box, ok, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := dlib.Open(context.Background(), t.TempDir(), 2); err == nil {
		t.Error("an empty directory was taken for the models")
	}
	if _, err := dlib.Open(context.Background(), t.TempDir(), 0); err == nil {
		t.Error("no worker was taken for enough")
	}
}

func TestConfidence(t *testing.T) {
	last := -1.0
	for score := -3.0; score < 6; score += 0.25 {
		confidence := dlib.Confidence(score)
		if confidence <= last || confidence < 0 || confidence > 1 {
			t.Errorf("confidence %.4f at score %.2f, %.4f before", confidence, score, last)
		}
		last = confidence
	}
}
