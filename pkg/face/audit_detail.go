package face

import (
	"strconv"
	"time"
)

// KeyDetail is the Detail of a new key's entry.
func KeyDetail(key Key) string {
	pairs := []string{"scope", string(key.Scope)}
	if !key.ExpiresAt.IsZero() {
		pairs = append(pairs, "expires_at", expiry(key))
	}
	return AuditDetail(pairs...)
}

// KeyChangeDetail is the Detail of a changed key's entry. It is empty when nothing but the last use
// has changed, which has no entry. Names are not in it.
func KeyChangeDetail(before, after Key) string {
	var pairs []string
	if before.Name != after.Name {
		pairs = append(pairs, "renamed", "true")
	}
	if !before.ExpiresAt.Equal(after.ExpiresAt) {
		pairs = append(pairs, "expires_at", expiry(after))
	}
	return AuditDetail(pairs...)
}

func expiry(key Key) string {
	if key.ExpiresAt.IsZero() {
		return "never"
	}
	return key.ExpiresAt.UTC().Format(time.RFC3339)
}

// CreditsDetail is the Detail of the entry for credits that were added.
func CreditsDetail(added, balance int64) string {
	return AuditDetail("added", strconv.FormatInt(added, 10), "balance", strconv.FormatInt(balance, 10))
}

// AccountActions are the actions that an account's change is entered with. Nothing tells whose
// account it is.
func AccountActions(before, after Account) (actions []string) {
	if before.CreatedAt.IsZero() && !after.CreatedAt.IsZero() {
		actions = append(actions, AuditRegister)
	}
	if before.VerifiedAt.IsZero() && !after.VerifiedAt.IsZero() {
		actions = append(actions, AuditVerify)
	}
	return actions
}
