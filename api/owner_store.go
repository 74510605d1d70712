package api

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	"facesearch/pkg/face"
)

// What the owner may ask of the store as a whole: its audit log, its secrets, a backup.

// A Backuper is a gallery that can be backed up while it is used.
type Backuper interface {
	Backup(ctx context.Context, to io.Writer) error
}

// withOwner says in whose name the owner's requests are.
func withOwner(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(face.WithActor(r.Context(), face.OwnerActor)))
	})
}

// ownerPageMax is how many entries the owner can list at once.
const ownerPageMax = 10_000

// audit lists entries of one application, or of all when none is named.
func (o *owner) audit(w http.ResponseWriter, r *http.Request) {
	query, err := readQuery(r)
	var page face.AuditPage
	if err == nil {
		page.Offset, err = query.whole("offset", 0, 0, 1<<31-1)
	}
	if err == nil {
		page.Limit, err = query.whole("limit", pageDefault, 1, ownerPageMax)
	}
	if err == nil {
		page.OldestFirst, err = query.oldestFirst()
	}
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	response := AuditResponse{}
	if application := query.fields["application"]; application != "" {
		response.Results, response.Count, err = o.gallery.Audit(r.Context(), application, page)
	} else {
		response.Results, response.Count, err = o.gallery.AuditWhole(r.Context(), page)
	}
	if err == nil {
		response.PublicKey, err = publicKey(r.Context(), o.gallery)
	}
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, response)
}

// verifyAudit follows the whole chain; head, which may come again and again, is a kept one.
func (o *owner) verifyAudit(w http.ResponseWriter, r *http.Request) {
	var kept []face.AuditHead
	for _, text := range r.URL.Query()["head"] {
		head, err := face.ParseAuditHead(text)
		if err != nil {
			o.server.fail(w, r, err)
			return
		}
		kept = append(kept, head)
	}
	verdict, err := face.VerifyAudit(r.Context(), o.gallery, kept...)
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, verdict)
}

func publicKey(ctx context.Context, gallery face.Gallery) (string, error) {
	key, err := gallery.ReceiptKey(ctx)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(key.Public().(ed25519.PublicKey)), nil
}

func (o *owner) receiptKey(w http.ResponseWriter, r *http.Request) {
	key, err := publicKey(r.Context(), o.gallery)
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"public_key": key})
}

// rotateMedia makes a new secret for the addresses of pictures, which counts at once.
func (o *owner) rotateMedia(w http.ResponseWriter, r *http.Request) {
	query, err := readQuery(r)
	var revoke bool
	if err == nil {
		revoke, err = query.boolean("revoke", false)
	}
	if err == nil {
		err = o.gallery.RotateMediaSecret(r.Context(), revoke)
	}
	if ready := o.server.ready.Load(); err == nil && ready != nil {
		err = ready.media.load(r.Context())
	}
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// backup streams a backup. One that fails on the way is cut short, which its reader notices.
func (o *owner) backup(w http.ResponseWriter, r *http.Request) {
	store, ok := o.gallery.(Backuper)
	if !ok {
		o.server.fail(w, r, face.Invalid("This store is not kept in one file: back it up with its own tools."))
		return
	}
	http.NewResponseController(w).SetWriteDeadline(time.Time{}) // however large it is; an error is one that cannot wait
	w.Header().Set("Content-Type", "application/x-tar")
	if err := store.Backup(r.Context(), w); err != nil {
		o.server.options.Log.ErrorContext(r.Context(), "the backup failed", "error", err.Error())
		panic(http.ErrAbortHandler)
	}
}
