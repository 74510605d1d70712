package accuracy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"facesearch/pkg/policy"
)

// A Report is what Evaluate measured. Distances are Euclidean, similarities in percent.
type Report struct {
	Name    string    `json:"name"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`

	People      int       `json:"people"`
	Pictures    int       `json:"pictures"`
	Mated       int       `json:"mated_searches"`    // of pictures whose person is in the gallery
	Nonmated    int       `json:"nonmated_searches"` // of people against everybody else
	Failures    []Failure `json:"failures"`
	FailureRate *Rate     `json:"failure_rate"` // of pictures that should show a face
	Empty       int       `json:"pictures_of_nobody"`
	EmptyFaces  []string  `json:"faces_found_in_pictures_of_nobody"`

	Rank1   *Rate     `json:"rank_1"` // share of mated searches whose nearest is the mate
	OpenSet []OpenSet `json:"open_set"`
	Chosen  Chosen    `json:"chosen"`
	Rules   []Rule    `json:"rules"`
	// Claims are of expected_false_matches. Calibrated says that the gallery was too small for
	// anything but the model's calibration.
	Claims     []Claim  `json:"claims"`
	Calibrated bool     `json:"calibrated"`
	Cohorts    []Cohort `json:"cohorts"`
	Growth     []Growth `json:"growth"`
	Sizes      []Size   `json:"sizes"`

	Curve          []CurvePoint  `json:"curve"`
	Distances      []DistanceBin `json:"distances"`
	WorstStrangers []Pair        `json:"worst_strangers"`
	WorstMates     []Pair        `json:"worst_mates"`

	thumbs map[string][]byte
}

// An OpenSet is the threshold at a false positive identification rate, and what is missed there.
type OpenSet struct {
	FPIR       float64 `json:"fpir"`
	Distance   float64 `json:"distance"`
	Similarity float64 `json:"similarity"`
	FNIR       *Rate   `json:"fnir"`
	// Method says how the threshold was found: counted, or extrapolated because there are too
	// few searches.
	Method string `json:"method"`
}

// Chosen is the threshold that suits these pictures.
type Chosen struct {
	Gallery    int     `json:"gallery"`
	Expected   float64 `json:"expected_false_matches"`
	Similarity float64 `json:"similarity"`
	Distance   float64 `json:"distance"`
	Auto       float64 `json:"auto"` // what the calibration chooses
	Method     string  `json:"method"`
}

// A Rule is one way to decide who is a match, with the errors that it makes here.
type Rule struct {
	Name      string  `json:"name"`
	FPIR      *Rate   `json:"fpir"`
	Strangers float64 `json:"strangers_per_search"`
	FNIR      *Rate   `json:"fnir"`
	FMR       *Share  `json:"fmr"`  // nil for expected_false_matches, which no pair alone decides
	FNMR      *Share  `json:"fnmr"` // the same
}

// A Claim compares expected_false_matches with the strangers that were found.
type Claim struct {
	Claimed  float64 `json:"claimed"`
	Observed float64 `json:"observed"` // per search, those of whom at most so many were expected
	Found    int     `json:"found"`
}

// A Cohort is a group of people at the chosen threshold, and by expected_false_matches.
type Cohort struct {
	Name         string `json:"name"`
	People       int    `json:"people"`
	FMR          *Share `json:"fmr"` // of pairs of strangers within it
	FPIR         *Rate  `json:"fpir"`
	FNIR         *Rate  `json:"fnir"`
	FPIRExpected *Rate  `json:"fpir_by_expected_false_matches"`
	FNIRExpected *Rate  `json:"fnir_by_expected_false_matches"`
}

// A Growth is what a size of the gallery means for these pictures.
type Growth struct {
	People    int     `json:"people"`
	Auto      float64 `json:"auto"`
	Strangers float64 `json:"strangers_per_search"` // at auto
	Needed    float64 `json:"needed"`               // the similarity for the strangers allowed
	FNIR      *Rate   `json:"fnir"`                 // at Needed
	Method    string  `json:"method"`
}

// A CurvePoint has the error rates at a distance.
type CurvePoint struct {
	Distance float64 `json:"distance"`
	FMR      float64 `json:"fmr"`
	FNMR     float64 `json:"fnmr"`
	FPIR     float64 `json:"fpir"`
	FNIR     float64 `json:"fnir"`
}

// A DistanceBin has the shares of pairs from Distance on, for the width of a bin.
type DistanceBin struct {
	Distance  float64 `json:"distance"`
	Strangers float64 `json:"strangers"`
	Mates     float64 `json:"mates"`
}

// A Pair is two pictures that are too near or too far.
type Pair struct {
	Left       string  `json:"left"`
	Right      string  `json:"right"`
	Distance   float64 `json:"distance"`
	Similarity float64 `json:"similarity"`
}

