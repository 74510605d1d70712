package face

import (
	"context"
	"crypto/ed25519"
	"time"
)

// A Gallery keeps applications with all that is theirs, and finds the sessions near a
// template. Every method is safe for concurrent use.
//
// All templates of a Gallery are of one Model, which it was opened for. One that cannot be of it,
// having another number of values, is refused with an error wherever it is given; that one of
// another model with as many values is never given is up to the caller.
//
// What a Gallery promises: a method that returns nil has made its change durable (it
// survives kill -9), and every later call sees it; one that returns an error has changed
// nothing. Nothing of one application is reachable with the ID of another.
type Gallery interface {
	// MediaSecrets are what the addresses of pictures are signed with, newest first, each of 32
	// random bytes; the first is made with the store.
	MediaSecrets(ctx context.Context) ([]MediaSecret, error)
	// RotateMediaSecret makes a new one. Those before it are kept for as long as an address may
	// still be valid, or not at all when they are revoked.
	RotateMediaSecret(ctx context.Context, revoke bool) error
	// ReceiptKey is what erasure receipts are signed with, made with the store and the same
	// ever since.
	ReceiptKey(ctx context.Context) (ed25519.PrivateKey, error)

	// CreateApplication stores a new application with DefaultSettings. CodeConflict: the ID
	// is taken.
	CreateApplication(ctx context.Context, application Application) error
	// Applications lists all of them, oldest first.
	Applications(ctx context.Context) ([]Application, error)
	// RenameApplication changes its name. CodeNotFound: there is no such application.
	RenameApplication(ctx context.Context, application, name string) error
	// DeleteApplication destroys an application with its keys, settings, sessions, saved searches
	// and account, as Erase does; AuditWhole still lists its entries. CodeNotFound: there is no such application.
	DeleteApplication(ctx context.Context, application string) error
	// Settings returns those of an application. CodeNotFound: there is no such application.
	Settings(ctx context.Context, application string) (Settings, error)
	// PutSettings replaces them. CodeInvalid: a value is out of its range.
	PutSettings(ctx context.Context, application string, settings Settings) error

	// Credits is what an application has to spend, at least 0 and at most CreditsLimit; 0 when
	// it is new.
	Credits(ctx context.Context, application string) (int64, error)
	// AddCredits adds to them in one step, or takes away when credits is negative, and returns
	// what there is then. CodeInsufficientCredits: it would be less than 0; CodeInvalid: more
	// than CreditsLimit.
	AddCredits(ctx context.Context, application string, credits int64) (balance int64, err error)
	// Charge takes them away in the same way for an answer, or gives them back when credits is
	// negative, without an entry in the audit log: of searches it has none.
	Charge(ctx context.Context, application string, credits int64) (balance int64, err error)

	// CreateKey stores a key. CodeConflict: its ID or its digest is taken. CodeNotFound: there
	// is no such application. CodeInvalid: it has no scope.
	CreateKey(ctx context.Context, key Key) error
	// Keys lists the keys of one application, revoked ones included, oldest first.
	Keys(ctx context.Context, application string) ([]Key, error)
	// RevokeKey ends a key for good; revoking it again changes nothing. CodeNotFound: the
	// application has no such key.
	RevokeKey(ctx context.Context, application, id string) error
	// ChangeKey changes a key's name, expiry or last use: change is called with the key, in which
	// nothing else may change, and must not call the Gallery; its error ends it.
	// CodeNotFound: the application has no such key.
	ChangeKey(ctx context.Context, application, id string, change func(*Key) error) (Key, error)
	// KeyByDigest finds the key whose SHA-256 this is. CodeUnauthorized: none, or one that was
	// revoked or has expired.
	KeyByDigest(ctx context.Context, digest [32]byte) (Key, error)

	// ChangeAccount changes the account of an e-mail address, or makes it: change is called with
	// the account, or with an empty one where there is none or its ForgetAt is past, and must not
	// call the Gallery; its error ends it. The address is not stored.
	ChangeAccount(ctx context.Context, email string, change func(*Account) error) (Account, error)

	// Enrol stores one session. created is false, and nothing changes, when the same content
	// is already there under the same ID; CodeConflict: other content is, or the PictureID is taken.
	Enrol(ctx context.Context, application string, enrolment Enrolment) (session Session, created bool, err error)
	// Session finds one. CodeNotFound: this application has none of that ID.
	Session(ctx context.Context, application, id string) (Session, error)
	// Change changes a session's status, comment, details, or place on the blocklist: change is called
	// with the session, in which nothing else may change. Searches see it at once. What change
	// may not do is refused with an error, and change must not call the Gallery.
	// CodeNotFound: this application has none of that ID.
	Change(ctx context.Context, application, id string, change func(*Session)) (Session, error)
	// Sessions lists those that pass the filter, newest first, and counts all that do.
	Sessions(ctx context.Context, application string, filter SessionFilter) (list []Session, total int, err error)
	// Erase destroys sessions and saved searches: when it returns nil, nothing that was stored
	// of them can be read from anything the gallery keeps. CodeNotFound: one of the IDs is
	// neither; then nothing is erased.
	Erase(ctx context.Context, application string, ids []string) (Erasure, error)
	// EraseOwners does the same with every session and saved search of some vendor_data, which
	// may be none.
	EraseOwners(ctx context.Context, application string, vendorData []string) (Erasure, error)
	// EraseBefore does the same with sessions and saved searches that were created before a
	// time; a zero time stands for none of them. At most max of each are erased, oldest first:
	// whoever calls it again until nothing was erased has erased all.
	EraseBefore(ctx context.Context, application string, sessions, searches time.Time, max int) (Erasure, error)
	// Size is how many sessions searches of this application compare with.
	Size(ctx context.Context, application string) (int, error)
	// Candidates finds the sessions at most distanceMax from the template; the nearest
	// listMax are listed, all are counted.
	Candidates(ctx context.Context, application string, template Template, distanceMax float64, listMax int) (Candidates, error)
	// Pairs compares sessions of the gallery with all that were enrolled before them: those
	// after the session number given, in order, until sessionsMax were looked at or pairsMax pairs
	// found, one session at least. It returns the pairs at most distanceMax apart, by the number of
	// B and then of A, missing none, and the number to go on after; 0 when there is no further session.
	Pairs(ctx context.Context, application string, distanceMax float64, after uint64, sessionsMax, pairsMax int) (pairs []Pair, next uint64, err error)

	// Crowd says how near the sessions of the gallery lie to a template, by a random sample of
	// about CrowdRows of them, or by all where there are no more. Which sessions are in it does not
	// depend on the template, and changes only as sessions enter and leave the gallery.
	Crowd(ctx context.Context, application string, template Template) (Crowd, error)
	// CandidateCrowds says the same of the templates of candidates, in their order. For one that
	// has left the gallery since, it is the zero Crowd.
	CandidateCrowds(ctx context.Context, application string, candidates []Candidate) ([]Crowd, error)

	// SaveSearch keeps a search with the picture that was searched (Data may be empty).
	// CodeConflict: the ID or the PictureID is taken.
	SaveSearch(ctx context.Context, application string, search SavedSearch, picture Picture) error
	// SavedSearch finds one. CodeNotFound: this application has none of that ID.
	SavedSearch(ctx context.Context, application, id string) (SavedSearch, error)
	// Searches lists the saved searches that pass the filter, by the time they were made and then
	// by ID, and counts all that do.
	Searches(ctx context.Context, application string, filter SearchFilter) (list []SavedSearch, total int, err error)
	// ReviewSearch changes a saved search's status, and keeps the review that did it, as
	// SavedSearch.Reviewed does. CodeNotFound: this application has none of that ID.
	ReviewSearch(ctx context.Context, application, id string, review Review) (SavedSearch, error)
	// Picture finds a kept picture. CodeNotFound: this application has none of that ID.
	Picture(ctx context.Context, application, id string) (Picture, error)

	// Audit lists entries of the audit log that are of one application, and counts them. Every
	// method that changes something writes its entry together with the change, in the name of the
	// context's Actor, but SaveSearch, Charge, and what else a search or a failed registration
	// leaves behind: a key's last use, the tries of a code. One that changes nothing writes none,
	// but for Erase and EraseOwners, whose receipts need one.
	Audit(ctx context.Context, application string, page AuditPage) (list []AuditEntry, total int, err error)
	// AuditWhole lists entries of all applications, and of none. An entry that is damaged is
	// listed with a hash that is not its own.
	AuditWhole(ctx context.Context, page AuditPage) (list []AuditEntry, total int, err error)
}
