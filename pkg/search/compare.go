package search

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// A CompareRequest is two pictures of which one wants to know whether they show one person.
type CompareRequest struct {
	User, Reference []byte
	Rotate          bool
	DeclineBelow    float64 // similarity in percent
}

// A Seen is what was found in one picture.
type Seen struct {
	Faces []face.Face // largest first
	Angle int
}

// A CompareResult answers a CompareRequest.
type CompareResult struct {
	RequestID       string
	Comparison      policy.Comparison
	User, Reference Seen
	Timings         Timings
}

// Compare compares the largest faces of two pictures. Nothing is kept. CodeInvalid: a picture
// cannot be used; CodeInsufficientCredits: they are metered and used up; CodeBusy: try again.
func (s *Service) Compare(ctx context.Context, application string, request CompareRequest) (CompareResult, error) {
	s.embedderMu.RLock()
	defer s.embedderMu.RUnlock()
	result := CompareResult{RequestID: uuid.NewString(), Timings: Timings{}}
	settings, err := s.gallery.Settings(ctx, application)
	if err != nil {
		return CompareResult{}, err
	}
	if err := s.solvent(ctx, application, settings); err != nil {
		return CompareResult{}, err
	}
	// One after the other: a request that held one worker while it waited for a second could
	// wait for another request that does the same.
	user, err := s.see(ctx, request.User, request.Rotate, result.Timings)
	if err != nil {
		return CompareResult{}, inPicture("user_image", err)
	}
	reference, err := s.see(ctx, request.Reference, request.Rotate, result.Timings)
	if err != nil {
		return CompareResult{}, inPicture("ref_image", err)
	}
	result.User, result.Reference = Seen{user.faces, user.angle}, Seen{reference.faces, reference.angle}
	result.Comparison = policy.Compare(s.embedder.Calibration, request.DeclineBelow,
		policy.Side{Name: "user_image", Faces: len(user.faces), Template: user.template},
		policy.Side{Name: "ref_image", Faces: len(reference.faces), Template: reference.template})
	if err := s.charged(ctx, application, settings, func() error { return nil }); err != nil {
		return CompareResult{}, err
	}
	return result, nil
}

// inPicture says which of two pictures cannot be used.
func inPicture(name string, err error) error {
	if face.CodeOf(err) != face.CodeInvalid {
		return err
	}
	var refusal *face.Error
	if !errors.As(err, &refusal) {
		return err
	}
	return &face.Error{Code: refusal.Code, Detail: name + ": " + refusal.Detail, Cause: refusal.Cause}
}
