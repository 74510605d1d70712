package policy

import "facesearch/pkg/face"

// A Person is the matches that share a vendor_data. A session without one is a person of its
// own, with an empty VendorData.
type Person struct {
	VendorData string
	SessionIDs []string // most similar first
	Similarity float64  // of the most similar one, in percent
}

// People groups candidates, which are most similar first, by person, and lists the people in
// the same order.
func People(calibration Calibration, candidates []face.Candidate) []Person {
	people := []Person{}
	place := map[string]int{}
	for _, candidate := range candidates {
		owner := candidate.Session.VendorData
		at, known := place[owner]
		if !known || owner == "" {
			at = len(people)
			place[owner] = at
			people = append(people, Person{VendorData: owner, Similarity: Percentage(calibration.Similarity(candidate.Distance))})
		}
		people[at].SessionIDs = append(people[at].SessionIDs, candidate.Session.ID)
	}
	return people
}
