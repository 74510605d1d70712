package search

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/policy"
)

// The bounds of looking for duplicates.
const (
	// DuplicatePairsMax is how many pairs of look-alikes are kept; more are refused, as nobody
	// could look through them, and as they are kept in memory.
	DuplicatePairsMax = 200_000
	// duplicatesLife is how long what was found is kept to be paged through.
	duplicatesLife = 15 * time.Minute
	// duplicatesKept is how many findings are kept at once, of all applications.
	duplicatesKept = 16
	// duplicatesSessions are compared between two looks at the context and reports of progress.
	duplicatesSessions = 512
)

// A DuplicatesRequest says which pairs are of interest.
type DuplicatesRequest struct {
	// Similarity in percent is the least; 0 stands for the threshold in force.
	Similarity float64
	// SamePerson also pairs sessions of the same vendor_data, which are otherwise taken for one
	// person's pictures.
	SamePerson bool
	// Fresh looks again where something was found not long ago.
	Fresh bool
}

// Duplicates are the groups of people of a gallery who look alike, or how far the search for
// them has come.
type Duplicates struct {
	Similarity      float64 // in percent
	Done            bool
	Examined, Total int // sessions
	StartedAt       time.Time
	// Of what is done:
	Groups []DuplicateGroup
	// Pairs counts all pairs of sessions, of which a group names the most similar of each two people.
	Pairs int
}

// A DuplicateGroup is people who look alike, directly or by way of others.
type DuplicateGroup struct {
	// People are the sessions of each person, by ID, in order of enrolment.
	People [][]string
	Pairs  []DuplicatePair
}

// A DuplicatePair is two sessions of different people.
type DuplicatePair struct {
	A, B       string // IDs
	Similarity float64
	// WeakBridge: without this pair the group would fall apart.
	WeakBridge bool
}

// duplicates are the findings of all applications. They hold IDs only, so that nothing of who
// is erased stays in memory.
type duplicates struct {
	mu    sync.Mutex
	found map[duplicatesKey]*finding
	// one at a time, so that searches keep a core
	turn chan struct{}

	context context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

type duplicatesKey struct {
	application string
	similarity  float64
	samePerson  bool
}

// A finding is what is being looked for, or was found.
type finding struct {
	examined, total atomic.Int64
	started         time.Time
	done            chan struct{} // closed at the end, before which what follows may not be read
	groups          []DuplicateGroup
	pairs           int
	err             error
}

func newDuplicates() *duplicates {
	d := &duplicates{found: map[duplicatesKey]*finding{}, turn: make(chan struct{}, 1)}
	d.context, d.stop = context.WithCancel(context.Background())
	return d
}

// Close ends what goes on in the background, and waits for it.
func (s *Service) Close() {
	s.duplicates.stop()
	s.duplicates.running.Wait()
}

// Duplicates looks for people of the application's gallery who look alike, missing none. It
// goes on in the background: an answer that is not Done says how far it has come, and the
// caller asks again. It waits for patience before it says so. CodeConflict: there are too many.
func (s *Service) Duplicates(ctx context.Context, application string, request DuplicatesRequest, patience time.Duration) (Duplicates, error) {
	key := duplicatesKey{application, request.Similarity, request.SamePerson}
	if key.similarity == 0 {
		settings, err := s.gallery.Settings(ctx, application)
		if err != nil {
			return Duplicates{}, err
		}
		threshold, err := s.Threshold(ctx, application, settings)
		if err != nil {
			return Duplicates{}, err
		}
		key.similarity = threshold.Similarity
	}
	total, err := s.gallery.Size(ctx, application)
	if err != nil {
		return Duplicates{}, err
	}
	found, err := s.finding(key, total, request.Fresh)
	if err != nil {
		return Duplicates{}, err
	}
	answer := Duplicates{Similarity: key.similarity, StartedAt: found.started}
	select {
	case <-found.done:
		answer.Done, answer.Groups, answer.Pairs, err = true, found.groups, found.pairs, found.err
	case <-time.After(patience):
	case <-ctx.Done():
		return Duplicates{}, ctx.Err()
	}
	if err != nil {
		s.duplicates.forget(key, found)
	}
	answer.Examined, answer.Total = int(found.examined.Load()), int(found.total.Load())
	return answer, err
}

// finding is the one under way or kept, else a new one.
func (s *Service) finding(key duplicatesKey, total int, fresh bool) (*finding, error) {
	d := s.duplicates
	d.mu.Lock()
	defer d.mu.Unlock()
	for other, each := range d.found {
		if each.ended() && time.Since(each.started) > duplicatesLife {
			delete(d.found, other)
		}
	}
	if known := d.found[key]; known != nil && !(fresh && known.ended()) {
		return known, nil
	}
	if len(d.found) >= duplicatesKept && !d.forgetOldest() {
		return nil, &face.Error{
			Code: face.CodeBusy, RetryAfter: 10 * time.Second,
			Detail: "Too many searches for duplicates are under way: wait for one to end.",
		}
	}
	if d.context.Err() != nil {
		return nil, d.context.Err()
	}
	found := &finding{started: time.Now().UTC(), done: make(chan struct{})}
	found.total.Store(int64(total))
	d.found[key] = found
	d.running.Go(func() {
		defer close(found.done)
		select {
		case d.turn <- struct{}{}:
			defer func() { <-d.turn }()
			found.err = s.findDuplicates(d.context, key, found)
		case <-d.context.Done():
			found.err = d.context.Err()
		}
	})
	return found, nil
}

func (f *finding) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// forget drops what failed, once its error was told, so that the next call tries again.
func (d *duplicates) forget(key duplicatesKey, failed *finding) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.found[key] == failed {
		delete(d.found, key)
	}
}

