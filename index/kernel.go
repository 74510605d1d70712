package index

// The kernels of Exact in Go: used where cgo is off, and what those in C are tested against. Both give the same results
// bit for bit. kernel.h says what each of them does.
type kernels struct {
	name    string
	near    func(codes, more []byte, rows int, tables *[tablesBytes]byte, cutoff byte, out []uint32) int
	far     func(codes []int8, slack []float32, probe []int8, unit, reach float64, list []uint32) int
	project func(vectors []float32, mean, basis, out []float32)
}

var portable = kernels{name: "go", near: nearGo, far: farGo, project: projectGo}

func nearGo(codes, more []byte, rows int, tables *[tablesBytes]byte, cutoff byte, out []uint32) int {
	n, limit := 0, uint32(cutoff)
	for row := range rows {
		sum := sumTables(codes, row, tables[:tierTablesBytes], limit)
		if sum <= limit && more != nil {
			sum += sumTables(more, row, tables[tierTablesBytes:], limit-sum)
		}
		if sum <= limit {
			out[n] = sum<<16 | uint32(row)
			n++
		}
	}
	return n
}

// sumTables adds up the entries for a row, as long as the sum is not above a limit.
func sumTables(codes []byte, row int, tables []byte, limit uint32) uint32 {
	group := codes[row/groupRows*groupBytes:][:groupBytes]
	sum := uint32(0)
	for line := 0; line < groupLines && sum <= limit; line++ {
		code := group[line*groupRows+row%groupRows]
		sum += uint32(tables[line*2*levels+int(code&15)]) + uint32(tables[line*2*levels+levels+int(code>>4)])
	}
	return sum
}

func farGo(codes []int8, slack []float32, probe []int8, unit, reach float64, list []uint32) int {
	n, dim := 0, len(probe)
	for _, candidate := range list {
		row := int(candidate & rowMask)
		var sum uint32 // at most 65536 * 254^2 < 2^32, see farMax
		code := codes[row*dim:][:dim]
		for i, y := range probe {
			d := int32(code[i]) - int32(y)
			sum += uint32(d * d)
		}
		limit := reach + float64(slack[row])
		if float64(unit*float64(sum)) <= float64(limit*limit) {
			list[n] = candidate
			n++
		}
	}
	return n
}

func projectGo(vectors []float32, mean, basis, out []float32) {
	dim := len(mean)
	for ; len(vectors) > 0; vectors, out = vectors[dim:], out[slots:] {
		sums := (*[slots]float32)(out)
		clear(sums[:])
		for i, x := range vectors[:dim] {
			d := float32(x - mean[i])
			for j, b := range (*[slots]float32)(basis[i*slots:]) {
				sums[j] += float32(b * d)
			}
		}
	}
}
