package face

import "slices"

// A Scope is what a key may do. The scopes are ordered: each may do what those before it may.
type Scope string

// The scopes, from the least to the most.
const (
	// ScopeSearch searches, compares, and reads what was found.
	ScopeSearch Scope = "search"
	// ScopeEnrol also enrols people, lists them, and puts them on the blocklist.
	ScopeEnrol Scope = "enrol"
	// ScopeManage does everything: it also changes and erases, and changes settings.
	ScopeManage Scope = "manage"
)

// Scopes are all scopes, in order.
var Scopes = []Scope{ScopeSearch, ScopeEnrol, ScopeManage}

// Valid reports whether s is one of the scopes.
func (s Scope) Valid() bool { return slices.Contains(Scopes, s) }

// Covers reports whether a key of this scope may do what needs the other one. What is no scope
// covers nothing.
func (s Scope) Covers(needed Scope) bool {
	return s.Valid() && needed.Valid() && slices.Index(Scopes, s) >= slices.Index(Scopes, needed)
}