// forgetOldest makes room, unless everything is under way.
func (d *duplicates) forgetOldest() bool {
	var oldest duplicatesKey
	var at *finding
	for key, each := range d.found {
		if each.ended() && (at == nil || each.started.Before(at.started)) {
			oldest, at = key, each
		}
	}
	delete(d.found, oldest)
	return at != nil
}

// forgetEnded drops everything that was found.
func (d *duplicates) forgetEnded() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, each := range d.found {
		if each.ended() {
			delete(d.found, key)
		}
	}
}

// findDuplicates compares everybody with everybody.
func (s *Service) findDuplicates(ctx context.Context, key duplicatesKey, found *finding) error {
	embedder := s.Embedder()
	radius := embedder.Calibration.Distance(key.similarity)
	people := newPeople(key.samePerson)
	after := uint64(0)
	for {
		pairs, next, err := s.pairsOf(ctx, embedder.Model, key.application, radius, after)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			people.add(pair, policy.Percentage(embedder.Calibration.Similarity(pair.Distance)))
		}
		if people.pairs > DuplicatePairsMax {
			return face.Conflict("More than %d pairs are that similar; name a higher similarity.", DuplicatePairsMax)
		}
		if next == 0 {
			break
		}
		found.examined.Store(min(found.examined.Load()+duplicatesSessions, found.total.Load()))
		after = next
	}
	found.examined.Store(found.total.Load())
	found.groups, found.pairs = people.groups(), people.pairs
	return nil
}

// pairsOf looks at the next sessions, unless the embedding model is another by now.
func (s *Service) pairsOf(ctx context.Context, model face.Model, application string, radius float64, after uint64) ([]face.Pair, uint64, error) {
	s.embedderMu.RLock()
	defer s.embedderMu.RUnlock()
	if s.embedder.Model != model {
		return nil, 0, face.Conflict("The embedding model was changed while duplicates were looked for: ask again.")
	}
	return s.gallery.Pairs(ctx, application, radius, after, duplicatesSessions, DuplicatePairsMax)
}

// people are those who take part in a pair.
type people struct {
	samePerson bool
	pairs      int
	place      map[string]int // of each person in sessions
	sessions   [][]member
	seen       map[uint64]bool // session numbers
	best       map[[2]int]DuplicatePair
}

type member struct {
	number uint64
	id     string
}

func newPeople(samePerson bool) *people {
	return &people{samePerson: samePerson, place: map[string]int{}, seen: map[uint64]bool{}, best: map[[2]int]DuplicatePair{}}
}

func (p *people) add(pair face.Pair, similarity float64) {
	if !p.samePerson && pair.A.VendorData != "" && pair.A.VendorData == pair.B.VendorData {
		return
	}
	p.pairs++
	a, b := p.person(pair.A), p.person(pair.B)
	named := DuplicatePair{A: pair.A.ID, B: pair.B.ID, Similarity: similarity}
	if a > b {
		a, b, named.A, named.B = b, a, named.B, named.A
	}
	if known, there := p.best[[2]int{a, b}]; !there || similarity > known.Similarity {
		p.best[[2]int{a, b}] = named
	}
}

// person is the place of a session's person; a session of no vendor_data is a person of its own.
func (p *people) person(session face.Session) int {
	name := "vendor_data " + session.VendorData
	if p.samePerson || session.VendorData == "" {
		name = "session " + session.ID
	}
	place, known := p.place[name]
	if !known {
		place = len(p.sessions)
		p.place[name] = place
		p.sessions = append(p.sessions, nil)
	}
	if !p.seen[session.Number] {
		p.seen[session.Number] = true
		p.sessions[place] = append(p.sessions[place], member{session.Number, session.ID})
	}
	return place
}

func (p *people) groups() []DuplicateGroup {
	links := make([]policy.Link, 0, len(p.best))
	for ends, pair := range p.best {
		links = append(links, policy.Link{A: ends[0], B: ends[1], Similarity: pair.Similarity})
	}
	groups := []DuplicateGroup{}
	for _, each := range policy.Groups(links) {
		group := DuplicateGroup{}
		for _, person := range each.Members {
			slices.SortFunc(p.sessions[person], func(a, b member) int { return cmp.Compare(a.number, b.number) })
			var ids []string
			for _, its := range p.sessions[person] {
				ids = append(ids, its.id)
			}
			group.People = append(group.People, ids)
		}
		for _, link := range each.Links {
			pair := p.best[[2]int{link.A, link.B}]
			pair.WeakBridge = link.Bridge
			group.Pairs = append(group.Pairs, pair)
		}
		groups = append(groups, group)
	}
	return groups
}
