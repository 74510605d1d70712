package photo

import (
	"encoding/binary"
	"math"
)

// Area averaging: each output pixel is the mean of the rectangle of input that it covers,
// pixels on its border counted by the part that lies within.
//
// Down a column, eight pixels at a time are added as 16-bit lanes of two words, whole rows
// in one pair of words and the two border rows, by their share in 128ths, in another. Along
// a row, running sums make each output the difference of two of them. Borders are rounded
// to 1/128 (down) and 1/256 (across) of a pixel, nothing else is.

const (
	downBits   = 7
	downUnit   = 1 << downBits
	acrossBits = 8
	// rowsMax is how many whole rows of 255 fit into a lane of 16 bits.
	rowsMax = 257
	// lanesMask selects every other byte of a word.
	lanesMask = 0x00ff00ff00ff00ff
)

// shrink writes the area average of the part of p within from, which is at least as wide
// and high as result.
func shrink(result, p plane, from span, outside byte) {
	ratio := (from.y1 - from.y0) / float64(result.height)
	if ratio+2 > rowsMax {
		// Two steps, of which the first is a whole number of times finer than the second, so
		// that their borders coincide.
		finer := newPlane(result.width, result.height*int(math.Ceil(ratio/(rowsMax/2))))
		shrink(finer, p, from, outside)
		shrink(result, finer, window{0, 0, finer.width, finer.height}.span(1, 1), outside)
		return
	}
	s := newShrinker(result.width, p, from, outside)
	downs := borders(from.y0, from.y1, result.height, downBits)
	for y := range result.height {
		s.row(result.row(y), downs[y], downs[y+1])
	}
}

// borders are where count output pixels begin and end, in units of 1 / 1<<bits.
func borders(from, to float64, count int, unitBits uint) []int {
	all := make([]int, count+1)
	step := (to - from) / float64(count)
	for i := range all {
		all[i] = int(math.Round((from + step*float64(i)) * float64(int(1)<<unitBits)))
	}
	return all
}

// A shrinker holds what the rows of one picture share.
type shrinker struct {
	p       plane
	outside int
	// left and columns are the part of p's rows that is read.
	left, columns int
	// whole and border are sums of rows: two words for eight columns, the first with the
	// even ones.
	whole, border []uint64
	// sums has the sum of all columns before each, in units of 1/128 of a row.
	sums []uint64
	// across are the borders of the output's columns, inside are the same limited to p and
	// counted from left.
	across, inside []int
	// inverse is one over the width of each output column.
	inverse []float64
}

func newShrinker(width int, p plane, from span, outside byte) *shrinker {
	s := &shrinker{p: p, outside: int(outside)}
	s.across = borders(from.x0, from.x1, width, acrossBits)
	s.left = max(0, s.across[0]>>acrossBits)
	right := min(p.width, (s.across[width]+1<<acrossBits-1)>>acrossBits)
	s.columns = max(0, right-s.left)
	words := (s.columns + 7) / 8
	s.whole, s.border = make([]uint64, 2*words), make([]uint64, 2*words)
	// One more than there are, which the end of the last column may look at.
	s.sums = make([]uint64, 8*words+2)
	s.inside = make([]int, width+1)
	s.inverse = make([]float64, width)
	for i, at := range s.across {
		s.inside[i] = min(max(at-s.left<<acrossBits, 0), s.columns<<acrossBits)
	}
	for i := range s.inverse {
		s.inverse[i] = 1 / float64(s.across[i+1]-s.across[i])
	}
	return s
}

// row makes one output row of the input between begin and end, in units of 1/128 row.
func (s *shrinker) row(into []byte, begin, end int) {
	limit := s.p.height << downBits
	covered := s.addRows(min(max(begin, 0), limit), min(max(end, 0), limit))
	s.sumColumns()
	s.divide(into, end-begin, covered)
}

