package onnxface_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"facesearch/models"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/onnxface"
	"facesearch/pkg/photo"
)

// A seer finds one face, with its landmarks where the family's networks have them times four.
type seer struct{ blind bool }

func (s seer) Find(context.Context, *photo.Photo, bool) (face.Found, error) {
	return face.Found{Faces: []face.Detection{{Box: image.Rect(0, 0, 448, 448), Score: 2}}}, nil
}

func (s seer) Embed(_ context.Context, p *photo.Photo, angle int, box image.Rectangle) (face.Embedding, bool, error) {
	return face.Embedding{
		Template: make(face.Template, face.TemplateDim), Crop: p.CropTurned(box, 224, 224, angle), Region: box,
		Landmarks: [5]image.Point{{150, 103}, {144, 103}, {73, 103}, {80, 103}, {112, 158}},
	}, !s.blind, nil
}

const calibration = "calibration: {model: test}\n"

func library(t *testing.T) string {
	return filepath.Join(facetest.Models(t), models.ONNXRuntime)
}

func open(t *testing.T, network facetest.Network, text string) (*onnxface.Engine, error) {
	t.Helper()
	file := network.Write(t, t.TempDir(), "network.onnx", text)
	description, err := onnxface.ReadDescription(file)
	if err != nil {
		return nil, err
	}
	engine, err := onnxface.Open(file, description, library(t), 2, seer{})
	if err == nil {
		t.Cleanup(engine.Close)
	}
	return engine, err
}

func mustOpen(t *testing.T, network facetest.Network, text string) *onnxface.Engine {
	t.Helper()
	engine, err := open(t, network, text)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// coloured is a picture whose pixels a function paints.
func coloured(t *testing.T, paint func(x, y int) color.RGBA) *photo.Photo {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 448, 448))
	for y := range 448 {
		for x := range 448 {
			picture.SetRGBA(x, y, paint(x, y))
		}
	}
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, picture); err != nil {
		t.Fatal(err)
	}
	decoded, err := photo.Decode(buffer.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func embed(t *testing.T, engine *onnxface.Engine, p *photo.Photo) face.Template {
	t.Helper()
	found, err := engine.Find(t.Context(), p, false)
	if err != nil {
		t.Fatal(err)
	}
	embedding, ok, err := engine.Embed(t.Context(), p, 0, found.Faces[0].Box)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := engine.Model().Accepts(embedding.Template); err != nil {
		t.Fatal(err)
	}
	return embedding.Template
}

// TestFed: a network that answers with what it is fed shows how a face is turned into numbers.
func TestFed(t *testing.T) {
	plain := func(int, int) color.RGBA { return color.RGBA{200, 100, 50, 255} }
	for name, row := range map[string]struct {
		shape []int64
		text  string
		want  func(i int) float64 // of 192 values
	}{
		"OK the family's": {[]int64{1, 3, 8, 8}, "normalise: false\n", func(i int) float64 { return ([]float64{200, 100, 50}[i/64] - 127.5) / 127.5 }},
		"OK bgr":          {[]int64{1, 3, 8, 8}, "normalise: false\ncolour_order: bgr\n", func(i int) float64 { return ([]float64{50, 100, 200}[i/64] - 127.5) / 127.5 }},
		"OK nhwc":         {[]int64{1, 8, 8, 3}, "normalise: false\nlayout: nhwc\n", func(i int) float64 { return ([]float64{200, 100, 50}[i%3] - 127.5) / 127.5 }},
		"OK mean and scale": {[]int64{1, 3, 8, 8}, "normalise: false\ncolour_order: bgr\nmean: [1, 2, 3]\nscale: 0.5\n",
			func(i int) float64 { return []float64{49, 98, 197}[i/64] / 2 }},
		"OK normalised": {[]int64{1, 3, 8, 8}, "mean: [0, 0, 0]\n",
			func(i int) float64 { return []float64{200, 100, 50}[i/64] / math.Sqrt(64*(200*200+100*100+50*50)) }},
		"OK open sizes": {[]int64{0, 3, 0, 0}, "dim: 192\nmean: [0, 0, 0]\nscale: 1\nnormalise: false\n", func(i int) float64 { return []float64{200, 100, 50}[i/64] }},
	} {
		t.Run(name, func(t *testing.T) {
			points := "input_size: [8, 8]\npoints: {left_eye: [0.5, 3.2], right_eye: [6.5, 3.2]}\n"
			engine := mustOpen(t, facetest.Network{Input: row.shape}, points+row.text+calibration)
			template := embed(t, engine, coloured(t, plain))
			if len(template) != 192 || engine.Model().Dim != 192 {
				t.Fatalf("%d values", len(template))
			}
			for i, got := range template {
				if math.Abs(float64(got)-row.want(i)) > 0.005*math.Max(1, math.Abs(row.want(i))) {
					t.Fatalf("value %d is %v, want %v", i, got, row.want(i))
				}
			}
		})
	}
}

// TestPlace: what is left, right, up and down in the picture is so in what the network is fed.
func TestPlace(t *testing.T) {
	engine := mustOpen(t, facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: 56}, "normalise: false\nmean: [0, 0, 0]\nscale: 1\n"+calibration)
	template := embed(t, engine, coloured(t, func(x, y int) color.RGBA {
		return color.RGBA{byte(60 + 120*(x/224)), byte(30 + 120*(y/224)), 0, 255}
	}))
	for i, want := range []float64{60, 180, 60, 180, 30, 30, 150, 150, 0, 0, 0, 0} { // a row of squares after the other
		if math.Abs(float64(template[i])-want) > 4 {
			t.Errorf("square %d of %v: want %v", i, template, want)
		}
	}
}

