package bench_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/disintegration/imaging"

	"facesearch/pkg/bench"
	"facesearch/pkg/face"
	"facesearch/pkg/photo"
)

// A flagFinder takes a square whose upper half is red and whose lower half is green for a face.
// It is blind to those that are smaller than so many pixels, sees the one that it dreamt of in
// every picture where it sees any, and tells the wrong angle when it is dizzy.
type flagFinder struct {
	blind  int
	dreamt image.Rectangle
	dizzy  bool
}

func (f flagFinder) Find(_ context.Context, p *photo.Photo, rotate bool) (face.Found, error) {
	angles := []int{0}
	if rotate {
		angles = []int{0, 90, 180, 270}
	}
	for _, angle := range angles {
		var faces []face.Detection
		for _, each := range flags(p, angle) {
			if each.Box.Dx() >= f.blind {
				faces = append(faces, each)
			}
		}
		if len(faces) > 0 {
			if !f.dreamt.Empty() {
				faces = append([]face.Detection{{Box: f.dreamt}}, faces...)
			}
			if f.dizzy && angle != 0 {
				angle = 360 - angle
			}
			return face.Found{Angle: angle, Faces: faces}, nil
		}
	}
	return face.Found{}, nil
}

func (f flagFinder) FindThoroughly(_ context.Context, p *photo.Photo, angle, _ int) ([]face.Detection, error) {
	return flags(p, angle), nil
}

// flags are those that stand upright in the picture turned by the angle, side by side, largest first.
func flags(p *photo.Photo, angle int) (list []face.Detection) {
	bounds := photo.TurnedBounds(p.Bounds(), angle)
	picture := p.CropTurned(bounds, bounds.Dx(), bounds.Dy(), angle)
	var red, green image.Rectangle
	for x := 0; x <= bounds.Dx(); x++ {
		coloured := false
		for y := 0; y < bounds.Dy(); y++ {
			pixel, here := picture.RGBAAt(x, y), image.Rect(x, y, x+1, y+1)
			switch {
			case pixel.R > 150 && pixel.G < 80:
				red, coloured = red.Union(here), true
			case pixel.G > 110 && pixel.R < 80:
				green, coloured = green.Union(here), true
			}
		}
		if !coloured {
			// A flag that lies on its side has its colours one after the other.
			if !red.Empty() && !green.Empty() && red.Min.Y+10 < green.Min.Y && red.Dx()*2 > green.Dx() {
				list = append(list, face.Detection{Box: red.Union(green)})
			}
			red, green = image.Rectangle{}, image.Rectangle{}
		}
	}
	slices.SortFunc(list, func(a, b face.Detection) int { return b.Box.Dx() - a.Box.Dx() })
	return list
}

func flag(side int) image.Image {
	picture := imaging.New(600, 900, color.White)
	picture = imaging.Paste(picture, imaging.New(side, side/2, color.NRGBA{R: 220, A: 255}), image.Pt(30, 60))
	return imaging.Paste(picture, imaging.New(side, side/2, color.NRGBA{G: 150, A: 255}), image.Pt(30, 60+side/2))
}

func named(t *testing.T, name string, picture image.Image) bench.NamedPicture {
	t.Helper()
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, picture); err != nil {
		t.Fatal(err)
	}
	return bench.NamedPicture{Name: name, Data: buffer.Bytes()}
}

func detect(t *testing.T, finder flagFinder, kinds ...string) map[string]bench.DetectRow {
	t.Helper()
	options := bench.DetectOptions{
		Photographs: []bench.NamedPicture{
			named(t, "flag", flag(120)), named(t, "on its side", imaging.Rotate90(flag(120))), named(t, "nothing", imaging.New(300, 300, color.White)),
		},
		Sides: []int{800, bench.FullSize}, Finder: finder, Progress: func(string, int, int) {},
		Judge: func(_ context.Context, _ *photo.Photo, _ int, found face.Detection) ([]face.Flaw, bool, error) {
			if found.Box == finder.dreamt {
				t.Error("a face that is none was judged")
			}
			return []face.Flaw{{Reason: face.Blurred}}, true, nil
		},
	}
	for _, kind := range bench.Kinds {
		if slices.Contains(kinds, kind.Name) {
			options.Kinds = append(options.Kinds, kind)
		}
	}
	list, err := bench.Detect(t.Context(), options)
	if err != nil || len(list) != len(kinds) {
		t.Fatal(list, err)
	}
	rows := map[string]bench.DetectRow{}
	for _, row := range list {
		rows[row.Kind] = row
	}
	return rows
}

