package console_test

import (
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestSlowAndUnreachable: while the server is slow, and when it cannot be reached, the page says
// so, keeps its room, and goes on when the server does.
func TestSlowAndUnreachable(t *testing.T) {
	s := serve(t)
	s.enrol(t, "obama.jpg", "vendor_data", "user-1", "full_name", `<b>Obama</b> & "friends"`)
	b := newTab(t, s)
	b.signIn()
	b.sees("Choose a picture")
	held := b.holdSessions()
	eval[string](b, "location.hash = 'people'")
	first := <-held
	b.wait("the placeholders", "document.querySelectorAll('.ghost').length > 3")
	b.wait("a word about it", "getComputedStyle(document.querySelector('.late')).opacity === '1'")
	for _, scheme := range []string{"light", "dark"} {
		b.colours(scheme)
		b.shoot("people-slow-1280-" + scheme)
		b.axe("people-slow " + scheme)
	}
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: first})
	b.sees(`<b>Obama</b> & "friends"`) // as text
	b.unmoved("people")

	b.tolerated = []string{"ERR_FAILED"}
	eval[string](b, "location.hash = 'people?status=Approved'")
	call(b, fetch.FailRequest, fetch.FailRequestParams{RequestID: <-held, ErrorReason: network.ErrorReasonFailed})
	b.sees("That did not work.", "The server cannot be reached.")
	call(b, fetch.Disable, cdp.Empty{})
	b.inspect("people-unreachable")
	b.press("Try again")
	b.sees(`<b>Obama</b> & "friends"`)
}

// TestLeftBeforeHome: whoever goes to a page while the console still finds out which page to
// begin with gets the page that was asked for.
func TestLeftBeforeHome(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.open("")
	b.sees("API key")
	// The list that decides arrives just after the address has changed, before the event says so.
	eval[bool](b, `(() => { const text = Response.prototype.json; Response.prototype.json = async function () {
		const value = await text.call(this);
		if (this.url.includes('/sessions/?limit=1')) { window.decided = true; location.hash = 'keys'; }
		return value;
	}; return true; })()`)
	b.keys(bootstrapKey + "\r")
	b.wait("the first page to be decided", "window.decided")
	b.sees("Create a key")
	if at := eval[string](b, "location.hash"); at != "#keys" {
		t.Errorf("the address is %s", at)
	}
}

// TestInMenuBeforeHome: whoever is in the menu by the time that the first page is shown stays there.
func TestInMenuBeforeHome(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.open("")
	b.sees("API key")
	held := b.holdSessions()
	b.keys(bootstrapKey + "\r")
	first := <-held
	eval[bool](b, "document.querySelector('nav a[href=\"#people\"]').focus(), true")
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: first})
	call(b, fetch.Disable, cdp.Empty{})
	b.sees("Three steps from nothing to a search.")
	if at := eval[string](b, "document.activeElement.innerText"); at != "People" {
		t.Errorf("the focus was taken to %q", at)
	}
}

// holdSessions keeps the page's requests for sessions from going on, and returns them.
func (b *tab) holdSessions() (held chan fetch.RequestID) {
	b.Helper()
	held = make(chan fetch.RequestID, 10)
	if err := chromedp.Listen(b.ctx, func(event any) {
		if paused, ok := event.(*fetch.EventRequestPaused); ok {
			held <- paused.RequestID
		}
	}); err != nil {
		b.Fatal(err)
	}
	call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/console/api/v3/sessions/*"}}})
	return held
}
