package bolt

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"facesearch/pkg/face"
)

// SaveSearch implements face.Gallery.
func (s *Store) SaveSearch(ctx context.Context, application string, search face.SavedSearch, picture face.Picture) error {
	return s.update(ctx, application, func(r records) error {
		if r.Bucket.Bucket(searchesBucket).Get([]byte(search.ID)) != nil {
			// To replace it would leave the first one in a free page, with a key that no erasure
			// would know of.
			return face.Conflict("There is a saved search with this ID already.")
		}
		slot, err := s.newSlot(r.Tx())
		if err != nil {
			return err
		}
		if err := r.putPicture(slot, search.PictureID, picture); err != nil {
			return err
		}
		if err := s.putOwner(r, search.VendorData, ownsSearch, []byte(search.ID)); err != nil {
			return err
		}
		return r.putSearch(slot, search)
	}, nil)
}

// putSearch stores a saved search and its place in the order of time.
func (r records) putSearch(slot uint64, search face.SavedSearch) error {
	flags := statusFlag(search.Status)
	if err := r.putDate(ownsSearch, search.CreatedAt, []byte(search.ID), flags); err != nil {
		return err
	}
	return r.sealJSON(slot, searchesBucket, []byte(search.ID), flags, search)
}

func unknownSearch() error { return face.NotFound("There is no saved search of that ID.") }

// SavedSearch implements face.Gallery.
func (s *Store) SavedSearch(ctx context.Context, application, id string) (face.SavedSearch, error) {
	var search face.SavedSearch
	var found bool
	err := s.view(ctx, application, func(r records) (err error) {
		found, err = r.openJSON(searchesBucket, []byte(id), &search)
		return err
	})
	if err == nil && !found {
		err = unknownSearch()
	}
	return search, err
}

// ReviewSearch implements face.Gallery.
func (s *Store) ReviewSearch(ctx context.Context, application, id string, review face.Review) (search face.SavedSearch, err error) {
	if !review.Status.Valid() {
		return search, errors.New("a review needs a status")
	}
	err = s.update(ctx, application, func(r records) error {
		found, err := r.openJSON(searchesBucket, []byte(id), &search)
		if err == nil && !found {
			err = unknownSearch()
		}
		if err != nil {
			return err
		}
		detail := face.AuditDetail("from", string(search.Status), "to", string(review.Status))
		search = search.Reviewed(review)
		slot, err := r.slot(searchesBucket, []byte(id))
		if err != nil {
			return err
		}
		if err := r.putSearch(slot, search); err != nil {
			return err
		}
		_, err = r.audit(ctx, face.AuditReview, id, detail)
		return err
	}, nil)
	if err != nil {
		return face.SavedSearch{}, err
	}
	return search, nil
}

// Searches implements face.Gallery. Only those that are listed are opened, unless a vendor_data
// is asked for.
func (s *Store) Searches(ctx context.Context, application string, filter face.SearchFilter) (list []face.SavedSearch, total int, err error) {
	list = []face.SavedSearch{}
	err = s.view(ctx, application, func(r records) error {
		if filter.VendorData != "" {
			list, total, err = s.ownSearches(r, filter)
			return err
		}
		visit := func(id []byte, flags byte) (bool, error) {
			if filter.Status != "" && filter.Status != statusOf(flags) {
				return true, nil
			}
			total++
			if total <= filter.Offset || len(list) >= filter.Limit {
				return true, nil
			}
			var search face.SavedSearch
			found, err := r.openJSON(searchesBucket, id, &search)
			if err != nil {
				return false, err
			}
			if !found { // erased since this reader began
				total--
				return true, nil
			}
			list = append(list, search)
			return true, nil
		}
		return r.eachDate(ownsSearch, filter.From, filter.To, filter.OldestFirst, visit)
	})
	if err != nil {
		return nil, 0, err
	}
	return list, total, nil
}

// ownSearches opens all saved searches of one vendor_data, as the owners bucket has no times.
func (s *Store) ownSearches(r records, filter face.SearchFilter) (list []face.SavedSearch, total int, err error) {
	_, ids, err := s.owned(r, filter.VendorData)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range ids {
		var search face.SavedSearch
		found, err := r.openJSON(searchesBucket, []byte(id), &search)
		if err != nil {
			return nil, 0, err
		}
		if !found || filter.Status != "" && filter.Status != search.Status ||
			!filter.From.IsZero() && search.CreatedAt.Before(filter.From) || !filter.To.IsZero() && !search.CreatedAt.Before(filter.To) {
			continue
		}
		list = append(list, search)
	}
	slices.SortFunc(list, func(a, b face.SavedSearch) int {
		return bytes.Compare(dateKey(ownsSearch, a.CreatedAt, []byte(a.ID)), dateKey(ownsSearch, b.CreatedAt, []byte(b.ID)))
	})
	if !filter.OldestFirst {
		slices.Reverse(list)
	}
	from := min(filter.Offset, len(list))
	return append([]face.SavedSearch{}, list[from:min(from+filter.Limit, len(list))]...), len(list), nil
}
