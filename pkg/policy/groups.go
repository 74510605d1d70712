package policy

import (
	"cmp"
	"slices"
)

// A Link says that two people, by their places in a list, look alike.
type Link struct {
	A, B       int     // A < B
	Similarity float64 // in percent
	// Bridge is set by Groups: without this one link a group of three or more would fall apart,
	// so whether they are all one person hangs on it alone.
	Bridge bool
}

// A Group is people who look alike, directly or by way of others.
type Group struct {
	Members []int // ascending
	Links   []Link
}

// Groups puts linked people together: those that any chain of links joins. There is at most
// one link between two people. Groups come with their most similar link first.
func Groups(links []Link) []Group {
	links = slices.Clone(links)
	slices.SortFunc(links, func(a, b Link) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	w := newWalk(links)
	for i := range links {
		if w.order[links[i].A] == 0 {
			w.from(links[i].A)
		}
	}
	groups := make([]Group, len(w.members))
	for i, members := range w.members {
		slices.Sort(members)
		groups[i].Members = members
	}
	for i, link := range links {
		group := &groups[w.group[link.A]]
		link.Bridge = w.bridge[i] && len(group.Members) > 2
		group.Links = append(group.Links, link)
	}
	return groups
}

// A walk visits people along their links, depth first, and finds bridges on the way as
// R. E. Tarjan does (A note on finding the bridges of a graph, 1974): a link is one when
// nobody beyond it has a link to whoever was visited before it. It keeps its own stack, as a
// group can be larger than a stack of calls may be deep.
type walk struct {
	links   []Link
	touches map[int][]int // the links of each person
	order   map[int]int   // of the visits, from 1
	low     map[int]int   // the first visited that can be reached past the link taken
	group   map[int]int
	members [][]int
	bridge  []bool
}

func newWalk(links []Link) *walk {
	w := &walk{
		links: links, touches: map[int][]int{}, order: map[int]int{}, low: map[int]int{}, group: map[int]int{},
		bridge: make([]bool, len(links)),
	}
	for i, link := range links {
		w.touches[link.A] = append(w.touches[link.A], i)
		w.touches[link.B] = append(w.touches[link.B], i)
	}
	return w
}

// A step is a person on the way, the link that led there, and how many links were looked at.
type step struct{ person, by, looked int }

// from visits the whole group of a person.
func (w *walk) from(person int) {
	group := len(w.members)
	w.members = append(w.members, nil)
	path := []step{w.visit(person, -1, group)}
	for len(path) > 0 {
		at := &path[len(path)-1]
		if touches := w.touches[at.person]; at.looked < len(touches) {
			link := touches[at.looked]
			at.looked++
			other := w.links[link].A + w.links[link].B - at.person
			switch {
			case link == at.by:
			case w.order[other] == 0:
				path = append(path, w.visit(other, link, group))
			default:
				w.low[at.person] = min(w.low[at.person], w.order[other])
			}
			continue
		}
		path = path[:len(path)-1]
		if len(path) > 0 {
			before := path[len(path)-1].person
			w.low[before] = min(w.low[before], w.low[at.person])
			w.bridge[at.by] = w.low[at.person] > w.order[before]
		}
	}
}

func (w *walk) visit(person, by, group int) step {
	w.order[person] = len(w.order) + 1
	w.low[person] = w.order[person]
	w.group[person] = group
	w.members[group] = append(w.members[group], person)
	return step{person: person, by: by}
}
