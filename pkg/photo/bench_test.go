package photo_test

import (
	"fmt"
	"image"
	"testing"

	"github.com/disintegration/imaging"

	"facesearch/pkg/photo"
	"facesearch/pkg/photo/internal/turbo"
)

// photograph stands in for one: shapes with texture, so that its JPEG is about as large.
func photograph(w, h int) *image.NRGBA {
	img, grain := smooth(w, h), noise(w, h, 8)
	for i := range img.Pix {
		if i%4 < 3 {
			img.Pix[i] += grain.Pix[i] >> 4
		}
	}
	return img
}

var benchmarkSizes = []image.Point{{640, 480}, {4000, 3000}}

func BenchmarkDecode(b *testing.B) {
	for _, size := range benchmarkSizes {
		data := jpegOf(photograph(size.X, size.Y), turbo.S420, false)
		b.Run(fmt.Sprintf("%dx%d", size.X, size.Y), func(b *testing.B) {
			b.ReportMetric(float64(len(data)), "file-bytes")
			for b.Loop() {
				decode(b, data)
			}
		})
	}
}

func BenchmarkGrey(b *testing.B) {
	for _, size := range benchmarkSizes {
		p := decode(b, jpegOf(photograph(size.X, size.Y), turbo.S420, false))
		for _, longest := range []int{640, 400} {
			b.Run(fmt.Sprintf("%dx%d/%d", size.X, size.Y, longest), func(b *testing.B) {
				for b.Loop() {
					p.Grey(longest)
				}
			})
		}
	}
}

func BenchmarkRGB(b *testing.B) {
	for _, size := range benchmarkSizes {
		p := decode(b, jpegOf(photograph(size.X, size.Y), turbo.S420, false))
		b.Run(fmt.Sprintf("%dx%d/640", size.X, size.Y), func(b *testing.B) {
			for b.Loop() {
				p.RGB(640)
			}
		})
	}
}

func BenchmarkCrop(b *testing.B) {
	p := decode(b, jpegOf(photograph(4000, 3000), turbo.S420, false))
	for _, side := range []int{150, 288, 600} {
		b.Run(fmt.Sprintf("%d-288", side), func(b *testing.B) {
			for b.Loop() {
				p.Crop(image.Rect(300, 200, 300+side, 200+side), 288, 288, 90)
			}
		})
	}
}

func BenchmarkEncodeJPEG(b *testing.B) {
	img := decode(b, jpegOf(photograph(640, 480), turbo.S420, false)).Crop(image.Rect(0, 0, 288, 288), 288, 288, 0)
	for b.Loop() {
		must(photo.EncodeJPEG(img, 95))
	}
}

func BenchmarkTurn(b *testing.B) {
	picture := greyNoise(640, 480, 9)
	for _, angle := range []int{90, 180, 270} {
		b.Run(fmt.Sprint(angle), func(b *testing.B) {
			for b.Loop() {
				photo.Turn(picture, angle)
			}
		})
	}
	b.Run("imaging90", func(b *testing.B) {
		for b.Loop() {
			imaging.Rotate270(picture)
		}
	})
}
