package photo_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"

	"facesearch/pkg/photo"
	"facesearch/pkg/photo/internal/turbo"
)

// areaMean is the oracle of shrinking: the mean of value over a rectangle with real sides.
// Outside of bounds the value is 0.
func areaMean(bounds image.Rectangle, x0, y0, x1, y1 float64, value func(x, y int) float64) float64 {
	var sum float64
	for y := int(math.Floor(y0)); float64(y) < y1; y++ {
		for x := int(math.Floor(x0)); float64(x) < x1; x++ {
			if (image.Point{x, y}).In(bounds) {
				sum += value(x, y) * overlap(x, x0, x1) * overlap(y, y0, y1)
			}
		}
	}
	return sum / (x1 - x0) / (y1 - y0)
}

func overlap(pixel int, from, to float64) float64 {
	return max(0, min(float64(pixel+1), to)-max(float64(pixel), from))
}

func TestGrey(t *testing.T) {
	for _, c := range []struct{ w, h, longest int }{
		{1, 1, 1}, {5, 3, 2}, {64, 48, 64}, {64, 48, 63}, {64, 48, 33}, {640, 480, 320}, {333, 217, 100},
		{217, 333, 100}, {1000, 750, 640}, {700, 31, 640}, {1601, 1201, 640}, {40, 2000, 50}, {3000, 9, 5}, {9, 3000, 5},
	} {
		t.Run(fmt.Sprintf("%dx%d/%d", c.w, c.h, c.longest), func(t *testing.T) {
			source := greyNoise(c.w, c.h, uint64(c.w))
			got := decode(t, pngOf(source)).Grey(c.longest)
			w, h := got.Rect.Dx(), got.Rect.Dy()
			if max(w, h) != min(c.longest, max(c.w, c.h)) || got.Stride != w || len(got.Pix) != w*h {
				t.Fatalf("%v, stride %d, %d bytes", got.Rect, got.Stride, len(got.Pix))
			}
			stepX, stepY := float64(c.w)/float64(w), float64(c.h)/float64(h)
			for y := range h {
				for x := range w {
					fx, fy := float64(x), float64(y)
					want := areaMean(source.Rect, fx*stepX, fy*stepY, (fx+1)*stepX, (fy+1)*stepY,
						func(x, y int) float64 { return float64(source.GrayAt(x, y).Y) })
					if v := got.GrayAt(x, y).Y; math.Abs(float64(v)-want) > 1.6 {
						t.Fatalf("pixel %d,%d is %d, want %.2f", x, y, v, want)
					}
				}
			}
		})
	}
	t.Run("Fresh", func(t *testing.T) {
		p := decode(t, pngOf(greyNoise(20, 20, 3)))
		clear(p.Grey(20).Pix)
		if bytes.Count(p.Grey(20).Pix, []byte{0}) == 400 {
			t.Error("changing what Grey returned changed the picture")
		}
	})
	t.Run("Oriented", func(t *testing.T) {
		want := decode(t, pngOf(corners())).Grey(17)
		for orientation := 2; orientation <= 8; orientation++ {
			p := decode(t, pngWithEXIF(pngOf(storedAs(corners(), orientation)), exifBlock(orientation, bigEndian)))
			got := p.Grey(17)
			if got.Rect != want.Rect {
				t.Fatalf("orientation %d: %v, want %v", orientation, got.Rect, want.Rect)
			}
			for i := range want.Pix {
				if difference(got.Pix[i], want.Pix[i]) > 2 {
					t.Fatalf("orientation %d: pixel %d is %d, want %d", orientation, i, got.Pix[i], want.Pix[i])
				}
			}
		}
	})
}

func TestRGB(t *testing.T) {
	source := noise(301, 203, 4)
	got := decode(t, pngOf(source)).RGB(100)
	if got.Rect != image.Rect(0, 0, 100, 67) {
		t.Fatalf("bounds %v", got.Rect)
	}
	checkArea(t, source, got, 0, 0, 3.01, 203.0/67)
}

