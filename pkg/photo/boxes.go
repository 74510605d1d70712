package photo

import "image"

// TurnBox maps a box of a picture with these bounds to where it lies when the picture is
// turned clockwise by an angle of 0, 90, 180 or 270 degrees.
func TurnBox(box, bounds image.Rectangle, angle int) image.Rectangle {
	return UnturnBox(box, TurnedBounds(bounds, angle), (360-angle)%360)
}

// UnturnBox maps a box of the turned picture back; bounds are those before the turn.
func UnturnBox(box, bounds image.Rectangle, angle int) image.Rectangle {
	width, height := bounds.Dx(), bounds.Dy()
	switch angle {
	case 90:
		return image.Rect(box.Min.Y, height-box.Max.X, box.Max.Y, height-box.Min.X)
	case 180:
		return image.Rect(width-box.Max.X, height-box.Max.Y, width-box.Min.X, height-box.Min.Y)
	case 270:
		return image.Rect(width-box.Max.Y, box.Min.X, width-box.Min.Y, box.Max.X)
	}
	return box
}

// TurnedBounds are the bounds of a picture after a turn.
func TurnedBounds(bounds image.Rectangle, angle int) image.Rectangle {
	if angle == 90 || angle == 270 {
		return image.Rect(0, 0, bounds.Dy(), bounds.Dx())
	}
	return bounds
}

// CropTurned is Crop with the box given, and width and height meant, in the picture after
// its turn.
func (p *Photo) CropTurned(box image.Rectangle, width, height, angle int) *image.RGBA {
	if angle == 90 || angle == 270 {
		width, height = height, width
	}
	return p.Crop(UnturnBox(box, p.Bounds(), angle), width, height, angle)
}
