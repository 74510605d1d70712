package console_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"facesearch/pkg/facetest"
)

// One headless Chromium serves all tests; each has a profile of its own in it.
var (
	browserMu   sync.Mutex
	browser     context.Context
	stopBrowser func()
)

func openBrowser(t testing.TB) context.Context {
	t.Helper()
	browserMu.Lock()
	defer browserMu.Unlock()
	if browser != nil {
		return browser
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // tests may run as root in a container, where there is none
		chromedp.Flag("lang", "en-GB"),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-video-capture", cameraFilm(t)),
		chromedp.Env("TZ=America/New_York"),
		chromedp.WSURLReadTimeout(patience),
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	stopBrowser = func() { cancel(); stopAllocator() }
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("run the tests with make test, which installs Chromium: %v", err)
	}
	browser = ctx
	return browser
}

func closeBrowser() {
	if stopBrowser != nil {
		stopBrowser()
	}
}

// A tab is a browser's page with a fresh profile. At the end of its test it fails for every
// error on the console and every request to another place.
type tab struct {
	testing.TB
	ctx  context.Context
	url  string
	mu   sync.Mutex
	said []string // what the browser complained of
	// tolerated are complaints that a test provokes.
	tolerated []string
}

func newTab(t testing.TB, s *server) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(openBrowser(t), chromedp.WithNewBrowserContext())
	b := &tab{TB: t, url: s.url}
	if err := chromedp.Listen(ctx, b.watch); err != nil { // opens the tab
		t.Fatal(err)
	}
	ctx, cancelTime := context.WithTimeout(ctx, 5*patience)
	b.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			b.shoot("failed-" + strings.ReplaceAll(t.Name(), "/", "-"))
		}
		cancelTime()
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, each := range b.said {
			if !b.tolerates(each) {
				t.Error("the browser says:", each)
			}
		}
	})
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchShifts})
	b.size(1280)
	b.colours("light")
	return b
}

// call sends one command of the browser's protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], parameters P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, parameters); err != nil {
		b.Fatal(err)
	}
}

// watchShifts sums how much of what is shown has moved by itself.
const watchShifts = `window.shifted = 0; new PerformanceObserver((list) => {
  for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifted += each.value;
}).observe({type: 'layout-shift', buffered: true});`

func (b *tab) tolerates(said string) bool {
	for _, each := range b.tolerated {
		if strings.Contains(said, each) {
			return true
		}
	}
	return false
}

func (b *tab) watch(event any) {
	complaint := ""
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		complaint = event.ExceptionDetails.Text + " " + fmt.Sprintf("%+v", event.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeWarning {
			complaint = "console." + string(event.Type)
			for _, each := range event.Args {
				complaint += " " + string(each.Value) + each.Description
			}
		}
	case *log.EventEntryAdded:
		if event.Entry.Level == log.EntryLevelError || event.Entry.Level == log.EntryLevelWarning {
			complaint = event.Entry.Text + " " + event.Entry.URL
		}
	case *network.EventRequestWillBeSent:
		to, err := url.Parse(event.Request.URL)
		if err != nil || to.Scheme != "blob" && to.Scheme+"://"+to.Host != b.url && event.Request.URL != "about:blank" {
			complaint = "a request left for " + event.Request.URL
		}
	}
	if complaint != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.said = append(b.said, complaint)
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

func (b *tab) size(width int64) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1})
}

func (b *tab) colours(scheme string) {
	b.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// eval returns what a JavaScript expression, which may be a promise, comes to.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatal(err)
	}
	return value
}

// wait waits until an expression is true.
func (b *tab) wait(what, expression string) {
	b.Helper()
	deadline := time.Now().Add(patience)
	for {
		if eval[bool](b, "Boolean("+expression+")") {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain for %s on this page:\n%s", what, eval[string](b, "document.body.innerText"))
		}
		time.Sleep(15 * time.Millisecond)
	}
}

// sees waits for a text on the page.
func (b *tab) sees(words ...string) {
	b.Helper()
	for _, each := range words {
		b.wait(fmt.Sprintf("%q", each), "document.body.innerText.includes("+quote(each)+")")
	}
}

// settled waits until nothing is loading, pictures included.
func (b *tab) settled() {
	b.Helper()
	b.wait("the page to settle", `!document.querySelector('[aria-busy]') && document.querySelector('main h1') &&
		[...document.images].every((each) => each.complete || each.getBoundingClientRect().top > innerHeight)`)
}

func quote(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string
	}
	return string(data)
}

// open goes to a page of the console by its address.
func (b *tab) open(name string) {
	b.Helper()
	b.do(chromedp.Navigate(b.url + "/console/#" + name))
	b.wait("the page "+name, "document.querySelector('main h1')")
}

// goTo goes to a page as a link does. It returns when the console, which listens for the same
// event first, has left the page before.
func (b *tab) goTo(name string) {
	b.Helper()
	eval[bool](b, `new Promise((left) => {
		if (location.hash === '#' + `+quote(name)+`) return left(true);
		addEventListener('hashchange', () => left(true), {once: true});
		location.hash = `+quote(name)+`;
	})`)
	b.settled()
}

func (b *tab) signIn() {
	b.Helper()
	b.open("")
	b.sees("API key")
	b.do(chromedp.SendKeys(chromedp.CSS("input[name=key]"), bootstrapKey+"\r"))
	b.wait("the first page", "document.querySelector('main h1')?.innerText !== 'Sign in'")
	b.settled()
}

