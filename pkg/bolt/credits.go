package bolt

import (
	"context"
	"encoding/binary"
	"errors"

	"facesearch/pkg/face"
)

// creditsKey holds an application's credits, 8 bytes big-endian; there is none before the first.
var creditsKey = []byte("credits")

// Credits implements face.Gallery.
func (s *Store) Credits(ctx context.Context, application string) (credits int64, err error) {
	err = s.view(ctx, application, func(r records) (err error) {
		credits, err = r.credits()
		return err
	})
	return credits, err
}

// AddCredits implements face.Gallery.
func (s *Store) AddCredits(ctx context.Context, application string, added int64) (balance int64, err error) {
	return s.changeCredits(ctx, application, added, func(r records, balance int64) error {
		if added == 0 {
			return nil
		}
		_, err := r.audit(ctx, face.AuditCredits, "", face.CreditsDetail(added, balance))
		return err
	})
}

// Charge implements face.Gallery.
func (s *Store) Charge(ctx context.Context, application string, credits int64) (balance int64, err error) {
	return s.changeCredits(ctx, application, -credits, func(records, int64) error { return nil })
}

func (s *Store) changeCredits(ctx context.Context, application string, added int64, note func(r records, balance int64) error) (balance int64, err error) {
	err = s.update(ctx, application, func(r records) error {
		credits, err := r.credits()
		if err != nil {
			return err
		}
		if balance, err = face.CreditsAfter(credits, added); err != nil {
			return err
		}
		if err := note(r, balance); err != nil {
			return err
		}
		return r.Bucket.Put(creditsKey, binary.BigEndian.AppendUint64(nil, uint64(balance)))
	}, nil)
	if err != nil {
		return 0, err
	}
	return balance, nil
}

func (r records) credits() (int64, error) {
	value := r.Bucket.Get(creditsKey)
	if value == nil {
		return 0, nil
	}
	if len(value) != 8 || binary.BigEndian.Uint64(value) > uint64(face.CreditsLimit) {
		return 0, errors.New("the credits in the store are damaged")
	}
	return int64(binary.BigEndian.Uint64(value)), nil
}
