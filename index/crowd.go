package index

import (
	"context"

	"github.com/viterin/vek/vek32"
)

// SampleDistances returns the distances from each point to the vectors of a random sample of at most rowsMax: result[i][j]
// is from points[i] to vector j, computed in float32. The sample is the same from call to call until vectors are put or
// deleted, and then changes little. It returns ErrDimension or ErrNotFinite for a point, ErrArgument for a negative
// rowsMax, or the error of a ctx that has ended.
func (e *Exact) SampleDistances(ctx context.Context, points [][]float32, rowsMax int) ([][]float32, error) {
	for _, point := range points {
		if err := checkSearch(point, e.dim, 0, rowsMax); err != nil {
			return nil, err
		}
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	rows := min(rowsMax, e.rows)
	result := make([][]float32, len(points))
	for i := range result {
		result[i] = make([]float32, rows)
	}
	for j := range rows {
		if j%rowsPerCheck == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		vector := e.row(sampleRow(j, rows, e.rows))
		for i, point := range points {
			result[i][j] = vek32.Distance(vector, point)
		}
	}
	return result, nil
}

// sampleRow is the j-th row of a sample: one at random of the j-th of as many equal parts, so that neither the order of
// enrolment nor a period in it (two pictures of each person, say) can tilt the sample.
func sampleRow(j, sample, rows int) int {
	from, to := j*rows/sample, (j+1)*rows/sample
	h := uint64(j) * 0x9e3779b97f4a7c15 // Fibonacci hashing; the high bits are the good ones
	h = (h ^ h>>32) * 0xc4ceb9fe1a85ec53
	return from + int((h>>33)%uint64(to-from))
}

// Vector returns a copy of what is stored under a key.
func (e *Exact) Vector(key uint64) (vector []float32, ok bool) {
	vector = e.vector(key)
	return vector, vector != nil
}
