// Package attributes estimates what a face shows: age, gender, and whether the picture of it
// is good enough to compare. Age and gender come from two small networks that ONNX Runtime
// runs.
package attributes

import (
	"context"
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"facesearch/pkg/face"
	"facesearch/pkg/onnx"
)

// The sides of the chips that the networks take, and the padding around the face that they
// were trained with.
const (
	AgeSide    = 64 // px
	GenderSide = 32 // px
	Padding    = 0.2
)

// mean is what is taken off red, green and blue, and divisor what the rest is divided by,
// before the networks see it: dlib's input_rgb_image layer.
var mean = [3]float32{122.782, 117.001, 104.298}

const divisor = 256

// ageClasses of the age network: class i stands for i years, the first for a quarter.
const ageClasses = 81

// An Aligner cuts a square chip of side pixels out of a picture, so that the face whose
// landmarks are given lies upright in its middle, with padding around it.
type Aligner func(picture *image.RGBA, landmarks [5]image.Point, side int, padding float64) (*image.RGBA, error)

// An Estimator runs the two networks, one session of each for each worker. It is safe for
// concurrent use.
//
// A worker is a goroutine on a thread of its own, which counts denormal numbers as zero. The
// weights and what they are multiplied with hold so many of them, and processors are so slow
// with them, that the age network takes 1.2 ms this way and 4 to 16 ms otherwise, depending
// on the face. Results differ by less than 1e-30. (ONNX Runtime's own option for it reaches
// only the thread that makes the first session.)
type Estimator struct {
	align   Aligner
	jobs    chan job
	workers sync.WaitGroup
}

// A job is one face to estimate; the answer goes to reply, which has room for it.
type job struct {
	age, gender *image.RGBA
	reply       chan answer
}

type answer struct {
	age    float64
	gender face.Gender
	err    error
}

// networks are those of one worker.
type networks struct{ age, gender *network }

// A network is a session with its input and output memory.
type network struct {
	side    int
	input   *ort.Tensor[float32]
	output  *ort.Tensor[float32]
	session *ort.AdvancedSession
}

// Files names what Open reads, inside the models directory.
type Files struct{ Runtime, Age, Gender string }

// Open loads ONNX Runtime and the networks. The files must have been checked before
// (models.Verify).
func Open(modelsDirectory string, files Files, workers int, align Aligner) (*Estimator, error) {
	if workers < 1 {
		return nil, fmt.Errorf("%d workers: at least one is needed", workers)
	}
	if err := onnx.Start(filepath.Join(modelsDirectory, files.Runtime)); err != nil {
		return nil, err
	}
	estimator := &Estimator{align: align, jobs: make(chan job)}
	opened := make(chan error, workers)
	for range workers {
		estimator.workers.Go(func() { estimator.work(modelsDirectory, files, opened) })
	}
	var err error
	for range workers {
		err = errors.Join(err, <-opened)
	}
	if err != nil {
		estimator.Close()
		return nil, err
	}
	return estimator, nil
}

// work is one worker's life. Its thread ends with it, as it is never unlocked.
func (e *Estimator) work(modelsDirectory string, files Files, opened chan<- error) {
	runtime.LockOSThread()
	n, err := openNetworks(modelsDirectory, files)
	onnx.DenormalsAreZero() // only now: the first session sets the thread back
	opened <- err
	if err != nil {
		return
	}
	for job := range e.jobs {
		var result answer
		result.age, result.gender, result.err = n.estimate(job.age, job.gender)
		job.reply <- result
	}
	n.age.close()
	n.gender.close()
}

func openNetworks(modelsDirectory string, files Files) (*networks, error) {
	age, err := newNetwork(filepath.Join(modelsDirectory, files.Age), AgeSide, ageClasses)
	if err != nil {
		return nil, err
	}
	gender, err := newNetwork(filepath.Join(modelsDirectory, files.Gender), GenderSide, 2)
	if err != nil {
		return nil, errors.Join(err, age.close())
	}
	return &networks{age, gender}, nil
}

