//go:build opensearch

package opensearch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
)

// many is more than OpenSearch hands out at once.
const many = 11_000

// fill stores made-up people by bulk, as a migration does, and returns their templates. Every second
// one is the same person's.
func fill(t testing.TB, store *opensearch.Store, count int) (templates []face.Template) {
	t.Helper()
	random := rand.New(rand.NewPCG(4, 2))
	for first := 1; first <= count; first += 500 {
		var batch []face.Enrolment
		for n := first; n < first+500 && n <= count; n++ {
			enrolment := face.Enrolment{Session: face.Session{
				ID: fmt.Sprint("person-", n), Number: uint64(n), Status: face.Approved, Fingerprint: fmt.Sprint(n),
				CreatedAt: time.Unix(1_750_000_000, 0), VerifiedAt: time.Unix(1_750_000_000, 0),
			}}
			if n%2 == 0 {
				enrolment.Session.VendorData = "even"
			}
			enrolment.Template = make(face.Template, face.TemplateDim)
			for i := range enrolment.Template {
				enrolment.Template[i] = float32(random.NormFloat64() * 0.86 / 16)
			}
			batch, templates = append(batch, enrolment), append(templates, enrolment.Template)
		}
		if err := store.Restore(t.Context(), application, batch); err != nil {
			t.Fatal(err)
		}
	}
	return templates
}

// TestMany lists, counts, samples and erases beyond what one answer holds.
func TestMany(t *testing.T) {
	t.Parallel()
	store := openStore(t, optionsFor(newPrefix(t), opensearch.ExactIndex))
	defer store.Close()
	createApplication(t, store)
	templates := fill(t, store, many)
	requireSampled(t, store, templates)
	for _, page := range [][2]int{{many - 3, 10}, {many - 700, 20}, {0, many + 5}, {many + 5, 5}} {
		list, total, err := store.Sessions(t.Context(), application, face.SessionFilter{Offset: page[0], Limit: page[1]})
		if err != nil {
			t.Fatal(err)
		}
		want := max(0, min(page[1], many-page[0]))
		if total != many || len(list) != want {
			t.Fatalf("%v: %d listed of %d, want %d of %d", page, len(list), total, want, many)
		}
		for i, session := range list {
			if session.Number != uint64(many-page[0]-i) {
				t.Fatalf("%v: at place %d number %d", page, i, session.Number)
			}
		}
	}
	found, err := store.Candidates(t.Context(), application, make(face.Template, face.TemplateDim), 1000, 200)
	if err != nil || found.Total != many || len(found.List) != 200 {
		t.Fatalf("%d found, %d listed, %v", found.Total, len(found.List), err)
	}
	if !slices.IsSortedFunc(found.List, func(a, b face.Candidate) int {
		if a.Distance < b.Distance {
			return -1
		}
		return 1
	}) {
		t.Error("the candidates are not in order")
	}
	erased, err := store.EraseOwners(t.Context(), application, []string{"even"})
	sessions := erased.Sessions
	if err != nil || sessions != many/2 {
		t.Fatalf("%d are erased, %v", sessions, err)
	}
	if size, err := store.Size(t.Context(), application); err != nil || size != many-many/2 {
		t.Fatalf("%d are left, %v", size, err)
	}
}
