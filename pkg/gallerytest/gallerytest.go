// Package gallerytest is the one suite that every face.Gallery passes: each method, each
// promise of the interface, restarts and kill -9 included. It knows no backend; a backend's
// test says how its store is opened and calls Run.
package gallerytest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	mathrand "math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"facesearch/pkg/face"
)

// A Store is a gallery that can be closed.
type Store interface {
	face.Gallery
	Close() error
}

// A Harness is one place where a store lives. Nothing is stored there at first.
type Harness struct {
	// Open opens the store: for the first time, or again after it was closed or the process
	// that had it open was killed. It fails the test rather than return an error.
	Open func(t testing.TB) Store
	// Child is a command, not started yet, that opens the same store in another process and
	// calls Child with it and its standard output. Nil when the store cannot be killed.
	Child func(t testing.TB) *exec.Cmd
	// Approximate allows answers that say that they are not exact.
	Approximate bool
}

// Run runs the suite; place is called for each test that needs an empty store.
func Run(t *testing.T, place func(t testing.TB) Harness) {
	for _, part := range []struct {
		name string
		test func(*testing.T, func(testing.TB) Harness)
	}{
		{"MediaSecrets", testMediaSecrets},
		{"ReceiptKey", testReceiptKey},
		{"CreateApplication", testCreateApplication},
		{"Applications", testApplications},
		{"Settings", testSettings},
		{"Credits", testCredits},
		{"CreditsConcurrently", testCreditsConcurrently},
		{"CreateKey", testCreateKey},
		{"Keys", testKeys},
		{"RevokeKey", testRevokeKey},
		{"ChangeKey", testChangeKey},
		{"KeyByDigest", testKeyByDigest},
		{"KeyScope", testKeyScope},
		{"KeyExpiry", testKeyExpiry},
		{"ChangeAccount", testChangeAccount},
		{"ChangeAccountConcurrently", testChangeAccountConcurrently},
		{"RenameApplication", testRenameApplication},
		{"DeleteApplication", testDeleteApplication},
		{"DeleteApplicationConcurrently", testDeleteApplicationConcurrently},
		{"Enrol", testEnrol},
		{"EnrolConcurrently", testEnrolConcurrently},
		{"Session", testSession},
		{"Change", testChange},
		{"ChangeConcurrently", testChangeConcurrently},
		{"Sessions", testSessions},
		{"Erase", testErase},
		{"EraseOwners", testEraseOwners},
		{"EraseBefore", testEraseBefore},
		{"EraseConcurrently", testEraseConcurrently},
		{"Size", testSize},
		{"Candidates", testCandidates},
		{"Pairs", testPairs},
		{"Crowd", testCrowd},
		{"OtherDim", testOtherDim},
		{"SavedSearch", testSavedSearch},
		{"Searches", testSearches},
		{"ReviewSearch", testReviewSearch},
		{"Picture", testPicture},
		{"Audit", testAudit},
		{"AuditActions", testAuditActions},
		{"AuditOwnerActions", testAuditOwnerActions},
		{"AuditDeletedApplication", testAuditDeletedApplication},
		{"UnknownApplication", testUnknownApplication},
		{"OtherApplication", testOtherApplication},
		{"CancelledContext", testCancelledContext},
		{"Reopen", testReopen},
		{"Kill", testKill},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel() // each has a store of its own
			part.test(t, place)
		})
	}
}

// fixture is an open store with one application in it.
type fixture struct {
	*testing.T
	harness Harness
	store   Store
}

// Application is the ID of the application that Child enrols into. It has to exist.
const Application = ours

const (
	ours   = "application-a"
	theirs = "application-b"
)

func open(t *testing.T, place func(testing.TB) Harness) *fixture {
	t.Helper()
	f := &fixture{T: t, harness: place(t)}
	f.store = f.harness.Open(t)
	t.Cleanup(func() {
		if f.store != nil {
			f.close()
		}
	})
	f.createApplication(ours)
	return f
}

func (f *fixture) close() {
	f.Helper()
	store := f.store
	f.store = nil
	if err := store.Close(); err != nil {
		f.Fatal("closing the store:", err)
	}
}

func (f *fixture) reopen() {
	f.Helper()
	f.close()
	f.store = f.harness.Open(f.T)
}

func (f *fixture) createApplication(id string) {
	f.Helper()
	application := face.Application{ID: id, Name: "the name of " + id, CreatedAt: moment(0)}
	if err := f.store.CreateApplication(f.Context(), application); err != nil {
		f.Fatal("CreateApplication:", err)
	}
}

// enrol wants the session to be stored as a new one.
func (f *fixture) enrol(application string, enrolment face.Enrolment) face.Session {
	f.Helper()
	session, created, err := f.store.Enrol(f.Context(), application, enrolment)
	if err != nil || !created {
		f.Fatalf("Enrol: created %v, %v", created, err)
	}
	return session
}

