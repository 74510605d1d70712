package index

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// eachKernel runs a test for every variant of the kernels this processor has, see kernel_variants_*_test.go.
func eachKernel(t *testing.T, test func(t *testing.T, k kernels)) {
	defer restore()
	for name, prepare := range variants() {
		t.Run("OK "+name, func(t *testing.T) {
			test(t, prepare())
		})
	}
}

func randomBytes(rng *rand.Rand, n, below int) []byte {
	bytes := make([]byte, n)
	for i := range bytes {
		bytes[i] = byte(rng.IntN(below))
	}
	return bytes
}

// TestNear compares survivors and sums with those of the Go kernel, and a few with a sum made one by one.
func TestNear(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernels) {
		rng := rand.New(rand.NewPCG(1, 1))
		want, got := make([]uint32, pageRows), make([]uint32, pageRows)
		for _, rows := range []int{0, 1, 63, 64, 65, 127, 1000, pageRows} {
			size := (rows + groupRows - 1) / groupRows * groupBytes
			codes, more := randomBytes(rng, size, 256), randomBytes(rng, size, 256)
			for _, below := range []int{1, 9, 20, 256} {
				tables := [tablesBytes]byte(randomBytes(rng, tablesBytes, below))
				for _, cutoff := range []byte{0, 40, 128, 254} {
					for _, second := range [][]byte{nil, more} {
						n := nearGo(codes, second, rows, &tables, cutoff, want)
						m := k.near(codes, second, rows, &tables, cutoff, got)
						if !slices.Equal(want[:n], got[:m]) {
							t.Fatalf("%d rows, entries < %d, cutoff %d: %d survivors, want %d", rows, below, cutoff, m, n)
						}
					}
				}
			}
		}
	})
}

func TestFar(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernels) {
		rng := rand.New(rand.NewPCG(1, 2))
		for _, dim := range []int{1, 7, 8, 15, 16, 17, 33, 128, 1000} {
			const rows = 300
			codes, slack := make([]int8, rows*dim), make([]float32, rows)
			for i := range codes {
				codes[i] = int8(rng.IntN(2*farMax+1) - farMax)
			}
			for i := range slack {
				slack[i] = rng.Float32()
			}
			slack[3] = float32(math.Inf(1))
			probe := codes[5*dim : 6*dim]
			for _, reach := range []float64{0, 1, 50 * math.Sqrt(float64(dim)), 103.6 * math.Sqrt(float64(dim)), 1e200, math.Inf(1)} {
				var want, got [rows]uint32
				for i := range rows {
					want[i] = uint32(rng.IntN(255))<<16 | uint32(rows-1-i)
				}
				got = want
				n := farGo(codes, slack, probe, 0.99, reach, want[:])
				m := k.far(codes, slack, probe, 0.99, reach, got[:])
				if !slices.Equal(want[:n], got[:m]) || n == 0 {
					t.Fatalf("dim %d, reach %v: %d survivors, want %d", dim, reach, m, n)
				}
			}
		}
	})
	t.Run("OK largest sum", func(t *testing.T) {
		codes, probe := make([]int8, DimensionMax), make([]int8, DimensionMax)
		for i := range codes {
			codes[i], probe[i] = -farMax, farMax
		}
		sum := float64(DimensionMax) * 4 * farMax * farMax
		eachKernel(t, func(t *testing.T, k kernels) {
			for reach, want := range map[float64]int{math.Sqrt(sum) + 1e-3: 1, math.Sqrt(sum) - 1e-3: 0} {
				if got := k.far(codes, []float32{0}, probe, 1, reach, []uint32{0}); got != want {
					t.Errorf("reach %v: %d survivors", reach, got)
				}
			}
		})
	})
}

// TestProject wants the same bits, but for the kind of NaN.
func TestProject(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernels) {
		rng := rand.New(rand.NewPCG(1, 3))
		for _, dim := range []int{1, 2, 31, 128, 200} {
			for _, scale := range []float32{1e-44, 1e-30, 1, 1e30, 3e38} {
				const count = 11
				random := func(n int, scale float32) []float32 {
					numbers := make([]float32, n)
					for i := range numbers {
						numbers[i] = scale * (2*rng.Float32() - 1)
					}
					return numbers
				}
				vectors, mean, basis := random(count*dim, scale), random(dim, scale/3), random(dim*slots, 1)
				want, got := make([]float32, count*slots), make([]float32, count*slots)
				projectGo(vectors, mean, basis, want)
				k.project(vectors, mean, basis, got)
				for i := range want {
					if math.Float32bits(want[i]) != math.Float32bits(got[i]) && (want[i] == want[i] || got[i] == got[i]) {
						t.Fatalf("dim %d, scale %v: %v, want %v", dim, scale, got[i], want[i])
					}
				}
			}
		}
	})
}