func (s *study) report() *Report {
	r := &Report{
		Name: s.input.Name, People: len(s.people), Pictures: len(s.input.Pictures), Mated: len(s.probes), Nonmated: len(s.searches),
		Failures: append([]Failure{}, s.input.Failures...), Empty: s.input.Empty, EmptyFaces: append([]string{}, s.input.EmptyFaces...),
		Cohorts: []Cohort{}, Sizes: []Size{}, thumbs: map[string][]byte{},
	}
	tried := len(s.input.Pictures) + len(s.input.Failures)
	r.FailureRate = rateOf(len(s.input.Failures), tried, tried)
	r.Rank1 = s.missed(func(p *probe) bool { return p.rank == 1 })
	line := s.tailOf()
	for _, fpir := range []float64{0.01, 0.001} {
		r.OpenSet = append(r.OpenSet, s.openSet(fpir, line))
	}
	r.Chosen = s.choose(line)
	r.Rules = s.rules(r.Chosen)
	r.Claims, r.Calibrated = s.claims(), s.searches[0].fitted.Calibrated()
	r.Cohorts = append(r.Cohorts, s.cohorts(r.Chosen)...)
	r.Growth = s.growth(line)
	r.Curve, r.Distances = s.curve(), s.bins()
	r.WorstStrangers, r.WorstMates = s.worstStrangers(), s.worstMates()
	for _, picture := range s.input.Pictures {
		r.thumbs[picture.File] = picture.Thumb
	}
	return r
}

// missed counts the mated searches of which something is true.
func (s *study) missed(is func(*probe) bool) *Rate {
	return s.missedOf(nil, is)
}

func (s *study) fnir(distance float64) *Rate {
	return s.missed(func(p *probe) bool { return p.mate > distance })
}

func (s *study) fpir(distance float64) *Rate {
	events := 0
	for i := range s.searches {
		if s.searches[i].nearest <= distance {
			events++
		}
	}
	return rateOf(events, len(s.searches), len(s.searches))
}

// openSet finds the threshold at which that share of the searches without a mate find somebody.
func (s *study) openSet(fpir float64, line tail) OpenSet {
	nearest := make([]float64, len(s.searches))
	for i := range s.searches {
		nearest[i] = s.searches[i].nearest
	}
	slices.Sort(nearest)
	o := OpenSet{FPIR: fpir, Method: "counted"}
	allowed := int(fpir * float64(len(nearest)))
	if allowed >= 1 {
		o.Distance = math.Nextafter(nearest[allowed], 0) // the nearest of those that may not be found
	} else {
		o.Distance, o.Method = line.distance(fpir/float64(len(nearest)-1)), line.method()
	}
	o.Similarity, o.FNIR = s.options.Calibration.Similarity(o.Distance), s.fnir(o.Distance)
	return o
}

// choose finds the lowest threshold with one decimal at which no more strangers are expected.
func (s *study) choose(line tail) Chosen {
	c := Chosen{Gallery: s.options.Gallery, Expected: s.options.Expected}
	if c.Gallery == 0 {
		c.Gallery = len(s.people)
	}
	c.Similarity, c.Method = s.needed(c.Gallery, line)
	c.Distance = s.options.Calibration.Distance(c.Similarity)
	c.Auto = s.options.Calibration.AutoThreshold(c.Gallery, c.Expected)
	return c
}

// needed is the similarity, rounded up to a tenth, at which a search of so many people finds as
// many strangers as are allowed, and how that is known.
func (s *study) needed(people int, line tail) (similarity float64, method string) {
	rate := s.options.Expected / float64(people)
	distance, method := line.distance(rate), line.method()
	// Where enough pairs are as near, they are counted.
	if pairs := rate * float64(s.strangers.total); pairs >= tailPairsMin {
		distance, method = 0, "counted"
		for d := binWidth; s.strangers.share(d) <= rate && d < binCount*binWidth; d += binWidth {
			distance = d
		}
	}
	similarity = math.Ceil(s.options.Calibration.Similarity(distance)*10-1e-6) / 10
	return min(max(similarity, policy.ThresholdMin), 99.9), method
}

func (s *study) rules(chosen Chosen) []Rule {
	c := s.options.Calibration
	auto := c.AutoThreshold(len(s.people), s.options.Expected)
	rules := []Rule{
		s.bySimilarity(fmt.Sprintf("similarity %.1f (auto for %d people)", auto, len(s.people)), auto),
		s.bySimilarity("similarity 70", policy.ThresholdMin),
		s.bySimilarity("similarity 90", 90),
	}
	if chosen.Similarity != auto {
		rules = append(rules, s.bySimilarity(fmt.Sprintf("similarity %.1f (chosen)", chosen.Similarity), chosen.Similarity))
	}
	return append(rules, s.byExpected(s.options.Expected))
}

func (s *study) bySimilarity(name string, similarity float64) Rule {
	distance := s.options.Calibration.Distance(similarity)
	within := int(s.strangers.within(distance))
	rule := Rule{
		Name: name, FPIR: s.fpir(distance), FNIR: s.fnir(distance), FMR: shareOf(within, int(s.strangers.total)),
		Strangers: float64(within) / float64(s.strangers.total) * float64(len(s.people)-1),
	}
	far := int(s.mates.total - s.mates.within(distance))
	rule.FNMR = shareOf(far, int(s.mates.total))
	return rule
}

