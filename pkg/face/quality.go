package face

// A Reason says in one word why a face is hard to compare.
type Reason string

// The reasons for LOW_QUALITY_SEARCH_IMAGE and LOW_QUALITY_PORTRAIT_IMAGE.
const (
	TooSmall      Reason = "too_small"
	Blurred       Reason = "blurred"
	TooDark       Reason = "too_dark"
	TooBright     Reason = "too_bright"
	LowContrast   Reason = "low_contrast"
	TurnedAway    Reason = "turned_away"
	PartlyCovered Reason = "partly_covered"
	HardToDetect  Reason = "hard_to_detect"
)

// A Flaw is a quality reason with the value that was measured and the limit it crossed.
type Flaw struct {
	Reason Reason
	Value  float64
	Limit  float64
}

// EnrolQuality says what becomes of an enrolment whose face has flaws.
type EnrolQuality string

// What can become of it.
const (
	EnrolRefuse EnrolQuality = "refuse" // nothing is stored
	EnrolWarn   EnrolQuality = "warn"   // it is enrolled, and the answer names the flaws
	EnrolAccept EnrolQuality = "accept" // it is enrolled without a word
)

// Valid reports whether q is one of the three.
func (q EnrolQuality) Valid() bool { return q == EnrolRefuse || q == EnrolWarn || q == EnrolAccept }
