//go:build !cgo

package index

func variants() map[string]func() kernels {
	return map[string]func() kernels{"go": func() kernels { return portable }}
}

func restore() {}
