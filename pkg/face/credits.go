package face

// CreditsLimit is the most credits that an application can have. It is exact in a JSON number.
const CreditsLimit int64 = 1_000_000_000_000

// CreditsAfter is what credits become when some are added, or taken away when added is
// negative. CodeInsufficientCredits: less than 0; CodeInvalid: more than CreditsLimit.
func CreditsAfter(credits, added int64) (int64, error) {
	switch {
	case added > CreditsLimit-credits: // asked this way round, nothing overflows
		return credits, Invalid("An application has at most %d credits, and this one has %d.", CreditsLimit, credits)
	case added < -credits:
		return credits, InsufficientCredits()
	}
	return credits + added, nil
}

// InsufficientCredits is an Error with CodeInsufficientCredits.
func InsufficientCredits() *Error {
	return &Error{
		Code:   CodeInsufficientCredits,
		Detail: "The application has no credits left: top them up, or let the server's owner run facesearch credits add.",
	}
}
