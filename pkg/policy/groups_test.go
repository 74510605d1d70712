package policy_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"facesearch/pkg/policy"
)

func TestGroups(t *testing.T) {
	link := func(a, b int, similarity float64) policy.Link { return policy.Link{A: a, B: b, Similarity: similarity} }
	bridge := func(a, b int, similarity float64) policy.Link {
		return policy.Link{A: a, B: b, Similarity: similarity, Bridge: true}
	}
	for _, row := range []struct {
		name  string
		links []policy.Link
		want  []policy.Group
	}{
		{"OK none", nil, []policy.Group{}},
		{"OK two are no bridge", []policy.Link{link(3, 8, 91)}, []policy.Group{{[]int{3, 8}, []policy.Link{link(3, 8, 91)}}}},
		{"OK two pairs, the more similar first", []policy.Link{link(1, 2, 91), link(5, 9, 95)}, []policy.Group{
			{[]int{5, 9}, []policy.Link{link(5, 9, 95)}}, {[]int{1, 2}, []policy.Link{link(1, 2, 91)}},
		}},
		{"OK a chain is all bridges", []policy.Link{link(1, 2, 91), link(2, 3, 92)}, []policy.Group{
			{[]int{1, 2, 3}, []policy.Link{bridge(2, 3, 92), bridge(1, 2, 91)}},
		}},
		{"OK a triangle has none", []policy.Link{link(1, 2, 90), link(2, 3, 90), link(1, 3, 90)}, []policy.Group{
			{[]int{1, 2, 3}, []policy.Link{link(1, 2, 90), link(1, 3, 90), link(2, 3, 90)}},
		}},
		{"OK two triangles joined by one", []policy.Link{
			link(1, 2, 99), link(2, 3, 99), link(1, 3, 99), link(4, 5, 98), link(5, 6, 98), link(4, 6, 98), link(3, 4, 90),
		}, []policy.Group{{[]int{1, 2, 3, 4, 5, 6}, []policy.Link{
			link(1, 2, 99), link(1, 3, 99), link(2, 3, 99), link(4, 5, 98), link(4, 6, 98), link(5, 6, 98), bridge(3, 4, 90),
		}}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := policy.Groups(row.links); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

// TestGroupsAgainstOracle takes each link away in turn and looks whether its ends still meet.
func TestGroupsAgainstOracle(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for round := range 300 {
		people := 2 + random.IntN(9)
		var links []policy.Link
		for a := range people {
			for b := a + 1; b < people; b++ {
				if random.IntN(people) < 2 {
					links = append(links, policy.Link{A: a, B: b, Similarity: float64(random.IntN(4))})
				}
			}
		}
		seen := 0
		for _, group := range policy.Groups(links) {
			for _, each := range group.Links {
				seen++
				without := slices.DeleteFunc(slices.Clone(links), func(l policy.Link) bool { return l.A == each.A && l.B == each.B })
				want := len(group.Members) > 2 && !meet(without, each.A, each.B)
				if each.Bridge != want || !slices.Contains(group.Members, each.A) || !slices.Contains(group.Members, each.B) {
					t.Fatalf("round %d: link %+v of %+v in %s", round, each, group.Members, fmt.Sprint(links))
				}
			}
			for _, member := range group.Members {
				if !meet(links, group.Members[0], member) {
					t.Fatalf("round %d: %d is not with %d", round, member, group.Members[0])
				}
			}
		}
		if seen != len(links) {
			t.Fatalf("round %d: %d links of %d are in groups", round, seen, len(links))
		}
	}
}

// TestGroupsLong would overflow a stack of calls if anything would.
func TestGroupsLong(t *testing.T) {
	var links []policy.Link
	for a := range 300_000 {
		links = append(links, policy.Link{A: a, B: a + 1})
	}
	if groups := policy.Groups(links); len(groups) != 1 || len(groups[0].Members) != 300_001 || !groups[0].Links[7].Bridge {
		t.Fatalf("%d groups", len(groups))
	}
}

// meet reports whether links lead from a to b.
func meet(links []policy.Link, a, b int) bool {
	reached := map[int]bool{a: true}
	for range links {
		for _, link := range links {
			if reached[link.A] || reached[link.B] {
				reached[link.A], reached[link.B] = true, true
			}
		}
	}
	return reached[b]
}