// checkArea compares with means of source from x0, y0 on. Noise loses up to three levels on
// its way through 8-bit YCbCr.
func checkArea(t *testing.T, source *image.NRGBA, got *image.RGBA, x0, y0, stepX, stepY float64) {
	t.Helper()
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			fx, fy := x0+float64(x)*stepX, y0+float64(y)*stepY
			for c := range 3 {
				want := areaMean(source.Rect, fx, fy, fx+stepX, fy+stepY,
					func(x, y int) float64 { return float64(source.Pix[source.PixOffset(x, y)+c]) })
				if v := got.Pix[got.PixOffset(x, y)+c]; math.Abs(float64(v)-want) > 3 {
					t.Fatalf("channel %d of %d,%d is %d, want %.2f", c, x, y, v, want)
				}
			}
			if got.RGBAAt(x, y).A != 255 {
				t.Fatalf("%d,%d is not opaque", x, y)
			}
		}
	}
}

func TestCrop(t *testing.T) {
	source := noise(80, 60, 5)
	p := decode(t, pngOf(source))
	t.Run("Same", func(t *testing.T) {
		checkArea(t, source, p.Crop(image.Rect(10, 20, 42, 44), 32, 24, 0), 10, 20, 1, 1)
	})
	t.Run("SameOutside", func(t *testing.T) {
		checkArea(t, source, p.Crop(image.Rect(-7, -5, 90, 70), 97, 75, 0), -7, -5, 1, 1)
	})
	t.Run("Third", func(t *testing.T) {
		checkArea(t, source, p.Crop(image.Rect(5, 6, 65, 51), 20, 15, 0), 5, 6, 3, 3)
	})
	t.Run("Uneven", func(t *testing.T) {
		checkArea(t, source, p.Crop(image.Rect(3, 4, 70, 50), 20, 31, 0), 3, 4, 67.0/20, 46.0/31)
	})
	t.Run("ShrunkOutside", func(t *testing.T) {
		checkArea(t, source, p.Crop(image.Rect(-11, -9, 100, 80), 37, 29, 0), -11, -9, 3, 89.0/29)
	})
	t.Run("Tiny", func(t *testing.T) {
		checkArea(t, source, p.Crop(image.Rect(-300, -400, 500, 600), 1, 1, 0), -300, -400, 800, 1000)
	})
	t.Run("FarOutside", func(t *testing.T) {
		for _, v := range p.Crop(image.Rect(100, 100, 200, 200), 9, 9, 0).Pix {
			if v != 0 && v != 255 {
				t.Fatalf("value %d outside of the picture", v)
			}
		}
	})
	t.Run("Empty", func(t *testing.T) {
		if img := p.Crop(image.Rectangle{}, 4, 4, 0); img.RGBAAt(2, 2) != (color.RGBA{A: 255}) {
			t.Errorf("an empty box gives %v", img.RGBAAt(2, 2))
		}
		if img := p.Crop(image.Rect(0, 0, 9, 9), 0, -1, 0); !img.Rect.Empty() {
			t.Errorf("no size gives %v", img.Rect)
		}
	})
	t.Run("Enlarged", func(t *testing.T) { checkEnlarged(t, source, p, image.Rect(-6, 5, 26, 29), 3) })
	t.Run("EnlargedWhole", func(t *testing.T) { checkEnlarged(t, source, p, p.Bounds(), 2) })
	t.Run("Mixed", func(t *testing.T) {
		// Wider and lower: the rows of an enlarged crop, averaged in threes.
		wide := p.Crop(image.Rect(10, 10, 40, 40), 60, 10, 0)
		tall := p.Crop(image.Rect(10, 10, 40, 40), 60, 30, 0)
		for i := range 60 {
			want := meanOf(tall, image.Rect(i, 12, i+1, 15))
			c := wide.RGBAAt(i, 4)
			near(t, c, color.NRGBA{uint8(want[0]), uint8(want[1]), uint8(want[2]), 255}, 3)
		}
	})
}

