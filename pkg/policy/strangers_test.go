package policy_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// gammas draws distances whose squares follow a gamma distribution of the calibration's shape
// around a squared distance.
func gammas(random *rand.Rand, squared float64, count int) []float32 {
	list := make([]float32, count)
	for i := range list {
		sum := 0.0
		for range int(dlib.CrowdShape) { // a sum of exponentials
			sum += random.ExpFloat64()
		}
		list[i] = float32(math.Sqrt(sum / dlib.CrowdShape * squared))
	}
	return list
}

// within counts the distances up to one, as a share.
func within(distances []float32, distance float64) float64 {
	count := 0
	for _, d := range distances {
		if float64(d) <= distance {
			count++
		}
	}
	return float64(count) / float64(len(distances))
}

// TestStrangers: what is expected from a small sample is what a large one counts, well beyond
// the nearest of the small one.
func TestStrangers(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	const people = 400_000
	for name, draw := range map[string]func(int) []float32{
		"one kind of people": func(n int) []float32 { return gammas(random, 0.74, n) },
		"near to all":        func(n int) []float32 { return gammas(random, 0.5, n) },
		// The probe is of a group that the model tells apart badly, a tenth of the gallery.
		"a group": func(n int) []float32 { return append(gammas(random, 0.25, n/10), gammas(random, 0.74, n-n/10)...) },
	} {
		t.Run("OK "+name, func(t *testing.T) {
			truth := draw(people)
			s := policy.NewStrangers(dlib, people, face.NewCrowd(draw(face.CrowdRows)))
			if s.Calibrated() {
				t.Fatal("a whole sample is too small")
			}
			for distance := 0.3; distance < 0.6; distance += 0.01 {
				observed := within(truth, distance) * people
				if observed < 20 || observed > 0.04*people {
					continue
				}
				claimed := s.Expected(distance, face.Crowd{})
				if claimed > 2.5*observed || claimed < observed/2.5 {
					t.Errorf("at %.2f: %v claimed, %v observed", distance, claimed, observed)
				}
			}
		})
	}
	t.Run("OK both sides", func(t *testing.T) {
		crowd := func(squared float64) face.Crowd { return face.NewCrowd(gammas(random, squared, 20_000)) }
		s := policy.NewStrangers(dlib, people, crowd(0.74))
		alone := s.Expected(0.4, face.Crowd{})
		same, common, rare := s.Expected(0.4, crowd(0.74)), s.Expected(0.4, crowd(0.6)), s.Expected(0.4, crowd(0.9))
		if same > alone*1.5 || same < alone/1.5 || common < 5*alone || rare > alone/5 || rare < alone/10.5 {
			t.Errorf("alone %v, same %v, common %v, rare %v", alone, same, common, rare)
		}
		if got := s.Expected(0.4, crowd(9)); got < alone/10.5 {
			t.Errorf("a candidate like nobody lowers %v to %v", alone, got)
		}
	})
	t.Run("OK rises", func(t *testing.T) {
		s, candidate := policy.NewStrangers(dlib, people, face.NewCrowd(gammas(random, 0.74, 20_000))), face.NewCrowd(gammas(random, 0.6, 20_000))
		last := 0.0
		for distance := 0.0; distance < 2; distance += 0.001 {
			got := s.Expected(distance, candidate)
			if got < last || got < policy.ExpectedMin || got > people {
				t.Fatalf("%v at %v, %v before it", got, distance, last)
			}
			last = got
		}
		if s.Expected(0, candidate) != policy.ExpectedMin {
			t.Errorf("%v for the same picture", s.Expected(0, candidate))
		}
	})
}

// TestStrangersRadius: nobody beyond the radius is as rare as was asked, whatever his own
// crowd, and somebody just within it can be.
func TestStrangersRadius(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	crowds := []face.Crowd{{}}
	for _, squared := range []float64{0.2, 0.5, 0.74, 0.9, 3, 30} {
		crowds = append(crowds, face.NewCrowd(gammas(random, squared, 5000)))
	}
	for _, probe := range crowds[1:6] {
		for _, people := range []int{5000, 1_000_000} {
			for _, expected := range []float64{1e-6, 0.1, 1} {
				s := policy.NewStrangers(dlib, people, probe)
				radius := s.Radius(expected)
				if !(radius > 0 && radius < 2) {
					t.Fatalf("radius %v", radius)
				}
				for _, candidate := range crowds {
					if got := s.Expected(radius+1e-6, candidate); got <= expected {
						t.Errorf("%v expected beyond the radius %v of %v", got, radius, expected)
					}
				}
				if got := s.Expected(radius-0.005, crowds[6]); got > expected*1.1 {
					t.Errorf("the radius %v of %v is wider than it has to be: %v", radius, expected, got)
				}
			}
		}
	}
}

