package api

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"facesearch/pkg/face"
)

// What a top-up may be: the hosted API's range. A credit is one answered search or comparison.
// Nothing is paid here, so that what a dollar buys is only a number, chosen by us.
const (
	creditsPerDollar = 20
	topUpDollarsMin  = 50
	topUpDollarsMax  = 20_000
	addressMax       = 2048 // characters of an address to go to afterwards
)

// balance answers GET /v3/billing/balance/.
func (s *Server) balance(w http.ResponseWriter, r *http.Request) {
	credits, err := s.ready.Load().gallery.Credits(r.Context(), application(r.Context()))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, wireBalance(credits))
}

func wireBalance(credits int64) balanceResponse {
	return balanceResponse{Balance: strconv.FormatFloat(float64(credits)/creditsPerDollar, 'f', 4, 64), Credits: credits}
}

// topUp answers POST /v3/billing/top-up/: the credits are there at once, and nothing is paid.
func (s *Server) topUp(w http.ResponseWriter, r *http.Request) {
	if !s.options.OpenTopUp {
		s.fail(w, r, &face.Error{Code: face.CodeForbidden, Detail: "Top-up is not open on this server: its owner adds credits with facesearch credits add, or starts it with --open-top-up."})
		return
	}
	credits, next, err := topUpRequest(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	left, err := s.ready.Load().gallery.AddCredits(r.Context(), application(r.Context()), credits)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, topUpResponse{
		CheckoutSessionID: uuid.NewString(), CheckoutSessionURL: orNull(next), balanceResponse: wireBalance(left),
	})
}

// topUpRequest reads how many credits are wanted, and where to go afterwards.
func topUpRequest(r *http.Request) (credits int64, next string, err error) {
	body, err := readJSON(r, "amount_in_dollars", "success_url", "cancel_url")
	if err != nil {
		return 0, "", err
	}
	var dollars float64
	if !body.has("amount_in_dollars") || json.Unmarshal(body["amount_in_dollars"], &dollars) != nil ||
		!(dollars >= topUpDollarsMin && dollars <= topUpDollarsMax) {
		return 0, "", face.Invalid("amount_in_dollars is a number from %d to %d.", topUpDollarsMin, topUpDollarsMax)
	}
	delete(body, "amount_in_dollars")
	addresses, err := body.form()
	if err != nil {
		return 0, "", err
	}
	if _, err := addresses.text("cancel_url", addressMax); err != nil {
		return 0, "", err
	}
	next, err = addresses.text("success_url", addressMax)
	return int64(math.Floor(dollars * creditsPerDollar)), next, err
}
