package api

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
)

// An AuditResponse is a part of the audit log.
type AuditResponse struct {
	Count   int               `json:"count"` // of all entries, listed or not
	Results []face.AuditEntry `json:"results"`
	// PublicKey is what receipts of this store are signed with, in hexadecimal.
	PublicKey string `json:"public_key"`
}

// receiptHeaderName is the header of an answer without a body that holds a receipt: its JSON in
// base64 (RFC 4648, the alphabet for addresses, without padding).
const receiptHeaderName = "X-Erasure-Receipt"

func receiptHeader(receipt face.Receipt) (string, error) {
	data, err := json.Marshal(receipt)
	return base64.RawURLEncoding.EncodeToString(data), err
}

// audit answers GET /v3/audit/ with the entries of the application.
func (s *Server) audit(w http.ResponseWriter, r *http.Request) {
	query, err := readQuery(r)
	var page face.AuditPage
	if err == nil {
		page.Offset, page.Limit, err = query.page()
	}
	if err == nil {
		page.OldestFirst, err = query.oldestFirst()
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	gallery := s.ready.Load().gallery
	list, total, err := gallery.Audit(r.Context(), application(r.Context()), page)
	var key string
	if err == nil {
		key, err = publicKey(r.Context(), gallery)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, AuditResponse{total, list, key})
}

// receipt answers GET /v3/audit/{number}/receipt/.
func (s *Server) receipt(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(chi.URLParam(r, "number"))
	if err != nil || number < 1 || number > math.MaxInt32 {
		s.fail(w, r, face.NotFound("The audit log has no such entry: name one by its number."))
		return
	}
	receipt, err := s.ready.Load().service.Receipt(r.Context(), application(r.Context()), number)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, receipt)
}
