package face

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"
)

// An AccountName is what the account of an e-mail address is found by, and hides the address from
// whoever does not have the secret.
type AccountName [sha256.Size]byte

// NameAccount hides an e-mail address.
func NameAccount(secret []byte, email string) (name AccountName) {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("account/v1\x00" + email))
	mac.Sum(name[:0])
	return name
}

// An Account is somebody who registered. It does not hold the e-mail address: a Gallery finds
// it by a keyed hash of that, and keeps nothing else of it.
type Account struct {
	CreatedAt time.Time `json:"created_at"`
	// Password is the hash of the password as a PHC string, which names its parameters.
	Password string `json:"password"`
	// Code is the hash of the one-time code in the same form; empty when there is none to verify.
	Code string `json:"code"`
	// CodeExpiresAt ends the code, and CodeTries counts how often it was tried.
	CodeExpiresAt time.Time `json:"code_expires_at"`
	CodeTries     int       `json:"code_tries"`
	// Application is the one that was made for the account, or is about to be.
	Application string `json:"application"`
	// VerifiedAt is zero until the address was verified.
	VerifiedAt time.Time `json:"verified_at"`
	// ForgetAt is when the account is as good as not there any more; zero: never.
	ForgetAt time.Time `json:"forget_at"`
}