// TestConcurrently: the same picture has the same template, whoever makes it.
func TestConcurrently(t *testing.T) {
	engine := mustOpen(t, facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: 16}, calibration)
	pictures := make([]*photo.Photo, 4)
	for i := range pictures {
		pictures[i] = coloured(t, func(x, y int) color.RGBA { return color.RGBA{byte(x / 2), byte(y/2 + 9*i), byte(40 * i), 255} })
	}
	var want []face.Template
	for _, each := range pictures {
		want = append(want, embed(t, engine, each))
	}
	var group sync.WaitGroup
	for n := range 24 {
		group.Go(func() {
			i := n % len(pictures)
			embedding, ok, err := engine.Embed(context.Background(), pictures[i], 0, image.Rect(0, 0, 448, 448))
			if !ok || err != nil || embedding.Template.Distance(want[i]) != 0 {
				t.Errorf("picture %d: another template; %v, %v", i, ok, err)
			}
		})
	}
	group.Wait()
	if want[0].Distance(want[1]) == 0 {
		t.Error("two pictures have one template")
	}
}

func TestNoFace(t *testing.T) {
	file := facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: 16}.Write(t, t.TempDir(), "network.onnx", calibration)
	description, err := onnxface.ReadDescription(file)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := onnxface.Open(file, description, library(t), 1, seer{blind: true})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	p := coloured(t, func(int, int) color.RGBA { return color.RGBA{} })
	if embedding, ok, err := engine.Embed(t.Context(), p, 0, p.Bounds()); ok || err != nil {
		t.Errorf("%v, %v, %v", embedding.Template, ok, err)
	}
}

// TestIdentity: a model is another when its templates would be, and only then.
func TestIdentity(t *testing.T) {
	network := facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: 16}
	first := mustOpen(t, network, calibration).Model()
	if first.Dim != 147 || !strings.HasPrefix(first.ID, "onnx-") || len(first.ID) != len("onnx-")+16 {
		t.Errorf("%+v", first)
	}
	for name, text := range map[string]string{
		"the same": calibration, "a name": "name: test\n" + calibration, "said": "dim: 147\ninput: image\noutput: values\nmetric: cosine\n" + calibration,
		"another calibration": "calibration: {model: other}\n",
	} {
		if got := mustOpen(t, network, text).Model(); got != first {
			t.Errorf("%s: %v, want %v", name, got, first)
		}
	}
	others := map[string]bool{first.ID: true}
	for name, text := range map[string]string{
		"colours": "colour_order: bgr\n", "mean": "mean: [127.5, 127.5, 128]\n", "scale": "scale: 0.0078125\n", "not normalised": "normalise: false\n",
		"points": "points: {left_eye: [38, 51], right_eye: [73, 51]}\n",
	} {
		id := mustOpen(t, network, text+calibration).Model().ID
		if others[id] {
			t.Errorf("%s: no other model", name)
		}
		others[id] = true
	}
	if id := mustOpen(t, facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: 28}, calibration).Model().ID; others[id] {
		t.Error("another network: no other model")
	}
}

