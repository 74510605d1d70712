package face

// A Pair is two sessions of one gallery that are near each other. A was enrolled before B.
type Pair struct {
	A, B     Session
	Distance float64
}
