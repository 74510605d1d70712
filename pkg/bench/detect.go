package bench

import (
	"context"
	"fmt"
	"hash/fnv"
	"image"
	"image/draw"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/disintegration/imaging"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
)

// A Finder finds faces; pkg/dlib has one. Boxes are in decoded pixels of the upright picture.
type Finder interface {
	Find(ctx context.Context, p *photo.Photo, rotate bool) (face.Found, error)
	// FindThoroughly looks at every size of the whole picture, shrunk to a longest side.
	FindThoroughly(ctx context.Context, p *photo.Photo, angle, side int) ([]face.Detection, error)
}

// A Judge names the flaws of a face; false where it is none after all.
type Judge func(ctx context.Context, p *photo.Photo, angle int, found face.Detection) ([]face.Flaw, bool, error)

// FullSize is the side of a picture that is not shrunk.
const FullSize = 1 << 20

// DetectOptions say what to measure.
type DetectOptions struct {
	Photographs []NamedPicture
	Kinds       []Kind
	// Sides are the longest sides, in pixels, of the pictures that are searched thoroughly.
	Sides    []int
	Finder   Finder
	Judge    Judge
	Progress Progress
}

// A Way is one way to find faces, over the copies of one kind.
type Way struct {
	Name string `json:"name"`
	// Largest is in how many copies the largest face was found, Matter how many faces at least
	// half as wide as it were, and False how many places without a face were taken for one.
	Largest int     `json:"largest_found"`
	Matter  int     `json:"that_matter_found"`
	False   int     `json:"false_faces"`
	CPU     float64 `json:"cpu_ms_per_picture"`
}

// A DetectRow is what was measured over the copies of one kind.
type DetectRow struct {
	Kind     string `json:"kind"`
	Pictures int    `json:"pictures"`
	Largest  int    `json:"largest"`     // how many copies have a face
	Matter   int    `json:"that_matter"` // how many faces there are that are half as wide as the largest, or more
	Ways     []Way  `json:"ways"`        // Find first
	// Judged is of how many largest faces that Find found flaws were looked for, Flagged how many
	// had any, and Reasons how many had each.
	Judged  int                 `json:"judged"`
	Flagged int                 `json:"flagged"`
	Reasons map[face.Reason]int `json:"reasons"`
}

// samePlace is the least intersection over union of two boxes of one face.
const samePlace = 0.2

// Detect makes copies of photographs and looks for the faces in them. What faces there are is
// what all thorough ways find in the photograph as it is, turned upright.
func Detect(ctx context.Context, options DetectOptions) ([]DetectRow, error) {
	rows := make([]DetectRow, len(options.Kinds))
	for i, kind := range options.Kinds {
		rows[i] = DetectRow{Kind: kind.Name, Reasons: map[face.Reason]int{}, Ways: []Way{{Name: "facesearch"}}}
		for _, side := range options.Sides {
			name := fmt.Sprintf("whole, %d px", side)
			if side >= FullSize {
				name = "whole, full size"
			}
			rows[i].Ways = append(rows[i].Ways, Way{Name: name})
		}
	}
	for i, photograph := range options.Photographs {
		options.Progress("photographs", i, len(options.Photographs))
		scene, err := options.scene(ctx, photograph)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", photograph.Name, err)
		}
		for k, kind := range options.Kinds {
			seed := fnv.New64a()
			seed.Write([]byte(photograph.Name))
			copied := kind.Make(scene, rand.New(rand.NewPCG(seed.Sum64(), uint64(k))))
			if err := options.measure(ctx, &rows[k], kind, copied); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", photograph.Name, kind.Name, err)
			}
		}
	}
	for i := range rows {
		for w := range rows[i].Ways {
			rows[i].Ways[w].CPU /= float64(max(rows[i].Pictures, 1))
		}
	}
	return rows, nil
}

// photographSide bounds the sides of a photograph, in pixels. No copy is so large then that it
// is shrunk while it is decoded, and boxes stay in its pixels.
const photographSide = 1600

