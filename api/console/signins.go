package console

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

const cookieName = "facesearch_console"

// signInLife is how long a sign-in is good for; a restart of the server ends it sooner.
const signInLife = 12 * time.Hour

// signInsMax bounds the sign-ins that are kept; beyond it the one that would end first ends.
const signInsMax = 1000

// A signIn is a browser that acts with a key. Of the key only the digest is kept.
type signIn struct {
	digest  [32]byte
	expires time.Time
}

// signIns are kept in memory, each under the SHA-256 of its token.
type signIns struct {
	now func() time.Time
	mu  sync.Mutex
	all map[[32]byte]signIn
}

func newSignIns(now func() time.Time) *signIns {
	return &signIns{now: now, all: map[[32]byte]signIn{}}
}

// begin returns the token of a new sign-in: 128 random bits.
func (s *signIns) begin(digest [32]byte) (token string, made signIn) {
	token, made = rand.Text(), signIn{digest, s.now().Add(signInLife).UTC()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= signInsMax {
		s.makeRoom()
	}
	s.all[sha256.Sum256([]byte(token))] = made
	return token, made
}

func (s *signIns) makeRoom() {
	var first [32]byte
	for token, each := range s.all {
		if earliest, ok := s.all[first]; !ok || each.expires.Before(earliest.expires) {
			first = token
		}
	}
	delete(s.all, first)
}

// of is the sign-in of a request's cookie.
func (s *signIns) of(r *http.Request) (signIn, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return signIn{}, false
	}
	token := sha256.Sum256([]byte(cookie.Value))
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.all[token]
	if ok && !s.now().Before(found.expires) {
		delete(s.all, token)
		return signIn{}, false
	}
	return found, ok
}

// end signs a request's browser out.
func (s *signIns) end(r *http.Request) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, sha256.Sum256([]byte(cookie.Value)))
	}
}
