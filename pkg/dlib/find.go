package dlib

import (
	"context"
	"image"
	"math"
	"sort"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
)

// The detector sees faces of one size only, so a picture is scanned at many sizes: the
// ladder. Its rungs differ by a factor of 1.2, as dlib's own pyramid does; rung 0 has a
// longest side of 640 px, rung 1 one of 533 px, rung -1 one of 768 px. It is climbed from
// the coarsest rung, on which the largest faces answer at next to no cost, towards the
// finest, and left as soon as going on could only find faces that do not matter.
const (
	rungFactor   = 1.2
	rungZeroSide = 640
	// finestRung has a longest side of 1,327 px: faces of 5 % of the longest side are found.
	finestRung = -4
	// enlargeMax bounds how far a small picture is enlarged: more adds no information.
	enlargeMax = 2.0
	// windowSide is the side of the detector's window, in pixels of a rung.
	windowSide = 80
)

const (
	// scoreMin is the detector's own threshold: of 155 photographs and 19 pictures without a
	// face, none gave a false face at or above it.
	scoreMin = 0.0
	// scoreSure ends the climb early. Below it, a finer rung may still hold the real face.
	scoreSure = 0.6
	// scoreBeside is what a face needs beside a sure one. Of 832 pictures of one person, at sizes
	// from 220 to 800 px, 9 had a second face that was none, with a score up to 0.19; 95 % of
	// true faces have 0.46 and more.
	scoreBeside = 0.3
	// scoreUpright settles the angle of a picture: no picture at a wrong angle reached it
	// before the right angle did. A quarter of upright photographs answer upside down too, so
	// that below it all angles are compared.
	scoreUpright = 1.2
	// matterSide is how wide a face of half the width of the largest has to be on a rung, in
	// pixels, for that rung to be the last: the detector answers to faces of one rung below
	// its own size, 73 / 1.2 = 61, and boxes are a tenth wider or narrower than their faces. At 61,
	// 2 of 97 faces that matter were missed beside one twice as wide, at 67 none.
	matterSide = 67
	// overlapMax and coveredMax are those that dlib's detector was trained with: boxes whose
	// intersection over union, or over one of them, is larger are one face.
	overlapMax = 0.330082
	coveredMax = 0.788571
)

// Confidence maps a score to 0–1, by a logistic curve that puts the usual frontal face, of
// score 2, at 0.99 and the detector's threshold at 0.62.
func Confidence(score float64) float64 { return 1 / (1 + math.Exp(-(2*score + 0.5))) }

// climb is the state of one search up the ladder.
type climb struct {
	detector *detector
	photo    *photo.Photo
	finest   *image.Gray // the finest level made so far
	half     *image.Gray // rung 0 at half its size
	angles   []int
	found    map[int][]face.Detection // by angle
	rungs    map[int]int              // by angle: the rung of its best face
}

// find looks for faces at each of the angles and settles on one.
func find(ctx context.Context, detector *detector, p *photo.Photo, angles []int) (face.Found, error) {
	c := &climb{detector: detector, photo: p, angles: angles, found: map[int][]face.Detection{}, rungs: map[int]int{}}
	longest := longestSide(p.Bounds())
	shortest := min(p.Bounds().Dx(), p.Bounds().Dy())
	for rung := coarsestRung(longest, shortest); rung >= finestRung; rung-- {
		side := rungSide(rung)
		if float64(side) > enlargeMax*float64(longest) {
			break
		}
		level := c.level(side)
		for _, angle := range c.angles {
			if err := ctx.Err(); err != nil {
				return face.Found{}, err
			}
			if err := c.scan(level, rung, angle); err != nil {
				return face.Found{}, err
			}
		}
		c.settle(rung)
		if c.complete(rung) {
			break
		}
	}
	angle := c.bestAngle()
	faces := c.believed(angle)
	sort.SliceStable(faces, func(i, j int) bool { return area(faces[i].Box) > area(faces[j].Box) })
	return face.Found{Angle: angle, Faces: faces}, nil
}

func rungSide(rung int) int {
	return int(math.Round(rungZeroSide * math.Pow(rungFactor, -float64(rung))))
}

