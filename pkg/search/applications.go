package search

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
)

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
	id, err := firstApplication(ctx, gallery)
	if err != nil {
		return face.Application{}, "", false, err
	}
	application, err = createApplication(ctx, gallery, id, "default", secret)
	if face.CodeOf(err) == face.CodeConflict { // by another server of the same store, at this moment
		return face.Application{}, "", false, nil
	}
	return application, secret, err == nil, err
}

// CreateApplication makes an application and its first key, which may do everything.
func CreateApplication(ctx context.Context, gallery face.Gallery, name, secret string) (face.Application, error) {
	if err := checkSecret(secret); err != nil {
		return face.Application{}, err
	}
	return createApplication(ctx, gallery, uuid.NewString(), name, secret)
}

// firstApplication is an ID that servers which begin at once on one store agree on, so that only
// one of them makes the application.
func firstApplication(ctx context.Context, gallery face.Gallery) (string, error) {
	key, err := gallery.ReceiptKey(ctx)
	if err != nil {
		return "", err
	}
	return uuid.NewSHA1(uuid.NameSpaceOID, append([]byte("first application/v1\x00"), key.Public().(ed25519.PublicKey)...)).String(), nil
}

func createApplication(ctx context.Context, gallery face.Gallery, id, name, secret string) (face.Application, error) {
	application := face.Application{ID: id, Name: name, CreatedAt: time.Now().UTC()}
	if err := gallery.CreateApplication(ctx, application); err != nil {
		return face.Application{}, err
	}
	_, err := CreateKey(ctx, gallery, application.ID, "first", secret)
	return application, err
}

// DevKey is the fixed key of serve --dev. Everybody knows it, so that no server accepts it that
// does not run with --dev.
const DevKey = "facesearch-dev-key-not-a-secret"

// EnsureDevKey makes DevKey in the oldest application, unless it is there. CodeConflict: it was
// revoked.
func EnsureDevKey(ctx context.Context, gallery face.Gallery) error {
	_, err := gallery.KeyByDigest(ctx, Digest(DevKey))
	if face.CodeOf(err) != face.CodeUnauthorized {
		return err
	}
	applications, err := gallery.Applications(ctx)
	if err != nil {
		return err
	}
	if len(applications) == 0 {
		_, err = CreateApplication(ctx, gallery, "default", DevKey)
	} else {
		_, err = CreateKey(ctx, gallery, applications[0].ID, "dev", DevKey)
	}
	if face.CodeOf(err) == face.CodeConflict {
		return face.Conflict("The development key was revoked in this store: use another --data for --dev.")
	}
	return err
}
