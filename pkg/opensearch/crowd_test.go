//go:build opensearch

package opensearch_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
)

func crowdOf(t testing.TB, store *opensearch.Store, template face.Template) face.Crowd {
	t.Helper()
	crowd, err := store.Crowd(t.Context(), application, template)
	if err != nil {
		t.Fatal(err)
	}
	return crowd
}

// requireSampled wants crowds of a sample, about as large as it should be and the same for every
// template, of a gallery that is larger.
func requireSampled(t *testing.T, store *opensearch.Store, templates []face.Template) {
	t.Helper()
	probe := make(face.Template, face.TemplateDim)
	crowd := crowdOf(t, store, probe)
	if math.Abs(float64(crowd.Rows-face.CrowdRows)) > 300 { // six standard deviations
		t.Errorf("the sample has %d sessions", crowd.Rows)
	}
	if want := int(math.Ceil(face.CrowdShare * float64(crowd.Rows))); len(crowd.Nearest) != want || !slices.IsSorted(crowd.Nearest) {
		t.Fatalf("%d of %d are told, want %d, in order", len(crowd.Nearest), crowd.Rows, want)
	}
	requireShare(t, crowd, probe, templates)
	var members, candidates = map[int]bool{}, []face.Candidate{}
	for i := range 40 {
		for at, apart := range []float32{0.01, -0.02} { // two probes beside this session
			beside := slices.Clone(templates[i])
			beside[at*50] += apart
			near := crowdOf(t, store, beside)
			member := near.Nearest[0] < 0.1
			if near.Rows != crowd.Rows || at == 1 && member != members[i] {
				t.Errorf("session %d is in the sample for one template and not for another, of %d and %d rows", i+1, near.Rows, crowd.Rows)
			}
			members[i] = member
		}
		candidates = append(candidates, face.Candidate{Session: face.Session{ID: fmt.Sprint("person-", i+1)}})
	}
	candidates = append(candidates, candidates[0], candidates[1]) // those of the next batch, too
	for len(candidates) < 70 {
		candidates = append(candidates, face.Candidate{Session: face.Session{ID: "nobody"}})
	}
	crowds, err := store.CandidateCrowds(t.Context(), application, append(candidates, candidates[2]))
	if err != nil || len(crowds) != 71 {
		t.Fatal(len(crowds), err)
	}
	count := 0
	for i := range 40 {
		want := crowd.Rows
		if members[i] { // itself is no stranger
			want--
			count++
		}
		if crowds[i].Rows != want || crowds[i].Nearest[0] < 0.1 {
			t.Errorf("the crowd of session %d has %d of %d, the nearest at %v", i+1, crowds[i].Rows, want, crowds[i].Nearest[0])
		}
	}
	if count < 3 || count > 37 { // with a chance of one in ten million
		t.Errorf("%d of 40 sessions are in the sample, of %d in %d", count, crowd.Rows, len(templates))
	}
	if crowds[40].Rows != crowds[0].Rows || crowds[50].Rows != 0 || crowds[70].Rows != crowds[2].Rows {
		t.Errorf("the crowds are not in the order of the candidates")
	}
}

// requireShare holds the crowd against the whole gallery.
func requireShare(t *testing.T, crowd face.Crowd, probe face.Template, templates []face.Template) {
	t.Helper()
	all := make([]float64, len(templates))
	for i := range all {
		all[i] = probe.Distance(templates[i])
	}
	slices.Sort(all)
	for _, distance := range crowd.Nearest {
		if at, _ := slices.BinarySearch(all, distance-1e-5); all[at] > distance+1e-5 {
			t.Fatalf("nobody is at distance %v", distance)
		}
	}
	farthest := crowd.Nearest[len(crowd.Nearest)-1]
	within, _ := slices.BinarySearch(all, farthest)
	if share := float64(within) / float64(len(all)); share < 0.035 || share > 0.065 { // five standard deviations
		t.Errorf("within the distance of the nearest %v of the sample are %v of the gallery", face.CrowdShare, share)
	}
}

// TestCrowdOfOnePicture: a picture that was enrolled more often than the nearest are many is no crowd.
func TestCrowdOfOnePicture(t *testing.T) {
	store := openStore(t, optionsFor(newPrefix(t), opensearch.ExactIndex))
	defer store.Close()
	createApplication(t, store)
	random := rand.New(rand.NewPCG(7, 7))
	same := make(face.Template, face.TemplateDim)
	var batch []face.Enrolment
	for n := 1; n <= 190; n++ {
		enrolment := person(fmt.Sprint("person-", n), n)
		enrolment.Session.Number, enrolment.Session.PictureID, enrolment.Template = uint64(n), "", same
		if n > 150 {
			enrolment.Template = make(face.Template, face.TemplateDim)
			for i := range enrolment.Template {
				enrolment.Template[i] = float32(random.NormFloat64())
			}
		}
		batch = append(batch, enrolment)
	}
	if err := store.Restore(t.Context(), application, batch); err != nil {
		t.Fatal(err)
	}
	if crowd := crowdOf(t, store, same); crowd.Rows != 40 || len(crowd.Nearest) != 2 {
		t.Errorf("%+v, want 40 rows and the two nearest", crowd)
	}
	crowds, err := store.CandidateCrowds(t.Context(), application, []face.Candidate{{Session: batch[0].Session}, {Session: batch[189].Session}})
	if err != nil || crowds[0].Rows != 40 || len(crowds[0].Nearest) != 2 || crowds[1].Rows != 189 || len(crowds[1].Nearest) != 10 {
		t.Errorf("%+v, %v", crowds, err)
	}
}