func TestDetect(t *testing.T) {
	kinds := []string{"as it is", "face of 60 px", "on its side", "upside down", "tilted by 15°", "beside one half as wide", "beside one 0.7 as wide"}
	t.Run("OK", func(t *testing.T) {
		for name, row := range detect(t, flagFinder{}, kinds...) {
			matter := 2
			if strings.HasPrefix(name, "beside") {
				matter = 4
			}
			if row.Pictures != 3 || row.Largest != 2 || row.Matter != matter || row.Judged != 2 || row.Flagged != 2 || row.Reasons[face.Blurred] != 2 {
				t.Errorf("%+v, want 2 faces in 3 pictures, %d that matter", row, matter)
			}
			for _, way := range row.Ways {
				if way.Largest != 2 || way.Matter != matter || way.False != 0 {
					t.Errorf("%s: %+v, want all faces and no other", name, way)
				}
			}
		}
	})
	t.Run("OK missed", func(t *testing.T) {
		rows := detect(t, flagFinder{blind: 70}, "as it is", "face of 60 px", "beside one half as wide")
		if way := rows["face of 60 px"].Ways[0]; way.Largest != 0 || way.Matter != 0 || rows["face of 60 px"].Judged != 0 {
			t.Errorf("%+v, want none found", way)
		}
		if way := rows["beside one half as wide"].Ways[0]; way.Largest != 2 || way.Matter != 2 {
			t.Errorf("%+v, want the large ones alone", way)
		}
		if way := rows["face of 60 px"].Ways[1]; way.Matter != 2 {
			t.Errorf("%+v, want all found", way)
		}
	})
	t.Run("OK false", func(t *testing.T) {
		rows := detect(t, flagFinder{dreamt: image.Rect(500, 400, 600, 500)}, "as it is")
		if way := rows["as it is"].Ways[0]; way.False != 2 || way.Matter != 2 {
			t.Errorf("%+v, want two false faces", way)
		}
	})
	t.Run("OK wrong angle", func(t *testing.T) {
		row := detect(t, flagFinder{dizzy: true}, "on its side")["on its side"]
		if way := row.Ways[0]; way.Largest != 0 || way.False != 2 || row.Judged != 0 {
			t.Errorf("%+v, want false faces alone", row)
		}
	})
	t.Run("ErrNoPicture", func(t *testing.T) {
		_, err := bench.Detect(t.Context(), bench.DetectOptions{
			Photographs: []bench.NamedPicture{{Name: "empty"}}, Finder: flagFinder{}, Progress: func(string, int, int) {},
		})
		if err == nil || !strings.Contains(err.Error(), "empty") {
			t.Errorf("%v, want the picture's name", err)
		}
	})
}

// TestKinds: every copy can be made of any picture, and changes nothing in it; faces stay
// inside of theirs.
func TestKinds(t *testing.T) {
	whole := imaging.Clone(flag(120))
	scenes := map[string]bench.Scene{
		"a face":          {Picture: whole, Faces: []image.Rectangle{image.Rect(30, 60, 150, 180)}},
		"no face":         {Picture: whole},
		"at the border":   {Picture: whole, Faces: []image.Rectangle{image.Rect(-30, -40, 90, 80)}},
		"beyond a corner": {Picture: whole, Faces: []image.Rectangle{image.Rect(550, 450, 670, 570)}},
	}
	before := slices.Clone(whole.Pix)
	for name, scene := range scenes {
		for _, kind := range bench.Kinds {
			made := kind.Make(scene, rand.New(rand.NewPCG(1, 2)))
			if made.Picture.Rect.Empty() || len(made.Faces) < len(scene.Faces) || !slices.Equal(whole.Pix, before) {
				t.Errorf("%s, %s: %v with %d faces", kind.Name, name, made.Picture.Rect, len(made.Faces))
			}
			if name == "a face" && kind.Name != "as it is" && slices.Equal(made.Picture.Pix, whole.Pix) {
				t.Errorf("%s is as it is", kind.Name)
			}
		}
	}
}

func TestWriteDetectTable(t *testing.T) {
	var table strings.Builder
	err := bench.WriteDetectTable(&table, []bench.DetectRow{{
		Kind: "dark", Pictures: 4, Largest: 4, Matter: 5, Ways: []bench.Way{{Name: "facesearch", Largest: 3, Matter: 4, False: 1, CPU: 12.4}},
		Judged: 4, Flagged: 3, Reasons: map[face.Reason]int{face.TooDark: 3, face.Blurred: 1},
	}, {Kind: "none"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"3/4", "4/5", "  12\n", "75 %", "too_dark 75 %, blurred 25 %", "–"} {
		if !strings.Contains(table.String(), words) {
			t.Errorf("%q is not in\n%s", words, table.String())
		}
	}
}
