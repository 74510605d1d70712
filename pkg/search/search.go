// Package search holds the use cases: to search a picture, to enrol and to compare one, and to
// manage what is kept. It knows the order of the steps and nothing else; what a step does is
// in the package that it calls.
package search

import (
	"context"
	"encoding/json"
	"image"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
	"facesearch/pkg/policy"
)

// An Engine finds faces and makes templates; pkg/dlib is one.
type Engine interface {
	Find(ctx context.Context, p *photo.Photo, rotate bool) (face.Found, error)
	// Embed reports false when it cannot see a face at the box after all.
	Embed(ctx context.Context, p *photo.Photo, angle int, box image.Rectangle) (face.Embedding, bool, error)
}

// A Describer tells what a face shows; pkg/attributes has one.
type Describer interface {
	Describe(ctx context.Context, embedding face.Embedding, width, score float64) (face.Attributes, error)
}

// Options configures New.
type Options struct {
	// Workers is how many pictures are worked on at once; each has decoded pixels, a detector
	// and a recognizer in memory.
	Workers int
	// WaitingMax is how many further requests may wait for a worker.
	WaitingMax int
	// Confidence maps a detector's score to 0–1.
	Confidence func(score float64) float64
	// Calibration says what distances mean.
	Calibration policy.Calibration
	// Model is what the engine's templates are of; the zero Model stands for DefaultModel.
	Model face.Model
}

// A Service runs the use cases. It is safe for concurrent use.
type Service struct {
	gallery  face.Gallery
	describe Describer
	options  Options
	line     *line
	// embedder is changed by Reembed alone. Whoever makes or compares templates holds the lock for
	// reading from the first to the last step, so that all are of one model.
	embedderMu sync.RWMutex
	embedder   Embedder
	// settingsMu makes changes of settings follow each other.
	settingsMu sync.Mutex
	duplicates *duplicates
}

// New makes a Service over its parts. Close it before the gallery.
func New(gallery face.Gallery, engine Engine, describer Describer, options Options) *Service {
	embedder := Embedder{engine, options.Model, options.Calibration}
	if embedder.Model == (face.Model{}) {
		embedder.Model = face.DefaultModel
	}
	return &Service{
		gallery: gallery, embedder: embedder, describe: describer, options: options,
		line: newLine(options.Workers, options.WaitingMax), duplicates: newDuplicates(),
	}
}

// A Load is how busy a Service is.
type Load struct {
	Working, Waiting int
	Refused          uint64 // because the waiting line was full, since New
}

// Load is that of this moment.
func (s *Service) Load() Load {
	return Load{len(s.line.slots), int(s.line.waiting.Load()), s.line.refused.Load()}
}

// A Step is a part of the work that is timed.
type Step string

// The steps, in order.
const (
	StepWait       Step = "wait"
	StepDecode     Step = "decode"
	StepDetect     Step = "detect"
	StepTemplate   Step = "template"
	StepAttributes Step = "attributes"
	StepIndex      Step = "index"
	StepStore      Step = "store"
)

// Steps lists them in order.
var Steps = []Step{StepWait, StepDecode, StepDetect, StepTemplate, StepAttributes, StepIndex, StepStore}

// Timings says how long each step of one request took.
type Timings map[Step]time.Duration

// timed adds what has passed since started, and returns the time now.
func (t Timings) timed(step Step, started time.Time) time.Time {
	now := time.Now()
	t[step] += now.Sub(started)
	return now
}

// A Request is one picture to search.
type Request struct {
	Picture    []byte
	Rotate     bool
	Save       bool
	VendorData string
	// ByPerson asks for Result.People.
	ByPerson bool
}

// A Match is a session that the probe matched, as it is kept with a saved search: the
// session's own record has the rest.
type Match struct {
	SessionID  string  `json:"session_id"`
	Similarity float64 `json:"similarity"`
	// ExpectedFalseMatches is nil when the settings did not ask for it.
	ExpectedFalseMatches *float64 `json:"expected_false_matches,omitempty"`
}

