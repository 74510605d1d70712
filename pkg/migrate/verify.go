package migrate

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"facesearch/pkg/face"
)

// A Report is what a check of two stores compared.
type Report struct {
	Applications int `json:"applications"`
	Keys         int `json:"keys"`
	Sessions     int `json:"sessions"`
	Searches     int `json:"saved_searches"`
	Accounts     int `json:"accounts"`
	MediaSecrets int `json:"media_secrets"`
	Sampled      int `json:"sampled"`
}

const (
	// sampleRadius is a distance at which a search finds people other than the one it is made with.
	sampleRadius = 0.7
	sampleList   = 20
	// distanceSlack is what another order of summation may make of a distance.
	distanceSlack = 1e-9
)

// Verify counts everything in both stores, and searches with the templates of about sample
// sessions of each application in both. An error names the first difference.
func Verify(ctx context.Context, from, to Store, sample int) (Report, error) {
	var report Report
	applications, err := from.Applications(ctx)
	if err != nil {
		return report, err
	}
	if err := verifyAudit(ctx, from, to); err != nil {
		return report, err
	}
	if report.MediaSecrets, err = verifySecrets(ctx, from, to); err != nil {
		return report, err
	}
	if report.Accounts, err = verifyAccounts(ctx, from, to); err != nil {
		return report, err
	}
	for _, application := range applications {
		v := verifier{from: from, to: to, application: application.ID, report: &report}
		for _, step := range []func(context.Context) error{v.settings, v.credits, v.keys, v.counts, v.searches} {
			if err := step(ctx); err != nil {
				return report, fmt.Errorf("application %s: %w", application.ID, err)
			}
		}
		if err := v.sample(ctx, sample); err != nil {
			return report, fmt.Errorf("application %s: %w", application.ID, err)
		}
		report.Applications++
	}
	return report, nil
}

type verifier struct {
	from, to    Store
	application string
	report      *Report
	total       int // sessions
}

func (v *verifier) settings(ctx context.Context) error {
	return same(ctx, "the settings", v.from, v.to, func(ctx context.Context, store Store) (face.Settings, error) {
		return store.Settings(ctx, v.application)
	})
}

func (v *verifier) credits(ctx context.Context) error {
	return same(ctx, "the credits", v.from, v.to, func(ctx context.Context, store Store) (int64, error) {
		return store.Credits(ctx, v.application)
	})
}

// same asks both stores the same question.
func same[T comparable](ctx context.Context, what string, from, to Store, ask func(context.Context, Store) (T, error)) error {
	want, err := ask(ctx, from)
	if err != nil {
		return err
	}
	got, err := ask(ctx, to)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s differ: %v in the old store, %v in the new one", what, want, got)
	}
	return nil
}

func (v *verifier) keys(ctx context.Context) error {
	keys, err := v.from.Keys(ctx, v.application)
	if err != nil {
		return err
	}
	there, err := v.to.Keys(ctx, v.application)
	if err != nil {
		return err
	}
	if len(keys) != len(there) {
		return fmt.Errorf("%d keys in the old store, %d in the new one", len(keys), len(there))
	}
	for i := range keys {
		if keys[i].Digest != there[i].Digest || keys[i].RevokedAt.IsZero() != there[i].RevokedAt.IsZero() {
			return fmt.Errorf("key %s is another one in the new store", keys[i].ID)
		}
	}
	v.report.Keys += len(keys)
	return nil
}

func (v *verifier) counts(ctx context.Context) error {
	yes := true
	for what, filter := range map[string]face.SessionFilter{
		"sessions": {}, "blocklisted sessions": {Blocklisted: &yes}, "approved sessions": {Status: face.Approved},
		"sessions in review": {Status: face.InReview}, "declined sessions": {Status: face.Declined},
	} {
		err := same(ctx, "the numbers of "+what, v.from, v.to, func(ctx context.Context, store Store) (int, error) {
			_, total, err := store.Sessions(ctx, v.application, filter)
			if what == "sessions" {
				v.total = total
			}
			return total, err
		})
		if err != nil {
			return err
		}
	}
	v.report.Sessions += v.total
	for what, ask := range map[string]func(context.Context, Store) (uint64, error){
		"the sizes of the gallery": func(ctx context.Context, store Store) (uint64, error) {
			size, err := store.Size(ctx, v.application)
			return uint64(size), err
		},
		"the last session numbers": func(ctx context.Context, store Store) (uint64, error) {
			return store.LastNumber(ctx, v.application)
		},
	} {
		if err := same(ctx, what, v.from, v.to, ask); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) searches(ctx context.Context) error {
	var count int
	err := same(ctx, "the numbers of saved searches", v.from, v.to, func(ctx context.Context, store Store) (int, error) {
		count = 0
		err := store.EachSearch(ctx, v.application, func(face.SavedSearch, face.Picture) error {
			count++
			return nil
		})
		return count, err
	})
	v.report.Searches += count
	return err
}

// sample picks sessions by chance, about as many as were asked for.
func (v *verifier) sample(ctx context.Context, sample int) error {
	share := float64(sample) / float64(max(v.total, 1))
	return v.from.EachSession(ctx, v.application, 0, func(enrolment face.Enrolment) error {
		if rand.Float64() >= share {
			return nil
		}
		v.report.Sampled++
		return v.compare(ctx, enrolment)
	})
}

func (v *verifier) compare(ctx context.Context, enrolment face.Enrolment) error {
	id, number := enrolment.Session.ID, enrolment.Session.Number
	session, err := v.to.Session(ctx, v.application, id)
	if err != nil {
		return fmt.Errorf("session %d: %w", number, err)
	}
	if !sameSession(session, enrolment.Session) {
		return fmt.Errorf("session %d is another one in the new store", number)
	}
	if enrolment.Session.PictureID != "" {
		picture, err := v.to.Picture(ctx, v.application, enrolment.Session.PictureID)
		if err != nil {
			return fmt.Errorf("the picture of session %d: %w", number, err)
		}
		if !bytes.Equal(picture.Data, enrolment.Picture.Data) || picture.ContentType != enrolment.Picture.ContentType {
			return fmt.Errorf("the picture of session %d is another one in the new store", number)
		}
	}
	if enrolment.Template == nil { // it lost it when the gallery changed its model
		return nil
	}
	want, err := v.from.Candidates(ctx, v.application, enrolment.Template, sampleRadius, sampleList)
	if err != nil {
		return err
	}
	got, err := v.to.Candidates(ctx, v.application, enrolment.Template, sampleRadius, sampleList)
	if err != nil {
		return err
	}
	if want.Exact && got.Exact && (got.Total != want.Total || !sameList(got.List, want.List) || !sameList(got.Blocklisted, want.Blocklisted)) {
		return fmt.Errorf("a search with the template of session %d finds others in the new store", number)
	}
	return nil
}

func sameSession(a, b face.Session) bool {
	sameTimes := a.CreatedAt.Equal(b.CreatedAt) && a.VerifiedAt.Equal(b.VerifiedAt)
	a.CreatedAt, a.VerifiedAt = b.CreatedAt, b.VerifiedAt
	return sameTimes && a == b
}

func sameList(a, b []face.Candidate) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Session.ID != b[i].Session.ID || math.Abs(a[i].Distance-b[i].Distance) > distanceSlack {
			return false
		}
	}
	return true
}
