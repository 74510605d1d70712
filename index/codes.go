package index

import "math"

const (
	// pageRows rows are scanned between two looks at the context: 128 KiB of first-pass codes, 5 to 10 µs. It is what a
	// call of a kernel takes, and a candidate has 16 bits for it.
	pageRows = 8192
	rowMask  = 1<<16 - 1

	// groupRows rows have their first-pass codes interleaved, see near.
	groupRows  = 64
	groupLines = tierSlots / 2
	groupBytes = groupLines * groupRows

	tierTablesBytes = tierSlots * levels
	tablesBytes     = tiers * tierTablesBytes
)

// page is up to pageRows rows, all but the last page being full.
type page struct {
	codes *codes // what searches read; nil until the first axes are there
	next  *codes // being made with newer axes; writers keep it up to date too
}

// codes are those of a page in the same axes.
type codes struct {
	axes *axes

	// near are the first-pass codes by tier, 16 bytes a row: in each group of 64 rows, line l of 64 bytes has codes 2l of
	// the rows in the low halves of its bytes, and codes 2l+1 in the high ones.
	near [tiers][]byte
	far  []int8 // second-pass codes, one for each component
	// slack bounds the distance of a vector to what its far codes stand for.
	slack []float32
	// wild has a bit for each row of class wild.
	wild []uint64
}

// grow makes room for rows, doubling, but never beyond a page.
func (c *codes) grow(rows int) {
	have := len(c.slack)
	if rows <= have {
		return
	}
	room := min(max(2*have, (rows+groupRows-1)/groupRows*groupRows), pageRows)
	bigger := codes{
		axes:  c.axes,
		far:   make([]int8, room*len(c.axes.mean)),
		slack: make([]float32, room),
		wild:  make([]uint64, room/groupRows),
	}
	for t := range tiers {
		bigger.near[t] = make([]byte, room/groupRows*groupBytes)
		copy(bigger.near[t], c.near[t])
	}
	copy(bigger.far, c.far)
	copy(bigger.slack, c.slack)
	copy(bigger.wild, c.wild)
	c.wipe()
	*c = bigger
}

// wipe overwrites what erased vectors could be guessed from.
func (c *codes) wipe() {
	for _, near := range c.near {
		clear(near)
	}
	clear(c.far)
	clear(c.slack)
}

// put codes a row. Rows of different groups may be put at the same time.
func (c *codes) put(row int, vector, projection []float32) {
	norm := c.putFar(row, vector)
	codes, residuals := c.axes.nearest(projection, norm)
	tame := c.axes.classify(&codes, residuals)
	for t, near := range c.near {
		line := row/groupRows*groupBytes + row%groupRows
		for j := t * tierSlots; j < (t+1)*tierSlots; j += 2 {
			near[line] = codes[j] | codes[j+1]<<4
			line += groupRows
		}
	}
	c.wild[row/groupRows] &^= 1 << (row % groupRows)
	if !tame {
		c.wild[row/groupRows] |= 1 << (row % groupRows)
	}
}

// putFar makes the second-pass codes of a row and returns the norm of the vector from the origin.
func (c *codes) putFar(row int, vector []float32) (norm float64) {
	dim := len(vector)
	norm, residual := c.axes.far(vector, c.far[row*dim:][:dim])
	c.slack[row] = float32(residual)
	if float64(c.slack[row]) < residual {
		c.slack[row] = math.Nextafter32(c.slack[row], float32(math.Inf(1)))
	}
	return norm
}

// far writes second-pass codes. The norm is that of the vector from the origin, the residual a bound of its distance to
// what the codes stand for.
func (a *axes) far(vector []float32, codes []int8) (norm, residual float64) {
	var norms, residuals float64
	mean, codes := a.mean[:len(vector)], codes[:len(vector)]
	for i, x := range vector {
		d := float64(x) - float64(mean[i])
		t := d * a.farPerUnit
		if t > farMax { // faster than the built-in min and max
			t = farMax
		} else if t < -farMax {
			t = -farMax
		}
		q := int(t+(farMax+0.5)) - farMax // made positive first, as a conversion rounds towards zero
		rest := d - float64(q)*a.farStep
		norms += d * d
		residuals += rest * rest
		codes[i] = int8(q)
	}
	return math.Sqrt(norms) * (1 + margin), math.Sqrt(residuals)*(1+margin) + math.Sqrt(norms)*1e-13
}

// drop wipes a row that is no more.
func (c *codes) drop(row int) {
	dim := len(c.axes.mean)
	clear(c.far[row*dim:][:dim])
	c.slack[row] = 0
	for _, near := range c.near {
		for line := range groupLines {
			near[row/groupRows*groupBytes+line*groupRows+row%groupRows] = 0
		}
	}
	c.wild[row/groupRows] &^= 1 << (row % groupRows)
}

func (c *codes) bytes() int {
	return tiers*len(c.near[0]) + len(c.far) + 4*len(c.slack) + 8*len(c.wild)
}
