package gallerytest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"facesearch/pkg/face"
)

func (f *fixture) searches(application string, filter face.SearchFilter) (list []face.SavedSearch, total int) {
	f.Helper()
	list, total, err := f.store.Searches(f.Context(), application, filter)
	if err != nil {
		f.Fatal("Searches:", err)
	}
	return list, total
}

func newReview(status face.Status) face.Review {
	return face.Review{Status: status, Comment: "seen by hand", By: face.Actor{ID: "key-1", Name: "reviewer"}, At: moment(7)}
}

// saveMany saves searches of all statuses, some at one time, and returns them oldest first.
func (f *fixture) saveMany() []face.SavedSearch {
	f.Helper()
	var all []face.SavedSearch
	for n := range 24 {
		search, picture := newSearch(newID())
		search.Status = []face.Status{face.Approved, face.InReview, face.Declined}[n%3]
		search.VendorData = []string{"", "vendor 1", "vendor 11", "vendor 1", "Vendor 1"}[n%5]
		search.CreatedAt = moment(n * 7 % 12)
		if n == 5 {
			search.CreatedAt = time.Date(1969, 1, 1, 0, 0, 0, 1, time.UTC)
		}
		if err := f.store.SaveSearch(f.Context(), ours, search, picture); err != nil {
			f.Fatal(err)
		}
		all = append(all, search)
	}
	slices.SortFunc(all, func(a, b face.SavedSearch) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func testSearches(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	for name, filter := range map[string]face.SearchFilter{
		"": {Limit: 5}, " of a vendor_data": {Limit: 5, VendorData: "vendor 1"}, " beyond the end": {Limit: 5, Offset: 9},
	} {
		t.Run("OK empty, not nil"+name, func(t *testing.T) {
			if list, total := f.searches(ours, filter); list == nil || len(list) != 0 || total != 0 {
				t.Fatalf("%#v, %d in all", list, total)
			}
		})
	}
	all := f.saveMany()
	f.save(theirs, "vendor 1")
	enrolment := newEnrolment(newID())
	enrolment.Session.VendorData = "vendor 1" // a session is no search
	f.enrol(ours, enrolment)
	for _, when := range []string{"", " after a restart"} {
		t.Run("OK every filter"+when, func(t *testing.T) { f.requireSearches(t, all) })
		f.reopen()
	}
	t.Run("OK a review and an erasure are seen at once", func(t *testing.T) {
		for i, status := range []face.Status{face.Approved, face.Declined, face.InReview} {
			reviewed, err := f.store.ReviewSearch(t.Context(), ours, all[4*i].ID, newReview(status))
			if err != nil {
				t.Fatal(err)
			}
			all[4*i] = reviewed
		}
		f.erase(t, all[9].ID)
		all = slices.Delete(all, 9, 10)
		if _, err := f.store.EraseOwners(t.Context(), ours, []string{"vendor 11"}); err != nil {
			t.Fatal(err)
		}
		all = slices.DeleteFunc(all, func(search face.SavedSearch) bool { return search.VendorData == "vendor 11" })
		for range 2 {
			f.requireSearches(t, all)
			f.reopen()
		}
	})
}

// requireSearches tries all combinations of filters and pages; all is oldest first.
func (f *fixture) requireSearches(t *testing.T, all []face.SavedSearch) {
	t.Helper()
	bounds := [][2]time.Time{{}, {moment(3), {}}, {{}, moment(3)}, {moment(2), moment(9)}, {moment(2).Add(1), moment(9).Add(1)}, {moment(5), moment(5)}, {moment(9), moment(2)}}
	for _, status := range []face.Status{"", face.Approved, face.InReview, face.Declined, "Expired"} {
		for _, vendorData := range []string{"", "vendor 1", "vendor", "Vendor 1"} {
			for _, bound := range bounds {
				filter := face.SearchFilter{Status: status, VendorData: vendorData, From: bound[0], To: bound[1], OldestFirst: true}
				want := slices.DeleteFunc(slices.Clone(all), func(search face.SavedSearch) bool {
					return status != "" && search.Status != status || vendorData != "" && search.VendorData != vendorData ||
						!bound[0].IsZero() && search.CreatedAt.Before(bound[0]) || !bound[1].IsZero() && !search.CreatedAt.Before(bound[1])
				})
				f.requireSearchPages(t, filter, want)
				slices.Reverse(want)
				filter.OldestFirst = false
				f.requireSearchPages(t, filter, want)
			}
		}
	}
}

func (f *fixture) requireSearchPages(t *testing.T, filter face.SearchFilter, want []face.SavedSearch) {
	t.Helper()
	for _, page := range [][2]int{{0, 0}, {0, 1}, {0, 1000}, {1, 2}, {len(want) - 1, 5}, {len(want), 5}, {len(want) + 7, 5}} {
		filter.Offset, filter.Limit = max(page[0], 0), page[1]
		list, total := f.searches(ours, filter)
		from := min(filter.Offset, len(want))
		part := want[from:min(from+filter.Limit, len(want))]
		if total != len(want) || list == nil || len(list) != len(part) {
			t.Fatalf("%+v: %d listed of %d, want %d of %d", filter, len(list), total, len(part), len(want))
		}
		if len(part) > 0 {
			requireSame(t, fmt.Sprintf("%+v", filter), list, part)
		}
	}
}

func testReviewSearch(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	want, picture := f.save(ours, "user-1")
	other, _ := f.save(ours, "user-1")
	t.Run("OK", func(t *testing.T) {
		for _, status := range []face.Status{face.Declined, face.Declined, face.Approved, face.InReview} {
			review := newReview(status)
			got, err := f.store.ReviewSearch(t.Context(), ours, want.ID, review)
			if err != nil {
				t.Fatal(err)
			}
			review.Before = want.Status
			want.Status, want.Reviews = status, append(want.Reviews, review)
			requireSame(t, "reviewed", got, want)
			f.requireSearch(t, ours, want, picture)
			f.reopen()
			f.requireSearch(t, ours, want, picture)
		}
		got, err := f.store.SavedSearch(t.Context(), ours, other.ID)
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, "the other search", got, other)
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		session := newEnrolment(newID())
		f.enrol(ours, session)
		for _, id := range []string{newID(), "", session.Session.ID} {
			_, err := f.store.ReviewSearch(t.Context(), ours, id, newReview(face.Approved))
			requireCode(t, id, err, face.CodeNotFound)
		}
	})
	t.Run("ErrStatus", func(t *testing.T) {
		if _, err := f.store.ReviewSearch(t.Context(), ours, want.ID, newReview("Expired")); err == nil {
			t.Fatal("a status that there is none of")
		}
		f.requireSearch(t, ours, want, picture)
	})
}