// coarsestRung is the first one whose shortest side still holds a window.
func coarsestRung(longest, shortest int) int {
	rung := finestRung
	for float64(rungSide(rung+1))*float64(shortest) >= windowSide*float64(longest) {
		rung++
	}
	return rung
}

// level is the picture at one rung. Finer rungs are cut from the photograph; coarser ones
// from rung 0, or from half of it, where there is much less to read.
func (c *climb) level(side int) *image.Gray {
	if c.finest == nil {
		c.finest = c.photo.Grey(rungZeroSide)
		c.half = photo.Resize(c.finest, longestSide(c.finest.Bounds())/2)
	}
	if side <= longestSide(c.half.Bounds()) {
		return photo.Resize(c.half, side)
	}
	if side > longestSide(c.finest.Bounds()) {
		c.finest = c.photo.Grey(side)
	}
	return photo.Resize(c.finest, side)
}

// scan adds what one level holds at one angle.
func (c *climb) scan(level *image.Gray, rung, angle int) error {
	hits, err := c.detector.detect(photo.Turn(level, angle), scoreMin)
	if err != nil {
		return err
	}
	scale := float64(longestSide(c.photo.Bounds())) / float64(longestSide(level.Bounds()))
	for _, hit := range hits {
		c.add(angle, rung, face.Detection{Box: scaled(hit.box, scale), Score: hit.score})
	}
	return nil
}

// add keeps the best of all boxes of one face.
func (c *climb) add(angle, rung int, candidate face.Detection) {
	var others []face.Detection
	for _, other := range c.found[angle] {
		if !sameFace(candidate.Box, other.Box) {
			others = append(others, other)
		} else if other.Score >= candidate.Score {
			return
		}
	}
	if candidate.Score > c.best(angle) {
		c.rungs[angle] = rung
	}
	c.found[angle] = append(others, candidate)
}

func (c *climb) best(angle int) float64 {
	best := math.Inf(-1)
	for _, each := range c.found[angle] {
		best = math.Max(best, each.Score)
	}
	return best
}

// believed are the faces at an angle, without the doubtful ones beside a sure one.
func (c *climb) believed(angle int) []face.Detection {
	if c.best(angle) < scoreSure {
		return c.found[angle]
	}
	var faces []face.Detection
	for _, each := range c.found[angle] {
		if each.Score >= scoreBeside {
			faces = append(faces, each)
		}
	}
	return faces
}

// bestAngle is the one with the highest score, the first of them when they are equal.
func (c *climb) bestAngle() int {
	winner := c.angles[0]
	for _, angle := range c.angles[1:] {
		if c.best(angle) > c.best(winner) {
			winner = angle
		}
	}
	return winner
}

// settle drops the other angles once one is beyond doubt: it reached scoreUpright on an
// earlier rung, so that every angle has had one rung more to answer.
func (c *climb) settle(rung int) {
	winner := c.bestAngle()
	if len(c.angles) > 1 && c.best(winner) >= scoreUpright && rung < c.rungs[winner] {
		c.angles = []int{winner}
	}
}

// complete reports whether every face that matters has been found: one is sure, and all
// faces down to half of the width of the largest sure one would have answered by now.
func (c *climb) complete(rung int) bool {
	if len(c.angles) > 1 && c.best(c.bestAngle()) >= scoreUpright {
		return false // settle first
	}
	largest := 0
	for _, each := range c.found[c.bestAngle()] {
		if each.Score >= scoreSure {
			largest = max(largest, each.Box.Dx())
		}
	}
	if largest == 0 {
		return false
	}
	perPixel := float64(rungSide(rung)) / float64(longestSide(c.photo.Bounds()))
	return float64(largest)*perPixel/2 >= matterSide
}

func longestSide(r image.Rectangle) int { return max(r.Dx(), r.Dy()) }

func scaled(r image.Rectangle, by float64) image.Rectangle {
	round := func(v int) int { return int(math.Round(float64(v) * by)) }
	return image.Rect(round(r.Min.X), round(r.Min.Y), round(r.Max.X), round(r.Max.Y))
}