func TestOpenRefuses(t *testing.T) {
	small := facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: 16}
	for name, row := range map[string]struct {
		network facetest.Network
		text    string
		says    string
	}{
		"ErrDescription missing":   {small, "", "needs a description beside it"},
		"ErrDescription unknown":   {small, "colour: rgb\n", "colour"},
		"ErrDescription broken":    {small, "mean: [1, 2\n", "reading the description"},
		"ErrDescription size":      {small, "input_size: [0, 112]\n", "input_size"},
		"ErrDescription huge":      {small, "input_size: [112, 5000]\n", "input_size"},
		"ErrDescription point":     {small, "points: {left_eye: [1, 2]}\n", "two at least"},
		"ErrDescription points":    {small, "points: {left_eye: [1, 2], nose_base: [1, 2]}\n", "on one another"},
		"ErrDescription mouth":     {small, "points: {left_eye: [1, 2], mouth_left: [1, 2]}\n", "mouth_left"},
		"ErrDescription colours":   {small, "colour_order: grb\n", "colour_order"},
		"ErrDescription layout":    {small, "layout: chw\n", "layout"},
		"ErrDescription scale":     {small, "scale: 0\n", "scale"},
		"ErrDescription metric":    {small, "metric: manhattan\n", "metric"},
		"ErrDescription cosine":    {small, "metric: cosine\nnormalise: false\n", "normalise has to be true"},
		"ErrDescription dim":       {small, "dim: 5000\n", "dim"},
		"ErrNetwork input size":    {small, "input_size: [96, 112]\n", "its input image is"},
		"ErrNetwork layout":        {small, "layout: nhwc\n", "its input image is"},
		"ErrNetwork dim":           {small, "dim: 512\n", "the description says dim: 512"},
		"ErrNetwork input name":    {small, "input: data\n", "no input of the name data"},
		"ErrNetwork output name":   {small, "output: fc1\n", "no output of the name fc1"},
		"ErrNetwork outputs":       {facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: 16, Extra: true}, "dim: 147\n", "has to name its output"},
		"ErrNetwork too many":      {facetest.Network{Input: []int64{1, 3, 112, 112}}, "metric: euclidean\n", "at most 2048"},
		"ErrNetwork length open":   {facetest.Network{Input: []int64{0, 3, 0, 0}, Pool: 16}, "metric: euclidean\n", "has to say dim"},
		"ErrNetwork wrong length":  {facetest.Network{Input: []int64{0, 3, 0, 0}, Pool: 16}, "dim: 100\n", ""},
		"ErrNetwork says the same": {facetest.Network{Input: []int64{1, 3, 112, 112}, Pool: 112}, "mean: [256, 256, 256]\nscale: 1.0e-60\nnormalise: false\n", "the same template"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, row.network, row.text)
			if err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%v, want %q", err, row.says)
			}
		})
	}
	t.Run("ErrNetwork no network", func(t *testing.T) {
		file := small.Write(t, t.TempDir(), "network.onnx", calibration)
		if err := os.WriteFile(file, []byte("no network"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := onnxface.Open(file, onnxface.Family(), library(t), 1, seer{}); err == nil || !strings.Contains(err.Error(), "ONNX Runtime can read") {
			t.Error(err)
		}
	})
	t.Run("OK after all of them", func(t *testing.T) { mustOpen(t, small, calibration) })
}

// TestReadDescription: YAML and JSON say the same.
func TestReadDescription(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "a.onnx")
	for name, text := range map[string]string{
		"a.onnx.json": `{"mean": [1, 2, 3], "calibration": {"model": "test", "similarity": {"slope": 10, "middle": 1.5}}}`,
		"b.onnx.yaml": "mean: [1, 2, 3]\ncalibration:\n  model: test\n  similarity: {slope: 10, middle: 1.5}\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, err := onnxface.ReadDescription(file)
	if err != nil {
		t.Fatal(err)
	}
	other, err := onnxface.ReadDescription(filepath.Join(directory, "b.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if one.Mean != [3]float64{1, 2, 3} || one.Mean != other.Mean || one.InputSize != [2]int{112, 112} {
		t.Errorf("%+v and %+v", one, other)
	}
	const want = `{"model":"test","similarity":{"middle":1.5,"slope":10}}`
	if string(one.Calibration) != want || string(other.Calibration) != want {
		t.Errorf("%s and %s", one.Calibration, other.Calibration)
	}
}