// scene turns a photograph upright and finds its faces.
func (o *DetectOptions) scene(ctx context.Context, photograph NamedPicture) (Scene, error) {
	decoded, err := photo.Decode(photograph.Data)
	if err != nil {
		return Scene{}, err
	}
	upright, err := o.Finder.Find(ctx, decoded, true)
	if err != nil {
		return Scene{}, err
	}
	bounds := photo.TurnedBounds(decoded.Bounds(), upright.Angle)
	scene := Scene{Picture: imaging.Clone(decoded.CropTurned(bounds, bounds.Dx(), bounds.Dy(), upright.Angle))}
	scene.Picture = imaging.Fit(scene.Picture, photographSide, photographSide, imaging.Box)
	if decoded, err = asSent(scene.Picture); err != nil {
		return Scene{}, err
	}
	for i, side := range o.Sides {
		found, err := o.Finder.FindThoroughly(ctx, decoded, 0, side)
		if err != nil {
			return Scene{}, err
		}
		if i == 0 {
			scene.Faces = boxesOf(found)
			continue
		}
		var both []image.Rectangle
		for _, box := range scene.Faces {
			if at(box, boxesOf(found)) >= 0 {
				both = append(both, box)
			}
		}
		scene.Faces = both
	}
	return scene, nil
}

func boxesOf(found []face.Detection) (boxes []image.Rectangle) {
	for _, each := range found {
		boxes = append(boxes, each.Box)
	}
	return boxes
}

// at is the place of a box in a list, or -1.
func at(box image.Rectangle, list []image.Rectangle) int {
	area := func(r image.Rectangle) float64 { return float64(r.Dx()) * float64(r.Dy()) }
	for i, other := range list {
		if inner := area(box.Intersect(other)); inner > samePlace*(area(box)+area(other)-inner) {
			return i
		}
	}
	return -1
}

// measure looks at one copy in every way.
func (o *DetectOptions) measure(ctx context.Context, row *DetectRow, kind Kind, copied Scene) error {
	p, err := asSent(copied.Picture)
	if err != nil {
		return err
	}
	row.Pictures++
	matter := 0
	for _, box := range copied.Faces {
		if 2*box.Dx() >= copied.Faces[0].Dx() {
			matter++
		}
	}
	row.Matter += matter
	row.Largest += min(matter, 1)
	started := cpuTime()
	found, err := o.Finder.Find(ctx, p, kind.Angle != 0)
	if err != nil {
		return err
	}
	row.Ways[0].CPU += (cpuTime() - started).Seconds() * 1000
	faces := found.Faces
	if found.Angle != kind.Angle && len(faces) > 0 {
		row.Ways[0].False += len(faces)
		faces = nil
	}
	row.Ways[0].count(copied.Faces, matter, boxesOf(faces))
	for i, side := range o.Sides {
		started := cpuTime()
		found, err := o.Finder.FindThoroughly(ctx, p, kind.Angle, side)
		if err != nil {
			return err
		}
		row.Ways[i+1].CPU += (cpuTime() - started).Seconds() * 1000
		row.Ways[i+1].count(copied.Faces, matter, boxesOf(found))
	}
	if matter == 0 {
		return nil
	}
	if largest := at(copied.Faces[0], boxesOf(faces)); largest >= 0 {
		return o.judge(ctx, row, p, kind.Angle, faces[largest])
	}
	return nil
}

// count adds what was found of the faces that there are, the first few of which matter.
func (w *Way) count(faces []image.Rectangle, matter int, found []image.Rectangle) {
	for i, box := range faces[:matter] {
		if at(box, found) < 0 {
			continue
		}
		w.Matter++
		if i == 0 {
			w.Largest++
		}
	}
	for _, box := range found {
		if at(box, faces) < 0 {
			w.False++
		}
	}
}

func (o *DetectOptions) judge(ctx context.Context, row *DetectRow, p *photo.Photo, angle int, found face.Detection) error {
	flaws, ok, err := o.Judge(ctx, p, angle, found)
	if err != nil || !ok {
		return err
	}
	row.Judged++
	if len(flaws) > 0 {
		row.Flagged++
	}
	for _, flaw := range flaws {
		row.Reasons[flaw.Reason]++
	}
	return nil
}

// copyQuality is the JPEG quality of a copy.
const copyQuality = 92

// asSent is a picture as a server decodes it.
func asSent(picture *image.NRGBA) (*photo.Photo, error) {
	opaque := image.NewRGBA(picture.Rect)
	draw.Draw(opaque, opaque.Rect, picture, picture.Rect.Min, draw.Src)
	encoded, err := photo.EncodeJPEG(opaque, copyQuality)
	if err != nil {
		return nil, err
	}
	return photo.Decode(encoded)
}

// cpuTime is what this process has used until now.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
