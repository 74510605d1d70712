package opensearch

import (
	"context"
	"encoding/json"
	"errors"

	"facesearch/pkg/face"
)

// A searchDocument is a saved search, of which only the reviews and the status change.
type searchDocument struct {
	Application string           `json:"application"`
	Owner       string           `json:"owner,omitempty"` // see ownerOf
	Status      face.Status      `json:"status"`
	CreatedAt   int64            `json:"created_at"` // milliseconds
	At          int64            `json:"at"`         // the same in nanoseconds, see nanosOf
	ID          string           `json:"id"`         // of the search
	Search      face.SavedSearch `json:"search"`
	Born        string           `json:"born"`
	Stamp       string           `json:"stamp"`
}

func (s *Store) searchPlace(application, id string) place {
	return place{s.names.searches, hashOf("search", application, id)}
}

// A pictureDocument counts only while its owner, a session or a saved search, is there: one that
// was left by a crash is never seen.
type pictureDocument struct {
	Application string       `json:"application"`
	CreatedAt   int64        `json:"created_at"` // milliseconds
	Owner       pictureOwner `json:"owner"`
	Picture     face.Picture `json:"picture"`
	Born        string       `json:"born"`
	Stamp       string       `json:"stamp"`
}

// A pictureOwner is the document that a picture belongs to, as that was born: one that was stored
// later under the same ID is another one.
type pictureOwner struct {
	At   place  `json:"at"`
	Born string `json:"born"`
}

func (s *Store) picturePlace(application, id string) place {
	return place{s.names.pictures, hashOf("picture", application, id)}
}

// putPicture stores a picture; it does nothing when the ID is empty.
func (s *Store) putPicture(ctx context.Context, application, id string, picture face.Picture, owner pictureOwner) error {
	if id == "" {
		return nil
	}
	if len(picture.Data) == 0 || len(picture.ContentType) > 255 {
		return errors.New("a picture to keep needs data and a content type of at most 255 bytes")
	}
	document := pictureDocument{
		Application: application, CreatedAt: nowMillis(), Owner: owner, Picture: picture,
		Born: owner.Born, Stamp: owner.Born,
	}
	_, err := s.put(ctx, s.picturePlace(application, id), version{}, document.Stamp, document, false)
	if errors.Is(err, errTaken) {
		return face.Conflict("There is a picture with this ID already.")
	}
	return err
}

// dropPicture removes a picture whose owner was refused. Where that fails, the upkeep does it
// later.
func (s *Store) dropPicture(ctx context.Context, application, id, born string) {
	if id == "" {
		return
	}
	document, err := s.get(ctx, s.picturePlace(application, id))
	if err != nil || !document.Found {
		return
	}
	var picture pictureDocument
	if document.read(&picture) == nil && picture.Born == born {
		_, _ = s.remove(ctx, []removal{{document.place, document.version()}})
	}
}

// Picture implements face.Gallery.
func (s *Store) Picture(ctx context.Context, application, id string) (face.Picture, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.Picture{}, err
	}
	defer cancel()
	document, err := s.get(ctx, s.picturePlace(application, id))
	if err != nil {
		return face.Picture{}, err
	}
	if !document.Found {
		return face.Picture{}, unknownPicture()
	}
	var picture pictureDocument
	if err := document.read(&picture); err != nil {
		return face.Picture{}, err
	}
	owned, err := s.owned(ctx, []pictureOwner{picture.Owner})
	if err != nil {
		return face.Picture{}, err
	}
	if !owned[0] {
		return face.Picture{}, unknownPicture()
	}
	return picture.Picture, nil
}

func unknownPicture() error { return face.NotFound("There is no picture of that ID.") }

// owned reports of each owner whether it is there.
func (s *Store) owned(ctx context.Context, owners []pictureOwner) ([]bool, error) {
	places := make([]place, len(owners))
	for i := range owners {
		places[i] = owners[i].At
	}
	documents, err := s.getAll(ctx, places)
	if err != nil {
		return nil, err
	}
	there := make([]bool, len(owners))
	for i, document := range documents {
		if !document.Found {
			continue
		}
		var owner struct {
			Born   string          `json:"born"`
			Staged json.RawMessage `json:"staged"`
		}
		if err := document.read(&owner); err != nil {
			return nil, err
		}
		there[i] = owner.Born == owners[i].Born && owner.Staged == nil
	}
	return there, nil
}

