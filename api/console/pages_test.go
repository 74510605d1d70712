package console_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/disintegration/imaging"

	"facesearch/pkg/facetest"
)

func TestStartPage(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.open("")
	b.sees("API key")
	b.inspect("signin")
	b.unmoved("signin")
	t.Run("ErrWrongKey", func(t *testing.T) {
		b.tolerated = []string{"status of 401"}
		b.fill("API key", "a-key-of-nobody-at-all\r")
		b.sees("That did not work.")
	})
	b.signIn()
	// The gallery is empty, so this is the first page; its lines hold the real address and key.
	b.sees("Start here", "Enrol somebody", s.url, bootstrapKey)
	b.inspect("start")
	b.press("Python")
	b.sees("import requests")
	b.press("JavaScript")
	b.sees("await fetch(")
	b.unmoved("start")
	for _, place := range []string{"localStorage", "sessionStorage"} {
		if kept := eval[string](b, "JSON.stringify("+place+")"); kept != "{}" {
			t.Errorf("%s holds %s", place, kept)
		}
	}
	if cookie := eval[string](b, "document.cookie"); cookie != "" {
		t.Errorf("a script can read the cookie %q", cookie)
	}
	b.do(chromedp.Reload())
	b.sees("Start here", "YOUR_API_KEY")
	if eval[bool](b, "document.body.innerText.includes("+quote(bootstrapKey)+")") {
		t.Error("the key outlived its page")
	}
	b.press("Sign out")
	b.sees("You are signed out.", "API key")
	b.open("people")
	b.sees("API key")
}

func TestSearchPage(t *testing.T) {
	s := serve(t)
	s.enrol(t, "obama.jpg", "vendor_data", "user-1", "full_name", "Barack Obama", "document_type", "Passport", "document_number", "X1234567")
	s.enrol(t, "biden.jpg", "vendor_data", "user-2", "full_name", "Joe Biden")
	b := newTab(t, s)
	b.signIn()
	b.sees("Search", "Choose a picture")
	b.inspect("search-empty")
	b.unmoved("search-empty")
	found := []string{"In Review", "1 match.", "Barack Obama", "strong likelihood of the same person", "No. 1", "***567", "Searched: male"}
	t.Run("choose", func(t *testing.T) {
		b.upload(".drop input", photographPath(t, "obama2.jpg"))
		b.sees(found...)
		b.inspect("search")
		if size := eval[[]float64](b, "[...document.querySelectorAll('.shot rect:not(.plate)')].map((each) => each.getBoundingClientRect().width)"); len(size) != 1 || size[0] < 20 {
			t.Errorf("boxes of widths %v", size)
		}
		if cut := eval[int](b, "document.querySelectorAll('.pair canvas, .pair img').length"); cut != 2 {
			t.Errorf("%d faces side by side", cut)
		}
	})
	clear := func() { eval[bool](b, "location.hash = 'start'; true"); b.sees("Three steps"); b.goTo("search") }
	t.Run("drop", func(t *testing.T) {
		clear()
		eval[bool](b, b.withFile(t, "obama2.jpg", `const transfer = new DataTransfer(); transfer.items.add(file);
			return document.querySelector('.drop').dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: transfer})) || true;`))
		b.sees(found...)
	})
	t.Run("paste", func(t *testing.T) {
		clear()
		eval[bool](b, b.withFile(t, "obama2.jpg", `const transfer = new DataTransfer(); transfer.items.add(file);
			return document.dispatchEvent(new ClipboardEvent('paste', {bubbles: true, cancelable: true, clipboardData: transfer})) || true;`))
		b.sees(found...)
	})
	t.Run("camera", func(t *testing.T) {
		clear()
		b.press("Take a photograph")
		b.wait("the camera", "document.querySelector('video')?.videoWidth > 0")
		b.press("Take the photograph")
		b.sees(found[:4]...)
	})
	t.Run("several faces, turned", func(t *testing.T) {
		clear()
		group := facetest.JPEG(t, facetest.Beside(facetest.Image(t, "obama2.jpg", 500), facetest.Image(t, "biden.jpg", 500)))
		b.press("Try all four turns")
		b.upload(".drop input", write(t, "group.jpg", turnedLeft(t, group)))
		b.sees("More than one face was detected.", "Asks for a review", "turned clockwise by 90°")
		b.inspect("search-several")
		if boxes := eval[int](b, "document.querySelectorAll('.shot rect:not(.plate)').length"); boxes != 2 {
			t.Errorf("%d boxes", boxes)
		}
	})
	t.Run("no face", func(t *testing.T) {
		clear()
		b.upload(".drop input", "../../testdata/photo/rgb.jpg")
		b.sees("Declined", "No face was detected.", "No match.")
		b.inspect("search-none")
	})
	t.Run("blocklisted", func(t *testing.T) {
		var list struct {
			Results []struct {
				ID string `json:"session_id"`
			} `json:"results"`
		}
		s.api(t, "GET", "/v3/sessions/?vendor_data=user-2", nil, 200, &list)
		s.api(t, "POST", "/v3/blocklist/add/", map[string]any{"session_id": list.Results[0].ID, "blocklist_face": true}, 200, nil)
		clear()
		b.upload(".drop input", photographPath(t, "biden.jpg"))
		b.sees("Declined", "The face is on the blocklist.", "On the blocklist")
		b.inspect("search-blocklisted")
	})
	t.Run("ErrNoPicture", func(t *testing.T) {
		clear()
		b.tolerated = []string{"status of 400"}
		b.upload(".drop input", write(t, "not-a-picture.jpg", []byte("this is no picture at all")))
		b.sees("That did not work.")
		b.inspect("search-refused")
	})
}

