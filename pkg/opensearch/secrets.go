package opensearch

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"time"

	"facesearch/pkg/face"
)

const secretBytes = 32

// A secretBody is in one record that is made with the store. The cluster keeps it in the clear, as
// it does everything else.
type secretBody face.Secrets

func (b secretBody) whole() bool {
	for _, each := range b.Media {
		if len(each.Secret) != secretBytes {
			return false
		}
	}
	return len(b.Accounts) == secretBytes && len(b.Receipt) == ed25519.SeedSize && len(b.Media) > 0
}

func newSecret() []byte {
	secret := make([]byte, secretBytes)
	rand.Read(secret) // never fails: crypto/rand ends the program rather than return less
	return secret
}

// loadSecrets makes the secrets with the store. Of several servers that begin at once, one does.
func (s *Store) loadSecrets(ctx context.Context) error {
	first := secretBody{newSecret(), newSecret(), []face.MediaSecret{{Secret: newSecret(), Since: time.Now().UTC()}}}
	if err := s.createRecord(ctx, kindSecret, "", "", first); err != nil && !errors.Is(err, errTaken) {
		return err
	}
	body, err := s.secrets(ctx)
	s.accountSecret, s.receiptSeed = body.Accounts, body.Receipt
	return err
}

func (s *Store) secrets(ctx context.Context) (secretBody, error) {
	var body secretBody
	_, _, err := s.getRecord(ctx, kindSecret, "", "", &body)
	if err == nil && !body.whole() {
		err = errors.New("the store's secrets are damaged")
	}
	return body, err
}

// MediaSecrets implements face.Gallery. Another server's rotation is seen after cacheLife.
func (s *Store) MediaSecrets(ctx context.Context) ([]face.MediaSecret, error) {
	media, err := s.media.get(struct{}{}, func() ([]face.MediaSecret, error) {
		ctx, cancel, err := s.bounded(ctx)
		if err != nil {
			return nil, err
		}
		defer cancel()
		body, err := s.secrets(ctx)
		return body.Media, err
	})
	list := slices.Clone(media)
	for i := range list {
		list[i].Secret = slices.Clone(list[i].Secret)
	}
	return list, err
}

// RotateMediaSecret implements face.Gallery.
func (s *Store) RotateMediaSecret(ctx context.Context, revoke bool) error {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	err = changeRecord(ctx, s, kindSecret, "", "", func(body *secretBody, _ bool) error {
		if !body.whole() {
			return errors.New("the store's secrets are damaged")
		}
		now := time.Now().UTC()
		secrets, replaced := []face.MediaSecret{{Secret: newSecret(), Since: now}}, now
		for _, each := range body.Media {
			if !revoke && now.Before(replaced.Add(face.MediaLife)) {
				secrets = append(secrets, each)
			}
			replaced = each.Since
		}
		body.Media = secrets
		return nil
	})
	s.media.forget()
	if err != nil {
		return err
	}
	_, err = s.audit(ctx, "", face.AuditSecret, "", face.AuditDetail("revoke", strconv.FormatBool(revoke)))
	return err
}

// ReceiptKey implements face.Gallery.
func (s *Store) ReceiptKey(context.Context) (ed25519.PrivateKey, error) {
	return ed25519.NewKeyFromSeed(s.receiptSeed), nil
}
