// Package dlib finds faces and turns them into templates: go-face runs dlib's networks, and
// a small C++ file of this package adds what go-face does not return, the detector's score
// on raw pixels. It is the only package that knows either.
package dlib

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	goface "github.com/Kagami/go-face"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
)

// An Engine is a pool of workers, each with a detector and a go-face recognizer of its own,
// because a recognizer serialises what is asked of it. It is safe for concurrent use.
type Engine struct {
	workers chan *worker
	size    int
}

type worker struct {
	detector   *detector
	recognizer *goface.Recognizer
}

// Open loads the models from a directory, once for each worker: 47 MB for the first, up to
// 35 MB for each further one, about a second each. The files must have been checked before
// (models.Verify): dlib believes what it reads.
func Open(ctx context.Context, modelsDirectory string, workers int) (*Engine, error) {
	if workers < 1 {
		return nil, fmt.Errorf("%d workers: at least one is needed", workers)
	}
	oneBLASThread()
	engine := &Engine{workers: make(chan *worker, workers), size: workers}
	failures := make(chan error, workers)
	for range workers {
		go func() {
			worker, err := newWorker(ctx, modelsDirectory)
			if err == nil {
				engine.workers <- worker
			}
			failures <- err
		}()
	}
	var err error
	for range workers {
		err = errors.Join(err, <-failures)
	}
	if err != nil {
		engine.size = len(engine.workers)
		engine.Close()
		return nil, fmt.Errorf("loading the models from %s: %w", modelsDirectory, err)
	}
	return engine, nil
}

func newWorker(ctx context.Context, modelsDirectory string) (*worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	detector, err := newDetector()
	if err != nil {
		return nil, err
	}
	recognizer, err := goface.NewRecognizer(modelsDirectory)
	if err != nil {
		detector.close()
		return nil, err
	}
	return &worker{detector, recognizer}, nil
}

// Close waits for the calls under way and frees the workers.
func (e *Engine) Close() {
	for range e.size {
		worker := <-e.workers
		worker.detector.close()
		worker.recognizer.Close()
	}
	e.size = 0
}