// An Outcome is what a search found and decided, without what is personal.
type Outcome struct {
	Status   face.Status      `json:"status"`
	Total    int              `json:"total"`
	Matches  []Match          `json:"matches"`
	Faces    []face.Face      `json:"faces"`
	Angle    int              `json:"angle"`
	Warnings []policy.Warning `json:"warnings"`
	// Threshold is the similarity in percent that was in force.
	Threshold float64 `json:"threshold"`
	Exact     bool    `json:"exact"`
}

// A Result answers a Request.
type Result struct {
	RequestID string
	Outcome   Outcome
	// Sessions are those of the outcome's matches, in the same order.
	Sessions []face.Session
	// Saved is what is kept of a search that is shown again, nil for one that was just made.
	Saved *face.SavedSearch
	// People are all matches, listed or not, by person; nil when they were not asked for. They
	// are not kept with a saved search.
	People  []policy.Person
	Timings Timings
}

// Search finds who in the application's gallery the largest face of a picture looks like.
// CodeInvalid: the picture cannot be used, or too many sessions match to be grouped by person;
// CodeInsufficientCredits: they are metered and used up; CodeBusy: try again. A picture without a face is no error: it is declined.
func (s *Service) Search(ctx context.Context, application string, request Request) (Result, error) {
	s.embedderMu.RLock()
	defer s.embedderMu.RUnlock()
	result := Result{RequestID: uuid.NewString(), Timings: Timings{}}
	settings, err := s.gallery.Settings(ctx, application)
	if err != nil {
		return Result{}, err
	}
	if err := s.solvent(ctx, application, settings); err != nil {
		return Result{}, err
	}
	seen, err := s.see(ctx, request.Picture, request.Rotate, result.Timings)
	if err != nil {
		return Result{}, err
	}
	started := time.Now()
	evidence := policy.Evidence{Faces: seen.faces, Candidates: face.Candidates{Exact: true}, ByPerson: request.ByPerson}
	threshold := 0.0
	if seen.template != nil {
		evidence.Flaws = seen.flaws
		if threshold, err = s.find(ctx, application, settings, seen.template, &evidence); err != nil {
			return Result{}, err
		}
	} else if threshold, err = s.threshold(ctx, application, settings); err != nil {
		return Result{}, err
	}
	decision := policy.Decide(settings, s.embedder.Calibration, evidence)
	result.People = decision.People
	result.Outcome, result.Sessions = outcome(decision, seen, threshold, evidence.Candidates.Exact)
	started = result.Timings.timed(StepIndex, started)
	err = s.charged(ctx, application, settings, func() error {
		if !request.Save {
			return nil
		}
		return s.save(ctx, application, request, result, seen, settings.KeepPicture)
	})
	if err != nil {
		return Result{}, err
	}
	result.Timings.timed(StepStore, started)
	return result, nil
}

// threshold is the similarity in force, in percent.
func (s *Service) threshold(ctx context.Context, application string, settings face.Settings) (float64, error) {
	if settings.SimilarityThreshold != 0 {
		return settings.SimilarityThreshold, nil
	}
	people, err := s.gallery.Size(ctx, application)
	if err != nil {
		return 0, err
	}
	return s.embedder.Calibration.AutoThreshold(people, settings.ExpectedFalseMatches), nil
}

func outcome(decision policy.Decision, seen *sight, threshold float64, exact bool) (Outcome, []face.Session) {
	result := Outcome{
		Status: decision.Status, Total: decision.Total, Matches: []Match{}, Faces: seen.faces,
		Angle: seen.angle, Warnings: decision.Warnings, Threshold: threshold, Exact: exact,
	}
	var sessions []face.Session
	for _, match := range decision.Matches {
		result.Matches = append(result.Matches, Match{match.Session.ID, match.Similarity, match.Expected})
		sessions = append(sessions, match.Session)
	}
	return result, sessions
}

func (s *Service) save(ctx context.Context, application string, request Request, result Result, seen *sight, keep face.KeepPicture) error {
	kept, err := json.Marshal(result.Outcome)
	if err != nil {
		return err
	}
	search := face.SavedSearch{
		ID: result.RequestID, CreatedAt: time.Now().UTC(), VendorData: request.VendorData,
		Status: result.Outcome.Status, Result: kept, Template: seen.template, Model: s.embedder.Model.ID,
	}
	picture, err := seen.keep(keep, request.Picture)
	if err != nil {
		return err
	}
	if len(picture.Data) > 0 {
		search.PictureID = uuid.NewString()
	}
	return s.gallery.SaveSearch(ctx, application, search, picture)
}