// checkEnlarged compares with linear interpolation in floats, black outside, the outermost
// half pixels as their pixels.
func checkEnlarged(t *testing.T, source *image.NRGBA, p *photo.Photo, box image.Rectangle, factor int) {
	got := p.Crop(box, box.Dx()*factor, box.Dy()*factor, 0)
	w, h := float64(source.Rect.Dx()), float64(source.Rect.Dy())
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			u := float64(box.Min.X) + (float64(x)+0.5)/float64(factor) - 0.5
			v := float64(box.Min.Y) + (float64(y)+0.5)/float64(factor) - 0.5
			isInside := u >= -0.5 && v >= -0.5 && u <= w-0.5 && v <= h-0.5
			u, v = min(max(u, 0), w-1), min(max(v, 0), h-1)
			for c := range 3 {
				want := 0.0
				if isInside {
					want = areaMean(source.Rect, u, v, u+1, v+1,
						func(x, y int) float64 { return float64(source.Pix[source.PixOffset(x, y)+c]) })
				}
				if value := got.Pix[got.PixOffset(x, y)+c]; math.Abs(float64(value)-want) > 3 {
					t.Fatalf("channel %d of %d,%d is %d, want %.2f", c, x, y, value, want)
				}
			}
		}
	}
}

// A turned crop is the crop, turned; of a picture with an orientation, the same as of the
// upright picture.
func TestCropTurned(t *testing.T) {
	upright := noise(40, 30, 6)
	boxes := []image.Rectangle{image.Rect(4, 3, 28, 21), image.Rect(-5, 10, 20, 45)}
	for orientation := 1; orientation <= 8; orientation++ {
		p := decode(t, pngWithEXIF(pngOf(storedAs(upright, orientation)), exifBlock(orientation, bigEndian)))
		for _, box := range boxes {
			w, h := box.Dx(), box.Dy()
			for _, angle := range []int{0, 90, 180, 270, 360, -90} {
				got := p.Crop(box, w, h, angle)
				for y := range h {
					for x := range w {
						var want color.NRGBA
						if at := (image.Point{box.Min.X + x, box.Min.Y + y}); at.In(upright.Rect) {
							want = upright.NRGBAAt(at.X, at.Y)
						}
						want.A = 255
						to := turnedPoint(x, y, w, h, angle)
						near(t, got.RGBAAt(to.X, to.Y), want, 3)
					}
				}
				if t.Failed() {
					t.Fatalf("orientation %d, box %v, angle %d", orientation, box, angle)
				}
			}
		}
	}
}

// turnedPoint is where a pixel goes when its picture is turned clockwise.
func turnedPoint(x, y, w, h, angle int) image.Point {
	switch (angle + 360) % 360 {
	case 90:
		return image.Point{h - 1 - y, x}
	case 180:
		return image.Point{w - 1 - x, h - 1 - y}
	case 270:
		return image.Point{y, w - 1 - x}
	}
	return image.Point{x, y}
}

func TestTurn(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {8, 8}, {7, 9}, {16, 24}, {33, 18}, {64, 1}, {100, 77}} {
		source := greyNoise(size.X, size.Y, 7)
		// A part of a picture, whose stride is larger than its width.
		part := source.SubImage(image.Rect(size.X/3, size.Y/4, size.X, size.Y)).(*image.Gray)
		for _, picture := range []*image.Gray{source, part} {
			w, h := picture.Rect.Dx(), picture.Rect.Dy()
			for _, angle := range []int{0, 90, 180, 270} {
				got := photo.Turn(picture, angle)
				if angle == 0 {
					if got != picture {
						t.Error("a turn by 0 is a copy")
					}
					continue
				}
				if angle%180 == 90 && (got.Rect.Dx() != h || got.Rect.Dy() != w) {
					t.Fatalf("%v turned by %d is %v", picture.Rect, angle, got.Rect)
				}
				for y := range h {
					for x := range w {
						to := turnedPoint(x, y, w, h, angle)
						if got.GrayAt(to.X, to.Y) != picture.GrayAt(picture.Rect.Min.X+x, picture.Rect.Min.Y+y) {
							t.Fatalf("%dx%d turned by %d: pixel %d,%d is not at %v", w, h, angle, x, y, to)
						}
					}
				}
			}
		}
	}
}