func TestPeoplePages(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.signIn()
	b.goTo("people")
	b.sees("Nobody is enrolled yet.")
	b.inspect("people-empty")
	t.Run("enrol", func(t *testing.T) {
		b.goTo("enrol")
		b.upload(".drop input", photographPath(t, "obama.jpg"))
		b.wait("the preview", "document.querySelector('.preview canvas')")
		b.fill("Reference", "user-1")
		b.fill("Name", "Barack Obama")
		b.fill("Document", "Passport")
		b.fill("Document number", "X1234567")
		b.inspect("enrol")
		b.press("Enrol")
		b.sees("Barack Obama", "Passport ***567", "On the blocklist, every search")
	})
	s.enrol(t, "obama2.jpg", "vendor_data", "user-1", "full_name", "Barack Obama")
	s.enrol(t, "biden.jpg", "vendor_data", "user-2", "full_name", "Joe Biden", "status", "In Review")
	saved := s.search(t, facetest.Photograph(t, "astronaut.png"))
	for n := range 27 { // without looking at the picture again
		s.api(t, "POST", "/v3/sessions/", map[string]string{"request_id": saved, "full_name": fmt.Sprintf("Person %02d", n)}, 201, nil)
	}
	t.Run("list", func(t *testing.T) {
		b.goTo("people")
		b.sees("1 – 25 of 30")
		b.inspect("people")
		b.press("Next")
		b.sees("26 – 30 of 30", "Barack Obama")
		b.press("Previous")
		b.sees("1 – 25 of 30")
	})
	t.Run("search", func(t *testing.T) {
		for _, each := range []struct{ by, words, want string }{
			{"name", "obama", "1 – 2 of 2"}, {"vendor_data", "user-2", "Joe Biden"}, {"session_number", "3", "Joe Biden"}, {"name", "nobody at all", "Nobody is like that."},
		} {
			b.goTo("people")
			b.choose("Search by", each.by)
			b.fill("Search for", each.words+"\r")
			b.sees(each.want)
		}
		b.inspect("people-none")
		b.goTo("people?status=In+Review")
		b.sees("1 – 1 of 1", "Joe Biden")
	})
	t.Run("person", func(t *testing.T) {
		b.goTo("people?session_number=1")
		b.press("Barack Obama")
		b.sees("Other pictures with this reference", "No. 2")
		b.inspect("person")
		b.choose("Status", "Declined")
		b.fill("Why", "looks odd")
		b.press("Change the status")
		b.sees("The status is Declined.", "looks odd")
		b.press("Put on the blocklist")
		b.sees("Every search that finds this face is declined.")
		b.press("Take off the blocklist")
		b.sees("On the blocklist, every search")
	})
	t.Run("times", func(t *testing.T) {
		// The browser is in New York; the stored times are in UTC.
		shown := eval[[]string](b, "(() => { const each = document.querySelector('.person time'); return [each.title, each.dateTime, each.innerText]; })()")
		if !strings.HasSuffix(shown[0], " UTC") || !strings.HasPrefix(shown[0], shown[1][:10]) || shown[2] == "" {
			t.Errorf("a time is shown as %q", shown)
		}
		if zone := eval[string](b, "Intl.DateTimeFormat().resolvedOptions().timeZone"); zone != "America/New_York" {
			t.Errorf("the browser is in %s", zone)
		}
	})
	t.Run("erase one", func(t *testing.T) {
		b.press("Erase…")
		b.sees("For good, with no way back", "No. 1", "2 sessions")
		b.inspect("erase")
		b.press("Cancel")
		s.api(t, "GET", "/v3/sessions/?session_number=1", nil, 200, nil)
		b.press("Erase…")
		b.press("Erase for good")
		b.sees("1 – 25 of 29")
	})
	t.Run("erase a person", func(t *testing.T) {
		b.goTo("people?name=obama")
		b.press("Barack Obama")
		b.press("Erase…")
		b.press("everything with the reference user-1")
		b.press("Erase for good")
		b.sees("1 – 25 of 28")
		s.api(t, "GET", "/v3/sessions/?vendor_data=user-1", nil, 200, nil)
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		b.tolerated = []string{"status of 404"}
		b.goTo("person/0b9d6f0e-52a9-4d0b-8c26-1d7f3f1f4a52")
		b.sees("That did not work.", "Try again")
		b.inspect("person-missing")
	})
	b.unmoved("people")
}

