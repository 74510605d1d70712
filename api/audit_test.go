package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"facesearch/api"
	"facesearch/pkg/dlib"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/search"
)

func TestAudit(t *testing.T) {
	a, other := newTenant(t), newTenant(t)
	obama := portrait(t, "obama.jpg")
	made := a.enrol(t, obama, text("vendor_data", "audited-person"), text("full_name", "Audited Name"))
	other.enrol(t, obama)
	a.json(t, http.MethodPatch, "/v3/settings/", `{"max_matches": 7}`)
	a.json(t, http.MethodPost, "/v3/blocklist/add/", `{"session_id": "`+made.SessionID+`", "blocklist_face": true}`)
	log := a.audit(t, "?order=oldest")
	var actions []string
	for _, entry := range log.Results {
		actions = append(actions, entry.Action)
		if entry.Application != a.id || entry.Hash != entry.Sum() {
			t.Errorf("%+v", entry)
		}
	}
	if fmt.Sprint(actions) != "[application_create key_create enrol settings blocklist]" || log.Count != 5 {
		t.Errorf("%v, %d in all", actions, log.Count)
	}
	if enrol := log.Results[2]; enrol.Actor != a.keyID(t) || enrol.Object != made.SessionID {
		t.Errorf("%+v", enrol)
	}
	if text := fmt.Sprint(log); strings.Contains(text, "udited-") || strings.Contains(text, "Audited") || strings.Contains(text, t.Name()) {
		t.Errorf("something personal is in %s", text)
	}
	newest := a.audit(t, "?limit=2&offset=1")
	slices.Reverse(log.Results)
	if fmt.Sprint(newest.Results) != fmt.Sprint(log.Results[1:3]) {
		t.Errorf("%+v", newest)
	}
	a.get(t, "/v3/audit/?order=up").refused(t, 400, "invalid_request", "order is")
	a.get(t, "/v3/audit/?limit=201").refused(t, 400, "invalid_request", "limit is")
}

// requireReceipt wants a receipt to be good, and each change of it to be found.
func (a *tenant) requireReceipt(t *testing.T, text []byte, sessions, searches int, ids ...string) face.Receipt {
	t.Helper()
	var receipt face.Receipt
	if err := json.Unmarshal(text, &receipt); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if err := receipt.Verify(); err != nil || receipt.Sessions != sessions || receipt.Searches != searches || strings.Join(receipt.IDs, " ") != strings.Join(ids, " ") {
		t.Fatalf("%v: %s", err, text)
	}
	if log := a.audit(t, "?limit=200"); log.PublicKey != hex.EncodeToString(receipt.PublicKey) || !slices.Contains(log.Results, receipt.Entry) {
		t.Errorf("the log does not hold %+v", receipt.Entry)
	}
	if receipt.Entry.Actor == "" || strings.Contains(string(text), "vendor") {
		t.Errorf("%s", text)
	}
	for at := range text {
		changed := bytes.Clone(text)
		changed[at] ^= 1
		var other face.Receipt
		if json.Unmarshal(changed, &other) == nil && other.Verify() == nil && fmt.Sprint(other) != fmt.Sprint(receipt) {
			t.Errorf("byte %d, %q, can be changed to %s", at, text[at], changed)
		}
	}
	again := a.get(t, fmt.Sprintf("/v3/audit/%d/receipt/", receipt.Entry.Number))
	if !bytes.Equal(bytes.TrimSpace(again.body), bytes.TrimSpace(text)) {
		t.Errorf("again it is %s, not %s", again.body, text)
	}
	return receipt
}