func (e *Engine) borrow(ctx context.Context) (*worker, error) {
	select {
	case worker := <-e.workers:
		return worker, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var allAngles = []int{0, 90, 180, 270}

// Find finds the faces of a picture, at its own angle or, with rotate, at the one of four
// angles at which the detector is surest. Every face at least half as wide as the largest,
// and at least 5 % of the longest side, is found, as far as dlib's detector sees it. Where it
// sees none, dlib's slower network, which needs less of a face, looks once more. No face is
// no error: Faces is empty. A call ends within 50 ms when its context does.
func (e *Engine) Find(ctx context.Context, p *photo.Photo, rotate bool) (face.Found, error) {
	worker, err := e.borrow(ctx)
	if err != nil {
		return face.Found{}, err
	}
	defer func() { e.workers <- worker }()
	angles := allAngles[:1]
	if rotate {
		angles = allAngles
	}
	found, err := find(ctx, worker.detector, p, angles)
	if err != nil || len(found.Faces) > 0 {
		return found, err
	}
	return worker.findByNetwork(ctx, p, angles)
}

// The network looks at the whole picture, shrunk to networkSide; a second a megapixel.
const (
	networkSide    = 400
	networkQuality = 95
	// networkScoreMin is how much of a face the HOG detector must see where the network found
	// one: the network also answers on faces that lie on their side, whose template would be
	// worth nothing, and only the score tells the angle.
	networkScoreMin = -1.0
	// networkMargin is what is shown to the detector around the network's box, as a share of
	// its width.
	networkMargin = 1.0
	// networkSideMin is the least side of a picture worth asking about: the network is blind to
	// smaller faces, and cannot take a picture of a few pixels.
	networkSideMin = 80
)

// findByNetwork asks the network where the faces are in the picture turned by each angle, and
// the detector, with its threshold lowered, at which angle they are upright. A face that is
// upright at none of the angles asked for is no face.
func (w *worker) findByNetwork(ctx context.Context, p *photo.Photo, angles []int) (face.Found, error) {
	best := face.Detection{Score: math.Inf(-1)}
	bestAngle := 0
	for _, turn := range angles {
		boxes, err := w.askNetwork(p, turn)
		if err != nil {
			return face.Found{}, err
		}
		for _, box := range boxes {
			if err := ctx.Err(); err != nil {
				return face.Found{}, err
			}
			angle, candidate, err := w.judge(p, photo.UnturnBox(box, p.Bounds(), turn))
			if err != nil {
				return face.Found{}, err
			}
			if candidate.Score > best.Score && slices.Contains(angles, angle) {
				best, bestAngle = candidate, angle
			}
		}
	}
	if best.Score < networkScoreMin {
		return face.Found{}, nil
	}
	return face.Found{Angle: bestAngle, Faces: []face.Detection{best}}, nil
}

// askNetwork returns boxes in decoded pixels of the picture turned by the angle.
func (w *worker) askNetwork(p *photo.Photo, angle int) ([]image.Rectangle, error) {
	bounds := photo.TurnedBounds(p.Bounds(), angle)
	scale := max(1, float64(longestSide(bounds))/networkSide)
	width, height := int(float64(bounds.Dx())/scale), int(float64(bounds.Dy())/scale)
	if min(width, height) < networkSideMin {
		return nil, nil
	}
	encoded, err := photo.EncodeJPEG(p.CropTurned(bounds, width, height, angle), networkQuality)
	if err != nil {
		return nil, err
	}
	seen, err := w.recognizer.RecognizeCNN(encoded)
	if err != nil {
		return nil, fmt.Errorf("the face network: %w", err)
	}
	var boxes []image.Rectangle
	for _, each := range seen {
		boxes = append(boxes, scaled(each.Rectangle, scale))
	}
	return boxes, nil
}

// judge finds the angle at which the detector sees most of a face that the network found,
// and the face's box there.
func (w *worker) judge(p *photo.Photo, box image.Rectangle) (int, face.Detection, error) {
	region := grown(box, networkMargin)
	side := region.Dx()
	bestAngle, best := 0, face.Detection{Score: math.Inf(-1)}
	for _, angle := range allAngles {
		for pixels := 160; pixels <= 360; pixels += 40 {
			cut := p.Crop(region, pixels, pixels, angle)
			hits, err := w.detector.detect(photo.GreyOf(cut), networkScoreMin)
			if err != nil {
				return 0, best, err
			}
			turned := photo.TurnBox(box, p.Bounds(), angle)
			at := photo.TurnBox(region, p.Bounds(), angle).Min
			for _, hit := range hits {
				place := scaled(hit.box, float64(side)/float64(pixels)).Add(at)
				if hit.score > best.Score && share(place, turned) > samePlaceMin {
					bestAngle = angle
					best = face.Detection{Box: place, Score: hit.score}
				}
			}
		}
	}
	return bestAngle, best, nil
}

// The pieces that go-face is given, one after the other until it sees the face in it. The
// face is scaled to the same width whatever its size: a template moves less that way, and
// go-face's own detector, which scans the piece once more, has little to scan.
var pieces = []struct {
	faceSide int     // width of the face in the piece, in pixels
	margin   float64 // room on each side of the face, as a share of its width
	network  bool    // whether go-face's network looks for the face instead of its detector
}{
	{150, 0.2, false},
	{240, 0.8, false},
	{240, 0.8, true},
}

// pieceQuality is the JPEG quality of a piece. At 95 a template moves by 0.04, at 99, with
// full colour resolution, by half of that, and it costs nothing.
const pieceQuality = 99

// samePlaceMin is the least intersection over union of two boxes, found in different ways,
// for them to be of the same face.
const samePlaceMin = 0.2

// Embed makes the template of one face of a picture that Find found, at the angle that it
// found. ok is false when go-face cannot see the face: then there is none to compare.
func (e *Engine) Embed(ctx context.Context, p *photo.Photo, angle int, box image.Rectangle) (embedding face.Embedding, ok bool, err error) {
	worker, err := e.borrow(ctx)
	if err != nil {
		return face.Embedding{}, false, err
	}
	defer func() { e.workers <- worker }()
	for _, piece := range pieces {
		if err := ctx.Err(); err != nil {
			return face.Embedding{}, false, err
		}
		region := grown(box, piece.margin)
		side := int(math.Round(float64(piece.faceSide) * float64(region.Dx()) / float64(box.Dx())))
		crop := p.CropTurned(region, side, side, angle)
		wanted := scaled(box.Sub(region.Min), float64(side)/float64(region.Dx()))
		embedding, ok, err := worker.embed(crop, wanted, piece.network)
		if ok || err != nil {
			embedding.Region = region
			return embedding, ok, err
		}
	}
	return face.Embedding{}, false, nil
}

func (w *worker) embed(crop *image.RGBA, wanted image.Rectangle, network bool) (face.Embedding, bool, error) {
	encoded, err := photo.EncodeJPEG(crop, pieceQuality)
	if err != nil {
		return face.Embedding{}, false, err
	}
	recognize := w.recognizer.Recognize
	if network {
		recognize = w.recognizer.RecognizeCNN
	}
	seen, err := recognize(encoded)
	if err != nil {
		return face.Embedding{}, false, fmt.Errorf("go-face: %w", err)
	}
	best, at := samePlaceMin, -1
	for i, each := range seen {
		if overlap := share(each.Rectangle, wanted); overlap > best {
			best, at = overlap, i
		}
	}
	if at < 0 || len(seen[at].Shapes) != 5 {
		return face.Embedding{}, false, nil
	}
	result := face.Embedding{Template: slices.Clone(seen[at].Descriptor[:]), Crop: crop, Box: seen[at].Rectangle}
	copy(result.Landmarks[:], seen[at].Shapes)
	if err := result.Template.Validate(); err != nil {
		return face.Embedding{}, false, fmt.Errorf("go-face: %w", err)
	}
	return result, true, nil
}

// grown adds a share of the width on every side and makes the box a square.
func grown(box image.Rectangle, margin float64) image.Rectangle {
	half := int(math.Round(float64(max(box.Dx(), box.Dy())) * (0.5 + margin)))
	centre := image.Pt((box.Min.X+box.Max.X)/2, (box.Min.Y+box.Max.Y)/2)
	return image.Rect(centre.X-half, centre.Y-half, centre.X+half, centre.Y+half)
}
