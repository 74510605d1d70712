package bench

import (
	"cmp"
	"math"
	"slices"
)

// Spearman is the rank correlation of pairs, from -1 to 1: the correlation of their ranks, where equal values share the
// mean of theirs. It is nil for fewer than three pairs, or when one side is all equal.
func Spearman(x, y []float64) *float64 {
	if len(x) != len(y) || len(x) < 3 {
		return nil
	}
	a, b := ranks(x), ranks(y)
	mean := float64(len(x)+1) / 2
	var product, squareA, squareB float64
	for i := range a {
		product += (a[i] - mean) * (b[i] - mean)
		squareA += (a[i] - mean) * (a[i] - mean)
		squareB += (b[i] - mean) * (b[i] - mean)
	}
	if squareA == 0 || squareB == 0 {
		return nil
	}
	correlation := product / math.Sqrt(squareA*squareB)
	return &correlation
}

func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	ranks := make([]float64, len(values))
	for begin := 0; begin < len(order); {
		end := begin + 1
		for end < len(order) && values[order[end]] == values[order[begin]] {
			end++
		}
		for _, i := range order[begin:end] {
			ranks[i] = float64(begin+1+end) / 2
		}
		begin = end
	}
	return ranks
}
