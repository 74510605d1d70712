package gallerytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"facesearch/pkg/face"
)

func (f *fixture) sessions(application string, filter face.SessionFilter) (list []face.Session, total int) {
	f.Helper()
	list, total, err := f.store.Sessions(f.Context(), application, filter)
	if err != nil {
		f.Fatal("Sessions:", err)
	}
	return list, total
}

func testSessions(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	for name, filter := range map[string]face.SessionFilter{
		"": {Limit: 5}, " of a vendor_data": {Limit: 5, VendorData: "vendor 1"}, " beyond the end": {Limit: 5, Offset: 9},
	} {
		t.Run("OK empty, not nil"+name, func(t *testing.T) {
			if list, total := f.sessions(ours, filter); list == nil || len(list) != 0 || total != 0 {
				t.Fatalf("%#v, %d in all", list, total)
			}
		})
	}
	all := f.enrolMany()
	f.enrol(theirs, newEnrolment(newID()))
	search, picture := newSearch(newID())
	search.VendorData = "vendor 1" // a saved search is no session
	if err := f.store.SaveSearch(t.Context(), ours, search, picture); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"", " after a restart"} {
		t.Run("OK every filter"+when, func(t *testing.T) { f.requireFilters(t, all) })
		f.reopen()
	}
	t.Run("OK by number and by name", func(t *testing.T) { f.requireFound(t, all) })
	t.Run("OK a change is seen at once", func(t *testing.T) {
		random := rand.New(rand.NewPCG(2, 8))
		for i := range all {
			all[i] = f.change(t, all[i].ID, looks[random.IntN(len(looks))].give)
		}
		f.requireFilters(t, all)
	})
}

// enrolMany enrols sessions of all looks, several of each vendor_data, and returns them
// newest first.
func (f *fixture) enrolMany() []face.Session {
	f.Helper()
	random := rand.New(rand.NewPCG(8, 2))
	var all []face.Session
	for n := range 24 {
		enrolment := newEnrolment(newID())
		looks[random.IntN(len(looks))].give(&enrolment.Session)
		enrolment.Session.VendorData = []string{"", "vendor 1", "vendor 11", "vendor 1", "Vendor 1"}[n%5]
		enrolment.Session.Details.Name = []string{"Ana Müller", "ana", "Bo", "", "ÄNNE Banana"}[n%5]
		enrolment.Session.CreatedAt = moment(100 - n) // the order is that of the numbers
		all = append(all, f.enrol(ours, enrolment))
	}
	slices.Reverse(all)
	return all
}

// requireFilters tries all combinations of filters and pages; all is newest first.
func (f *fixture) requireFilters(t *testing.T, all []face.Session) {
	t.Helper()
	yes, no := true, false
	for _, status := range []face.Status{"", face.Approved, face.InReview, face.Declined, "Expired"} {
		for _, blocklisted := range []*bool{nil, &yes, &no} {
			for _, vendorData := range []string{"", "vendor 1", "vendor 11", "vendor", "vendor 111", "Vendor 1"} {
				filter := face.SessionFilter{Status: status, Blocklisted: blocklisted, VendorData: vendorData}
				want := slices.DeleteFunc(slices.Clone(all), func(session face.Session) bool {
					return status != "" && session.Status != status ||
						blocklisted != nil && session.Blocklisted != *blocklisted ||
						vendorData != "" && session.VendorData != vendorData
				})
				f.requirePages(t, filter, want)
			}
		}
	}
}

// requireFound looks for numbers and names, together with the other filters.
func (f *fixture) requireFound(t *testing.T, all []face.Session) {
	t.Helper()
	for _, number := range []uint64{0, 1, 7, uint64(len(all)), uint64(len(all)) + 1, 1 << 63} {
		for _, name := range []string{"", "ana", "ANA", "müll", "änne b", "Ana Müller", "nobody", " "} {
			for _, vendorData := range []string{"", "vendor 1"} {
				for _, status := range []face.Status{"", face.Approved} {
					filter := face.SessionFilter{Number: number, Name: name, VendorData: vendorData, Status: status}
					f.requirePages(t, filter, slices.DeleteFunc(slices.Clone(all), func(session face.Session) bool {
						return number != 0 && session.Number != number || status != "" && session.Status != status ||
							vendorData != "" && session.VendorData != vendorData ||
							!strings.Contains(strings.ToLower(session.Details.Name), strings.ToLower(name))
					}))
				}
			}
		}
	}
}

func (f *fixture) requirePages(t *testing.T, filter face.SessionFilter, want []face.Session) {
	t.Helper()
	for _, page := range [][2]int{{0, 0}, {0, 1}, {0, 1000}, {1, 2}, {len(want) - 1, 5}, {len(want), 5}, {len(want) + 7, 5}} {
		filter.Offset, filter.Limit = max(page[0], 0), page[1]
		list, total := f.sessions(ours, filter)
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
