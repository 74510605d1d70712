package search

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// An EnrolRequest is one verified person's picture with what is known of the person. Its
// fingerprint is stored, so a field that is added must be left out when it is empty.
type EnrolRequest struct {
	Picture []byte
	// RequestID names a saved search, whose face is enrolled instead of a picture's.
	RequestID  string `json:",omitempty"`
	SessionID  string // a UUID; empty: the server chooses one
	VendorData string // empty: that of the saved search
	Details    face.Details
	Status     face.Status // empty: Approved
	// Blocklisted sessions are in the gallery whatever their status.
	Blocklisted bool   `json:",omitempty"`
	Comment     string `json:",omitempty"`
	// VerifiedAt is now when zero.
	VerifiedAt time.Time
	// PictureName is what the sender calls the picture, for refusals.
	PictureName string `json:"-"`
}

// An EnrolResult answers an EnrolRequest.
type EnrolResult struct {
	Session face.Session
	// Created is false when the same content was enrolled under the same ID before.
	Created bool
	// Warnings are empty when it was not created: its picture was not looked at again.
	Warnings []policy.Warning
	Timings  Timings
}

// Enrol adds a picture with exactly one face, or the face of a saved search, to the
// application's gallery. CodeInvalid: the picture cannot be used, or shows no face or several,
// or one that the settings refuse for its quality;
// CodeNotFound: there is no such search; CodeConflict: the session ID is taken by other
// content, or the search was made with another embedding model; CodeBusy: try again.
func (s *Service) Enrol(ctx context.Context, application string, request EnrolRequest) (EnrolResult, error) {
	s.embedderMu.RLock()
	defer s.embedderMu.RUnlock()
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
	settings, err := s.gallery.Settings(ctx, application)
	if err != nil {
		return EnrolResult{}, err
	}
	enrolment := newEnrolment(request, print)
	if request.RequestID != "" {
		result.Warnings, err = s.fromSearch(ctx, application, request, settings, &enrolment)
	} else {
		result.Warnings, err = s.fromPicture(ctx, request, settings, result.Timings, &enrolment)
	}
	if err != nil {
		return EnrolResult{}, err
	}
	if len(enrolment.Picture.Data) > 0 {
		enrolment.Session.PictureID = uuid.NewString()
	}
	started := time.Now()
	result.Session, result.Created, err = s.gallery.Enrol(ctx, application, enrolment)
	result.Timings.timed(StepStore, started)
	return result, err
}

// fromPicture adds the template of the one face in the request's picture, and what is kept.
func (s *Service) fromPicture(ctx context.Context, request EnrolRequest, settings face.Settings, timings Timings, enrolment *face.Enrolment) ([]policy.Warning, error) {
	seen, err := s.see(ctx, request.Picture, false, timings)
	if err != nil {
		return nil, err
	}
	name := cmp.Or(request.PictureName, "the picture")
	if err := oneFace(len(seen.faces), name); err != nil {
		return nil, err
	}
	warnings, err := policy.Enrolment(settings.EnrolQuality, policy.Describe(seen.flaws), name)
	if err != nil {
		return nil, err
	}
	enrolment.Template = seen.template
	enrolment.Picture, err = seen.keep(settings.KeepPicture, request.Picture)
	return warnings, err
}

// fromSearch adds the template of a saved search, and the picture that was kept of it, as it
// was kept then.
func (s *Service) fromSearch(ctx context.Context, application string, request EnrolRequest, settings face.Settings, enrolment *face.Enrolment) ([]policy.Warning, error) {
	saved, err := s.gallery.SavedSearch(ctx, application, request.RequestID)
	if err != nil {
		return nil, err
	}
	var searched Outcome
	if err := json.Unmarshal(saved.Result, &searched); err != nil {
		return nil, fmt.Errorf("a saved search is damaged: %w", err)
	}
	faces := len(searched.Faces)
	if saved.Template == nil {
		faces = 0
	}
	const name = "the picture of that search"
	if err := oneFace(faces, name); err != nil {
		return nil, err
	}
	warnings, err := policy.Enrolment(settings.EnrolQuality, policy.Flaws(searched.Warnings), name)
	if err != nil {
		return nil, err
	}
	if cmp.Or(saved.Model, face.DefaultModel.ID) != s.embedder.Model.ID {
		return nil, face.Conflict("The search was made with another embedding model than the one in use now: enrol the person from a picture.")
	}
	enrolment.Template = saved.Template
	// What is kept of a person is erased with his vendor_data, so the session is his as well.
	if enrolment.Session.VendorData == "" {
		enrolment.Session.VendorData = saved.VendorData
	}
	if settings.KeepPicture == face.KeepNothing || saved.PictureID == "" {
		return warnings, nil
	}
	enrolment.Picture, err = s.gallery.Picture(ctx, application, saved.PictureID)
	return warnings, err
}

// oneFace refuses a picture that does not show one person alone.
func oneFace(faces int, picture string) error {
	switch faces {
	case 0:
		return face.Invalid("No face was found in %s: send a picture in which one face is large, upright and well lit.", picture)
	case 1:
		return nil
	}
	return face.Invalid("%d faces were found in %s: send a picture of one person alone.", faces, picture)
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

// newEnrolment has all but the template and the picture.
func newEnrolment(request EnrolRequest, print string) face.Enrolment {
	now := time.Now().UTC()
	session := face.Session{
		ID: request.SessionID, Status: request.Status, Blocklisted: request.Blocklisted, VendorData: request.VendorData,
		Details: request.Details, Comment: request.Comment, VerifiedAt: request.VerifiedAt.UTC(), CreatedAt: now, Fingerprint: print,
	}
	if session.ID == "" {
		session.ID = uuid.NewString()
	}
	if request.VerifiedAt.IsZero() {
		session.VerifiedAt = now
	}
	return face.Enrolment{Session: session}
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
