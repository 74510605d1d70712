//go:build cgo

package index

// #cgo CFLAGS: -std=c11 -O3
// #include "kernel.h"
import "C"

import "unsafe"

// A call into C costs about 50 ns, which is why each takes a page of rows at a time.
var compiled = kernels{name: "c", near: nearC, far: farC, project: projectC}

// fastest are the kernels in use.
var fastest = compiled

// instructions is 0 for plain C, 1 for AVX2 or NEON, 2 for AVX-512.
var instructions = useInstructions(2)

// useInstructions chooses the best level up to one, and returns it. Only tests call it while searches may run: never.
func useInstructions(levelMax int) int {
	return int(C.fs_vectors(C.int(levelMax)))
}

func nearC(codes, more []byte, rows int, tables *[tablesBytes]byte, cutoff byte, out []uint32) int {
	if rows == 0 {
		return 0
	}
	last := (rows+groupRows-1)/groupRows*groupBytes - 1
	_, _ = codes[last], out[rows-1] // C knows no bounds
	if more != nil {
		_ = more[last]
	}
	return int(C.fs_near((*C.uint8_t)(&codes[0]), (*C.uint8_t)(unsafe.SliceData(more)), C.uint32_t(rows), (*C.uint8_t)(&tables[0]), C.uint32_t(cutoff),
		(*C.uint32_t)(&out[0])))
}

func farC(codes []int8, slack []float32, probe []int8, unit, reach float64, list []uint32) int {
	if len(list) == 0 {
		return 0
	}
	return int(C.fs_far((*C.int8_t)(&codes[0]), (*C.float)(&slack[0]), C.size_t(len(probe)), (*C.int8_t)(&probe[0]),
		C.double(unit), C.double(reach), (*C.uint32_t)(&list[0]), C.uint32_t(len(list))))
}

func projectC(vectors []float32, mean, basis, out []float32) {
	if len(vectors) == 0 {
		return
	}
	count := len(vectors) / len(mean)
	_, _ = basis[len(mean)*slots-1], out[count*slots-1]
	C.fs_project((*C.float)(unsafe.SliceData(vectors)), C.size_t(count), C.size_t(len(mean)), (*C.float)(&mean[0]),
		(*C.float)(&basis[0]), (*C.float)(&out[0]))
}
