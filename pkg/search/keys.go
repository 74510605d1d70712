package search

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/google/uuid"

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

// CreateKey stores a key for a secret and returns its record. CodeInvalid: the secret is too
// short to be one.
func CreateKey(ctx context.Context, gallery face.Gallery, application, name, secret string) (face.Key, error) {
	if err := checkSecret(secret); err != nil {
		return face.Key{}, err
	}
	digest := Digest(secret)
	key := face.Key{
		ID: hex.EncodeToString(digest[:4]), Application: application, Name: name,
		Digest: digest, CreatedAt: time.Now().UTC(),
	}
	return key, gallery.CreateKey(ctx, key)
}

func checkSecret(secret string) error {
	if len(secret) < BootstrapKeyMin || strings.TrimSpace(secret) != secret {
		return face.Invalid("An API key has at least %d characters and no space around it.", BootstrapKeyMin)
	}
	return nil
}

// Bootstrap makes the first application and its key when the store has none. made is false,
// and the rest empty, when there is one already. An empty secret stands for a random one.
func Bootstrap(ctx context.Context, gallery face.Gallery, secret string) (application face.Application, key string, made bool, err error) {
	applications, err := gallery.Applications(ctx)
	if err != nil || len(applications) > 0 {
		return face.Application{}, "", false, err
	}
	if secret == "" {
		secret = NewSecret()
	}
	// An application without a key would be there for good, and the next start would make none.
	if err := checkSecret(secret); err != nil {
		return face.Application{}, "", false, err
	}
	application = face.Application{ID: uuid.NewString(), Name: "default", CreatedAt: time.Now().UTC()}
	if err := gallery.CreateApplication(ctx, application); err != nil {
		return face.Application{}, "", false, err
	}
	_, err = CreateKey(ctx, gallery, application.ID, "first", secret)
	return application, secret, err == nil, err
}
