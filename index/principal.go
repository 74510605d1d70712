package index

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// principalDimMax is the dimension above which a covariance matrix takes too long, and components stand in for
	// directions.
	principalDimMax = 1024

	// principalSteps of the iteration are taken. The result need not be converged: any directions are sound.
	principalSteps = 12

	// principalSpare directions more than wanted are followed, which makes those wanted converge faster.
	principalSpare = 9
)

// principal returns directions at right angles, of length one or zero, along which a sample differs most from an origin.
// They are what orthogonal iteration on the covariance matrix makes of random ones.
func principal(sample [][]float32, origin []float32, count int) [][]float64 {
	dim := len(origin)
	if dim > principalDimMax {
		return widest(sample, origin, count)
	}
	covariance := products(sample, origin)
	rng := rand.New(rand.NewPCG(1, 2))
	directions := make([][]float64, min(dim, count+principalSpare))
	for j := range directions {
		directions[j] = make([]float64, dim)
		for i := range dim {
			directions[j][i] = rng.NormFloat64()
		}
	}
	orthonormalise(directions)
	for range principalSteps {
		for j, direction := range directions {
			directions[j] = multiply(covariance, direction)
		}
		orthonormalise(directions)
	}
	return directions[:count]
}

// products is the covariance matrix of a sample, not divided by its size.
func products(sample [][]float32, origin []float32) [][]float64 {
	dim := len(origin)
	matrix := make([][]float64, dim)
	for i := range matrix {
		matrix[i] = make([]float64, dim)
	}
	shifted := make([]float64, dim)
	for _, vector := range sample {
		for i, x := range vector {
			shifted[i] = float64(x) - float64(origin[i])
		}
		for i, x := range shifted {
			for j, y := range shifted[:i+1] {
				matrix[i][j] += x * y
			}
		}
	}
	for i := range matrix {
		for j := range i {
			matrix[j][i] = matrix[i][j]
		}
	}
	return matrix
}

func multiply(matrix [][]float64, vector []float64) []float64 {
	result := make([]float64, len(vector))
	for i, row := range matrix {
		result[i] = dot(row, vector)
	}
	return result
}

func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var even, odd float64
	i := 0
	for ; i+1 < len(a); i += 2 {
		even += a[i] * b[i]
		odd += a[i+1] * b[i+1]
	}
	if i < len(a) {
		even += a[i] * b[i]
	}
	return even + odd
}

// orthonormalise is Gram and Schmidt's method, each step taken twice against rounding. A direction that depends on those
// before becomes zero.
func orthonormalise(directions [][]float64) {
	const dependent = 1e-10
	for j, direction := range directions {
		before := math.Sqrt(dot(direction, direction))
		for range 2 {
			for _, earlier := range directions[:j] {
				along := dot(direction, earlier)
				for i := range direction {
					direction[i] -= along * earlier[i]
				}
			}
		}
		length := math.Sqrt(dot(direction, direction))
		if !(length > dependent*before) || !finite(length) {
			clear(direction)
			continue
		}
		for i := range direction {
			direction[i] /= length
		}
	}
}

// widest are the components in which a sample differs most from an origin, as directions.
func widest(sample [][]float32, origin []float32, count int) [][]float64 {
	type component struct {
		at      int
		squares float64
	}
	components := make([]component, len(origin))
	for i := range components {
		components[i].at = i
		for _, vector := range sample {
			d := float64(vector[i]) - float64(origin[i])
			components[i].squares += d * d
		}
	}
	slices.SortFunc(components, func(a, b component) int { return cmp.Compare(b.squares, a.squares) })
	directions := make([][]float64, count)
	for j := range directions {
		directions[j] = make([]float64, len(origin))
		directions[j][components[j].at] = 1
	}
	return directions
}

// stretch bounds the norm of a basis as a linear map. Its square is the largest eigenvalue of the basis times its
// transpose, hence at most the largest sum of absolute values in a row of that. For directions at right angles but for
// rounding it is 1 and a few millionths.
func stretch(basis []float32) float64 {
	var gram [slots][slots]float64
	for ; len(basis) > 0; basis = basis[slots:] {
		for j, x := range basis[:slots] {
			for k, y := range basis[:slots] {
				gram[j][k] += float64(x) * float64(y)
			}
		}
	}
	largest := 0.0
	for _, row := range gram {
		sum := 0.0
		for _, x := range row {
			sum += math.Abs(x)
		}
		largest = max(largest, sum)
	}
	return math.Sqrt(largest) * (1 + margin)
}