// SaveSearch implements face.Gallery.
func (s *Store) SaveSearch(ctx context.Context, application string, search face.SavedSearch, picture face.Picture) error {
	if search.Result != nil && !json.Valid(search.Result) {
		return errors.New("the result of a search to keep has to be JSON")
	}
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return err
	}
	defer cancel()
	at, stamp := s.searchPlace(application, search.ID), newStamp()
	if err := s.putPicture(ctx, application, search.PictureID, picture, pictureOwner{at, stamp}); err != nil {
		return err
	}
	document := searchDocument{
		Application: application, Owner: ownerOf(application, search.VendorData),
		Status:    search.Status,
		CreatedAt: search.CreatedAt.UnixMilli(), At: nanosOf(search.CreatedAt), ID: search.ID, Search: search, Born: stamp, Stamp: stamp,
	}
	_, err = s.put(ctx, at, version{}, stamp, document, false)
	if err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
		defer cancel()
		// When it is not known whether the search was stored, its picture has to stay: the upkeep
		// looks after it.
		if errors.Is(err, errTaken) {
			s.dropPicture(undo, application, search.PictureID, stamp)
			return face.Conflict("There is a saved search with this ID already.")
		}
	}
	return err
}

// SavedSearch implements face.Gallery.
func (s *Store) SavedSearch(ctx context.Context, application, id string) (face.SavedSearch, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.SavedSearch{}, err
	}
	defer cancel()
	document, err := s.get(ctx, s.searchPlace(application, id))
	if err != nil {
		return face.SavedSearch{}, err
	}
	if !document.Found {
		return face.SavedSearch{}, unknownSearch()
	}
	var search searchDocument
	err = document.read(&search)
	return search.Search, err
}

func unknownSearch() error { return face.NotFound("There is no saved search of that ID.") }

// Searches implements face.Gallery.
func (s *Store) Searches(ctx context.Context, application string, filter face.SearchFilter) ([]face.SavedSearch, int, error) {
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return nil, 0, err
	}
	defer cancel()
	if err := s.refresh(ctx, s.names.searches); err != nil {
		return nil, 0, err
	}
	terms := []object{term("application", application)}
	if filter.Status != "" {
		terms = append(terms, term("status", filter.Status))
	}
	if filter.VendorData != "" {
		terms = append(terms, term("owner", ownerOf(application, filter.VendorData)))
	}
	bounds := object{}
	if !filter.From.IsZero() {
		bounds["gte"] = nanosOf(filter.From)
	}
	if !filter.To.IsZero() {
		bounds["lt"] = nanosOf(filter.To)
	}
	if len(bounds) > 0 {
		terms = append(terms, object{"range": object{"at": bounds}})
	}
	direction, list := order(filter.OldestFirst), []face.SavedSearch{}
	// The whole document is read: a part of one would come with the result's fields in another order.
	query := object{
		"query": object{"bool": object{"filter": terms}},
		"sort":  []object{{"at": direction}, {"id": direction}},
	}
	total, err := s.pageOf(ctx, s.names.searches, query, filter.Offset, filter.Limit, func(each hit) error {
		var document searchDocument
		if json.Unmarshal(each.Source, &document) != nil {
			return errors.New("a saved search is damaged")
		}
		list = append(list, document.Search)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return list, total, nil
}

// ReviewSearch implements face.Gallery. Whoever is overtaken by another review begins anew.
func (s *Store) ReviewSearch(ctx context.Context, application, id string, review face.Review) (face.SavedSearch, error) {
	if !review.Status.Valid() {
		return face.SavedSearch{}, errors.New("a review needs a status")
	}
	ctx, application, cancel, err := s.within(ctx, application)
	if err != nil {
		return face.SavedSearch{}, err
	}
	defer cancel()
	for {
		search, err := s.reviewOnce(ctx, application, id, review)
		if !errors.Is(err, errTaken) {
			return search, err
		}
		if err := pause(ctx); err != nil {
			return face.SavedSearch{}, err
		}
	}
}

func (s *Store) reviewOnce(ctx context.Context, application, id string, review face.Review) (face.SavedSearch, error) {
	at := s.searchPlace(application, id)
	document, err := s.get(ctx, at)
	if err == nil && !document.Found {
		err = unknownSearch()
	}
	if err != nil {
		return face.SavedSearch{}, err
	}
	var stored searchDocument
	if err := document.read(&stored); err != nil {
		return face.SavedSearch{}, err
	}
	detail := face.AuditDetail("from", string(stored.Search.Status), "to", string(review.Status))
	stored.Search = stored.Search.Reviewed(review)
	stored.Status, stored.Stamp = stored.Search.Status, newStamp()
	if _, err := s.put(ctx, at, document.version(), stored.Stamp, stored, false); err != nil {
		return face.SavedSearch{}, err
	}
	if _, err := s.audit(ctx, application, face.AuditReview, id, detail); err != nil {
		return face.SavedSearch{}, err
	}
	return stored.Search, nil
}
