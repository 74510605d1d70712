package policy

import "facesearch/pkg/face"

// EffectLeast is the lowest threshold whose effect is told, in percent, and EffectStep how far
// the next one is from it.
const (
	EffectLeast = 60.0
	EffectStep  = 0.5
)

// A Past search is what is known of a saved search, looked at again in the gallery as it is now.
type Past struct {
	Status   face.Status // as it was decided
	Warnings []Warning   // as they were given
	// Similarities, in percent, are those of the sessions near it, the most similar first.
	Similarities []float64
	// Blocklisted is the similarity of the most similar session on the blocklist; 0 when none
	// is near.
	Blocklisted float64
}

// StatusCounts says how many searches have each status.
type StatusCounts struct{ Approved, InReview, Declined int }

// Add counts one more.
func (c *StatusCounts) Add(status face.Status) {
	switch status {
	case face.Approved:
		c.Approved++
	case face.InReview:
		c.InReview++
	case face.Declined:
		c.Declined++
	}
}

// An Effect is what a threshold would do.
type Effect struct {
	Threshold    float64 // percent
	FalseMatches float64 // strangers that a search is expected to return
	Sessions     int     // how many are at this similarity, up to the next threshold
	Matched      int     // searches with a match
	Would        StatusCounts
}

// Effects says what each threshold, from EffectLeast to 100, would have made of past searches,
// in a gallery of that many people. It knows the matches as they would be now, the other
// warnings as they were then.
func (c Calibration) Effects(settings face.Settings, people int, past []Past) []Effect {
	effects := make([]Effect, 0, int((100-EffectLeast)/EffectStep)+1)
	for threshold := EffectLeast; threshold <= 100; threshold += EffectStep {
		effect := Effect{Threshold: threshold, FalseMatches: c.FalseMatches(people, threshold)}
		for _, each := range past {
			for _, similarity := range each.Similarities {
				if similarity >= threshold && similarity < threshold+EffectStep {
					effect.Sessions++
				}
			}
			if each.matched(threshold) {
				effect.Matched++
			}
			effect.Would.Add(each.statusAt(settings, threshold))
		}
		effects = append(effects, effect)
	}
	return effects
}

func (p Past) matched(threshold float64) bool {
	return len(p.Similarities) > 0 && p.Similarities[0] >= threshold || p.Blocklisted >= threshold
}

// statusAt is what Decide would have come to.
func (p Past) statusAt(settings face.Settings, threshold float64) face.Status {
	decision := Decision{}
	if p.matched(threshold) {
		decision.Total = 1
	}
	for _, warning := range p.Warnings {
		if warning.Risk != FaceInBlocklist {
			decision.Warnings = append(decision.Warnings, warning)
		}
	}
	if p.Blocklisted >= threshold {
		decision.Warnings = append(decision.Warnings, Warning{Risk: FaceInBlocklist, Severity: face.ErrorLevel})
	}
	return status(settings, decision)
}