func TestCropColours(t *testing.T) {
	for name, subsampling := range map[string]turbo.Subsampling{"444": turbo.S444, "422": turbo.S422, "420": turbo.S420, "440": turbo.S440, "411": turbo.S411} {
		t.Run(name, func(t *testing.T) {
			data := jpegOf(smooth(201, 151), subsampling, false)
			want := must(jpeg.Decode(bytes.NewReader(data)))
			box := image.Rect(31, 17, 180, 141)
			got := decode(t, data).Crop(box, box.Dx(), box.Dy(), 0)
			var sum [3]float64
			for y := range box.Dy() {
				for x := range box.Dx() {
					mean := meanOf(want, image.Rect(0, 0, 1, 1).Add(box.Min).Add(image.Point{x, y}))
					for c := range 3 {
						sum[c] += math.Abs(float64(got.Pix[got.PixOffset(x, y)+c]) - mean[c])
					}
				}
			}
			for c := range 3 {
				if mean := sum[c] / float64(box.Dx()*box.Dy()); mean > 3 {
					t.Errorf("channel %d differs by %.2f from Go's decoder", c, mean)
				}
			}
		})
	}
}

func TestEncodeJPEG(t *testing.T) {
	whole := decode(t, pngOf(corners())).RGB(100)
	part := whole.SubImage(image.Rect(16, 0, 48, 12)).(*image.RGBA)
	data, err := photo.EncodeJPEG(part, 95)
	if err != nil {
		t.Fatal(err)
	}
	decoded, ok := must(jpeg.Decode(bytes.NewReader(data))).(*image.YCbCr)
	if !ok || decoded.SubsampleRatio != image.YCbCrSubsampleRatio444 || decoded.Rect != image.Rect(0, 0, 32, 12) {
		t.Fatalf("%T with %v", decoded, decoded.Rect)
	}
	for i, v := range meanOf(decoded, image.Rect(18, 2, 30, 10)) {
		if want := [3]float64{10, 250, 10}[i]; math.Abs(v-want) > 4 {
			t.Errorf("channel %d is %.1f, want %v", i, v, want)
		}
	}
	t.Run("ErrEmpty", func(t *testing.T) {
		if _, err := photo.EncodeJPEG(image.NewRGBA(image.Rectangle{}), 90); err == nil {
			t.Error("a picture without pixels was encoded")
		}
	})
}

func TestJPEGOf(t *testing.T) {
	stored := jpegWithEXIF(jpegOf(storedAs(corners(), 6), turbo.S444, false), exifBlock(6, bigEndian))
	p := decode(t, stored)
	for name, c := range map[string]struct {
		box     image.Rectangle
		sideMax int
		want    image.Rectangle
	}{
		"Whole":   {image.Rectangle{}, 1000, image.Rect(0, 0, 48, 32)},
		"Shrunk":  {image.Rectangle{}, 24, image.Rect(0, 0, 24, 16)},
		"Part":    {image.Rect(24, 0, 48, 16), 12, image.Rect(0, 0, 12, 8)},
		"Outside": {image.Rect(40, 20, 90, 90), 100, image.Rect(0, 0, 8, 12)},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := photo.JPEGOf(p, c.box, 0, c.sideMax, 90)
			if err != nil {
				t.Fatal(err)
			}
			again := decode(t, data)
			if again.Bounds() != c.want || again.Orientation != 1 || bytes.Contains(data, []byte("Exif")) {
				t.Errorf("bounds %v, want %v; orientation %d", again.Bounds(), c.want, again.Orientation)
			}
		})
	}
	t.Run("Turned", func(t *testing.T) {
		data := must(photo.JPEGOf(p, image.Rect(0, 12, 32, 48), 90, 18, 90))
		if again := decode(t, data); again.Bounds() != image.Rect(0, 0, 16, 18) {
			t.Errorf("bounds %v", again.Bounds())
		}
	})
	t.Run("Upright", func(t *testing.T) {
		data := must(photo.JPEGOf(p, image.Rectangle{}, 0, 1000, 95))
		checkCorners(t, decode(t, data), 16)
	})
}