func TestImportPage(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.signIn()
	b.goTo("import")
	b.inspect("import-empty")
	table := "file,vendor_data,full_name\nobama.jpg,user-1,\"Obama, Barack\"\nbiden.jpg,user-2,Joe Biden\nmissing.jpg,user-3,Nobody\nnoface.jpg,user-4,Nobody\n"
	files := []string{
		write(t, "people.csv", []byte(table)), photographPath(t, "obama.jpg"), photographPath(t, "biden.jpg"),
		write(t, "noface.jpg", facetest.JPEG(t, facetest.Image(t, "obama.jpg", 8))),
	}
	for _, words := range []string{"2 enrolled, 0 known already, 2 refused", "0 enrolled, 2 known already, 2 refused"} {
		b.tolerated = []string{"status of 400"}
		b.upload("#import-Choose-files", files...)
		b.press("Enrol 4 pictures")
		b.sees("Done.", "4 of 4", words, "missing.jpg No file of the name", "noface.jpg No face was found")
	}
	b.inspect("import")
	var list struct {
		Count   int `json:"count"`
		Results []struct {
			User struct {
				Name string `json:"name"`
			} `json:"user_details"`
		} `json:"results"`
	}
	s.api(t, "GET", "/v3/sessions/", nil, 200, &list)
	if list.Count != 2 {
		t.Errorf("%+v: sent twice, each should be enrolled once", list)
	}
	s.api(t, "GET", "/v3/sessions/?name=obama,", nil, 200, &list)
	if list.Count != 1 {
		t.Errorf("%+v", list)
	}
	t.Run("ErrColumn", func(t *testing.T) {
		b.upload("#import-Choose-files", write(t, "people.csv", []byte("file,colour\nobama.jpg,red\n")), files[1])
		b.sees("The CSV file has a column “colour”")
	})
	t.Run("pictures alone", func(t *testing.T) {
		b.upload("#import-Choose-files", photographPath(t, "astronaut.png"))
		b.press("Enrol 1 picture")
		b.sees("Done.")
		s.api(t, "GET", "/v3/sessions/?vendor_data=astronaut", nil, 200, &list)
		if list.Count != 1 {
			t.Errorf("%+v", list)
		}
	})
}

