package accuracy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/accuracy"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

var options = accuracy.Options{Calibration: facetest.Calibration(), Expected: 0.1, Seed: 1}

// picture is of a person at a place on an axis of their own, or a shared one.
func picture(person string, at ...float64) accuracy.Picture {
	p := accuracy.Picture{Person: person, Thumb: []byte("thumb"), Template: make(face.Template, face.TemplateDim)}
	for i, v := range at {
		p.Template[i] = float32(v)
	}
	p.File = fmt.Sprintf("%s at %v", person, at)
	return p
}

func evaluate(t *testing.T, input accuracy.Input, options accuracy.Options) *accuracy.Report {
	t.Helper()
	report, err := accuracy.Evaluate(t.Context(), &input, options)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

// TestEvaluate counts by hand: three people on a line, at 0, 0.45 and 2, and their further
// pictures.
func TestEvaluate(t *testing.T) {
	input := accuracy.Input{
		Name: "by hand",
		Pictures: []accuracy.Picture{
			picture("a", 0), picture("b", 0.45), picture("c", 2),
			picture("a", 0.1),  // found: at 70 its mate is within 0.5, and nearest
			picture("b", 0.2),  // found, but a is nearer
			picture("c", 1.3),  // missed
			picture("c", 2.25), // found
		},
		Failures: []accuracy.Failure{{File: "x.jpg", Reason: "no face was found"}},
		Empty:    2, EmptyFaces: []string{"y.jpg"},
	}
	input.Pictures[0].Cohort, input.Pictures[1].Cohort, input.Pictures[2].Cohort = "near", "near", "far"
	r := evaluate(t, input, options)
	if r.People != 3 || r.Pictures != 7 || r.Mated != 4 || r.Nonmated != 3 || !r.Calibrated {
		t.Errorf("%+v", r)
	}
	if r.FailureRate.Events != 1 || r.FailureRate.Trials != 8 || r.Empty != 2 || len(r.EmptyFaces) != 1 {
		t.Errorf("failures %+v", r.FailureRate)
	}
	if r.Rank1.Events != 3 || r.Rank1.Trials != 4 || r.Rank1.People != 3 {
		t.Errorf("rank 1: %+v", r.Rank1)
	}
	at70 := r.Rules[0]
	if at70.FPIR.Events != 2 || at70.FPIR.Trials != 3 || at70.FNIR.Events != 1 || at70.FNIR.Trials != 4 ||
		at70.FMR.Events != 1 || at70.FMR.Trials != 3 || at70.FNMR.Events != 2 || at70.FNMR.Trials != 5 || !near(at70.Strangers, 2.0/3) {
		t.Errorf("at 70: %+v %+v %+v %+v", at70, at70.FPIR, at70.FMR, at70.FNMR)
	}
	// Wilson's interval for 2 of 3, as in any table of it.
	if math.Abs(at70.FPIR.Low-0.2077) > 1e-3 || math.Abs(at70.FPIR.High-0.9385) > 1e-3 {
		t.Errorf("interval %v to %v", at70.FPIR.Low, at70.FPIR.High)
	}
	at90 := r.Rules[2]
	if at90.FPIR.Events != 0 || at90.FNIR.Events != 1 {
		t.Errorf("at 90: %+v %+v", at90.FPIR, at90.FNIR)
	}
	if r.Chosen.Similarity != 70 || r.Chosen.Auto != 70 || r.Chosen.Gallery != 3 {
		t.Errorf("chosen %+v", r.Chosen)
	}
	if len(r.WorstStrangers) == 0 || !near(r.WorstStrangers[0].Distance, 0.45) || !strings.HasPrefix(r.WorstStrangers[0].Left, "a at") ||
		len(r.WorstStrangers) != 2 || !near(r.WorstStrangers[1].Distance, 1.55) {
		t.Errorf("strangers %+v", r.WorstStrangers)
	}
	if len(r.WorstMates) != 4 || !near(r.WorstMates[0].Distance, 0.7) || r.WorstMates[0].Left != "c at [1.3]" || r.WorstMates[0].Right != "c at [2]" {
		t.Errorf("mates %+v", r.WorstMates)
	}
	if len(r.Cohorts) != 2 || r.Cohorts[0].Name != "far" || r.Cohorts[0].FMR != nil || r.Cohorts[0].FPIR.Events != 0 || r.Cohorts[0].FNIR.Events != 1 || r.Cohorts[0].FNIR.Trials != 2 ||
		r.Cohorts[1].FMR.Events != 1 || r.Cohorts[1].FPIR.Events != 2 || r.Cohorts[1].FNIR.Events != 0 || r.Cohorts[1].People != 2 {
		t.Errorf("cohorts %+v %+v", r.Cohorts[0], r.Cohorts[1])
	}
	t.Run("ErrOnePerson", func(t *testing.T) {
		if _, err := accuracy.Evaluate(t.Context(), &accuracy.Input{Pictures: input.Pictures[:1]}, options); err == nil {
			t.Error("one person was evaluated")
		}
	})
}

// crowdOf draws people with two pictures each, whose geometry is about the real model's.
func crowdOf(people int, seed uint64) accuracy.Input { return hubsOf(people, seed, 0.08) }

// hubsOf lets the distance from the middle vary from person to person.
func hubsOf(people int, seed uint64, spread float64) accuracy.Input {
	random := rand.New(rand.NewPCG(seed, 1))
	input := accuracy.Input{Name: "made up"}
	deviations := make([]float64, face.TemplateDim)
	for i := range deviations {
		deviations[i] = 0.1 * math.Exp(-float64(i)/29)
	}
	for n := range people {
		person := fmt.Sprint("person ", n)
		hub := math.Exp(spread * random.NormFloat64())
		at := make(face.Template, face.TemplateDim)
		for i, deviation := range deviations {
			at[i] = float32(deviation * hub * random.NormFloat64())
		}
		for p := range 2 {
			picture := accuracy.Picture{Person: person, File: fmt.Sprintf("%d-%d", n, p), Template: slices.Clone(at)}
			for i, deviation := range deviations {
				picture.Template[i] += float32(0.3 * deviation * random.NormFloat64())
			}
			input.Pictures = append(input.Pictures, picture)
		}
	}
	return input
}

// TestClaims: expected_false_matches never claims three times too little, and does not claim
// nothing.
func TestClaims(t *testing.T) {
	r := evaluate(t, crowdOf(900, 3), options)
	if r.Calibrated {
		t.Fatal("900 people are too few")
	}
	last := 0.0
	for _, claim := range r.Claims {
		if claim.Observed > 3*claim.Claimed || claim.Observed < last {
			t.Errorf("%+v", claim)
		}
		last = claim.Observed
	}
	if last < 0.1 {
		t.Errorf("1 claimed, %v observed", last)
	}
	// The threshold at a false positive rate is one at which that share is found, and no more.
	open := r.OpenSet[0]
	if open.Method != "counted" || open.Distance <= 0 {
		t.Fatalf("%+v", open)
	}
	for _, point := range r.Curve {
		if point.Distance < open.Distance-0.005 && point.FPIR > 0.01 || point.Distance > open.Distance+0.005 && point.FPIR <= 0.01 {
			t.Errorf("FPIR of 1 %% at %v, and %v at %v", open.Distance, point.FPIR, point.Distance)
		}
	}
	if r.OpenSet[1].Method == "counted" || r.OpenSet[1].Distance >= open.Distance || r.OpenSet[1].FNIR.Rate < open.FNIR.Rate {
		t.Errorf("at 0.1 %%: %+v, at 1 %%: %+v", r.OpenSet[1], open)
	}
	// What a gallery needs rises with it.
	for i, g := range r.Growth {
		if i > 0 && (g.Needed < r.Growth[i-1].Needed || g.Auto < r.Growth[i-1].Auto) {
			t.Errorf("%+v after %+v", g, r.Growth[i-1])
		}
	}
	if r.Chosen.Gallery != 900 {
		t.Errorf("%+v", r.Chosen)
	}
}

// TestThresholds: among 300 people on a line, 20 pairs are near, each a little farther apart than
// the one before.
func TestThresholds(t *testing.T) {
	var input accuracy.Input
	for i := range 300 {
		at := 10 * float64(i)
		if i < 40 && i%2 == 1 {
			at = 10*float64(i-1) + 0.3005 + 0.005*float64(i/2)
		}
		input.Pictures = append(input.Pictures, picture(fmt.Sprint(i), at))
	}
	r := evaluate(t, input, options)
	// 1 % of the searches are 3, and the second pair would make it 4.
	if o := r.OpenSet[0]; o.Method != "counted" || o.Distance >= 0.30551 || o.Distance < 0.305 {
		t.Errorf("%+v", o)
	}
	for _, point := range r.Curve {
		if point.Distance == 0.305 && !near(point.FPIR, 2.0/300) || point.Distance == 0.31 && !near(point.FPIR, 4.0/300) {
			t.Errorf("%+v", point)
		}
	}
	// 0.1 strangers in each of 300 searches are 14 pairs and a bit, and the next one is at 0.3705.
	want := math.Ceil(options.Calibration.Similarity(0.37)*10) / 10
	if c := r.Chosen; c.Method != "counted" || !near(c.Similarity, want) {
		t.Errorf("%+v, want %v", c, want)
	}
	if len(r.WorstStrangers) != 12 || math.Abs(r.WorstStrangers[11].Distance-0.3555) > 1e-3 {
		t.Errorf("%+v", r.WorstStrangers)
	}
	if r.OpenSet[0].FNIR != nil || r.Rank1 != nil {
		t.Error("searches for mates, of whom there are none")
	}
}

// TestGallery: the threshold is chosen for the gallery that was named.
func TestGallery(t *testing.T) {
	o := options
	small := evaluate(t, crowdOf(100, 3), o).Chosen
	o.Gallery = 100_000
	large := evaluate(t, crowdOf(100, 3), o).Chosen
	if large.Similarity <= small.Similarity || large.Gallery != 100_000 || large.Auto != o.Calibration.AutoThreshold(100_000, 0.1) {
		t.Errorf("%+v, for a larger gallery %+v", small, large)
	}
}

// TestSizes: made-up strangers come as near to each other as the people they are made from.
func TestSizes(t *testing.T) {
	o := options
	o.Sizes = []int{50, 1000}
	r := evaluate(t, hubsOf(200, 4, 0.25), o)
	if len(r.Sizes) != 2 {
		t.Fatalf("%+v", r.Sizes)
	}
	small, large := r.Sizes[0], r.Sizes[1]
	if small.Real != 50 || small.Searches != 1100 || !small.Calibrated || small.Threshold != 70 {
		t.Errorf("%+v", small)
	}
	if large.Real != 100 || large.Calibrated || large.Threshold <= 70 {
		t.Errorf("%+v", large)
	}
	// At the same distance the pairs of these people have a rate, and the gallery shows the same.
	var rate float64
	distance := o.Calibration.Distance(large.Threshold)
	for _, point := range r.Curve {
		if point.Distance <= distance {
			rate = point.FMR
		}
	}
	if want := rate * 1000; large.Strangers > 1.5*want || large.Strangers < want/1.5 {
		t.Errorf("%v strangers a search, the pairs of the people give %v", large.Strangers, want)
	}
	again := evaluate(t, hubsOf(200, 4, 0.25), o)
	again.Started, again.Seconds, r.Started, r.Seconds = time.Time{}, 0, time.Time{}, 0
	one, _ := json.Marshal(r)
	other, _ := json.Marshal(again)
	if !bytes.Equal(one, other) {
		t.Error("another report the second time")
	}
}

// TestSizesApart: where people are far apart, the two rules look at different distances.
func TestSizesApart(t *testing.T) {
	input, o := crowdOf(100, 6), options
	for i := range input.Pictures {
		for j := range input.Pictures[i].Template {
			input.Pictures[i].Template[j] *= 1.6
		}
	}
	o.Sizes = []int{700}
	size := evaluate(t, input, o).Sizes[0]
	if size.Strangers > 0.2 || size.StrangersExpected > 0.2 || size.FPIR.Trials != 1050 {
		t.Errorf("%+v", size)
	}
}

func TestWrite(t *testing.T) {
	input := crowdOf(20, 5)
	input.Pictures[0].Thumb = []byte("a picture")
	input.Pictures[0].File = `<script>alert("x")</script>`
	input.Failures = []accuracy.Failure{{File: "broken.jpg", Reason: "The image cannot be decoded."}}
	r := evaluate(t, input, options)
	r.WorstMates = []accuracy.Pair{{Left: input.Pictures[0].File, Right: input.Pictures[1].File, Distance: 0.5, Similarity: 70}}
	var page, table bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	if strings.Count(text, `<svg class="chart"`) != 4 || !strings.Contains(text, `src="data:image/jpeg;base64,YSBwaWN0dXJl"`) {
		t.Error("charts or pictures are missing")
	}
	if strings.Contains(text, "<script>alert") || strings.Contains(text, "ZgotmplZ") || strings.Contains(text, `src="http`) || strings.Contains(text, "NaN") {
		t.Error("the page is not safe, or not whole")
	}
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"FNIR", "expected_false_matches 0.1", "broken.jpg", "suggest a similarity_threshold of", "too few people"} {
		if !strings.Contains(table.String(), words) || !strings.Contains(text, words) {
			t.Errorf("nothing of %q:\n%s", words, &table)
		}
	}
}
