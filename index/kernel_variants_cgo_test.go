//go:build cgo

package index

import "fmt"

// instructionsMax is the highest level useInstructions knows.
const instructionsMax = 2

func variants() map[string]func() kernels {
	all := map[string]func() kernels{"go": func() kernels { return portable }}
	for level := range instructionsMax + 1 {
		if level <= instructions {
			all[fmt.Sprint("c ", level)] = func() kernels {
				useInstructions(level)
				return compiled
			}
		}
	}
	return all
}

func restore() {
	useInstructions(instructionsMax)
}
