package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"facesearch/api"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

func (a *tenant) credits(t *testing.T) (credits int64) {
	t.Helper()
	got := a.get(t, "/v3/billing/balance/")
	var shown struct {
		Balance string
		Credits int64
	}
	got.decode(t, 200, &shown)
	if want := fmt.Sprintf("%.4f", float64(shown.Credits)/20); shown.Balance != want {
		t.Errorf("%s dollars for %d credits", shown.Balance, shown.Credits)
	}
	return shown.Credits
}

func TestTopUp(t *testing.T) {
	a, other := newTenant(t), newTenant(t)
	t.Run("OK", func(t *testing.T) {
		want := int64(0)
		for _, each := range []struct {
			body    string
			credits int64
			next    string
		}{
			{`{"amount_in_dollars": 50}`, 1000, "null"},
			{`{"amount_in_dollars": 50.04, "cancel_url": "https://example.org/no"}`, 1000, "null"},
			{`{"amount_in_dollars": 5e1, "success_url": null}`, 1000, "null"},
			{`{"amount_in_dollars": 20000, "success_url": "https://example.org/done?a=1&b=2"}`, 400_000, `"https://example.org/done?a=1&b=2"`},
		} {
			want += each.credits
			got := a.json(t, http.MethodPost, "/v3/billing/top-up/", each.body)
			if got.status != 200 || !bytes.Contains(got.body, []byte(`"checkout_session_url":`+each.next)) || a.credits(t) != want {
				t.Errorf("%s: %d %s, %d credits, want %d", each.body, got.status, got.body, a.credits(t), want)
			}
		}
		if got := other.credits(t); got != 0 {
			t.Errorf("the other application has %d", got)
		}
		entry := a.audit(t, "?limit=1").Results[0]
		if entry.Action != face.AuditCredits || entry.Actor != a.keyID(t) || entry.Detail != face.CreditsDetail(400_000, want) {
			t.Errorf("%+v", entry)
		}
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		before := a.credits(t)
		for body, words := range map[string]string{
			`{}`: "amount_in_dollars is", `{"amount_in_dollars": null}`: "amount_in_dollars is", `{"amount_in_dollars": "50"}`: "amount_in_dollars is",
			`{"amount_in_dollars": 49.99}`: "from 50 to 20000", `{"amount_in_dollars": 20000.01}`: "from 50 to 20000", `{"amount_in_dollars": -50}`: "from 50",
			`{"amount_in_dollars": 1e999}`: "from 50", `{"amount_in_dollars": 50, "success_url": 1}`: "success_url is not a string",
			`{"amount_in_dollars": 50, "cancel_url": "` + strings.Repeat("x", 2049) + `"}`: "cancel_url is too long",
		} {
			a.json(t, http.MethodPost, "/v3/billing/top-up/", body).refused(t, 400, "invalid_request", words)
		}
		if got := a.credits(t); got != before {
			t.Errorf("%d credits, before %d", got, before)
		}
	})
	t.Run("ErrTooMany", func(t *testing.T) {
		if _, err := other.gallery.AddCredits(t.Context(), other.id, face.CreditsLimit); err != nil {
			t.Fatal(err)
		}
		other.json(t, http.MethodPost, "/v3/billing/top-up/", `{"amount_in_dollars": 50}`).refused(t, 400, "invalid_request", "at most")
	})
	t.Run("ErrClosed", func(t *testing.T) {
		closed := &tenant{world: a.world, id: a.id, key: a.key, url: a.serve(t, api.Options{}, a.engine, 1, 1)}
		before := a.credits(t)
		closed.json(t, http.MethodPost, "/v3/billing/top-up/", `{"amount_in_dollars": 50}`).refused(t, 403, "forbidden", "facesearch credits add")
		if got := closed.credits(t); got != before {
			t.Errorf("%d credits, before %d", got, before)
		}
	})
}

// TestMetered sends more requests at once than there are credits: as many are answered, and a
// refused one costs nothing.
func TestMetered(t *testing.T) {
	const credits, requests = 5, 12
	a := newTenant(t)
	a.patch(t, `{"credits_metered": true}`)
	if _, err := a.gallery.AddCredits(t.Context(), a.id, credits); err != nil {
		t.Fatal(err)
	}
	picture := facetest.JPEG(t, plain(64, 64))
	a.post(t, "/v3/face-search/", file("user_image", []byte("none"))).refused(t, 400, "invalid_request", "")
	a.post(t, "/v3/face-search/").refused(t, 400, "invalid_request", "")
	a.post(t, "/v3/face-match/", file("user_image", picture), file("ref_image", []byte("none"))).refused(t, 400, "invalid_request", "")
	if got := a.credits(t); got != credits {
		t.Fatalf("%d credits after refused requests", got)
	}
	saved, audited := a.gallery.savedBy(a.id), a.audit(t, "?limit=1").Count
	var answered, refused, searched atomic.Int64
	var group sync.WaitGroup
	for i := range requests {
		group.Go(func() {
			path, parts := "/v3/face-search/", []part{file("user_image", picture)}
			if i%2 == 0 {
				path, parts = "/v3/face-match/", append(parts, file("ref_image", picture))
			}
			contentType, body := form(parts...)
			got, err := do(a.request(t, http.MethodPost, path, contentType, bytes.NewReader(body)))
			switch {
			case err == nil && got.status == 200:
				answered.Add(1)
				if i%2 == 1 {
					searched.Add(1)
				}
			case err == nil && got.status == 403 && bytes.Contains(got.body, []byte(`"insufficient_credits"`)):
				refused.Add(1)
			default:
				t.Errorf("%d %s, %v", got.status, got.body, err)
			}
		})
	}
	group.Wait()
	if answered.Load() != credits || refused.Load() != requests-credits || a.credits(t) != 0 || a.gallery.savedBy(a.id)-saved != searched.Load() {
		t.Errorf("%d answered, %d refused, %d credits left, %d saved of %d", answered.Load(), refused.Load(), a.credits(t),
			a.gallery.savedBy(a.id)-saved, searched.Load())
	}
	if got := a.audit(t, "?limit=1").Count; got != audited {
		t.Errorf("%d entries of the audit log were written by searches and what they cost", got-audited)
	}
	a.patch(t, `{"credits_metered": false}`)
	a.search(t, picture)
}
