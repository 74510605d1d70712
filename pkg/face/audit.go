package face

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An Actor is who does something.
type Actor struct {
	// ID is the ID of an API key, or one of the actors below. It goes into the audit log.
	ID string `json:"id"`
	// Name is the key's name, which goes only into records that can be erased.
	Name string `json:"name"`
}

// The actors that are no API key. A context without an actor has ServerActor: what the program
// does by itself, such as making the first application.
var (
	OwnerActor     = Actor{ID: "owner"}     // whoever may use the data directory
	RetentionActor = Actor{ID: "retention"} // the days that the settings say
	// RegistrationActor is whoever registers by e-mail.
	RegistrationActor = Actor{ID: "registration"}
	ServerActor       = Actor{ID: "server"}
)

type actorKey struct{}

// WithActor says who does what is done with a context.
func WithActor(ctx context.Context, actor Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// ActorOf is the actor of a context.
func ActorOf(ctx context.Context) Actor {
	if actor, ok := ctx.Value(actorKey{}).(Actor); ok {
		return actor
	}
	return ServerActor
}

// What an entry of the audit log says was done.
const (
	AuditApplication       = "application_create"
	AuditApplicationRename = "application_rename"
	AuditApplicationDelete = "application_delete"
	AuditKeyCreate         = "key_create"
	AuditKeyChange         = "key_change"
	AuditKeyRevoke         = "key_revoke"
	AuditRegister          = "account_register"
	AuditVerify            = "account_verify"
	AuditCredits           = "credits_add"
	AuditSettings          = "settings"
	AuditEnrol             = "enrol"
	AuditStatus            = "status"
	AuditBlocklist         = "blocklist"
	AuditDetails           = "details"
	AuditReview            = "review"
	AuditErase             = "erase"
	AuditErasePeople       = "erase_people"
	AuditRetention         = "retention"
	AuditSecret            = "media_secret_rotate"
	AuditBackup            = "backup"
	AuditRestore           = "restore"
)

// A Digest is a SHA-256, written in hexadecimal.
type Digest [sha256.Size]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	data, err := hex.DecodeString(string(text))
	if err != nil || len(data) != len(d) {
		return errors.New("a SHA-256 is 64 hexadecimal digits")
	}
	copy(d[:], data)
	return nil
}

// An AuditEntry is one line of the audit log: who did what, and nothing that is biometric or
// personal. The entries of a store are one chain: each holds the hash of the one before it, so
// that none can be changed or taken out without all later ones showing it.
type AuditEntry struct {
	Number      uint64    `json:"number"` // from 1, without a gap
	At          time.Time `json:"at"`     // UTC
	Application string    `json:"application"`
	Actor       string    `json:"actor"` // an Actor's ID
	Action      string    `json:"action"`
	Object      string    `json:"object"` // the ID of what it was done to; may be empty
	// Detail is "name=value" for each detail, with one space between two, the values escaped as
	// in the query of an address.
	Detail   string `json:"detail"`
	Previous Digest `json:"previous"` // the hash of the entry before; zeros before the first
	Hash     Digest `json:"hash"`     // what Sum gives
}

// auditEncoding begins each encoded entry.
const auditEncoding = "facesearch audit v1"

// Encode is the canonical form of an entry without its hash: the text "facesearch audit v1",
// number (decimal), time (RFC 3339 in UTC with nine decimals), application, actor, action,
// object, detail, and the previous hash (64 hexadecimal digits), each of these nine as its
// length in bytes (decimal), a colon, the bytes themselves, and a comma.
func (e AuditEntry) Encode() []byte {
	var text []byte
	for _, field := range []string{
		auditEncoding, strconv.FormatUint(e.Number, 10), e.At.UTC().Format(auditTime), e.Application,
		e.Actor, e.Action, e.Object, e.Detail, e.Previous.String(),
	} {
		text = fmt.Appendf(text, "%d:%s,", len(field), field)
	}
	return text
}

const auditTime = "2006-01-02T15:04:05.000000000Z"

// Sum is the SHA-256 of the canonical form.
func (e AuditEntry) Sum() Digest { return sha256.Sum256(e.Encode()) }

// DecodeAuditEntry reverses Encode. Anything that Encode would not have written is an error.
func DecodeAuditEntry(text []byte) (AuditEntry, error) {
	damaged := errors.New("an entry of the audit log is damaged")
	var fields []string
	for rest := string(text); rest != ""; {
		length, after, _ := strings.Cut(rest, ":")
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n >= len(after) {
			return AuditEntry{}, damaged
		}
		fields, rest = append(fields, after[:n]), after[n+1:]
	}
	if len(fields) != 9 {
		return AuditEntry{}, damaged
	}
	number, numberErr := strconv.ParseUint(fields[1], 10, 64)
	at, timeErr := time.Parse(auditTime, fields[2])
	entry := AuditEntry{
		Number: number, At: at, Application: fields[3], Actor: fields[4], Action: fields[5], Object: fields[6], Detail: fields[7],
	}
	err := errors.Join(numberErr, timeErr, entry.Previous.UnmarshalText([]byte(fields[8])))
	if err != nil || string(entry.Encode()) != string(text) {
		return AuditEntry{}, damaged
	}
	return entry, nil
}

