package gallerytest

import (
	"testing"

	"facesearch/pkg/face"
)

// testOtherDim gives templates that another model made: they have no distance to any of the gallery.
func testOtherDim(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.enrol(ours, newEnrolment(newID()))
	for name, dim := range map[string]int{"ErrDim empty": 0, "ErrDim shorter": face.TemplateDim - 1, "ErrDim longer": 512} {
		t.Run(name, func(t *testing.T) {
			before := f.state(ours)
			template := make(face.Template, dim)
			enrolment := newEnrolment(newID())
			enrolment.Template = template
			if _, created, err := f.store.Enrol(t.Context(), ours, enrolment); err == nil || created {
				t.Errorf("it was enrolled: %v, %v", created, err)
			}
			requireSame(t, "state", f.state(ours), before)
			if found, err := f.store.Candidates(t.Context(), ours, template, everything, 5); err == nil {
				t.Errorf("it was searched, and found %+v", found)
			}
			if crowd, err := f.store.Crowd(t.Context(), ours, template); err == nil {
				t.Errorf("it has the crowd %+v", crowd)
			}
		})
	}
	t.Run("OK a saved search keeps any", func(t *testing.T) {
		search, picture := newSearch(newID())
		search.Template, search.Model = make(face.Template, 512), "another model"
		search.Template[511] = 0.5
		if err := f.store.SaveSearch(t.Context(), ours, search, picture); err != nil {
			t.Fatal(err)
		}
		got, err := f.store.SavedSearch(t.Context(), ours, search.ID)
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, "search", got, search)
	})
}
