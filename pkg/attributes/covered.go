package attributes

import "math"

// The chip is cut into blocks of blockSide pixels, blocksAcross of them in a row. What a block
// is known by is its detail: the square root of the mean strength of its edges.
const (
	blockSide    = 5
	blocksAcross = QualitySide / blockSide
)

// eyesDetail and mouthDetail are where detail is in an uncovered face, times 1,000: the mean
// of 51 photographs of 22 people, each scaled to a mean of 0 and a length of 1, and made
// symmetrical. A row holds its left half.
var (
	eyesDetail = region{top: 7, left: 4, detail: [][]float64{
		{-34, 3, 8, 36, 68, 73, 57, 17, -24, -8, -44},
		{-17, -30, 30, 119, 169, 185, 181, 90, 8, 11, -6},
		{-9, -15, 76, 158, 211, 176, 257, 171, 74, 6, -17},
		{-11, -45, 19, 36, 40, 59, 15, -1, 3, -34, -46},
		{-28, -70, -53, -31, -24, -31, -35, -35, -45, -69, -57},
		{-26, -54, -77, -86, -78, -76, -67, -47, -67, -58, -53},
		{-21, -50, -72, -88, -87, -85, -73, -8, -7, -6, -19},
		{-24, -49, -69, -84, -89, -83, -47, 45, 22, 15, 26},
	}}
	mouthDetail = region{top: 18, left: 7, detail: [][]float64{
		{-80, -67, -46, -63, -60, -36, 25, 36},
		{-79, -59, -19, 39, 73, 84, 94, 136},
		{-73, -67, 15, 153, 173, 173, 211, 229},
		{-68, -74, -37, 86, 124, 102, 133, 167},
		{-55, -76, -88, -61, -25, 8, 61, 94},
		{-12, -77, -97, -120, -95, -58, 17, 59},
		{30, -47, -75, -107, -108, -83, -33, -9},
		{59, 2, -39, -74, -85, -59, -48, -28},
	}}
)

// A region is a part of the chip, in blocks.
type region struct {
	top, left int
	detail    [][]float64
}

// details measures every block, row by row: edges are differences of grey levels over two
// pixels, across and down.
func details(grey []float64) []float64 {
	blocks := make([]float64, blocksAcross*blocksAcross)
	for y := 1; y < QualitySide-1; y++ {
		for x := 1; x < QualitySide-1; x++ {
			at := y*QualitySide + x
			edge := math.Abs(grey[at+1]-grey[at-1]) + math.Abs(grey[at+QualitySide]-grey[at-QualitySide])
			blocks[y/blockSide*blocksAcross+x/blockSide] += edge / 2 / (blockSide * blockSide)
		}
	}
	for i, edges := range blocks {
		blocks[i] = math.Sqrt(edges)
	}
	return blocks
}

// likeness is the correlation of the detail in a region with that of an uncovered face, whose
// mean is 0, from -1 to 1; 0 where there is none at all.
func (r region) likeness(blocks []float64) float64 {
	var n, sum, squares, expected, product float64
	for y, row := range r.detail {
		for x, detail := range row {
			for _, column := range []int{r.left + x, blocksAcross - 1 - r.left - x} {
				value := blocks[(r.top+y)*blocksAcross+column]
				n, sum, squares = n+1, sum+value, squares+value*value
				expected, product = expected+detail*detail, product+value*detail
			}
		}
	}
	spread := squares - sum*sum/n
	if !(spread > 1e-9) {
		return 0
	}
	return product / math.Sqrt(spread*expected)
}

// The part of the chip whose two halves balance compares, in blocks of the left half.
const balanceTop, balanceBottom, balanceLeft, balanceRight = 7, 26, 5, 13

// balance is the detail in the half of the face that has less of it, as a share of the other
// half's; 1 where neither has any.
func balance(blocks []float64) float64 {
	var left, right float64
	for y := balanceTop; y < balanceBottom; y++ {
		for x := balanceLeft; x < balanceRight; x++ {
			left += blocks[y*blocksAcross+x]
			right += blocks[y*blocksAcross+blocksAcross-1-x]
		}
	}
	if max(left, right) == 0 {
		return 1
	}
	return min(left, right) / max(left, right)
}
