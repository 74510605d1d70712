package accuracy

import "slices"

// cohorts are the error rates of each group of people at the chosen threshold; none when no
// picture has a cohort.
func (s *study) cohorts(chosen Chosen) []Cohort {
	members := map[string][]int{}
	for i, person := range s.people {
		members[person.cohort] = append(members[person.cohort], i)
	}
	if _, all := members[""]; all && len(members) == 1 {
		return nil
	}
	var names []string
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	var list []Cohort
	for _, name := range names {
		cohort := s.cohort(members[name], chosen)
		cohort.Name = name
		if name == "" {
			cohort.Name = "(none)"
		}
		list = append(list, cohort)
	}
	return list
}

func (s *study) cohort(members []int, chosen Chosen) Cohort {
	cohort := Cohort{People: len(members)}
	near, pairs := 0, 0
	for at, i := range members {
		for _, j := range members[:at] {
			pairs++
			if s.first(i).Distance(s.first(j)) <= chosen.Distance {
				near++
			}
		}
	}
	cohort.FMR = shareOf(near, pairs)
	found, expected := 0, 0
	is := map[int]bool{}
	for _, i := range members {
		is[i] = true
		at := &s.searches[i]
		if at.nearest <= chosen.Distance {
			found++
		}
		if slices.ContainsFunc(at.near, func(each neighbour) bool { return s.isMatch(at, each, chosen.Expected) }) {
			expected++
		}
	}
	cohort.FPIR = rateOf(found, len(members), len(members))
	cohort.FPIRExpected = rateOf(expected, len(members), len(members))
	cohort.FNIR = s.missedOf(is, func(p *probe) bool { return p.mate > chosen.Distance })
	cohort.FNIRExpected = s.missedOf(is, func(p *probe) bool { return !s.mateMatches(p, chosen.Expected) })
	return cohort
}

// missedOf is missed among some people; nil stands for all.
func (s *study) missedOf(is map[int]bool, missed func(*probe) bool) *Rate {
	events, trials, people := 0, 0, map[int]bool{}
	for i := range s.probes {
		p := &s.probes[i]
		if is != nil && !is[p.person] {
			continue
		}
		trials++
		people[p.person] = true
		if missed(p) {
			events++
		}
	}
	return rateOf(events, trials, len(people))
}
