package photo

import "math"

// A window is a part of a picture in whole pixels; it may reach outside.
type window struct{ x0, y0, x1, y1 int }

// A span is a window on a plane, whose samples may lie between the picture's pixels.
type span struct{ x0, y0, x1, y1 float64 }

// span is the window on a plane whose samples cover horizontal x vertical pixels.
func (w window) span(horizontal, vertical int) span {
	h, v := float64(horizontal), float64(vertical)
	return span{float64(w.x0) / h, float64(w.y0) / v, float64(w.x1) / h, float64(w.y1) / v}
}

// resample scales the part of a plane within from to width x height: by area averaging
// along an axis that shrinks, by linear interpolation along one that grows. What lies
// outside of the plane has the value outside. The result is fresh and packed.
func resample(p plane, from span, width, height int, outside byte) plane {
	acrossX, acrossY := from.x1-from.x0, from.y1-from.y0
	result := newPlane(width, height)
	switch {
	case from.x1 <= 0 || from.y1 <= 0 || from.x0 >= float64(p.width) || from.y0 >= float64(p.height) ||
		acrossX <= 0 || acrossY <= 0:
		fill(result.pix, outside)
	case acrossX == float64(width) && acrossY == float64(height) && isWhole(from.x0) && isWhole(from.y0):
		copyWindow(result, p, int(from.x0), int(from.y0), outside)
	case acrossX >= float64(width) && acrossY >= float64(height):
		shrink(result, p, from, outside)
	default:
		interpolate(result, p, from, outside)
	}
	return result
}

func isWhole(v float64) bool { return v == math.Trunc(v) }

func fill(pix []byte, value byte) {
	if value == 0 {
		clear(pix)
		return
	}
	for i := range pix {
		pix[i] = value
	}
}

func copyWindow(result, p plane, left, top int, outside byte) {
	first, last := max(0, -left), min(result.width, p.width-left)
	for y := range result.height {
		into := result.row(y)
		if y+top < 0 || y+top >= p.height {
			fill(into, outside)
			continue
		}
		fill(into[:first], outside)
		copy(into[first:last], p.row(y + top)[first+left:])
		fill(into[last:], outside)
	}
}

// weightBits is the precision of a tap's weight: the weights of an output pixel, with what
// falls outside of the plane, add up to 1 << weightBits.
const weightBits = 14

// taps say which input pixels make an output pixel, along one axis.
type taps struct {
	first   int
	weights []uint32
	outside uint32
}

// tapsAlong are the taps of count output pixels over [from, to) of an axis of size pixels.
func tapsAlong(from, to float64, count, size int) []taps {
	step := (to - from) / float64(count)
	all := make([]taps, count)
	for i := range all {
		if step >= 1 {
			all[i] = areaTaps(from+step*float64(i), from+step*float64(i+1), size)
		} else {
			all[i] = linearTaps(from+step*(float64(i)+0.5)-0.5, size)
		}
	}
	return all
}

// areaTaps weigh each pixel by how much of [from, to) it covers.
func areaTaps(from, to float64, size int) taps {
	first := int(math.Floor(max(from, 0)))
	last := int(math.Ceil(min(to, float64(size))))
	if last <= first {
		return taps{outside: 1 << weightBits}
	}
	result := taps{first: first, weights: make([]uint32, last-first)}
	// Rounding the running sum keeps the total exact.
	share := func(at float64) uint32 {
		return uint32(math.Round((min(max(at, from), to) - from) / (to - from) * (1 << weightBits)))
	}
	for i := range result.weights {
		result.weights[i] = share(float64(first+i+1)) - share(float64(first+i))
	}
	result.outside = 1<<weightBits - (share(float64(last)) - share(float64(first)))
	return result
}

// linearTaps weigh the two pixels around at, where 0 is the centre of the first pixel. The
// outer half of the outermost pixels has their value.
func linearTaps(at float64, size int) taps {
	if at < -0.5 || at > float64(size)-0.5 {
		return taps{outside: 1 << weightBits}
	}
	at = min(max(at, 0), float64(size-1))
	first := min(int(at), max(size-2, 0))
	second := uint32(math.Round((at - float64(first)) * (1 << weightBits)))
	if first+1 == size {
		return taps{first: first, weights: []uint32{1 << weightBits}}
	}
	return taps{first: first, weights: []uint32{1<<weightBits - second, second}}
}

// interpolate resamples along x and then along y, for any mixture of growing and shrinking.
func interpolate(result, p plane, from span, outside byte) {
	across := tapsAlong(from.x0, from.x1, result.width, p.width)
	down := tapsAlong(from.y0, from.y1, result.height, p.height)
	top, bottom := p.height, 0
	for _, t := range down {
		if len(t.weights) > 0 {
			top, bottom = min(top, t.first), max(bottom, t.first+len(t.weights))
		}
	}
	// Rows as wide as the result, in units of 1/256 grey level.
	rows := make([]uint16, max(0, bottom-top)*result.width)
	for y := top; y < bottom; y++ {
		acrossRow(rows[(y-top)*result.width:][:result.width], p.row(y), across, uint32(outside))
	}
	for y, t := range down {
		var part []uint16
		if len(t.weights) > 0 {
			part = rows[(t.first-top)*result.width:]
		}
		downRow(result.row(y), part, t, uint32(outside))
	}
}

func acrossRow(into []uint16, from []byte, across []taps, outside uint32) {
	for x := range into {
		t := &across[x]
		sum := t.outside*outside + 1<<(weightBits-9)
		for i, v := range from[t.first:][:len(t.weights)] {
			sum += t.weights[i] * uint32(v)
		}
		into[x] = uint16(sum >> (weightBits - 8))
	}
}

func downRow(into []byte, rows []uint16, t taps, outside uint32) {
	const shift = weightBits + 8
	base := t.outside*outside<<8 + 1<<(shift-1)
	if len(t.weights) == 2 {
		// Every enlarged row is this.
		upper, lower := rows[:len(into)], rows[len(into):][:len(into)]
		first, second := t.weights[0], t.weights[1]
		for x := range into {
			into[x] = byte((base + first*uint32(upper[x]) + second*uint32(lower[x])) >> shift)
		}
		return
	}
	for x := range into {
		sum := base
		for i, weight := range t.weights {
			sum += weight * uint32(rows[i*len(into)+x])
		}
		into[x] = byte(sum >> shift)
	}
}
