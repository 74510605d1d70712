// Package bench measures: how long the steps of a search take, beside a peer in the same run.
package bench

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"

	"github.com/disintegration/imaging"

	"facesearch/pkg/photo"
)

// A Sample is one picture to measure with.
type Sample struct {
	Name string
	JPEG []byte
}

// sensorNoise is the standard deviation of the grain added to an enlarged picture, in grey
// levels. Without it a 12 MP JPEG would be a tenth of the size that a camera's has, and
// decode too fast.
const sensorNoise = 4

// Samples makes a 640 x 480 and a 12 MP picture, as a camera would store them, out of one
// photograph of a face.
func Samples(photograph []byte) ([]Sample, error) {
	decoded, err := photo.Decode(photograph)
	if err != nil {
		return nil, err
	}
	source := decoded.RGB(max(decoded.Width, decoded.Height))
	var samples []Sample
	for _, size := range []image.Point{{X: 640, Y: 480}, {X: 4000, Y: 3000}} {
		filled := imaging.Fill(source, size.X, size.Y, imaging.Top, imaging.CatmullRom)
		addNoise(filled)
		data, err := underLimit(filled)
		if err != nil {
			return nil, err
		}
		samples = append(samples, Sample{fmt.Sprintf("%d x %d", size.X, size.Y), data})
	}
	return samples, nil
}

func addNoise(picture *image.NRGBA) {
	random := rand.New(rand.NewPCG(1, 2)) // fixed: the same picture in every run
	for i := 0; i < len(picture.Pix); i += 4 {
		grain := random.NormFloat64() * sensorNoise
		for c := range 3 {
			picture.Pix[i+c] = uint8(min(max(float64(picture.Pix[i+c])+grain, 0), 255))
		}
	}
}

// underLimit encodes at the best quality that keeps within what a server accepts.
func underLimit(picture image.Image) ([]byte, error) {
	for quality := 92; quality >= 50; quality -= 6 {
		var buffer bytes.Buffer
		if err := jpeg.Encode(&buffer, picture, &jpeg.Options{Quality: quality}); err != nil {
			return nil, err
		}
		if buffer.Len() <= photo.BytesMax {
			return buffer.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("a picture of %v does not fit into %d bytes", picture.Bounds().Size(), photo.BytesMax)
}
