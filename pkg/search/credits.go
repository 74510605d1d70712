package search

import (
	"context"
	"errors"

	"facesearch/pkg/face"
)

// solvent refuses a request that could not be paid for, before any work is done for it.
// Where credits are not metered it reads nothing.
func (s *Service) solvent(ctx context.Context, application string, settings face.Settings) error {
	if !settings.CreditsMetered {
		return nil
	}
	credits, err := s.gallery.Credits(ctx, application)
	if err == nil && credits < 1 {
		err = face.InsufficientCredits()
	}
	return err
}

// charged takes one credit, keeps the answer, and gives the credit back when that fails. Only
// taking it decides: of several requests that were all found solvent, as many are answered as
// there are credits. A process that ends between the two steps has taken a credit for an
// answer that nobody got; never is an answer given that was not paid for.
// Where credits are not metered nothing is written.
func (s *Service) charged(ctx context.Context, application string, settings face.Settings, keep func() error) error {
	if !settings.CreditsMetered {
		return keep()
	}
	if _, err := s.gallery.Charge(ctx, application, 1); err != nil {
		return err
	}
	err := keep()
	if err != nil {
		// Also when the client has gone away, which is what may have failed.
		_, back := s.gallery.Charge(context.WithoutCancel(ctx), application, -1)
		err = errors.Join(err, back)
	}
	return err
}
