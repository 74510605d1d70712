package gallerytest

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"facesearch/pkg/face"
)

// An Oracle knows what a gallery should answer: it compares with every template, in float64.
type Oracle struct {
	members []member
}

type member struct {
	session  face.Session
	template face.Template
}

// Add tells the oracle of an enrolled session.
func (o *Oracle) Add(session face.Session, template face.Template) {
	o.members = append(o.members, member{session, template})
}

// distanceSlack is how far a distance may be from the oracle's: another order of summation
// in float64 stays well below it.
const distanceSlack = 1e-9

// Near lists who is in the gallery within a distance, nearest first, ties by number.
func (o *Oracle) Near(probe face.Template, distanceMax float64) []face.Candidate {
	var near []face.Candidate
	for i := range o.members {
		m := &o.members[i]
		if m.session.Status != face.Approved && !m.session.Blocklisted {
			continue
		}
		sum := 0.0
		for j := range probe {
			d := float64(probe[j]) - float64(m.template[j])
			sum += float64(d * d) // the conversion forbids a fused multiply-add, for the same bits everywhere
		}
		if distance := math.Sqrt(sum); distance <= distanceMax {
			near = append(near, face.Candidate{Session: m.session, Distance: distance})
		}
	}
	slices.SortFunc(near, func(a, b face.Candidate) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Session.Number, b.Session.Number))
	})
	return near
}

// Check holds an answer against the oracle's. One that says that it is exact has to be
// complete. One that does not may leave out sessions that are not blocklisted, and nothing
// else: what it lists is true and in order, and what it counts exists.
func (o *Oracle) Check(t testing.TB, found face.Candidates, probe face.Template, distanceMax float64, listMax int) {
	t.Helper()
	truth := o.Near(probe, distanceMax)
	var blocklisted []face.Candidate
	for _, candidate := range truth {
		if candidate.Session.Blocklisted {
			blocklisted = append(blocklisted, candidate)
		}
	}
	requireCandidates(t, "the blocklisted", found.Blocklisted, blocklisted)
	if found.Exact {
		if found.Total != len(truth) {
			t.Fatalf("%d in all within %v, want %d", found.Total, distanceMax, len(truth))
		}
		requireCandidates(t, "the list", found.List, truth[:min(len(truth), listMax)])
		return
	}
	if found.Total > len(truth) || found.Total < len(blocklisted) || len(found.List) != min(found.Total, listMax) {
		t.Fatalf("%d listed of %d in all within %v, at most %d asked for; there are %d, %d of them blocklisted",
			len(found.List), found.Total, distanceMax, listMax, len(truth), len(blocklisted))
	}
	requireCandidates(t, "the list", found.List, leaveOut(truth, found.List))
}

// leaveOut is the truth without those candidates that an approximate list may lack: all that
// are not in it, but for the blocklisted ones nearer than its last.
func leaveOut(truth, list []face.Candidate) []face.Candidate {
	listed := map[string]bool{}
	for _, candidate := range list {
		listed[candidate.Session.ID] = true
	}
	var left []face.Candidate
	for _, candidate := range truth {
		if listed[candidate.Session.ID] || candidate.Session.Blocklisted {
			left = append(left, candidate)
		}
	}
	return left[:min(len(left), len(list))]
}

func requireCandidates(t testing.TB, what string, got, want []face.Candidate) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d candidates, want %d\n got %v\nwant %v", what, len(got), len(want), places(got), places(want))
	}
	for i := range got {
		if math.Abs(got[i].Distance-want[i].Distance) > distanceSlack || got[i].Session.ID != want[i].Session.ID {
			t.Fatalf("%s differs at place %d\n got %v\nwant %v", what, i, places(got), places(want))
		}
		requireSame(t, "the session at a place of "+what, got[i].Session, want[i].Session)
	}
}

// place is what of a candidate is worth printing.
type place struct {
	Number   uint64
	Distance float64
}

func places(list []face.Candidate) []place {
	short := make([]place, len(list))
	for i, candidate := range list {
		short[i] = place{candidate.Session.Number, candidate.Distance}
	}
	return short
}
