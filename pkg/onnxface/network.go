package onnxface

import (
	"errors"
	"fmt"
	"image"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"facesearch/pkg/face"
	"facesearch/pkg/onnx"
)

// A network is a session with its input and output memory.
type network struct {
	description Description
	input       *ort.Tensor[float32]
	output      *ort.Tensor[float32]
	session     *ort.AdvancedSession
}

// shapeOf holds the description against what the network says of itself, fills in what the
// description leaves to it, and returns the shape of its output.
func shapeOf(weights []byte, d *Description) (ort.Shape, error) {
	inputs, outputs, err := ort.GetInputOutputInfoWithONNXData(weights)
	if err != nil {
		return nil, fmt.Errorf("it is no network that ONNX Runtime can read: %w", err)
	}
	input, err := pick(inputs, d.Input, "input")
	if err != nil {
		return nil, err
	}
	output, err := pick(outputs, d.Output, "output")
	if err != nil {
		return nil, err
	}
	d.Input, d.Output = input.Name, output.Name
	if !fits(input.Dimensions, d.inputShape()) {
		return nil, fmt.Errorf("its input %s is %v, and the description makes %v of a face", input.Name, input.Dimensions, d.inputShape())
	}
	shape := slices.Clone(output.Dimensions)
	for i, size := range shape {
		if size < 1 { // left open; there is one face at a time
			shape[i] = 1
			if i == len(shape)-1 {
				shape[i] = int64(max(1, d.Dim))
			}
		}
	}
	values := 1
	for _, size := range shape {
		values *= int(min(size, face.TemplateDimMax+1))
		if values > face.TemplateDimMax {
			return nil, fmt.Errorf("its output %s is %v: a template has at most %d values", output.Name, output.Dimensions, face.TemplateDimMax)
		}
	}
	if d.Dim != 0 && d.Dim != values {
		return nil, fmt.Errorf("its output %s is %v, and the description says dim: %d", output.Name, output.Dimensions, d.Dim)
	}
	if d.Dim == 0 && len(output.Dimensions) > 0 && output.Dimensions[len(output.Dimensions)-1] < 1 {
		return nil, fmt.Errorf("its output %s is %v, which leaves the length of a template open: the description has to say dim", output.Name, output.Dimensions)
	}
	d.Dim = values
	return shape, nil
}

// pick finds the tensor of a name, or the only one.
func pick(tensors []ort.InputOutputInfo, name, what string) (ort.InputOutputInfo, error) {
	var names []string
	for _, each := range tensors {
		names = append(names, each.Name)
		if each.Name != name && !(name == "" && len(tensors) == 1) {
			continue
		}
		if each.OrtValueType != ort.ONNXTypeTensor || each.DataType != ort.TensorElementDataTypeFloat {
			return each, fmt.Errorf("its %s %s is no tensor of 32-bit floating point numbers", what, each.Name)
		}
		return each, nil
	}
	if name == "" {
		return ort.InputOutputInfo{}, fmt.Errorf("it has several, %v: the description has to name its %s", names, what)
	}
	return ort.InputOutputInfo{}, fmt.Errorf("it has no %s of the name %s, only %v", what, name, names)
}

// fits reports whether a declared shape, in which some sizes may be open, takes another.
func fits(declared, given ort.Shape) bool {
	return slices.EqualFunc(declared, given, func(a, b int64) bool { return a < 1 || a == b })
}

func (d *Description) inputShape() ort.Shape {
	width, height := int64(d.InputSize[0]), int64(d.InputSize[1])
	if d.Layout == "nhwc" {
		return ort.NewShape(1, height, width, 3)
	}
	return ort.NewShape(1, 3, height, width)
}

func newNetwork(weights []byte, d Description, shape ort.Shape) (*network, error) {
	input, err := ort.NewEmptyTensor[float32](d.inputShape())
	if err != nil {
		return nil, err
	}
	output, err := ort.NewEmptyTensor[float32](shape)
	if err != nil {
		return nil, errors.Join(err, input.Destroy())
	}
	options, err := onnx.OneThread() // the workers are the parallelism
	if err != nil {
		return nil, errors.Join(err, input.Destroy(), output.Destroy())
	}
	defer options.Destroy()
	session, err := ort.NewAdvancedSessionWithONNXData(weights, []string{d.Input}, []string{d.Output},
		[]ort.Value{input}, []ort.Value{output}, options)
	if err != nil {
		return nil, errors.Join(err, input.Destroy(), output.Destroy())
	}
	return &network{d, input, output, session}, nil
}

func (n *network) close() error {
	return errors.Join(n.session.Destroy(), n.input.Destroy(), n.output.Destroy())
}

func (n *network) run(chip *image.RGBA) (face.Template, error) {
	n.description.fill(n.input.GetData(), chip)
	if err := n.session.Run(); err != nil {
		return nil, fmt.Errorf("the embedding network: %w", err)
	}
	template := face.Template(slices.Clone(n.output.GetData()))
	if err := template.Validate(); err != nil {
		return nil, fmt.Errorf("the embedding network: %w", err)
	}
	if n.description.Normalise {
		if err := normalised(template); err != nil {
			return nil, err
		}
	}
	return template, nil
}

// fill writes a chip as the network takes it.
func (d *Description) fill(input []float32, chip *image.RGBA) {
	width, height := d.InputSize[0], d.InputSize[1]
	pixel, colour := 1, width*height // steps from one to the next
	if d.Layout == "nhwc" {
		pixel, colour = 3, 1
	}
	for y := range height {
		row := chip.Pix[y*chip.Stride:]
		for x := range width {
			for c := range 3 {
				from := c
				if d.ColourOrder == "bgr" {
					from = 2 - c
				}
				input[(y*width+x)*pixel+c*colour] = float32((float64(row[4*x+from]) - d.Mean[c]) * d.Scale)
			}
		}
	}
}
