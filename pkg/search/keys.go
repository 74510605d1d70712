package search

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"facesearch/pkg/face"
)

// secretPrefix marks an API key of this server, so that a leaked one is recognised.
const secretPrefix = "fs_"

// BootstrapKeyMin is the least length of a key that the owner chooses, in characters.
const BootstrapKeyMin = 16

// Digest is what is stored of an API key.
func Digest(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// NewSecret makes an API key of 256 random bits.
func NewSecret() string {
	bits := make([]byte, 32)
	rand.Read(bits) // never fails: crypto/rand ends the program rather than return less
	return secretPrefix + base64.RawURLEncoding.EncodeToString(bits)
}

// CreateKey stores a key for a secret that may do everything and never expires, and returns its
// record. CodeInvalid: the secret is too short to be one.
func CreateKey(ctx context.Context, gallery face.Gallery, application, name, secret string) (face.Key, error) {
	return StoreKey(ctx, gallery, face.Key{Application: application, Name: name, Scope: face.ScopeManage}, secret)
}

// StoreKey stores a key of which application, name, scope and expiry are given, and returns it
// whole. CodeInvalid: the secret is too short, or the key has no scope, or expires in the past.
func StoreKey(ctx context.Context, gallery face.Gallery, key face.Key, secret string) (face.Key, error) {
	if err := checkSecret(secret); err != nil {
		return face.Key{}, err
	}
	key.Digest = Digest(secret)
	key.ID = hex.EncodeToString(key.Digest[:4])
	key.CreatedAt = time.Now().UTC()
	if err := checkExpiry(key.ExpiresAt, key.CreatedAt); err != nil {
		return face.Key{}, err
	}
	return key, gallery.CreateKey(ctx, key)
}

func checkExpiry(expires, now time.Time) error {
	if !expires.IsZero() && !expires.After(now) {
		return face.Invalid("A key cannot expire in the past: revoke it instead.")
	}
	return nil
}

// RotateKey makes a new key with the name and scope of another one, which ends at once, or after
// a grace. CodeNotFound: the application has no such key; CodeConflict: it has ended already.
func RotateKey(ctx context.Context, gallery face.Gallery, application, id string, grace time.Duration, secret string) (face.Key, error) {
	keys, err := gallery.Keys(ctx, application)
	if err != nil {
		return face.Key{}, err
	}
	place := slices.IndexFunc(keys, func(key face.Key) bool { return key.ID == id })
	switch {
	case place < 0:
		return face.Key{}, face.NotFound("This application has no key of that ID.")
	case grace < 0:
		return face.Key{}, face.Invalid("The grace of a rotated key is not less than 0.")
	case keys[place].Ended(time.Now()):
		return face.Key{}, face.Conflict("This key has ended already: create a new one.")
	}
	old := keys[place]
	// The new key first: whoever is interrupted has two keys rather than none.
	made, err := StoreKey(ctx, gallery, face.Key{Application: application, Name: old.Name, Scope: old.Scope, ExpiresAt: old.ExpiresAt}, secret)
	if err != nil {
		return face.Key{}, err
	}
	if grace == 0 {
		return made, gallery.RevokeKey(ctx, application, id)
	}
	_, err = gallery.ChangeKey(ctx, application, id, func(key *face.Key) error {
		if end := time.Now().Add(grace).UTC(); key.ExpiresAt.IsZero() || end.Before(key.ExpiresAt) {
			key.ExpiresAt = end
		}
		return nil
	})
	return made, err
}

func checkSecret(secret string) error {
	if len(secret) < BootstrapKeyMin || strings.TrimSpace(secret) != secret {
		return face.Invalid("An API key has at least %d characters and no space around it.", BootstrapKeyMin)
	}
	return nil
}
