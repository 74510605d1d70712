package bench

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"github.com/disintegration/imaging"
)

// A Scene is a picture with the faces that are known to be in it, largest first, as the
// detector draws boxes: half open, in pixels of the picture.
type Scene struct {
	Picture *image.NRGBA
	Faces   []image.Rectangle
}

// A Kind is one way to make a copy of a photograph that is harder to deal with.
type Kind struct {
	Name string
	// Angle is the clockwise turn that makes the copy upright again.
	Angle int
	// Make returns the copy, and where the faces are in it. What it draws by chance is random's.
	Make func(scene Scene, random *rand.Rand) Scene
}

// Kinds are all of them; the first one is the photograph as it is.
var Kinds = []Kind{
	{Name: "as it is", Make: func(s Scene, _ *rand.Rand) Scene { return s }},
	{Name: "face of 60 px", Make: shrunkTo(60)},
	{Name: "face of 30 px", Make: shrunkTo(30)},
	{Name: "blurred", Make: blurred},
	{Name: "noisy", Make: noisy},
	{Name: "dark", Make: levels(func(v float64) float64 { return v * 0.12 })},
	{Name: "bright", Make: levels(func(v float64) float64 { return 235 + v*0.08 })},
	{Name: "flat", Make: levels(func(v float64) float64 { return 110 + (v-128)*0.1 })},
	{Name: "on its side", Angle: 90, Make: turned(270)},
	{Name: "upside down", Angle: 180, Make: turned(180)},
	{Name: "tilted by 15°", Make: tilted(15)},
	{Name: "glasses", Make: glasses},
	{Name: "turned away by 20°", Make: turnedAway(20)},
	{Name: "turned away by 30°", Make: turnedAway(30)},
	{Name: "turned away by 45°", Make: turnedAway(45)},
	{Name: "bar over the eyes", Make: covered(0, 0.14, 1, 0.42, color.Black)},
	{Name: "sunglasses", Make: sunglasses},
	{Name: "mask", Make: mask},
	{Name: "lower half covered", Make: covered(-0.1, 0.55, 1.1, 1.15, color.Gray{Y: 60})},
	{Name: "hand", Make: hand},
	{Name: "left half covered", Make: covered(-0.15, -0.3, 0.5, 1.15, color.Gray{Y: 90})},
	{Name: "beside one half as wide", Make: besideSmaller(0.5)},
	{Name: "beside one 0.7 as wide", Make: besideSmaller(0.7)},
}

// shrunkTo makes the largest face that many pixels wide, or leaves a smaller one.
func shrunkTo(width int) func(Scene, *rand.Rand) Scene {
	return func(s Scene, _ *rand.Rand) Scene {
		if len(s.Faces) == 0 || s.Faces[0].Dx() <= width {
			return s
		}
		return scaledScene(s, float64(width)/float64(s.Faces[0].Dx()))
	}
}

func scaledScene(s Scene, by float64) Scene {
	round := func(v int) int { return int(math.Round(float64(v) * by)) }
	size := s.Picture.Bounds().Size()
	result := Scene{Picture: imaging.Resize(s.Picture, max(1, round(size.X)), max(1, round(size.Y)), imaging.Box)}
	for _, box := range s.Faces {
		result.Faces = append(result.Faces, image.Rect(round(box.Min.X), round(box.Min.Y), round(box.Max.X), round(box.Max.Y)))
	}
	return result
}

// faceWidth is that of the largest face, or a guess where there is none.
func faceWidth(s Scene) float64 {
	if len(s.Faces) == 0 {
		return float64(s.Picture.Bounds().Dx()) / 4
	}
	return float64(s.Faces[0].Dx())
}

// blurred is out of focus by 3.5 % of the face's width.
func blurred(s Scene, _ *rand.Rand) Scene {
	return Scene{imaging.Blur(s.Picture, 0.035*faceWidth(s)), s.Faces}
}

// noisy has grain of a standard deviation of 40 grey levels.
func noisy(s Scene, random *rand.Rand) Scene {
	picture := imaging.Clone(s.Picture)
	for i := range picture.Pix {
		if i%4 != 3 {
			picture.Pix[i] = clamped(float64(picture.Pix[i]) + 40*random.NormFloat64())
		}
	}
	return Scene{picture, s.Faces}
}

func clamped(v float64) uint8 { return uint8(min(max(math.Round(v), 0), 255)) }

// levels maps the levels of each colour.
func levels(change func(float64) float64) func(Scene, *rand.Rand) Scene {
	return func(s Scene, _ *rand.Rand) Scene {
		picture := imaging.Clone(s.Picture)
		for i, v := range picture.Pix {
			if i%4 != 3 {
				picture.Pix[i] = clamped(change(float64(v)))
			}
		}
		return Scene{picture, s.Faces}
	}
}

// turned turns a picture clockwise; Faces stay as they are in the upright one.
func turned(angle int) func(Scene, *rand.Rand) Scene {
	return func(s Scene, _ *rand.Rand) Scene {
		turn := map[int]func(image.Image) *image.NRGBA{90: imaging.Rotate270, 180: imaging.Rotate180, 270: imaging.Rotate90}[angle]
		return Scene{turn(s.Picture), s.Faces}
	}
}

// tilted leans a picture to its left by some degrees; boxes keep their size.
func tilted(degrees float64) func(Scene, *rand.Rand) Scene {
	return func(s Scene, _ *rand.Rand) Scene {
		before := s.Picture.Bounds().Size()
		result := Scene{Picture: imaging.Rotate(s.Picture, degrees, color.White)}
		after := result.Picture.Bounds().Size()
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		for _, box := range s.Faces {
			x, y := float64(box.Min.X+box.Max.X-before.X)/2, float64(box.Min.Y+box.Max.Y-before.Y)/2
			at := image.Pt(after.X/2+int(x*cos+y*sin), after.Y/2+int(y*cos-x*sin))
			half := image.Pt(box.Dx()/2, box.Dy()/2)
			result.Faces = append(result.Faces, image.Rectangle{Min: at.Sub(half), Max: at.Add(half)})
		}
		return result
	}
}

// besideSmaller puts the picture once more at its right, so much smaller.
func besideSmaller(by float64) func(Scene, *rand.Rand) Scene {
	return func(s Scene, _ *rand.Rand) Scene {
		smaller := scaledScene(s, by)
		size := s.Picture.Bounds().Size()
		canvas := imaging.New(size.X+smaller.Picture.Bounds().Dx(), size.Y, color.White)
		canvas = imaging.Paste(canvas, s.Picture, image.Point{})
		canvas = imaging.Paste(canvas, smaller.Picture, image.Pt(size.X, 0))
		result := Scene{Picture: canvas, Faces: append([]image.Rectangle(nil), s.Faces...)}
		for _, box := range smaller.Faces {
			result.Faces = append(result.Faces, box.Add(image.Pt(size.X, 0)))
		}
		return result
	}
}
