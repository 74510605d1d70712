package console_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"

	"github.com/disintegration/imaging"

	"facesearch/pkg/facetest"
)

// cameraFilm writes what the browser's pretended camera sees: a photograph that stands still, as
// YUV4MPEG2, which is raw frames behind a line of text.
func cameraFilm(t testing.TB) string {
	t.Helper()
	const width, height = 640, 480
	frame := imaging.Fit(facetest.Image(t, "obama2.jpg", height), width, height, imaging.Box)
	canvas := imaging.PasteCenter(imaging.New(width, height, color.White), frame)
	luma := make([]byte, 0, width*height)
	for y := range height {
		for x := range width {
			luma = append(luma, ycbcrAt(canvas, x, y).Y)
		}
	}
	var blue, red []byte
	for y := 0; y < height; y += 2 {
		for x := 0; x < width; x += 2 {
			pixel := ycbcrAt(canvas, x, y)
			blue, red = append(blue, pixel.Cb), append(red, pixel.Cr)
		}
	}
	var film bytes.Buffer
	fmt.Fprintf(&film, "YUV4MPEG2 W%d H%d F10:1 Ip C420jpeg\n", width, height)
	for range 3 {
		film.WriteString("FRAME\n")
		film.Write(luma)
		film.Write(blue)
		film.Write(red)
	}
	path := filepath.Join(filepath.Dir(binary), "camera.y4m")
	if err := os.WriteFile(path, film.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func ycbcrAt(picture image.Image, x, y int) color.YCbCr {
	return color.YCbCrModel.Convert(picture.At(x, y)).(color.YCbCr)
}
