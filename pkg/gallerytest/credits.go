package gallerytest

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"facesearch/pkg/face"
)

func (f *fixture) credits(application string) int64 {
	f.Helper()
	credits, err := f.store.Credits(f.Context(), application)
	if err != nil {
		f.Fatal("Credits:", err)
	}
	return credits
}

func testCredits(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	if got := f.credits(ours); got != 0 {
		t.Fatalf("a new application has %d", got)
	}
	want := int64(0)
	for _, added := range []int64{7, 0, -3, 1_000_000, -1_000_004, face.CreditsLimit, -face.CreditsLimit, 5} {
		want += added
		balance, err := f.store.AddCredits(t.Context(), ours, added)
		if err != nil || balance != want || f.credits(ours) != want {
			t.Fatalf("%d added: %d answered and %d there, want %d, %v", added, balance, f.credits(ours), want, err)
		}
	}
	for added, code := range map[int64]face.Code{
		-6: face.CodeInsufficientCredits, math.MinInt64: face.CodeInsufficientCredits,
		face.CreditsLimit - 4: face.CodeInvalid, math.MaxInt64: face.CodeInvalid,
	} {
		balance, err := f.store.AddCredits(t.Context(), ours, added)
		requireCode(t, "AddCredits", err, code)
		if balance != 0 || f.credits(ours) != want {
			t.Fatalf("%d added: refused, but %d answered and %d there, want %d", added, balance, f.credits(ours), want)
		}
	}
	for _, charged := range []int64{2, -4, 0, 5, -3} {
		want -= charged
		if balance, err := f.store.Charge(t.Context(), ours, charged); err != nil || balance != want || f.credits(ours) != want {
			t.Fatalf("%d charged: %d answered and %d there, want %d, %v", charged, balance, f.credits(ours), want, err)
		}
	}
	for _, charged := range []int64{want + 1, math.MaxInt64, math.MinInt64} {
		balance, err := f.store.Charge(t.Context(), ours, charged)
		requireCode(t, "Charge", err, face.CodeInsufficientCredits)
		if balance != 0 || f.credits(ours) != want {
			t.Fatalf("%d charged: refused, but %d answered and %d there, want %d", charged, balance, f.credits(ours), want)
		}
	}
	if got := f.credits(theirs); got != 0 {
		t.Fatalf("the other application has %d", got)
	}
	f.reopen()
	if got := f.credits(ours); got != want {
		t.Fatalf("%d after a restart, want %d", got, want)
	}
}

// testCreditsConcurrently: never is more spent than there is, and nothing gets lost.
func testCreditsConcurrently(t *testing.T, place func(testing.TB) Harness) {
	const there, spenders, each, givers = 20, 8, 6, 3
	f := open(t, place)
	if _, err := f.store.AddCredits(t.Context(), ours, there); err != nil {
		t.Fatal(err)
	}
	var spent, refused, given atomic.Int64
	var group sync.WaitGroup
	for range spenders {
		group.Go(func() {
			for range each {
				balance, err := f.store.Charge(t.Context(), ours, 1)
				switch {
				case err == nil && balance >= 0:
					spent.Add(1)
				case face.CodeOf(err) == face.CodeInsufficientCredits:
					refused.Add(1)
				default:
					t.Errorf("%d, %v", balance, err)
				}
			}
		})
	}
	for range givers {
		group.Go(func() {
			if _, err := f.store.AddCredits(t.Context(), ours, 1); err != nil {
				t.Error(err)
			}
			given.Add(1)
		})
	}
	group.Wait()
	left := f.credits(ours)
	if spent.Load()+refused.Load() != spenders*each || spent.Load()+left != there+given.Load() || refused.Load() == 0 {
		t.Fatalf("%d were there and %d given; %d spent, %d refused, %d left", there, given.Load(), spent.Load(), refused.Load(), left)
	}
}
