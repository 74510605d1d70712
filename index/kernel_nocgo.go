//go:build !cgo

package index

// fastest are the kernels in use.
var fastest = portable
