package search

import (
	"context"
	"time"

	"facesearch/pkg/face"
)

// Erase erases a session or a saved search. CodeNotFound: the application has none of that ID.
func (s *Service) Erase(ctx context.Context, application, id string) (face.Receipt, error) {
	erasure, err := s.gallery.Erase(ctx, application, []string{id})
	if err != nil {
		return face.Receipt{}, err
	}
	return s.sign(ctx, erasure.Entry)
}

// EraseOwners erases every session and saved search of some people.
func (s *Service) EraseOwners(ctx context.Context, application string, vendorData []string) (face.Receipt, error) {
	erasure, err := s.gallery.EraseOwners(ctx, application, vendorData)
	if err != nil {
		return face.Receipt{}, err
	}
	return s.sign(ctx, erasure.Entry)
}

func (s *Service) sign(ctx context.Context, entry face.AuditEntry) (face.Receipt, error) {
	key, err := s.gallery.ReceiptKey(ctx)
	if err != nil {
		return face.Receipt{}, err
	}
	return face.NewReceipt(entry, key)
}

// Receipt gives out the receipt of an erasure again, by the number of its entry in the audit
// log; also that of one that retention made. CodeNotFound: the entry is not the application's,
// or not that of an erasure.
func (s *Service) Receipt(ctx context.Context, application string, number int) (face.Receipt, error) {
	list, _, err := s.gallery.AuditWhole(ctx, face.AuditPage{Offset: number - 1, Limit: 1, OldestFirst: true})
	if err != nil {
		return face.Receipt{}, err
	}
	if len(list) == 0 || list[0].Application != application {
		return face.Receipt{}, face.NotFound("The audit log of this application has no entry of that number.")
	}
	return s.sign(ctx, list[0])
}

// retentionStep is how many sessions, and how many searches, are erased in one transaction, so
// that other writers need not wait for long.
const retentionStep = 200

// Retain erases what is older than the settings of its application allow, and counts it. now
// is the time to reckon from.
func Retain(ctx context.Context, gallery face.Gallery, now time.Time) (sessions, searches int, err error) {
	ctx = face.WithActor(ctx, face.RetentionActor)
	applications, err := gallery.Applications(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, application := range applications {
		settings, err := gallery.Settings(ctx, application.ID)
		if err != nil {
			return sessions, searches, err
		}
		for more := true; more; {
			erased, err := gallery.EraseBefore(ctx, application.ID, daysBefore(now, settings.SessionsDays), daysBefore(now, settings.SearchesDays), retentionStep)
			if err != nil {
				return sessions, searches, err
			}
			sessions, searches = sessions+erased.Sessions, searches+erased.Searches
			more = erased.Sessions+erased.Searches > 0
		}
	}
	return sessions, searches, nil
}

// daysBefore is zero, which is never, for 0 days.
func daysBefore(now time.Time, days int) time.Time {
	if days == 0 {
		return time.Time{}
	}
	return now.AddDate(0, 0, -days)
}