func TestBlocklistPage(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.signIn()
	b.goTo("blocklist")
	b.sees("Nobody is on the blocklist.")
	b.inspect("blocklist-empty")
	b.press("Add a face by picture")
	b.upload(".drop input", photographPath(t, "biden.jpg"))
	b.wait("the preview", "document.querySelector('.preview canvas')")
	b.fill("Why", "seen at the door")
	b.press("Put on the blocklist")
	b.sees("1 – 1 of 1", "On the blocklist")
	b.inspect("blocklist")
	b.press("Take off")
	b.sees("Nobody is on the blocklist.")
}

func TestDuplicatesPage(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.signIn()
	b.goTo("duplicates")
	b.sees("Nobody looks like anybody else.")
	b.inspect("duplicates-none")
	s.enrol(t, "obama.jpg", "vendor_data", "user-1", "full_name", "Barack Obama")
	s.enrol(t, "obama2.jpg", "vendor_data", "user-2", "full_name", "B. Obama")
	s.enrol(t, "biden.jpg", "vendor_data", "user-3")
	b.fill("Least similarity in percent", "85")
	b.press("Compare everybody")
	b.sees("1 group of people who are at least 85.0 % similar.", "Group 1: 2 people", "Barack Obama", "B. Obama", "strong likelihood")
	b.inspect("duplicates")
	b.press("Decline as duplicate")
	b.sees("is Declined, as a duplicate.")
	s.api(t, "GET", "/v3/sessions/?status=Declined", nil, 200, nil)
	b.press("Compare everybody")
	b.sees("Nobody looks like anybody else.")
}

func TestSettingsPage(t *testing.T) {
	s := serve(t)
	s.enrol(t, "obama.jpg", "vendor_data", "user-1")
	b := newTab(t, s)
	b.signIn()
	b.goTo("settings")
	b.sees("In force: 70.0 %", "Nothing is changed yet.", "No search was saved in the last seven days")
	for range 2 {
		s.search(t, facetest.Photograph(t, "obama2.jpg")) // 93.8 % like the one enrolled
	}
	s.search(t, facetest.Photograph(t, "biden.jpg"))
	b.do(chromedp.Reload())
	b.sees("Of 3 searches saved in the last seven days, 2 would have had a match: 1 would be Approved, 2 In Review and 0 Declined (now 1, 2 and 0).")
	b.inspect("settings")
	b.unmoved("settings")
	b.move("Threshold in percent", "95")
	b.sees("At 95.0 %", "0 would have had a match: 3 would be Approved", "Similarity threshold: auto → 95")
	b.inspect("settings-changed")
	b.move("Threshold in percent, as a slider", "80")
	b.sees("At 80.0 %", "2 would have had a match", "Similarity threshold: auto → 80")
	b.press("Undo changes")
	b.choose("A match makes the search", "Declined")
	b.fill("Matches listed at most", "7")
	b.sees("A match makes the search: In Review → Declined", "Matches listed at most: 5 → 7")
	b.press("Undo changes")
	b.sees("Nothing is changed yet.")
	b.choose("A match makes the search", "Declined")
	b.press("Save")
	b.sees("Nothing is changed yet.")
	var got struct {
		Settings map[string]struct {
			Value any `json:"value"`
		} `json:"settings"`
	}
	s.api(t, "GET", "/v3/settings/", nil, 200, &got)
	if got.Settings["match_action"].Value != "Declined" || got.Settings["max_matches"].Value != 5.0 {
		t.Errorf("%+v", got)
	}
}