func (f *fixture) size(application string) int {
	f.Helper()
	size, err := f.store.Size(f.Context(), application)
	if err != nil {
		f.Fatal("Size:", err)
	}
	return size
}

func (f *fixture) candidates(application string, probe face.Template, distanceMax float64, listMax int) face.Candidates {
	f.Helper()
	found, err := f.store.Candidates(f.Context(), application, probe, distanceMax, listMax)
	if err != nil {
		f.Fatal("Candidates:", err)
	}
	return found
}

// everything is a radius that holds all templates of this suite.
const everything = 1000

// state is what can be seen of an application, so that a refused call can be shown to have
// changed nothing.
func (f *fixture) state(application string) string {
	f.Helper()
	ctx := f.Context()
	applications, err := f.store.Applications(ctx)
	if err != nil {
		f.Fatal("Applications:", err)
	}
	settings, err := f.store.Settings(ctx, application)
	if err != nil {
		f.Fatal("Settings:", err)
	}
	keys, err := f.store.Keys(ctx, application)
	if err != nil {
		f.Fatal("Keys:", err)
	}
	sessions, total := f.sessions(application, face.SessionFilter{Limit: 1 << 20})
	return asJSON(f, []any{
		applications, settings, f.credits(application), keys, f.size(application), sessions, total,
		f.candidates(application, origin, everything, 1<<20),
	})
}

// asJSON makes values comparable: a time read back may differ from the stored one in its
// pointer to UTC.
func asJSON(t testing.TB, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func requireSame(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := asJSON(t, got), asJSON(t, want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func requireCode(t testing.TB, what string, err error, code face.Code) {
	t.Helper()
	if err == nil || face.CodeOf(err) != code {
		t.Fatalf("%s gave %v, want an error with code %q", what, err, code)
	}
}

// moment is a time with nanoseconds, n minutes after a fixed one.
func moment(n int) time.Time {
	return time.Date(2025, 6, 10, 10, 30, 0, 123456789, time.UTC).Add(time.Duration(n) * time.Minute)
}

// newID makes a random UUID.
func newID() string {
	var bits [16]byte
	rand.Read(bits[:])
	bits[6], bits[8] = bits[6]&0x0f|0x40, bits[8]&0x3f|0x80
	text := hex.EncodeToString(bits[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// templateOf makes the template that belongs to a name, so that two processes agree on it.
func templateOf(name string) face.Template {
	return randomTemplate(mathrand.New(mathrand.NewChaCha8(sha256.Sum256([]byte(name)))))
}

// strangersValue is the standard deviation of a value at which strangers are about 0.86
// apart, as those of the real model are.
const strangersValue = 0.86 / 16 // 16 is the root of 2·128

func randomTemplate(random *mathrand.Rand) face.Template {
	template := make(face.Template, face.TemplateDim)
	for i := range template {
		template[i] = float32(strangersValue * random.NormFloat64())
	}
	return template
}

// origin is the template whose values are all zero.
var origin = make(face.Template, face.TemplateDim)

// axis is a template whose distance from the zero template is exactly the length.
func axis(place int, length float32) face.Template {
	template := make(face.Template, face.TemplateDim)
	template[place] = length
	return template
}

// newEnrolment is an approved person with everything filled in.
func newEnrolment(id string) face.Enrolment {
	return face.Enrolment{
		Session: face.Session{
			ID: id, Status: face.Approved, VendorData: "vendor of " + id,
			Details:    face.Details{Name: "Ærøskøbing 身", DocumentType: "Identity Card", DocumentNumber: "X-" + id},
			VerifiedAt: moment(1), CreatedAt: moment(2),
			PictureID: "picture-" + id, Fingerprint: "fingerprint of " + id,
		},
		Template: templateOf(id),
		Picture:  face.Picture{ContentType: "image/jpeg", Data: []byte("picture of " + id)},
	}
}

func newKey(application, id string) face.Key {
	return face.Key{
		ID: id, Application: application, Name: "the name of " + id, Scope: face.ScopeEnrol,
		Digest: sha256.Sum256([]byte("secret of " + id)), CreatedAt: moment(3),
	}
}

func newSearch(id string) (face.SavedSearch, face.Picture) {
	template := templateOf("probe of " + id)
	return face.SavedSearch{
		ID: id, CreatedAt: moment(4), VendorData: "vendor of " + id, Status: face.InReview,
		Result: json.RawMessage(`{"matches":[],"total":0}`), PictureID: "picture-" + id, Template: template,
	}, face.Picture{ContentType: "image/png", Data: []byte("picture of " + id)}
}

func notFinite() map[string]float32 {
	return map[string]float32{"NaN": float32(math.NaN()), "+Inf": float32(math.Inf(1)), "-Inf": float32(math.Inf(-1))}
}
