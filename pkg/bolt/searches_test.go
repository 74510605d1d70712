package bolt_test

import (
	"slices"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// TestSearchesOpened: a page opens the searches that are on it and no others, with or without a
// status; one that is damaged shows which were opened.
func TestSearchesOpened(t *testing.T) {
	list := subjects(9)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range list {
		list[i].search.CreatedAt = start.AddDate(0, 0, i)
	}
	directory, store := subjectStore(t, bolt.ExactIndex, list)
	closeStore(t, store)
	edit(t, directory, func(tx *bbolt.Tx) error {
		searches := bucketOf(tx, "applications", gallerytest.Application, "searches")
		sealed := slices.Clone(searches.Get([]byte(list[4].search.ID)))
		sealed[len(sealed)-1] ^= 1
		return searches.Put([]byte(list[4].search.ID), sealed)
	})
	store = openStore(t, directory, quiet(bolt.ExactIndex))
	defer closeStore(t, store)
	for _, status := range []face.Status{"", face.InReview} {
		for offset := range list {
			filter := face.SearchFilter{Status: status, Offset: offset, Limit: 2, OldestFirst: true}
			page, total, err := store.Searches(t.Context(), gallerytest.Application, filter)
			if opened := offset == 3 || offset == 4; opened != (err != nil) || !opened && (total != 9 || page[0].ID != list[offset].search.ID) {
				t.Errorf("from %d: %d of %d, %v", offset, len(page), total, err)
			}
		}
	}
	_, total, err := store.Searches(t.Context(), gallerytest.Application, face.SearchFilter{Status: face.Declined, Limit: 9})
	if err != nil || total != 0 {
		t.Errorf("%d declined, %v", total, err)
	}
}