// sight is what was seen in one picture.
type sight struct {
	photo *photo.Photo
	angle int
	faces []face.Face // largest first
	// Of the largest face, the one that is searched; nil and empty when there is none:
	template face.Template
	flaws    []face.Flaw
	box      image.Rectangle // in decoded pixels of the turned picture
}

// see decodes a picture and looks at its faces, holding one worker's slot.
func (s *Service) see(ctx context.Context, picture []byte, rotate bool, timings Timings) (*sight, error) {
	started := time.Now()
	leave, err := s.line.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	started = timings.timed(StepWait, started)
	decoded, err := photo.Decode(picture)
	if err != nil {
		return nil, err
	}
	started = timings.timed(StepDecode, started)
	found, err := s.embedder.Engine.Find(ctx, decoded, rotate)
	if err != nil {
		return nil, err
	}
	timings.timed(StepDetect, started)
	seen := &sight{photo: decoded, angle: found.Angle, faces: []face.Face{}}
	for _, detection := range found.Faces {
		if err := s.look(ctx, seen, detection, timings); err != nil {
			return nil, err
		}
	}
	if len(seen.faces) == 0 {
		seen.angle = 0 // no turn was right
	}
	return seen, nil
}

// look adds one face, unless the embedding model cannot see it: then it is none.
func (s *Service) look(ctx context.Context, seen *sight, detection face.Detection, timings Timings) error {
	started := time.Now()
	embedding, ok, err := s.embedder.Engine.Embed(ctx, seen.photo, seen.angle, detection.Box)
	if err != nil || !ok {
		return err
	}
	started = timings.timed(StepTemplate, started)
	box := originalBox(seen.photo, detection.Box, seen.angle)
	shown, err := s.describe.Describe(ctx, embedding, float64(detection.Box.Dx())*seen.photo.Scale(), detection.Score)
	if err != nil {
		return err
	}
	timings.timed(StepAttributes, started)
	if seen.template == nil {
		seen.template, seen.flaws, seen.box = embedding.Template, shown.Flaws, detection.Box
	}
	seen.faces = append(seen.faces, face.Face{
		Box: box, Score: detection.Score, Confidence: s.options.Confidence(detection.Score),
		Age: &shown.Age, Gender: shown.Gender,
	})
	return nil
}

// originalBox turns a box of decoded pixels into one of original pixels, both in the picture
// turned by the angle: from the first to the last pixel, inside the bounds.
func originalBox(p *photo.Photo, box image.Rectangle, angle int) image.Rectangle {
	bounds := photo.TurnedBounds(image.Rect(0, 0, p.Width, p.Height), angle)
	scale := func(v int) int { return int(math.Round(float64(v) * p.Scale())) }
	clamp := func(v, most int) int { return min(max(v, 0), most) }
	return image.Rectangle{
		Min: image.Pt(clamp(scale(box.Min.X), bounds.Dx()-1), clamp(scale(box.Min.Y), bounds.Dy()-1)),
		Max: image.Pt(clamp(scale(box.Max.X)-1, bounds.Dx()-1), clamp(scale(box.Max.Y)-1, bounds.Dy()-1)),
	}
}

// What is kept of a face: half a face of room on each side, at most keptSideMax pixels wide,
// enough to judge by eye and to make a template of again.
const (
	keptMargin  = 0.5
	keptSideMax = 480 // px
	keptQuality = 90  // of the JPEG
)

// keep makes the picture that is kept. Without a face there is none to cut, and only the
// original can be kept.
func (seen *sight) keep(what face.KeepPicture, original []byte) (face.Picture, error) {
	switch {
	case what == face.KeepOriginal:
		return face.Picture{ContentType: "image/" + string(seen.photo.Format), Data: original}, nil
	case what == face.KeepNothing || seen.template == nil:
		return face.Picture{}, nil
	}
	room := int(math.Round(float64(seen.box.Dx()) * keptMargin))
	data, err := photo.JPEGOf(seen.photo, seen.box.Inset(-room), seen.angle, keptSideMax, keptQuality)
	return face.Picture{ContentType: "image/jpeg", Data: data}, err
}