// TestKeyboard signs in, goes to a page and enrols somebody without a mouse.
func TestKeyboard(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.open("")
	b.sees("API key")
	b.keys(bootstrapKey + "\r") // the only input has the focus
	b.sees("Three steps from nothing to a search.")
	if at := eval[string](b, "document.activeElement.innerText"); at != "Start here" {
		t.Errorf("after the sign-in the focus is at %q, want the page's heading", at)
	}
	b.tabTo("People")
	b.keys("\r")
	b.sees("Nobody is enrolled yet.")
	b.tabTo("Enrol somebody")
	b.keys("\r")
	b.sees("Choose a picture")
	if at := eval[string](b, "document.activeElement.innerText"); at != "Enrol somebody" {
		t.Errorf("the focus is at %q, want the page's heading", at)
	}
	b.upload(".drop input", photographPath(t, "obama.jpg"))
	b.tabTo("input vendor_data")
	b.keys("user-1\r")
	b.sees("Change the status")
	b.tabTo("Erase…")
	b.keys("\r")
	b.sees("Erase user-1?")
	b.keys(kb.Escape)
	b.wait("the dialog to close", "!document.querySelector('dialog')")
	if at := eval[string](b, "document.activeElement.innerText"); at != "Erase…" {
		t.Errorf("after the dialog the focus is at %q", at)
	}
	// The first thing that Tab reaches leads past the menu.
	b.do(chromedp.Reload())
	b.sees("Change the status")
	b.keys(kb.Tab + "\r")
	if at := eval[string](b, "document.activeElement.id"); at != "main" {
		t.Errorf("the focus is at %q, want main", at)
	}
}

// move sets the input of an accessible name, as a slider does.
func (b *tab) move(name, value string) {
	b.Helper()
	eval[bool](b, `(() => { const input = document.querySelector('[aria-label=' + JSON.stringify(`+quote(name)+`) + ']'); input.value = `+quote(value)+`;
		return input.dispatchEvent(new Event('input', {bubbles: true})); })()`)
}

