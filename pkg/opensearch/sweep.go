package opensearch

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
)

// sweptBody is until when every picture was looked at, in milliseconds.
type sweptBody struct {
	Until int64 `json:"until"`
}

// sweepPictures deletes pictures whose owner never came to be. Each is looked at once, some time
// after it was stored.
func (s *Store) sweepPictures(ctx context.Context, before int64) error {
	var swept sweptBody
	r, found, err := s.getRecord(ctx, kindSwept, "", "", &swept)
	if err != nil || swept.Until >= before {
		return err
	}
	if !found {
		r = record{Kind: kindSwept}
	}
	if err := s.refresh(ctx, s.names.pictures); err != nil {
		return err
	}
	// Clocks differ: what others stored a while before is looked at again.
	from := swept.Until - abandonedAfter.Milliseconds()
	filter := []object{{"range": object{"created_at": object{"gte": from, "lt": before}}}}
	var hits []hit
	err = s.each(ctx, s.names.pictures, filter, func(each hit) error {
		hits = append(hits, each)
		return nil
	}, "owner")
	if err != nil {
		return err
	}
	for part := range slices.Chunk(hits, pageSize) {
		if err := s.removeOwnerless(ctx, part); err != nil {
			return err
		}
	}
	_, err = s.writeRecord(ctx, r, sweptBody{before}, false)
	if errors.Is(err, errTaken) { // another server has just done the same
		return nil
	}
	return err
}

func (s *Store) removeOwnerless(ctx context.Context, hits []hit) error {
	owners := make([]pictureOwner, len(hits))
	for i := range hits {
		var picture struct {
			Owner pictureOwner `json:"owner"`
		}
		if json.Unmarshal(hits[i].Source, &picture) != nil {
			return errors.New("a stored picture is damaged")
		}
		owners[i] = picture.Owner
	}
	owned, err := s.owned(ctx, owners)
	if err != nil {
		return err
	}
	var removals []removal
	for i, each := range hits {
		if !owned[i] {
			removals = append(removals, removal{each.place, version{each.SeqNo, each.Term}})
		}
	}
	_, err = s.remove(ctx, removals)
	return err
}
