package face

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// An Erasure is what one call has erased.
type Erasure struct {
	Sessions, Searches int
	// Entry is the audit log's; its Number is 0 when the log has none, as nothing was erased.
	Entry AuditEntry
}

// ErasureDetail is the Detail of an erasure's entry, with the pairs of name and value that its
// action has beside the counts.
func ErasureDetail(sessions, searches int, pairs ...string) string {
	return AuditDetail(append([]string{"sessions", strconv.Itoa(sessions), "searches", strconv.Itoa(searches)}, pairs...)...)
}

// hexBytes are a key or a signature, written in hexadecimal.
type hexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// receiptType begins what is signed.
const receiptType = "facesearch erasure receipt v1"

// A Receipt proves that something was erased: whoever has the public key of the store can
// check it without the store.
type Receipt struct {
	Type string `json:"type"`
	// IDs are those of the sessions and saved searches, as they were given; empty where the
	// erasure named people, or was one of retention. No vendor_data is in a receipt.
	IDs      []string `json:"ids"`
	Sessions int      `json:"sessions_deleted"`
	Searches int      `json:"searches_deleted"`
	// Entry is the audit log's, which all of the above follows from.
	Entry     AuditEntry `json:"audit_entry"`
	PublicKey hexBytes   `json:"public_key"` // Ed25519
	// Signature is over the text "facesearch erasure receipt v1", a line feed, the hash of the
	// entry as 64 hexadecimal digits, and a line feed. The hash stands for the whole entry.
	Signature hexBytes `json:"signature"`
}

// NewReceipt signs a receipt for an entry of the audit log. CodeNotFound: the entry is not that
// of an erasure.
func NewReceipt(entry AuditEntry, key ed25519.PrivateKey) (Receipt, error) {
	receipt := Receipt{Type: receiptType, Entry: entry, PublicKey: hexBytes(key.Public().(ed25519.PublicKey))}
	if err := receipt.read(); err != nil {
		return Receipt{}, err
	}
	receipt.Signature = ed25519.Sign(key, receipt.signed())
	return receipt, nil
}

func (r Receipt) signed() []byte { return fmt.Appendf(nil, "%s\n%s\n", receiptType, r.Entry.Hash) }

// read fills in what follows from the entry.
func (r *Receipt) read() error {
	if r.Entry.Action != AuditErase && r.Entry.Action != AuditErasePeople && r.Entry.Action != AuditRetention {
		return NotFound("This entry of the audit log is not that of an erasure: only an erasure has a receipt.")
	}
	details := r.Entry.Details()
	var sessionsErr, searchesErr error
	r.Sessions, sessionsErr = strconv.Atoi(details["sessions"])
	r.Searches, searchesErr = strconv.Atoi(details["searches"])
	if sessionsErr != nil || searchesErr != nil {
		return Invalid("The entry of the audit log does not say how much was erased.")
	}
	r.IDs = []string{}
	if ids := details["ids"]; ids != "" {
		r.IDs = strings.Split(ids, ",")
	} else if r.Entry.Object != "" {
		r.IDs = []string{r.Entry.Object}
	}
	return nil
}

// Verify refuses a receipt that is not what the holder of its public key has signed. Whether
// that key is the store's is for the caller to compare.
func (r Receipt) Verify() error {
	stated := Receipt{Entry: r.Entry}
	switch {
	case r.Type != receiptType:
		return Invalid("This is not an erasure receipt of this version.")
	case r.Entry.Hash != r.Entry.Sum():
		return Invalid("The receipt was changed: its audit entry is not what the entry's hash was made of.")
	case len(r.PublicKey) != ed25519.PublicKeySize || !ed25519.Verify(ed25519.PublicKey(r.PublicKey), r.signed(), r.Signature):
		return Invalid("The receipt was changed: its signature is not of this entry and this public key.")
	case stated.read() != nil || stated.Sessions != r.Sessions || stated.Searches != r.Searches ||
		strings.Join(stated.IDs, ",") != strings.Join(r.IDs, ","):
		return Invalid("The receipt was changed: it states something else than its audit entry.")
	}
	return nil
}
