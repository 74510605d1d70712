package photo

import (
	"encoding/binary"
	"fmt"
	"image"
	"math/bits"
)

// Turns and mirrors are named by the EXIF orientation that calls for them, 1 to 8. With
// (x, y) a pixel of the result, each reads the pixel (u, v) of what is stored: x and y, or
// y and x if sides are swapped, and then mirrored along u, along v, or both.

func swapsSides(orientation int) bool { return orientation >= 5 }

func mirrorsU(orientation int) bool {
	return orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8
}

func mirrorsV(orientation int) bool {
	return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7
}

// quarterFurther is the orientation that is another quarter turn clockwise.
var quarterFurther = [9]int{1: 6, 6: 3, 3: 8, 8: 1, 2: 7, 7: 4, 4: 5, 5: 2}

// turnedFurther is the orientation that does the same as orientation and then a clockwise
// turn by angle. It panics at an angle that is no multiple of 90, which only a mistake in
// the program can cause.
func turnedFurther(orientation, angle int) int {
	if angle%90 != 0 {
		panic(fmt.Sprintf("photo: a turn by %d degrees", angle))
	}
	for range (angle/90%4 + 4) % 4 {
		orientation = quarterFurther[orientation]
	}
	return orientation
}

// Turn turns a picture clockwise by 0, 90, 180 or 270 degrees. By 0 it is the same picture,
// not a copy. imaging's turns make four bytes of each pixel and take over four times as long,
// see BenchmarkTurn.
func Turn(gray *image.Gray, angle int) *image.Gray {
	orientation := turnedFurther(upright, angle)
	if orientation == upright {
		return gray
	}
	return planeOfGray(gray).turned(orientation).gray()
}

// storedWindow is where a box of the upright picture lies in the stored one, whose size is
// width x height.
func storedWindow(box image.Rectangle, width, height, orientation int) window {
	u0, v0, u1, v1 := box.Min.X, box.Min.Y, box.Max.X, box.Max.Y
	if swapsSides(orientation) {
		u0, v0, u1, v1 = v0, u0, v1, u1
	}
	if mirrorsU(orientation) {
		u0, u1 = width-u1, width-u0
	}
	if mirrorsV(orientation) {
		v0, v1 = height-v1, height-v0
	}
	return window{u0, v0, u1, v1}
}

// turned is the plane as its orientation calls for, itself when that is 1.
func (p plane) turned(orientation int) plane {
	if orientation == upright {
		return p
	}
	if !swapsSides(orientation) {
		return p.mirrored(mirrorsU(orientation), mirrorsV(orientation))
	}
	return p.transposed(mirrorsU(orientation), mirrorsV(orientation))
}

func (p plane) mirrored(alongU, alongV bool) plane {
	result := newPlane(p.width, p.height)
	for y := range p.height {
		from := p.row(y)
		if alongV {
			from = p.row(p.height - 1 - y)
		}
		if alongU {
			reverseInto(result.row(y), from)
		} else {
			copy(result.row(y), from)
		}
	}
	return result
}

// reverseInto copies backwards, eight pixels at a time.
func reverseInto(into, from []byte) {
	for len(from) >= 8 {
		end := len(from) - 8
		word := binary.LittleEndian.Uint64(from[end:])
		binary.LittleEndian.PutUint64(into, bits.ReverseBytes64(word))
		from, into = from[:end], into[8:]
	}
	for i := range from {
		into[i] = from[len(from)-1-i]
	}
}

// transposed swaps the sides in tiles of 8 x 8 pixels, each held in eight words, so that
// neither reading nor writing strides through memory a byte at a time.
func (p plane) transposed(alongU, alongV bool) plane {
	result := newPlane(p.height, p.width)
	wholeX, wholeY := result.width&^7, result.height&^7
	var tile [8]uint64
	for y := 0; y < wholeY; y += 8 {
		u := y
		if alongU {
			u = p.width - 8 - y
		}
		for x := 0; x < wholeX; x += 8 {
			for k := range tile {
				v := x + k
				if alongV {
					v = p.height - 1 - v
				}
				tile[k] = binary.LittleEndian.Uint64(p.pix[v*p.stride+u:])
				if alongU {
					tile[k] = bits.ReverseBytes64(tile[k])
				}
			}
			transposeTile(&tile)
			for k, word := range tile {
				binary.LittleEndian.PutUint64(result.pix[(y+k)*result.stride+x:], word)
			}
		}
	}
	p.transposeRest(result, wholeX, wholeY, alongU, alongV)
	return result
}

// transposeRest does what lies outside of whole tiles: the last columns and rows.
func (p plane) transposeRest(result plane, wholeX, wholeY int, alongU, alongV bool) {
	for y := range result.height {
		u := y
		if alongU {
			u = p.width - 1 - y
		}
		into := result.row(y)
		first := wholeX
		if y >= wholeY {
			first = 0
		}
		for x := first; x < result.width; x++ {
			v := x
			if alongV {
				v = p.height - 1 - x
			}
			into[x] = p.pix[v*p.stride+u]
		}
	}
}

// transposeTile swaps rows (words) with columns (bytes): quarters of the tile first, then
// quarters of each quarter, then single pixels.
func transposeTile(tile *[8]uint64) {
	for k := range 4 {
		tile[k], tile[k+4] = exchange(tile[k], tile[k+4], 32, 0x00000000ffffffff)
	}
	for _, k := range [4]int{0, 1, 4, 5} {
		tile[k], tile[k+2] = exchange(tile[k], tile[k+2], 16, 0x0000ffff0000ffff)
	}
	for k := 0; k < 8; k += 2 {
		tile[k], tile[k+1] = exchange(tile[k], tile[k+1], 8, 0x00ff00ff00ff00ff)
	}
}

// exchange swaps the high parts of upper with the low parts of lower, low being the mask.
func exchange(upper, lower uint64, shift uint, low uint64) (uint64, uint64) {
	swapped := (upper>>shift ^ lower) & low
	return upper ^ swapped<<shift, lower ^ swapped
}
