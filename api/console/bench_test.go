package console_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"golang.org/x/sync/errgroup"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// BenchmarkFirstView is from the address to the list of people, pictures and all, of a gallery of
// 100,000 sessions, in a browser that has never seen the console but is signed in.
func BenchmarkFirstView(b *testing.B) {
	data := filepath.Join(b.TempDir(), "data")
	fill(b, data, 100_000)
	s := serveAt(b, data)
	view := newTab(b, s)
	view.signIn()
	for b.Loop() {
		b.StopTimer()
		view.do(chromedp.Navigate("about:blank"))
		call(view, network.ClearBrowserCache, cdp.Empty{})
		b.StartTimer()
		view.do(chromedp.Navigate(s.url + "/console/#people"))
		view.wait("the list", "document.querySelectorAll('.sessions tbody tr').length === 25")
	}
}

// fill makes a store of sessions whose templates and pictures are noise.
func fill(b *testing.B, data string, count int) {
	b.Helper()
	store, err := bolt.Open(data, bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	application, _, _, err := search.Bootstrap(context.Background(), store, bootstrapKey)
	if err != nil {
		b.Fatal(err)
	}
	const together = 256 // so that many share one write to the disk
	var group errgroup.Group
	group.SetLimit(together)
	for n := range count {
		group.Go(func() error {
			enrolment := face.Enrolment{Session: face.Session{
				ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Status: face.Approved, VendorData: fmt.Sprint("person-", n),
				Details: face.Details{Name: fmt.Sprint("Person ", n)}, VerifiedAt: time.Now().UTC(), CreatedAt: time.Now().UTC(),
			}}
			enrolment.Template = make(face.Template, face.DefaultModel.Dim)
			for i := range enrolment.Template {
				enrolment.Template[i] = float32(rand.NormFloat64())
			}
			_, _, err := store.Enrol(context.Background(), application.ID, enrolment)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}