func newNetwork(file string, side, classes int64) (*network, error) {
	input, err := ort.NewEmptyTensor[float32](ort.NewShape(1, 3, side, side))
	if err != nil {
		return nil, err
	}
	output, err := ort.NewEmptyTensor[float32](ort.NewShape(1, classes))
	if err != nil {
		return nil, errors.Join(err, input.Destroy())
	}
	session, err := openSession(file, input, output)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("loading %s: %w", filepath.Base(file), err), input.Destroy(), output.Destroy())
	}
	return &network{int(side), input, output, session}, nil
}

func openSession(file string, input, output *ort.Tensor[float32]) (*ort.AdvancedSession, error) {
	options, err := onnx.OneThread() // the workers are the parallelism
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	return ort.NewAdvancedSession(file, []string{"images"}, []string{"probabilities"},
		[]ort.Value{input}, []ort.Value{output}, options)
}

func (n *network) close() error {
	return errors.Join(n.session.Destroy(), n.input.Destroy(), n.output.Destroy())
}

// Close waits for the calls under way and frees the networks. No other method may be called
// after it.
func (e *Estimator) Close() {
	close(e.jobs)
	e.workers.Wait()
}

// Describe says what a face shows. width is the face's in pixels of the original picture,
// score the detector's.
func (e *Estimator) Describe(ctx context.Context, embedding face.Embedding, width, score float64) (face.Attributes, error) {
	chip := func(side int, padding float64) (*image.RGBA, error) {
		return e.align(embedding.Crop, embedding.Landmarks, side, padding)
	}
	ageChip, err := chip(AgeSide, Padding)
	if err != nil {
		return face.Attributes{}, err
	}
	genderChip, err := chip(GenderSide, Padding)
	if err != nil {
		return face.Attributes{}, err
	}
	qualityChip, err := chip(QualitySide, QualityPadding)
	if err != nil {
		return face.Attributes{}, err
	}
	age, gender, err := e.Estimate(ctx, ageChip, genderChip)
	if err != nil {
		return face.Attributes{}, err
	}
	return face.Attributes{Age: age, Gender: gender, Flaws: Flaws(qualityChip, embedding.Landmarks, width, score)}, nil
}

// Estimate returns the age in years, from 0.25 to 80, and the gender of a face, from its
// aligned chips of AgeSide and GenderSide pixels.
func (e *Estimator) Estimate(ctx context.Context, ageChip, genderChip *image.RGBA) (age float64, gender face.Gender, err error) {
	reply := make(chan answer, 1)
	select {
	case e.jobs <- job{ageChip, genderChip, reply}:
		result := <-reply
		return result.age, result.gender, result.err
	case <-ctx.Done():
		return 0, "", ctx.Err()
	}
}

func (n *networks) estimate(ageChip, genderChip *image.RGBA) (float64, face.Gender, error) {
	ages, err := n.age.run(ageChip)
	if err != nil {
		return 0, "", fmt.Errorf("the age network: %w", err)
	}
	genders, err := n.gender.run(genderChip)
	if err != nil {
		return 0, "", fmt.Errorf("the gender network: %w", err)
	}
	gender := face.Female
	if genders[1] > genders[0] {
		gender = face.Male
	}
	return expectedAge(ages), gender, nil
}

// expectedAge is the mean of the classes' ages, weighted by their probabilities.
func expectedAge(probabilities []float32) float64 {
	age := 0.25 * float64(probabilities[0])
	for years, probability := range probabilities[1:] {
		age += float64(years+1) * float64(probability)
	}
	return age
}

// run returns the probabilities; they are overwritten by the next run.
func (n *network) run(chip *image.RGBA) ([]float32, error) {
	if chip.Bounds().Dx() != n.side || chip.Bounds().Dy() != n.side {
		return nil, fmt.Errorf("a chip of %v instead of %d px", chip.Bounds().Size(), n.side)
	}
	input := n.input.GetData()
	plane := n.side * n.side
	for y := range n.side {
		row := chip.Pix[y*chip.Stride:]
		for x := range n.side {
			for colour := range mean {
				input[colour*plane+y*n.side+x] = (float32(row[4*x+colour]) - mean[colour]) / divisor
			}
		}
	}
	if err := n.session.Run(); err != nil {
		return nil, err
	}
	return n.output.GetData(), nil
}
