package search_test

import (
	"reflect"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// TestByPerson: people are counted over all matches, not only over those that are listed.
func TestByPerson(t *testing.T) {
	f := newFixture(t)
	settings := face.DefaultSettings()
	settings.MaxMatches = 1
	if err := f.store.PutSettings(t.Context(), f.application, settings); err != nil {
		t.Fatal(err)
	}
	picture := colours(t, 320, 240)
	sessions := map[string][]string{}
	for _, owner := range []string{"a", "b", "a", "", "b", "a", ""} {
		result, err := f.service.Enrol(t.Context(), f.application, search.EnrolRequest{Picture: picture, VendorData: owner})
		if err != nil {
			t.Fatal(err)
		}
		sessions[owner] = append(sessions[owner], result.Session.ID)
	}
	request := search.Request{Picture: picture, Save: true}
	plain, err := f.service.Search(t.Context(), f.application, request)
	if err != nil || plain.People != nil || plain.Outcome.Total != 7 {
		t.Fatalf("%+v, %v", plain, err)
	}
	request.ByPerson = true
	t.Run("OK", func(t *testing.T) {
		grouped, err := f.service.Search(t.Context(), f.application, request)
		if err != nil || grouped.Outcome.Total != 7 || len(grouped.Outcome.Matches) != 1 || len(grouped.People) != 4 {
			t.Fatalf("%+v, %v, want 7 matches, 1 of them listed, of 4 people", grouped, err)
		}
		for i, want := range [][]string{sessions["a"], sessions["b"], sessions[""][:1], sessions[""][1:]} {
			if got := grouped.People[i]; !reflect.DeepEqual(got.SessionIDs, want) || got.Similarity != 100 {
				t.Errorf("person %d is %+v, want %v", i, got, want)
			}
		}
	})
	t.Run("OK nobody", func(t *testing.T) {
		f.box.Max = f.box.Min.Add(f.box.Size().Mul(2)) // another face to the stub
		defer func() { f.box.Max = f.box.Min.Add(f.box.Size().Div(2)) }()
		grouped, err := f.service.Search(t.Context(), f.application, request)
		if err != nil || grouped.People == nil || len(grouped.People) != 0 {
			t.Errorf("%+v, %v, want an empty list", grouped.People, err)
		}
	})
	t.Run("ErrTooMany", func(t *testing.T) {
		defer search.SetGroupedMax(6)()
		result, err := f.service.Search(t.Context(), f.application, request)
		if face.CodeOf(err) != face.CodeInvalid {
			t.Errorf("%+v, %v, want a refusal", result, err)
		}
		defer search.SetGroupedMax(7)()
		if result, err := f.service.Search(t.Context(), f.application, request); err != nil || len(result.People) != 4 {
			t.Errorf("%+v, %v, want 4 people", result, err)
		}
	})
}