// press clicks what has these words on it, with the mouse.
func (b *tab) press(words string) {
	b.Helper()
	const mark = `data-test-press`
	b.wait("a button "+words, `(() => {
		document.querySelectorAll('[`+mark+`]').forEach((each) => each.removeAttribute('`+mark+`'));
		const all = [...document.querySelectorAll('dialog[open] button, dialog[open] label')];
		const from = document.querySelector('dialog[open]') ? all : [...document.querySelectorAll('button, a, label, summary')];
		const found = from.find((each) => each.innerText.trim().replace(/\s+/g, ' ').startsWith(`+quote(words)+`) && each.getClientRects().length > 0 && !each.disabled);
		found?.setAttribute('`+mark+`', '');
		return found;
	})()`)
	b.do(chromedp.Click(chromedp.CSS("[" + mark + "]")))
}

// fill types into the input with a label.
func (b *tab) fill(label, text string) {
	b.Helper()
	eval[bool](b, "(() => { const input = document.getElementById("+quote(b.labelled(label))+"); input.focus(); input.select(); return true; })()")
	b.keys(kb.Backspace + text)
}

func (b *tab) choose(label, value string) {
	b.Helper()
	eval[bool](b, `(() => { const input = document.getElementById(`+quote(b.labelled(label))+`); input.value = `+quote(value)+`;
		input.dispatchEvent(new Event('input', {bubbles: true})); return input.dispatchEvent(new Event('change', {bubbles: true})); })()`)
}

func (b *tab) labelled(label string) string {
	b.Helper()
	find := `[...document.querySelectorAll('label[for]')].find((each) => each.innerText.trim() === ` + quote(label) + ` && each.getClientRects().length > 0)?.htmlFor ?? ''`
	b.wait("the input "+label, find)
	return eval[string](b, find)
}

// upload gives files to the input of a page.
func (b *tab) upload(selector string, paths ...string) {
	b.Helper()
	for i, each := range paths { // the browser has a directory of its own
		absolute, err := filepath.Abs(each)
		if err != nil {
			b.Fatal(err)
		}
		paths[i] = absolute
	}
	b.do(chromedp.SetUploadFiles(chromedp.CSS(selector), paths))
}

// shoot writes a screenshot of the whole page into the folder that FACESEARCH_SCREENSHOTS names.
func (b *tab) shoot(name string) {
	folder := os.Getenv("FACESEARCH_SCREENSHOTS")
	if folder == "" {
		return
	}
	data, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.Log(err)
		return
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), data, 0o644); err != nil {
		b.Fatal(err)
	}
}

// inspect looks at the page as it is now: axe-core finds no violation in light and dark, at both
// widths, nothing is wider than the window, and a screenshot of each is written.
func (b *tab) inspect(name string) {
	b.Helper()
	b.settled()
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			b.size(width)
			b.colours(scheme)
			time.Sleep(30 * time.Millisecond)
			b.settled()
			where := fmt.Sprintf("%s-%d-%s", name, width, scheme)
			b.shoot(where)
			b.axe(where)
		}
		wide := eval[string](b, `(() => { const most = document.documentElement.clientWidth + 1;
			if (document.documentElement.scrollWidth <= most) return '';
			return [...document.querySelectorAll('main *')].filter((each) => each.getBoundingClientRect().right > most).map((each) => each.outerHTML.slice(0, 120)).slice(0, 4).join(' | ') || 'something'; })()`)
		if wide != "" {
			b.Errorf("%s at %d px: wider than the window: %s", name, width, wide)
		}
	}
	b.size(1280)
	b.colours("light")
}

var axeSource = sync.OnceValues(func() (string, error) {
	data, err := os.ReadFile(os.Getenv("FACESEARCH_AXE"))
	return string(data), err
})

func (b *tab) axe(where string) {
	b.Helper()
	source, err := axeSource()
	if err != nil {
		b.Fatalf("run the tests with make test, which fetches axe-core: %v", err)
	}
	if !eval[bool](b, "'axe' in window") {
		eval[bool](b, source+"; true")
	}
	found := eval[[]string](b, `axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations.map((each) =>
		each.id + ': ' + each.help + ': ' + each.nodes.slice(0, 3).map((node) => node.html.slice(0, 160) + ' ' + node.failureSummary).join(' | ')))`)
	for _, each := range found {
		b.Errorf("%s: %s", where, each)
	}
}

// unmoved wants that nothing on the page has jumped since it was loaded.
func (b *tab) unmoved(name string) {
	b.Helper()
	shifted := eval[float64](b, "window.shifted")
	if shifted > 0.02 {
		b.Errorf("%s: the layout shifted by %.3f", name, shifted)
	}
	eval[float64](b, "window.shifted = 0")
}

// withFile makes an expression that runs JavaScript with a photograph as file.
func (b *tab) withFile(t *testing.T, photograph, body string) string {
	t.Helper()
	data := base64.StdEncoding.EncodeToString(facetest.Photograph(t, photograph))
	return `(() => { const file = new File([Uint8Array.from(atob("` + data + `"), (each) => each.charCodeAt(0))], "photo.jpg", {type: "image/jpeg"}); ` + body + ` })()`
}

// keys types on the keyboard, wherever the focus is.
func (b *tab) keys(keys string) {
	b.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// tabTo presses Tab until the focus is on what begins with these words, or on an input of that
// name.
func (b *tab) tabTo(words string) {
	b.Helper()
	const stepsMax = 60
	for range stepsMax {
		b.keys(kb.Tab)
		if eval[bool](b, `((each) => each.innerText?.trim().startsWith(`+quote(words)+`) || 'input ' + each.name === `+quote(words)+`)(document.activeElement)`) {
			if !eval[bool](b, "document.activeElement.matches(':focus-visible') && getComputedStyle(document.activeElement).outlineStyle !== 'none'") {
				b.Errorf("the focus on %s cannot be seen", words)
			}
			return
		}
	}
	b.Fatalf("Tab does not reach %s", words)
}