// pressLabelled clicks what has this accessible name.
func (b *tab) pressLabelled(name string) {
	b.Helper()
	selector := "[aria-label=" + quote(name) + "]"
	b.wait(name, "document.querySelector("+quote(selector)+")")
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// write puts a file where a browser can choose it.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// turnedLeft is a picture that lies on its left side.
func turnedLeft(t *testing.T, picture []byte) []byte {
	t.Helper()
	decoded, err := imaging.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	return facetest.JPEG(t, imaging.Rotate90(decoded))
}

func TestQueuePage(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.signIn()
	b.goTo("queue")
	b.sees("Nothing waits for a review.")
	b.inspect("queue-empty")
	s.enrol(t, "obama.jpg", "vendor_data", "user-1", "full_name", "Barack Obama")
	pictures := facetest.Variants(t, []string{"obama2.jpg"}, 500, 4)
	var ids []string
	for i, picture := range pictures {
		ids = append(ids, s.search(t, picture, "vendor_data", fmt.Sprint("form-", i+1)))
	}
	status := func(place int) (answer struct {
		Search struct {
			Status string `json:"status"`
		} `json:"face_search"`
		Reviews []struct {
			Status  string `json:"status"`
			Comment string `json:"comment"`
			By      string `json:"reviewed_by_name"`
		} `json:"reviews"`
	}) {
		t.Helper()
		s.api(t, "GET", "/v3/session/"+ids[place]+"/decision/", nil, 200, &answer)
		return answer
	}
	b.do(chromedp.Reload())
	b.sees("4 searches wait for a review.", "form-1", "Barack Obama") // the oldest first
	b.inspect("queue")
	b.unmoved("queue")
	t.Run("next", func(t *testing.T) {
		b.keys("n")
		b.sees("form-2")
		if got := status(0); got.Search.Status != "In Review" || len(got.Reviews) != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("same person", func(t *testing.T) {
		b.fill("Why", "the same scar")
		b.keys("s") // typed into the field, it decides nothing
		b.sees("form-2")
		b.keys(kb.Backspace + kb.Tab)
		eval[bool](b, "document.activeElement.blur(); true")
		b.keys("s")
		b.sees("3 searches wait for a review.", "form-3")
		if got := status(1); got.Search.Status != "Declined" || len(got.Reviews) != 1 || got.Reviews[0].Comment != "same person: the same scar" || got.Reviews[0].By != "first" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("different person", func(t *testing.T) {
		b.keys("d")
		b.sees("2 searches wait for a review.", "form-4")
		if got := status(2); got.Search.Status != "Approved" || len(got.Reviews) != 1 || got.Reviews[0].Comment != "different person" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("single keys off", func(t *testing.T) {
		b.press("Single keys decide")
		eval[bool](b, "document.activeElement.blur(); true")
		b.keys("d")
		if got := status(3); got.Search.Status != "In Review" {
			t.Errorf("%+v", got)
		}
		b.press("Single keys decide")
	})
	t.Run("blocklist", func(t *testing.T) {
		b.press("Blocklist B")
		b.sees("That was the last one.", "1 search was left for later.")
		b.inspect("queue-end")
		var list struct {
			Count int `json:"count"`
		}
		s.api(t, "GET", "/v3/blocklist/", nil, 200, &list)
		if got := status(3); got.Search.Status != "Declined" || list.Count != 1 {
			t.Errorf("%+v, %d on the blocklist", got, list.Count)
		}
		b.press("Begin again")
		b.sees("form-1")
	})
	t.Run("saved search", func(t *testing.T) {
		b.goTo("searched/" + ids[1])
		b.sees("Saved search", "Declined", "same person: the same scar")
		b.inspect("searched")
		b.press("Erase…")
		b.press("Erase for good")
		b.sees("form-1")
		s.api(t, "GET", "/v3/session/"+ids[1]+"/decision/", nil, 404, nil)
	})
}

func TestKeysPage(t *testing.T) {
	s := serve(t)
	s.enrol(t, "obama.jpg", "vendor_data", "user-1")
	s.search(t, facetest.Photograph(t, "obama2.jpg"))
	b := newTab(t, s)
	b.signIn()
	b.goTo("keys")
	b.sees("API keys", "first", "credits", "search saved today", "in UTC, at most 1.")
	b.inspect("keys")
	b.unmoved("keys")
	if bars := eval[int](b, "document.querySelectorAll('.plot rect').length"); bars != 30 {
		t.Errorf("%d days are plotted", bars)
	}
	b.fill("What the key is for", "sign-up form")
	b.choose("It may", "enrol")
	b.press("Create a key")
	b.sees("It is shown this once")
	key := eval[string](b, "document.querySelector('.secret').innerText")
	b.inspect("keys-created")
	b.press("I have it")
	b.sees("sign-up form", "Search and enrol")
	if eval[bool](b, "document.body.textContent.includes("+quote(key)+")") {
		t.Error("the key is shown a second time")
	}
	check := func(want int) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v3/sessions/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("x-api-key", key)
		if response, data := s.do(t, request); response.StatusCode != want {
			t.Errorf("the new key: %d %s, want %d", response.StatusCode, data, want)
		}
	}
	check(200)
	t.Run("ErrScope", func(t *testing.T) {
		other := newTab(t, s)
		other.tolerated = []string{"status of 403"}
		other.open("")
		other.fill("API key", key+"\r")
		other.sees("the console needs the scope manage")
	})
	b.pressLabelled("Revoke the key sign-up form")
	b.press("Revoke")
	b.sees("Revoked")
	check(401)
	b.pressLabelled("Revoke the key first")
	b.sees("revoking it signs you out")
	b.tolerated = []string{"status of 401"}
	b.press("Revoke")
	b.sees("Your sign-in has ended.")
}
