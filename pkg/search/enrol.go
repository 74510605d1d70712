package search

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
)

// An EnrolRequest is one verified person's picture with what is known of the person.
type EnrolRequest struct {
	Picture    []byte
	SessionID  string // a UUID; empty: the server chooses one
	VendorData string
	Details    face.Details
	Status     face.Status // empty: Approved
	// VerifiedAt is now when zero.
	VerifiedAt time.Time
}

// An EnrolResult answers an EnrolRequest.
type EnrolResult struct {
	Session face.Session
	// Created is false when the same content was enrolled under the same ID before.
	Created bool
	Timings Timings
}

// Enrol adds a picture with exactly one face to the application's gallery. CodeInvalid: the
// picture cannot be used, or shows no face or several; CodeConflict: the session ID is taken
// by other content; CodeBusy: try again.
func (s *Service) Enrol(ctx context.Context, application string, request EnrolRequest) (EnrolResult, error) {
	result := EnrolResult{Timings: Timings{}}
	if request.Status == "" {
		request.Status = face.Approved
	}
	print, err := fingerprint(request)
	if err != nil {
		return EnrolResult{}, err
	}
	session, known, err := s.known(ctx, application, request.SessionID, print)
	if err != nil {
		return EnrolResult{}, err
	}
	if known {
		result.Session = session
		return result, nil
	}
	seen, err := s.see(ctx, request.Picture, false, result.Timings)
	if err != nil {
		return EnrolResult{}, err
	}
	switch len(seen.faces) {
	case 0:
		return EnrolResult{}, face.Invalid("No face was found in portrait_image: send a picture in which one face is large, upright and well lit.")
	case 1:
	default:
		return EnrolResult{}, face.Invalid("%d faces were found in portrait_image: send a picture of one person alone.", len(seen.faces))
	}
	started := time.Now()
	settings, err := s.gallery.Settings(ctx, application)
	if err != nil {
		return EnrolResult{}, err
	}
	enrolment, err := newEnrolment(request, print, seen, settings.KeepPicture)
	if err != nil {
		return EnrolResult{}, err
	}
	result.Session, result.Created, err = s.gallery.Enrol(ctx, application, enrolment)
	result.Timings.timed(StepStore, started)
	return result, err
}

// known looks for what was enrolled under the same ID before: an import is resumed by sending
// everything again, and its pictures need not be looked at twice. CodeConflict: the ID is
// taken by other content.
func (s *Service) known(ctx context.Context, application, id, print string) (session face.Session, known bool, err error) {
	if id == "" {
		return session, false, nil
	}
	session, err = s.gallery.Session(ctx, application, id)
	switch {
	case face.CodeOf(err) == face.CodeNotFound:
		return face.Session{}, false, nil
	case err != nil:
		return face.Session{}, false, err
	case session.Fingerprint != print:
		return face.Session{}, false, face.Conflict("There is a session with this session_id already, with other content.")
	}
	return session, true, nil
}

func newEnrolment(request EnrolRequest, print string, seen *sight, keep face.KeepPicture) (face.Enrolment, error) {
	now := time.Now().UTC()
	session := face.Session{
		ID: request.SessionID, Status: request.Status, VendorData: request.VendorData,
		Details: request.Details, VerifiedAt: request.VerifiedAt.UTC(), CreatedAt: now, Fingerprint: print,
	}
	if session.ID == "" {
		session.ID = uuid.NewString()
	}
	if request.VerifiedAt.IsZero() {
		session.VerifiedAt = now
	}
	picture, err := seen.keep(keep, request.Picture)
	if err != nil {
		return face.Enrolment{}, err
	}
	if len(picture.Data) > 0 {
		session.PictureID = uuid.NewString()
	}
	return face.Enrolment{Session: session, Template: *seen.template, Picture: picture}, nil
}

// fingerprint is the SHA-256 over everything that the caller sent.
func fingerprint(request EnrolRequest) (string, error) {
	data, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
