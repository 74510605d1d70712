package bench

import "math/rand/v2"

// A Progress is told what is being done and how far it is, often and from any goroutine; a total of 0 means that nobody
// knows. It has to be quick.
type Progress func(what string, done, total int)

// in puts a name before what is told.
func (p Progress) in(name string) Progress {
	return func(what string, done, total int) { p(name+": "+what, done, total) }
}

// newRandom gives the same numbers in every run.
func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6265_6e63_68)) }