// addRows fills whole and border, and returns how much of the rows lies within the plane.
func (s *shrinker) addRows(begin, end int) (covered int) {
	clear(s.whole)
	clear(s.border)
	first, last := begin>>downBits, end>>downBits
	firstPart, lastPart := begin&(downUnit-1), end&(downUnit-1)
	if first == last {
		if lastPart > firstPart {
			addWeighted(s.border, s.read(first), uint64(lastPart-firstPart))
		}
		return end - begin
	}
	if firstPart > 0 {
		addWeighted(s.border, s.read(first), uint64(downUnit-firstPart))
		first++
	}
	for ; first+1 < last; first += 2 {
		addPair(s.whole, s.read(first), s.read(first+1))
	}
	if first < last {
		addWeighted(s.whole, s.read(first), 1)
	}
	if lastPart > 0 {
		addWeighted(s.border, s.read(last), uint64(lastPart))
	}
	return end - begin
}

func (s *shrinker) read(y int) []byte { return s.p.row(y)[s.left:][:s.columns] }

// addWeighted adds weight times a row to lanes.
func addWeighted(lanes []uint64, row []byte, weight uint64) {
	for len(row) >= 8 && len(lanes) >= 2 {
		word := binary.LittleEndian.Uint64(row)
		lanes[0] += word & lanesMask * weight
		lanes[1] += word >> 8 & lanesMask * weight
		row, lanes = row[8:], lanes[2:]
	}
	for i, v := range row {
		lanes[i&1] += uint64(v) * weight << (i >> 1 * 16)
	}
}

// addPair adds two rows at once, which halves the traffic of the lanes.
func addPair(lanes []uint64, row, next []byte) {
	for len(row) >= 8 && len(next) >= 8 && len(lanes) >= 2 {
		word, nextWord := binary.LittleEndian.Uint64(row), binary.LittleEndian.Uint64(next)
		lanes[0] += word&lanesMask + nextWord&lanesMask
		lanes[1] += word>>8&lanesMask + nextWord>>8&lanesMask
		row, next, lanes = row[8:], next[8:], lanes[2:]
	}
	for i, v := range row {
		lanes[i&1] += (uint64(v) + uint64(next[i])) << (i >> 1 * 16)
	}
}

// sumColumns takes the lanes apart into running sums.
func (s *shrinker) sumColumns() {
	const lane = 1<<16 - 1
	sum := uint64(0)
	sums := s.sums[1:]
	for i := 0; i+1 < len(s.whole) && len(sums) >= 8; i += 2 {
		whole0, whole1 := s.whole[i], s.whole[i+1]
		border0, border1 := s.border[i], s.border[i+1]
		for k := 0; k < 8; k += 2 {
			sum += whole0&lane<<downBits + border0&lane
			sums[k] = sum
			sum += whole1&lane<<downBits + border1&lane
			sums[k+1] = sum
			whole0, whole1, border0, border1 = whole0>>16, whole1>>16, border0>>16, border1>>16
		}
		sums = sums[8:]
	}
	// Nothing follows the last column, but divide reads one further.
	s.sums[len(s.sums)-1] = sum
}

// divide makes means of the running sums. height and covered are those of the output row,
// the latter without what lies outside of the plane.
func (s *shrinker) divide(into []byte, height, covered int) {
	inverse := 1 / float64(height)
	before := s.upTo(s.inside[0])
	for x := range into {
		upTo := s.upTo(s.inside[x+1])
		sum := upTo - before
		before = upTo
		missing := (s.across[x+1]-s.across[x])*height - (s.inside[x+1]-s.inside[x])*covered
		sum += s.outside * missing
		into[x] = byte(float64(sum)*inverse*s.inverse[x] + 0.5)
	}
}

// upTo is the sum of the columns before at, which is in units of 1/256 column.
func (s *shrinker) upTo(at int) int {
	column, part := at>>acrossBits, at&(1<<acrossBits-1)
	sum, next := s.sums[column], s.sums[column+1]
	return int(sum<<acrossBits + (next-sum)*uint64(part))
}