// AuditDetail writes pairs of a name and a value as the Detail of an entry.
func AuditDetail(pairs ...string) string {
	var parts []string
	for i := 0; i+1 < len(pairs); i += 2 {
		parts = append(parts, pairs[i]+"="+url.QueryEscape(pairs[i+1]))
	}
	return strings.Join(parts, " ")
}

// Details reads a Detail back.
func (e AuditEntry) Details() map[string]string {
	read := map[string]string{}
	for _, part := range strings.Fields(e.Detail) {
		name, value, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(value); err == nil {
			read[name] = plain
		}
	}
	return read
}

// SettingsDetail names the settings that differ, each with its new value. It is empty when
// none does.
func SettingsDetail(from, to Settings) (string, error) {
	before, err := settingsByName(from)
	if err != nil {
		return "", err
	}
	var pairs []string
	err = eachSetting(to, func(name string, value json.RawMessage) {
		if string(before[name]) != string(value) {
			pairs = append(pairs, name, strings.Trim(string(value), `"`))
		}
	})
	return AuditDetail(pairs...), err
}

func settingsByName(settings Settings) (map[string]json.RawMessage, error) {
	named := map[string]json.RawMessage{}
	err := eachSetting(settings, func(name string, value json.RawMessage) { named[name] = value })
	return named, err
}

// eachSetting visits the settings in the order of their fields.
func eachSetting(settings Settings, visit func(name string, value json.RawMessage)) error {
	data, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	if _, err := decoder.Token(); err != nil { // the brace
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		visit(name.(string), value)
	}
	return nil
}

// An AuditPage says which part of an audit log to list.
type AuditPage struct {
	// Offset entries are left out first; at most Limit are listed.
	Offset, Limit int
	OldestFirst   bool
}

// An AuditHead is the last entry of the log at some time. Who keeps one can tell later that
// the log was not cut short.
type AuditHead struct {
	Number uint64 `json:"number"`
	Hash   Digest `json:"hash"`
}

// ParseAuditHead reads NUMBER:HASH.
func ParseAuditHead(text string) (head AuditHead, err error) {
	number, hash, _ := strings.Cut(text, ":")
	if head.Number, err = strconv.ParseUint(number, 10, 64); err == nil {
		err = head.Hash.UnmarshalText([]byte(hash))
	}
	if err != nil || head.Number == 0 {
		return AuditHead{}, Invalid("A head of the audit log is a number, a colon and 64 hexadecimal digits.")
	}
	return head, nil
}

// An AuditVerdict says whether an audit log is whole.
type AuditVerdict struct {
	Entries uint64    `json:"entries"` // that are as they were written, from the first
	Head    AuditHead `json:"head"`    // the last of these
	// Broken is the number of the first entry that is missing or not as it was written, 0 when
	// there is none; Reason says in a sentence what is wrong.
	Broken uint64 `json:"broken"`
	Reason string `json:"reason"`
}

const auditStep = 1000 // entries read at once

// VerifyAudit follows the whole chain of a gallery, and looks for heads that were kept.
func VerifyAudit(ctx context.Context, gallery Gallery, kept ...AuditHead) (verdict AuditVerdict, err error) {
	found := make([]bool, len(kept))
	for {
		list, total, err := gallery.AuditWhole(ctx, AuditPage{Offset: int(verdict.Entries), Limit: auditStep, OldestFirst: true})
		if err != nil {
			return AuditVerdict{}, err
		}
		for _, entry := range list {
			if reason := verdict.wrong(entry); reason != "" {
				verdict.Broken, verdict.Reason = verdict.Entries+1, reason
				return verdict, nil
			}
			verdict.Entries, verdict.Head = entry.Number, AuditHead{entry.Number, entry.Hash}
			for i, head := range kept {
				found[i] = found[i] || head == verdict.Head
			}
		}
		if len(list) > 0 {
			continue
		}
		if uint64(total) > verdict.Entries {
			verdict.Broken = verdict.Entries + 1
			verdict.Reason = fmt.Sprintf("entries are missing from here on: there were %d in all.", total)
		}
		break
	}
	for i, head := range kept {
		if found[i] || verdict.Broken != 0 && verdict.Broken <= head.Number {
			continue
		}
		verdict.Broken, verdict.Reason = head.Number, "it is not the entry whose hash was kept: the log was written anew."
		if head.Number > verdict.Entries {
			verdict.Broken, verdict.Reason = verdict.Entries+1, fmt.Sprintf("entries are missing at the end: number %d was kept.", head.Number)
		}
	}
	return verdict, nil
}

// wrong says what is wrong with the entry that follows those that were followed so far.
func (v AuditVerdict) wrong(entry AuditEntry) string {
	switch {
	case entry.Hash != entry.Sum():
		return "its content is not what its hash was made of."
	case entry.Number != v.Entries+1:
		return fmt.Sprintf("entry %d stands in its place.", entry.Number)
	case entry.Previous != v.Head.Hash:
		return "it does not follow from the entry before it."
	}
	return ""
}