// TestBounds checks what the proof in Exact takes for granted against arithmetic in float64: residuals, the error of a
// projection, and the norm of the basis.
func TestBounds(t *testing.T) {
	for _, dim := range []int{1, 40, 128} {
		for _, scale := range []float64{1e-42, 1e-20, 1, 1e15} {
			t.Run(fmt.Sprintf("OK %d %g", dim, scale), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(1, 4))
				sample := make([][]float32, 300)
				for r := range sample {
					sample[r] = make([]float32, dim)
					for i := range sample[r] {
						sample[r][i] = float32(scale * (rng.NormFloat64()/float64(i+1) + 3))
					}
				}
				a := newAxes(sample)
				for r, vector := range sample[:60] {
					vector[r%dim] *= float32(r%7) / 2 // some are unlike the sample
					requireBounds(t, a, vector, sample[(r+1)%len(sample)])
				}
			})
		}
	}
}

func requireBounds(t *testing.T, a *axes, vector, other []float32) {
	t.Helper()
	var projection [slots]float32
	fastest.project(vector, a.mean, a.basis, projection[:])
	far := make([]int8, len(vector))
	norm, farResidual := a.far(vector, far)
	codes, residuals := a.nearest(projection[:], norm)
	var off, length, lost float64
	var between [tiers]float64
	for j := range slots {
		var p, d float64
		for i := range vector {
			b := float64(a.basis[i*slots+j])
			p += b * (float64(vector[i]) - float64(a.mean[i]))
			d += b * (float64(vector[i]) - float64(other[i]))
		}
		off += (p - float64(projection[j])) * (p - float64(projection[j]))
		length += d * d
		if j%tierSlots != tierAxes {
			for tier := j / tierSlots; tier < tiers; tier++ {
				between[tier] += (p - a.level[j][codes[j]]) * (p - a.level[j][codes[j]])
			}
		}
	}
	for i, x := range vector {
		d := float64(x) - float64(a.mean[i]) - float64(far[i])*a.farStep
		lost += d * d
	}
	for what, pair := range map[string][2]float64{
		"projection": {math.Sqrt(off), a.projectionError(norm)},
		"stretch":    {math.Sqrt(length), a.stretch * distance(vector, other) * (1 + margin)},
		"first tier": {math.Sqrt(between[0]), residuals[0]},
		"both tiers": {math.Sqrt(between[1]), residuals[1]},
		"far":        {math.Sqrt(lost), farResidual},
	} {
		if !(pair[0] <= pair[1]*(1+1e-12)) {
			t.Fatalf("%s: %v is above its bound %v", what, pair[0], pair[1])
		}
	}
}

func TestClassify(t *testing.T) {
	var a axes
	for k := range classes {
		a.bounds[0][k], a.bounds[1][k] = float64(k), float64(2*k)
	}
	for _, c := range []struct {
		residuals [tiers]float64
		want      [tiers]byte
	}{
		{[tiers]float64{0, 0}, [tiers]byte{0, 0}},
		{[tiers]float64{0.5, 28}, [tiers]byte{1, 14}},
		{[tiers]float64{1, 28.1}, [tiers]byte{wild, wild}},
		{[tiers]float64{15, 2}, [tiers]byte{wild, wild}},
		{[tiers]float64{1, math.NaN()}, [tiers]byte{wild, wild}},
		{[tiers]float64{math.Inf(1), math.Inf(1)}, [tiers]byte{wild, wild}},
	} {
		var codes [slots]byte
		tame := a.classify(&codes, c.residuals)
		if got := [tiers]byte{codes[tierAxes], codes[tierSlots+tierAxes]}; got != c.want || tame != (got[0] != wild) {
			t.Errorf("%v: classes %v, tame %v", c.residuals, got, tame)
		}
	}
}

func TestRowTable(t *testing.T) {
	var keys []uint64
	table := newRowTable(func(row int) uint64 { return keys[row] })
	table.seed = 0
	rng, rowOf := rand.New(rand.NewPCG(1, 5)), map[uint64]int{}
	for step := range 40_000 {
		key := rng.Uint64N(3000)
		slot, ok := table.find(key)
		row, want := rowOf[key]
		if ok != want || ok && table.row(slot) != row {
			t.Fatalf("step %d: key %d found %v", step, key, ok)
		}
		switch growing := step/10_000%2 == 0; {
		case !ok && (growing || step%4 == 0):
			rowOf[key] = len(keys)
			keys = append(keys, key)
			table.add(key, rowOf[key])
		case ok && (!growing || step%4 == 0):
			table.remove(slot)
			delete(rowOf, key)
			table.shrink()
		}
		if table.used != len(rowOf) || len(table.slots) > slotsMin && table.used*emptyDen < len(table.slots)*emptyNum/2 {
			t.Fatalf("step %d: %d used of %d, want %d", step, table.used, len(table.slots), len(rowOf))
		}
	}
}