// TestStrangersCalibrated: a small gallery is answered by the calibration.
func TestStrangersCalibrated(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	for rows, want := range map[int]bool{0: true, 5: true, 499: true, 500: false} {
		s := policy.NewStrangers(dlib, 1000, face.NewCrowd(gammas(random, 0.74, rows)))
		if s.Calibrated() != want {
			t.Errorf("%d rows: %v", rows, s.Calibrated())
		}
		if !want {
			continue
		}
		expected := s.Expected(0.5, face.NewCrowd(gammas(random, 0.2, 1000)))
		if rate := 1000 * math.Pow(10, dlib.FMRSlope*0.5+dlib.FMRBase); math.Abs(expected/rate-1) > 0.05 {
			t.Errorf("%v, the calibration says %v", expected, rate)
		}
		if radius := s.Radius(0.1); radius != dlib.Distance(dlib.AutoThreshold(1000, 0.1)) {
			t.Errorf("radius %v", radius)
		}
	}
	t.Run("OK odd samples", func(t *testing.T) {
		for name, distances := range map[string][]float32{
			"all the same": repeat(0.5, 1000), "tiny": repeat(1e-12, 1000), "huge": repeat(1e12, 1000), "zero": repeat(0, 1000),
		} {
			s := policy.NewStrangers(dlib, 1000, face.NewCrowd(distances))
			for _, distance := range []float64{0, 0.3, 0.6, 2} {
				if got := s.Expected(distance, face.NewCrowd(repeat(0.5, 1000))); !(got >= policy.ExpectedMin && got <= 1000) {
					t.Errorf("%s at %v: %v", name, distance, got)
				}
			}
			if radius := s.Radius(0.1); !(radius >= 0) {
				t.Errorf("%s: radius %v", name, radius)
			}
		}
	})
}

func repeat(value float32, count int) []float32 {
	list := make([]float32, count)
	for i := range list {
		list[i] = value
	}
	return list
}

func TestDecideByExpected(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	crowd := func(squared float64) face.Crowd { return face.NewCrowd(gammas(random, squared, 20_000)) }
	strangers := policy.NewStrangers(dlib, 20_000, crowd(0.74))
	settings := settingsWith(func(s *face.Settings) { s.MatchRule = face.ByExpectedFalseMatches })
	found := candidates(candidate(1, 0.3), blocked(candidate(2, 0.44)), candidate(3, 0.45), blocked(candidate(4, 0.45)), candidate(5, 0.7))
	e := evidence(found)
	e.Strangers = strangers
	e.Crowds = []face.Crowd{crowd(0.74), crowd(0.74), crowd(0.74), crowd(0.4), crowd(3)}
	got := decide(settings, e)
	if got.Total != 3 || len(got.Matches) != 3 || got.Status != face.Declined {
		t.Fatalf("%+v", got)
	}
	for i, match := range got.Matches {
		if match.Session.Number != uint64(i+1) || match.Expected == nil || *match.Expected > 0.1 || *match.Expected < 1e-9 {
			t.Errorf("%+v", match)
		}
	}
	if len(got.Warnings) != 1 || got.Warnings[0].Data != "session-2" {
		t.Errorf("warnings %+v", got.Warnings)
	}
	if got := decide(settingsWith(matchesMax(1), func(s *face.Settings) { s.MatchRule = face.ByExpectedFalseMatches }), e); got.Total != 3 || len(got.Matches) != 1 {
		t.Errorf("%+v", got)
	}
	// By similarity the numbers are only shown.
	if got := decide(settingsWith(), e); got.Total != 5 || len(got.Matches) != 5 || *got.Matches[3].Expected <= 0.1 || len(got.Warnings) != 2 {
		t.Errorf("%+v", got)
	}
	// Without a face there is nothing to say.
	e.Faces = nil
	if got := decide(settings, e); got.Total != 0 || got.Status != face.Declined {
		t.Errorf("%+v", got)
	}
	e = evidence(candidates(candidate(1, 0.3)))
	e.Strangers, e.Crowds = policy.NewStrangers(dlib, 20, face.Crowd{}), make([]face.Crowd, 1)
	if got := decide(settings, e); got.Total != 1 || len(got.Warnings) != 1 || got.Warnings[0].Risk != policy.SmallGallery || got.Status != face.InReview {
		t.Errorf("%+v", got)
	}
}

// BenchmarkStrangers is what a search with five matches adds.
func BenchmarkStrangers(b *testing.B) {
	random := rand.New(rand.NewPCG(8, 8))
	crowd := face.NewCrowd(gammas(random, 0.74, face.CrowdRows))
	for b.Loop() {
		s := policy.NewStrangers(dlib, 100_000, crowd)
		s.Radius(0.1)
		for range 5 {
			s.Expected(0.4, crowd)
		}
	}
}

// TestStrangersOwnPictures: a few more pictures of the probe's person in the gallery do not
// look like a crowd.
func TestStrangersOwnPictures(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	others := gammas(random, 0.74, 600)
	alone := policy.NewStrangers(dlib, 600, face.NewCrowd(append([]float32{}, others...))).Expected(0.45, face.Crowd{})
	with := policy.NewStrangers(dlib, 604, face.NewCrowd(append(repeat(0.25, 4), others...))).Expected(0.45, face.Crowd{})
	if with > 4*alone {
		t.Errorf("%v strangers expected, %v without the person's own pictures", with, alone)
	}
}

// TestStrangersGroup: a small group that lies far from all others does not make the whole
// gallery a candidate.
func TestStrangersGroup(t *testing.T) {
	random := rand.New(rand.NewPCG(10, 10))
	for _, share := range []int{100, 50, 25} {
		sample := append(gammas(random, 0.2, 1000/share), gammas(random, 4, 1000)...)
		s := policy.NewStrangers(dlib, 500, face.NewCrowd(sample))
		if radius := s.Radius(1); radius > 1.7 {
			t.Errorf("one in %d: radius %v", share, radius)
		}
		if got := s.Expected(2.5, face.Crowd{}); got < 25 {
			t.Errorf("one in %d: %v of 500 expected where all are", share, got)
		}
	}
}
