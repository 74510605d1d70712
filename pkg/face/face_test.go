package face_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"facesearch/pkg/face"
)

func TestTemplateValidate(t *testing.T) {
	with := func(place int, value float64) face.Template {
		template := make(face.Template, face.TemplateDim)
		template[place] = float32(value)
		return template
	}
	t.Run("OK", func(t *testing.T) {
		for _, value := range []float64{0, -0.3, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32} {
			for _, place := range []int{0, face.TemplateDim - 1} {
				if err := with(place, value).Validate(); err != nil {
					t.Errorf("%v at %d: %v", value, place, err)
				}
			}
		}
	})
	t.Run("ErrLength", func(t *testing.T) {
		for _, length := range []int{0, face.TemplateDimMax + 1} {
			if err := make(face.Template, length).Validate(); err == nil {
				t.Errorf("%d values are accepted", length)
			}
		}
		for _, length := range []int{1, face.TemplateDimMax} {
			if err := make(face.Template, length).Validate(); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("ErrNotFinite", func(t *testing.T) {
		for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for _, place := range []int{0, 64, face.TemplateDim - 1} {
				err := with(place, value).Validate()
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("value %d ", place)) {
					t.Errorf("%v at %d gave %v, want an error that names the place", value, place, err)
				}
			}
		}
	})
}

func TestTemplateDistance(t *testing.T) {
	a, b := make(face.Template, face.TemplateDim), make(face.Template, face.TemplateDim)
	b[0], b[face.TemplateDim-1] = 3, 4
	if got := a.Distance(b); got != 5 {
		t.Errorf("first and last value: distance %v, want 5", got)
	}
	if there, back := a.Distance(b), b.Distance(a); there != back {
		t.Errorf("%v one way, %v the other", there, back)
	}
	if got := b.Distance(b); got != 0 {
		t.Errorf("%v from itself", got)
	}
	// In float32 these squares overflow, and the tiny ones below vanish.
	for i := range a {
		a[i], b[i] = math.MaxFloat32, -math.MaxFloat32
	}
	if got, want := a.Distance(b), 2*math.MaxFloat32*math.Sqrt(face.TemplateDim); math.Abs(got/want-1) > 1e-12 {
		t.Errorf("largest values: distance %v, want %v", got, want)
	}
	clear(a)
	clear(b)
	a[7] = math.SmallestNonzeroFloat32
	if got := a.Distance(b); got != math.SmallestNonzeroFloat32 {
		t.Errorf("smallest value: distance %v", got)
	}
}

// TestTemplateDistanceOfTwoModels: a number would be taken for a distance.
func TestTemplateDistanceOfTwoModels(t *testing.T) {
	for _, row := range [][2]int{{128, 512}, {512, 128}, {1, 2}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("templates of %d and %d values have a distance", row[0], row[1])
				}
			}()
			make(face.Template, row[0]).Distance(make(face.Template, row[1]))
		}()
	}
}

func TestModelAccepts(t *testing.T) {
	model := face.Model{ID: "a model", Dim: 3}
	if err := model.Accepts(face.Template{1, 2, 3}); err != nil {
		t.Error(err)
	}
	for name, template := range map[string]face.Template{
		"empty": nil, "short": {1, 2}, "long": {1, 2, 3, 4}, "not finite": {1, 2, float32(math.NaN())},
	} {
		if model.Accepts(template) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSessionInGallery(t *testing.T) {
	for _, row := range []struct {
		status      face.Status
		blocklisted bool
		want        bool
	}{
		{face.Approved, false, true},
		{face.InReview, false, false},
		{face.Declined, false, false},
		{face.Approved, true, true},
		{face.InReview, true, true},
		{face.Declined, true, true},
	} {
		t.Run(fmt.Sprintf("%s blocklisted %v", row.status, row.blocklisted), func(t *testing.T) {
			session := face.Session{Status: row.status, Blocklisted: row.blocklisted}
			if got := session.InGallery(); got != row.want {
				t.Errorf("InGallery is %v", got)
			}
		})
	}
}

func TestStatusValid(t *testing.T) {
	for status, want := range map[face.Status]bool{
		"Approved": true, "In Review": true, "Declined": true,
		"": false, "approved": false, "InReview": false, "Expired": false,
	} {
		if got := status.Valid(); got != want {
			t.Errorf("Valid of %q is %v", status, got)
		}
	}
}

func TestError(t *testing.T) {
	cause := errors.New("the cause")
	for _, row := range []struct {
		name string
		err  error
		code face.Code
	}{
		{"nil", nil, ""},
		{"foreign", cause, ""},
		{"Invalid", face.Invalid("%d is odd.", 3), face.CodeInvalid},
		{"NotFound", face.NotFound("No."), face.CodeNotFound},
		{"Conflict", face.Conflict("No."), face.CodeConflict},
		{"wrapped", fmt.Errorf("reading: %w", face.NotFound("No.")), face.CodeNotFound},
		{"joined", errors.Join(cause, face.Conflict("No.")), face.CodeConflict},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := face.CodeOf(row.err); got != row.code {
				t.Errorf("CodeOf is %q, want %q", got, row.code)
			}
		})
	}
	err := &face.Error{Code: face.CodeBusy, Detail: "Later.", Cause: cause}
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "the cause") || !strings.Contains(err.Error(), "Later.") {
		t.Errorf("%v: the cause or the detail is lost", err)
	}
	if got := face.Invalid("%d is odd.", 3).Detail; got != "3 is odd." {
		t.Errorf("detail %q", got)
	}
}

func TestScopeCovers(t *testing.T) {
	for i, scope := range face.Scopes {
		for j, needed := range face.Scopes {
			if scope.Covers(needed) != (i >= j) {
				t.Errorf("%s covers %s: %v", scope, needed, scope.Covers(needed))
			}
		}
		for _, unknown := range []face.Scope{"", "Manage", "all"} {
			if unknown.Valid() || unknown.Covers(scope) || scope.Covers(unknown) {
				t.Errorf("%q is taken for a scope", unknown)
			}
		}
	}
}
