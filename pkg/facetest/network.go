package facetest

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// A Network is a tiny network that has no weights: what it is fed, averaged over squares of Pool
// pixels (nchw only) when that is not 0, in one row. As an embedding model it knows a picture
// that it has seen before, and hardly more.
type Network struct {
	Input []int64 // the shape of its input; 0 leaves a size open
	Pool  int64
	// Extra is a second output of the same values.
	Extra bool
}

// Write leaves it in a directory with its description beside it, when that is not empty, and
// returns the file's name.
func (n Network) Write(tb testing.TB, directory, name, description string) string {
	tb.Helper()
	file := filepath.Join(directory, name)
	if err := os.WriteFile(file, n.ONNX(), 0o600); err != nil {
		tb.Fatal(err)
	}
	if description != "" {
		if err := os.WriteFile(file+".yaml", []byte(description), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return file
}

// ONNX is the network as a protocol buffer of onnx.proto's ModelProto.
func (n Network) ONNX() []byte {
	const (
		elementFloat  = 1 // TensorProto.FLOAT
		attributeInts = 7 // AttributeProto.INTS
	)
	var graph, output message
	last := "image"
	if n.Pool > 0 {
		var pool message
		pool.text(1, last).text(2, "averages").text(4, "AveragePool")
		for _, name := range []string{"kernel_shape", "strides"} {
			pool.bytes(5, new(message).text(1, name).number(8, n.Pool).number(8, n.Pool).number(20, attributeInts).data)
		}
		graph.bytes(1, pool.data)
		last = "averages"
	}
	values := []string{"values"}
	if n.Extra {
		values = append(values, "more values")
	}
	for _, name := range values {
		graph.bytes(1, new(message).text(1, last).text(2, name).text(4, "Flatten").data)
	}
	graph.text(2, "test")
	tensor := func(name string, shape []int64) []byte {
		var dims message
		for _, size := range shape {
			var dim message
			if size > 0 {
				dim.number(1, size)
			} else {
				dim.text(2, "open")
			}
			dims.bytes(1, dim.data)
		}
		kind := new(message).number(1, elementFloat).bytes(2, dims.data).data
		return new(message).text(1, name).bytes(2, new(message).bytes(1, kind).data).data
	}
	graph.bytes(11, tensor("image", n.Input))
	for _, name := range values {
		output.data = tensor(name, []int64{0, n.dim()})
		graph.bytes(12, output.data)
	}
	opset := new(message).number(2, 13).data
	return new(message).number(1, 8).bytes(7, graph.data).bytes(8, opset).data
}

// dim is how many values it answers; 0 where its input leaves that open.
func (n Network) dim() int64 {
	dim := int64(1)
	for i, size := range n.Input[1:] {
		if n.Pool > 0 && i > 0 {
			size /= n.Pool
		}
		dim *= size
	}
	return dim
}

// A message is a protocol buffer being written.
type message struct{ data []byte }

func (m *message) number(field, value int64) *message {
	m.data = binary.AppendUvarint(m.data, uint64(field)<<3)
	m.data = binary.AppendUvarint(m.data, uint64(value))
	return m
}

func (m *message) bytes(field int64, value []byte) *message {
	m.data = binary.AppendUvarint(m.data, uint64(field)<<3|2)
	m.data = binary.AppendUvarint(m.data, uint64(len(value)))
	m.data = append(m.data, value...)
	return m
}

func (m *message) text(field int64, value string) *message { return m.bytes(field, []byte(value)) }
