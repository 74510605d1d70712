package policy_test

import (
	"reflect"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

func TestPeople(t *testing.T) {
	of := func(owner string, c face.Candidate) face.Candidate {
		c.Session.VendorData = owner
		return c
	}
	similarity := func(distance float64) float64 { return policy.Percentage(dlib.Similarity(distance)) }
	list := []face.Candidate{
		of("b", candidate(3, 0.1)), of("a", candidate(1, 0.2)), of("", candidate(4, 0.25)), of("b", candidate(2, 0.3)),
		of("", candidate(6, 0.35)), of("a", candidate(5, 0.4)), of("b", candidate(7, 0.41)),
	}
	want := []policy.Person{
		{VendorData: "b", SessionIDs: []string{"session-3", "session-2", "session-7"}, Similarity: similarity(0.1)},
		{VendorData: "a", SessionIDs: []string{"session-1", "session-5"}, Similarity: similarity(0.2)},
		{SessionIDs: []string{"session-4"}, Similarity: similarity(0.25)},
		{SessionIDs: []string{"session-6"}, Similarity: similarity(0.35)},
	}
	if got := policy.People(dlib, list); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := policy.People(dlib, nil); got == nil || len(got) != 0 {
		t.Errorf("nobody is %v, want an empty list", got)
	}
}