func TestReceipts(t *testing.T) {
	a := newTenant(t)
	obama := portrait(t, "obama.jpg")
	made := a.enrol(t, obama)
	a.enrol(t, obama, text("vendor_data", "vendor of somebody"))
	a.search(t, obama, text("vendor_data", "vendor of somebody"))
	old := a.enrol(t, obama)
	t.Run("Delete", func(t *testing.T) {
		got := a.send(t, http.MethodDelete, "/v3/session/"+made.SessionID+"/delete/", "", nil)
		receipt, err := base64.RawURLEncoding.DecodeString(got.header.Get("X-Erasure-Receipt"))
		if err != nil || got.status != 204 || len(got.body) != 0 {
			t.Fatal(got, err)
		}
		number := a.requireReceipt(t, receipt, 1, 0, made.SessionID).Entry.Number
		other := newTenant(t)
		other.get(t, fmt.Sprintf("/v3/audit/%d/receipt/", number)).refused(t, 404, "not_found", "no entry of that number")
		a.get(t, fmt.Sprintf("/v3/audit/%d/receipt/", a.audit(t, "?order=oldest").Results[0].Number)).refused(t, 404, "not_found", "not that of an erasure")
		for _, wrong := range []string{"0", "-1", "x", "1.0", "99999999", "9223372036854775807", uuid.NewString()} {
			a.get(t, "/v3/audit/"+wrong+"/receipt/").refused(t, 404, "not_found", "")
		}
	})
	t.Run("Users", func(t *testing.T) {
		var answer struct {
			Receipt json.RawMessage `json:"receipt"`
		}
		a.json(t, http.MethodPost, "/v3/users/delete/", `{"vendor_data_list": ["vendor of somebody", "nobody"]}`).decode(t, 200, &answer)
		a.requireReceipt(t, answer.Receipt, 1, 1)
	})
	t.Run("Retention", func(t *testing.T) {
		a.patch(t, `{"sessions_days": 1, "searches_days": 30}`)
		kept := a.search(t, obama)
		if _, _, err := search.Retain(t.Context(), a.gallery, soon()); err != nil {
			t.Fatal(err)
		}
		a.get(t, "/v3/session/"+old.SessionID+"/decision/").refused(t, 404, "not_found", "")
		if got := a.get(t, "/v3/session/"+kept.RequestID+"/decision/"); got.status != 200 {
			t.Error(got.status)
		}
		entry := a.audit(t, "?limit=1").Results[0]
		if entry.Actor != "retention" || entry.Action != "retention" {
			t.Fatalf("%+v", entry)
		}
		a.requireReceipt(t, bytes.TrimSpace(a.get(t, fmt.Sprintf("/v3/audit/%d/receipt/", entry.Number)).body), 1, 0)
	})
}

// TestMediaRotation has a server of its own, whose owner rotates the secret.
func TestMediaRotation(t *testing.T) {
	a := newTenant(t)
	handler := api.New(api.Options{Log: testLog()})
	service := search.New(a.gallery, a.engine, a.describer, search.Options{Workers: 1, Confidence: dlib.Confidence, Calibration: facetest.Calibration()})
	if err := handler.Ready(t.Context(), a.gallery, service); err != nil {
		t.Fatal(err)
	}
	server, owner := listen(handler), httptest.NewServer(api.Owner(handler, a.gallery))
	defer server.Close()
	defer owner.Close()
	a.url = server.URL
	rotate := func(t *testing.T, query string, want int) {
		t.Helper()
		response, err := http.Post(owner.URL+"/media/rotate"+query, "", nil)
		if err != nil || response.StatusCode != want {
			t.Fatal(response, err)
		}
		response.Body.Close()
	}
	made := a.enrol(t, portrait(t, "obama.jpg"))
	address := func() string {
		var shown enrolled
		a.get(t, "/v3/session/"+made.SessionID+"/decision/").decode(t, 200, &shown)
		confideAddress(shown.PortraitImageURL)
		return targetOf(t, a.url, shown.PortraitImageURL)
	}
	require := func(t *testing.T, target string, want int) {
		t.Helper()
		if got := get(t, http.MethodGet, a.url, target); got.status != want {
			t.Errorf("%d %s, want %d", got.status, got.body, want)
		}
	}
	signature := func(target string) string { return target[strings.Index(target, "signature="):] }
	first := address()
	rotate(t, "", 204)
	second := address()
	t.Run("Rotated", func(t *testing.T) {
		if signature(first) == signature(second) {
			t.Error("the secret is the same")
		}
		require(t, first, 200)
		require(t, second, 200)
		for at := range first {
			if at > len("/v3/media/") {
				changed := []byte(first)
				changed[at] ^= 1
				if get(t, http.MethodGet, a.url, string(changed)).status == 200 {
					t.Errorf("%s is good", changed)
				}
			}
		}
	})
	t.Run("ErrForbidden an old secret signs nothing new", func(t *testing.T) {
		secrets, err := a.gallery.MediaSecrets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		picture, _, _ := strings.Cut(strings.TrimPrefix(first, "/v3/media/"), "?")
		later := secrets[0].Since.Add(face.MediaLife).Unix() + 1
		require(t, api.SignedAddress(secrets[0].Secret, a.id, picture, later), 200)
		require(t, api.SignedAddress(secrets[1].Secret, a.id, picture, later), 403)
		require(t, api.SignedAddress(secrets[1].Secret, a.id, picture, later-2), 200)
	})
	t.Run("Revoked", func(t *testing.T) {
		rotate(t, "?revoke=true", 204)
		require(t, first, 403)
		require(t, second, 403)
		require(t, address(), 200)
	})
	rotate(t, "?revoke=perhaps", 400)
}