// isMatch is the rule by expected_false_matches for a neighbour of a search.
func (s *study) isMatch(at *search, each neighbour, expected float64) bool {
	if at.fitted.Calibrated() && each.distance > at.fitted.Radius(expected) {
		return false
	}
	return each.expected <= expected
}

func (s *study) byExpected(expected float64) Rule {
	found, searches := 0, 0
	for i := range s.searches {
		at, any := &s.searches[i], false
		for _, each := range at.near {
			if s.isMatch(at, each, expected) {
				found, any = found+1, true
			}
		}
		if any {
			searches++
		}
	}
	return Rule{
		Name: fmt.Sprintf("expected_false_matches %v", expected), FPIR: rateOf(searches, len(s.searches), len(s.searches)),
		Strangers: float64(found) / float64(len(s.searches)), FNIR: s.missed(func(p *probe) bool { return !s.mateMatches(p, expected) }),
	}
}

func (s *study) mateMatches(p *probe, expected float64) bool {
	if p.fitted.Calibrated() && p.mate > p.fitted.Radius(expected) {
		return false
	}
	return p.expected <= expected
}

// claims counts, for each number of strangers that is claimed, those whom a search found of
// whom at most so many were expected.
func (s *study) claims() []Claim {
	var list []Claim
	for _, claimed := range []float64{0.01, 0.03, 0.1, 0.3, claimMax} {
		claim := Claim{Claimed: claimed}
		for i := range s.searches {
			at := &s.searches[i]
			for _, each := range at.near {
				if each.expected <= claimed {
					claim.Found++
				}
			}
		}
		claim.Observed = float64(claim.Found) / float64(len(s.searches))
		list = append(list, claim)
	}
	return list
}

func (s *study) growth(line tail) []Growth {
	var list []Growth
	c := s.options.Calibration
	for _, people := range []int{100, 1000, 10_000, 100_000, 1_000_000} {
		g := Growth{People: people, Auto: c.AutoThreshold(people, s.options.Expected)}
		distance := c.Distance(g.Auto)
		rate := line.rate(distance)
		if s.strangers.within(distance) >= tailPairsMin {
			rate = s.strangers.share(distance)
		}
		g.Strangers = rate * float64(people)
		g.Needed, g.Method = s.needed(people, line)
		g.FNIR = s.fnir(c.Distance(g.Needed))
		list = append(list, g)
	}
	return list
}

const (
	curvePoints = 200
	binsShown   = 0.02
	worstShown  = 12
)

func (s *study) curve() []CurvePoint {
	var list []CurvePoint
	value := func(rate *Rate) float64 {
		if rate == nil {
			return 0
		}
		return rate.Rate
	}
	for i := range curvePoints {
		distance := float64(i+1) / curvePoints
		point := CurvePoint{Distance: distance, FMR: s.strangers.share(distance), FPIR: value(s.fpir(distance)), FNIR: value(s.fnir(distance))}
		if s.mates.total > 0 {
			point.FNMR = 1 - s.mates.share(distance)
		}
		list = append(list, point)
	}
	return list
}

func (s *study) bins() []DistanceBin {
	var list []DistanceBin
	for from := 0.0; from < 1.3; from += binsShown {
		bin := DistanceBin{Distance: math.Round(from*100) / 100}
		share := func(h *histogram) float64 {
			return float64(h.within(from+binsShown)-h.within(from)) / float64(max(1, h.total))
		}
		bin.Strangers, bin.Mates = share(&s.strangers), share(&s.mates)
		list = append(list, bin)
	}
	return list
}

func (s *study) pair(a, b int, distance float64) Pair {
	return Pair{s.input.Pictures[a].File, s.input.Pictures[b].File, distance, policy.Percentage(s.options.Calibration.Similarity(distance))}
}

// worstStrangers are the nearest, each pair once.
func (s *study) worstStrangers() []Pair {
	pairs := []Pair{}
	for i := range s.searches {
		for _, each := range append(s.searches[i].near, neighbour{person: s.searches[i].who, distance: s.searches[i].nearest}) {
			if each.person > i || each.person == s.searches[i].who && s.searches[each.person].who != i {
				pairs = append(pairs, s.pair(s.people[i].pictures[0], s.people[each.person].pictures[0], each.distance))
			}
		}
	}
	slices.SortFunc(pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(min(a.Left, a.Right), min(b.Left, b.Right)))
	})
	pairs = slices.CompactFunc(pairs, func(a, b Pair) bool {
		return min(a.Left, a.Right) == min(b.Left, b.Right) && max(a.Left, a.Right) == max(b.Left, b.Right)
	})
	return pairs[:min(len(pairs), worstShown)]
}

// worstMates are the farthest from the picture that is in the gallery.
func (s *study) worstMates() []Pair {
	pairs := []Pair{}
	for _, p := range s.probes {
		pairs = append(pairs, s.pair(p.picture, s.people[p.person].pictures[0], p.mate))
	}
	slices.SortStableFunc(pairs, func(a, b Pair) int { return cmp.Compare(b.Distance, a.Distance) })
	return pairs[:min(len(pairs), worstShown)]
}
