package api_test

import (
	"net/http"
	"testing"
)

// TestMaxMatchesWhole: what the document calls an integer may be written with a fraction of 0.
func TestMaxMatchesWhole(t *testing.T) {
	a := newTenant(t)
	for value, want := range map[string]float64{"32.0": 32, "1e1": 10, "100": 100} {
		if got := a.patch(t, `{"max_matches": `+value+`}`).Settings["max_matches"].Value; got != want {
			t.Errorf("%s became %v", value, got)
		}
	}
	for _, value := range []string{"7.5", "1e10", "-1e300", "1e999", "101.0", "0.0", `"7"`} {
		got := a.json(t, http.MethodPatch, "/v3/settings/", `{"max_matches": `+value+`}`)
		got.refused(t, 400, "invalid_request", "max_matches is a whole number")
	}
}
