package opensearch

import (
	"context"

	"facesearch/pkg/face"
)

// creditsBody is what an application has to spend.
type creditsBody struct {
	Credits int64 `json:"credits"`
}

// Credits implements face.Gallery.
func (s *Store) Credits(ctx context.Context, application string) (int64, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return 0, err
	}
	defer cancel()
	var body creditsBody
	_, _, err = s.getRecord(ctx, kindCredits, application, "", &body)
	return body.Credits, err
}

// AddCredits implements face.Gallery.
func (s *Store) AddCredits(ctx context.Context, application string, added int64) (int64, error) {
	return s.changeCredits(ctx, application, added, func(ctx context.Context, application string, balance int64) error {
		if added == 0 {
			return nil
		}
		_, err := s.audit(ctx, application, face.AuditCredits, "", face.CreditsDetail(added, balance))
		return err
	})
}

// Charge implements face.Gallery.
func (s *Store) Charge(ctx context.Context, application string, credits int64) (int64, error) {
	return s.changeCredits(ctx, application, -credits, func(context.Context, string, int64) error { return nil })
}

func (s *Store) changeCredits(ctx context.Context, application string, added int64, note func(ctx context.Context, application string, balance int64) error) (balance int64, err error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return 0, err
	}
	defer cancel()
	register := s.register(application)
	register.credits.Lock()
	defer register.credits.Unlock()
	err = changeRecord(ctx, s, kindCredits, application, "", func(body *creditsBody, _ bool) (err error) {
		balance, err = face.CreditsAfter(body.Credits, added)
		body.Credits = balance
		return err
	})
	if err == nil {
		err = note(ctx, application, balance)
	}
	if err != nil {
		return 0, err
	}
	return balance, nil
}
