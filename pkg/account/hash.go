package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The parameters of argon2id, as OWASP's password storage page recommends them (its second row),
// and the lengths that RFC 9106 recommends, in bytes.
const (
	argonKiB     = 19 * 1024
	argonPasses  = 2
	argonThreads = 1
	saltBytes    = 16
	hashBytes    = 32
)

// A hasher computes one hash at a time, so that many registrations at once take time, and not
// memory.
type hasher chan struct{}

func newHasher() hasher { return make(hasher, 1) }

// hash makes a PHC string of a secret: the algorithm with its parameters, a random salt and the
// hash.
func (h hasher) hash(ctx context.Context, secret string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails: crypto/rand ends the program rather than return less
	sum, err := h.argon(ctx, secret, salt, argonKiB, argonPasses, argonThreads)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonKiB, argonPasses, argonThreads, encode(salt), encode(sum)), nil
}

// matches reports, in constant time, whether a secret is the one that was hashed.
func (h hasher) matches(ctx context.Context, hashed, secret string) (bool, error) {
	parts := strings.Split(hashed, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, errors.New("a stored hash is damaged")
	}
	var kib, passes uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &kib, &passes, &threads); err != nil || kib == 0 || kib > 1<<20 || passes == 0 || threads == 0 {
		return false, errors.New("a stored hash is damaged: its parameters cannot be")
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	want, wantErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || wantErr != nil || len(want) != hashBytes {
		return false, errors.New("a stored hash is damaged")
	}
	got, err := h.argon(ctx, secret, salt, kib, passes, threads)
	return subtle.ConstantTimeCompare(got, want) == 1, err
}

func (h hasher) argon(ctx context.Context, secret string, salt []byte, kib, passes uint32, threads uint8) ([]byte, error) {
	select {
	case h <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h }()
	return argon2.IDKey([]byte(secret), salt, passes, kib, threads, hashBytes), nil
}
