package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disintegration/imaging"

	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
)

const repository = "../.."

// installed is a folder that make test fills, by the variable that names it.
func installed(t *testing.T, variable string) string {
	t.Helper()
	folder := os.Getenv(variable)
	if _, err := os.Stat(folder); folder == "" || err != nil {
		t.Fatalf("run the tests with make test, which installs what %s names", variable)
	}
	return folder
}

// tool runs another program, with nothing of the test's own environment that the clients read.
func tool(t *testing.T, environment []string, name string, arguments ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Env = append(command(t, nil).Env, environment...)
	return finish(t, cmd)
}

// A searcher is a client's program that searches one picture.
type searcher func(t *testing.T, server, key string, arguments ...string) outcome

// searchers are the utility from the tree, the same as pip installs it, and the example for Node.
func searchers(t *testing.T) map[string]searcher {
	t.Helper()
	modules := installed(t, "FACESEARCH_PYTHON_CLIENT")
	with := func(name string, fixed ...string) searcher {
		return func(t *testing.T, server, key string, arguments ...string) outcome {
			t.Helper()
			environment := []string{"FACESEARCH_SERVER=" + server, "DIDIT_API_KEY=" + key, "PYTHONPATH=" + modules, "PYTHONDONTWRITEBYTECODE=1"}
			return tool(t, environment, name, append(fixed, arguments...)...)
		}
	}
	return map[string]searcher{
		"Python":    with("python3", filepath.Join(repository, "clients/python/search_faces.py")),
		"Installed": with(filepath.Join(modules, "bin", "search-faces")),
		"Node":      with("node", filepath.Join(repository, "clients/javascript/search.mjs")),
	}
}

// contractPictures are those for each kind of answer, in the order in which they are to be searched.
func contractPictures(t *testing.T) (folder string, names []string) {
	t.Helper()
	folder = t.TempDir()
	obama, biden := facetest.Image(t, "obama.jpg", 500), facetest.Image(t, "biden.jpg", 500)
	write(t, folder, map[string][]byte{
		"match.jpg":     facetest.JPEG(t, facetest.Image(t, "obama2.jpg", 500)),
		"blocklist.jpg": facetest.JPEG(t, biden),
		"noface.jpg":    facetest.JPEG(t, image.NewGray(image.Rect(0, 0, 200, 200))),
		"several.jpg":   facetest.JPEG(t, facetest.Beside(obama, biden)),
	})
	return folder, []string{"match", "blocklist", "noface", "several"}
}

// TestClients searches a real server with each client, for every kind of answer, and has
// TypeScript hold what was answered against the types that clients of the hosted API have.
func TestClients(t *testing.T) {
	s := serve(t, t.TempDir(), nil, "--workers", "2", "--bootstrap-key", bootstrapKey)
	folder, kinds := contractPictures(t)
	clients := searchers(t)
	answers := map[string]string{}
	search := func(t *testing.T, name, kind, picture string, arguments ...string) {
		t.Helper()
		got := clients[name](t, s.url, bootstrapKey, append([]string{filepath.Join(folder, picture)}, arguments...)...)
		got.ended(t, 0)
		answers[kind+name] = got.out
	}
	for name := range clients {
		search(t, name, "empty", "match.jpg")
	}
	enrolWithPython(t, s.url)
	for name := range clients {
		for _, kind := range kinds {
			search(t, name, kind, kind+".jpg")
		}
	}
	search(t, "Python", "options", "match.jpg", "--rotate", "--vendor-data", "user-123")
	for name := range clients {
		checkAnswers(t, name, answers)
	}
	t.Run("Saved", func(t *testing.T) { testSavedReference(t, s, answers["optionsPython"]) })
	t.Run("Go", func(t *testing.T) { testGoClient(t, s) })
	t.Run("TypeScript", func(t *testing.T) { testTypes(t, answers) })
}

// checkAnswers wants each answer of a client to be of its kind.
func checkAnswers(t *testing.T, name string, answers map[string]string) {
	t.Helper()
	for kind, want := range map[string]string{
		"empty":     "Approved 0 matches 1 faces []",
		"match":     "In Review 1 matches 1 faces []",
		"blocklist": "Declined 1 matches 1 faces [FACE_IN_BLOCKLIST]",
		"noface":    "Declined 0 matches 0 faces [NO_FACE_DETECTED]",
		"several":   "In Review 1 matches 2 faces [MULTIPLE_FACES_DETECTED]",
	} {
		var answer client.SearchAnswer
		if err := json.Unmarshal([]byte(answers[kind+name]), &answer); err != nil {
			t.Errorf("%s, %s: %v: standard output is not the answer's JSON: %s", name, kind, err, answers[kind+name])
			continue
		}
		found, risks := answer.FaceSearch, []string{}
		for _, warning := range found.Warnings {
			risks = append(risks, warning.Risk)
		}
		got := fmt.Sprintf("%s %d matches %d faces %v", found.Status, found.TotalMatches, len(found.UserImage.Entities), risks)
		if got != want {
			t.Errorf("%s, %s: %s; want %s", name, kind, got, want)
		}
	}
}

// enrolWithPython enrols, blocks and erases with the module, as a program would.
func enrolWithPython(t *testing.T, server string) {
	t.Helper()
	photographs := os.Getenv("FACESEARCH_PHOTOGRAPHS")
	const program = `
import json, sys
from facesearch_client import *

def known(value, kind, *optional):
    """Every field is one that the type names, and only those may be missing."""
    fields = set(kind.__annotations__)
    assert set(value) <= fields and fields - set(value) == set(optional), (kind, value)
    return value

def known_search(answer, *optional):
    found = known(answer["face_search"], FaceSearch, *optional)
    for match in found["matches"]:
        known(known(match, Match, "expected_false_matches")["user_details"], UserDetails)
    for entity in known(found["user_image"], Image)["entities"]:
        known(entity, Entity)
    for person in found.get("people", []):
        known(person, MatchedPerson)

server, key, folder = sys.argv[1:]
client = Client(server, key)
obama = client.enrol(folder + "/obama.jpg", vendor_data="obama", full_name="Barack Obama", document_number="X-12345")
assert known(obama, EnrolledSession)["user_details"]["document_number"] == "***345", obama
assert obama["warnings"] == []
biden = client.enrol(open(folder + "/biden.jpg", "rb").read(), vendor_data="biden", status="Declined")
assert client.update_status(biden["session_id"], "In Review", "look again")["comment"] == "look again"
assert client.block(obama["session_id"])["is_blocklisted"] and not client.unblock(obama["session_id"])["is_blocklisted"]
assert client.block(biden["session_id"])["is_blocklisted"]
astronaut = client.enrol(folder + "/astronaut.png", vendor_data="astronaut", session_id="123e4567-e89b-42d3-a456-426614174000")
assert known(client.decision(astronaut["session_id"]), Session)["session_number"] == 3
compared = known(client.match(folder + "/obama.jpg", folder + "/obama2.jpg"), MatchAnswer)
assert known(compared["face_match"], FaceMatch)["status"] == "Approved"
assert client.sessions(limit=2)["count"] == 3 and client.sessions(blocklisted=True)["count"] == 1
found = known(client.search(folder + "/obama2.jpg", vendor_data="of-python"), SearchAnswer)
known_search(found, "people")
client.update_status(found["request_id"], "Declined")
shown = known(client.decision(found["request_id"]), SavedSearch)
assert known(shown["reviews"][0], Review)["previous_status"] == "In Review"
grouped = client.search(folder + "/obama2.jpg", save=False, by_person=True)
known_search(grouped)
assert grouped["face_search"]["people"][0]["session_ids"] == [obama["session_id"]], grouped
for warning in client.search(folder + "/biden.jpg", save=False)["face_search"]["warnings"]:
    known(warning, SearchWarning)
receipt = known(client.erase(astronaut["session_id"]), Receipt)
assert receipt["ids"] == [astronaut["session_id"]] and receipt["sessions_deleted"] == 1, receipt
try:
    client.erase(astronaut["session_id"])
    raise AssertionError("erased twice")
except ApiError as error:
    assert (error.status, error.code) == (404, "not_found") and str(error).endswith("."), error
erased = known(client.erase_people(["of-python"]), ErasedPeople)
assert (erased["sessions_deleted"], erased["searches_deleted"]) == (0, 1), erased
known(known(erased["receipt"], Receipt)["audit_entry"], AuditEntry)
print(json.dumps(receipt))
`
	modules := []string{"PYTHONPATH=" + installed(t, "FACESEARCH_PYTHON_CLIENT")}
	got := tool(t, modules, "python3", "-c", program, server, bootstrapKey, photographs)
	got.ended(t, 0)
	folder := t.TempDir()
	write(t, folder, map[string][]byte{"receipt.json": []byte(got.out)})
	run(t, nil, "audit", "receipt", filepath.Join(folder, "receipt.json")).ended(t, 0, "The receipt is good: 1 session(s)")
}

// testGoClient reads what the package adds to an answer of the hosted API.
func testGoClient(t *testing.T, s *server) {
	picture, c := facetest.Photograph(t, "obama2.jpg"), s.client(bootstrapKey)
	for _, byPerson := range []bool{false, true} {
		answer, err := c.Search(t.Context(), picture, client.SearchOptions{Unsaved: true, ByPerson: byPerson})
		if err != nil {
			t.Fatal(err)
		}
		people := answer.FaceSearch.People
		if !byPerson && people != nil || byPerson && (len(people) != 1 || *people[0].VendorData != "obama" || len(people[0].SessionIDs) != 1 || people[0].BestSimilarity < 90) {
			t.Errorf("%+v", people)
		}
	}
	made, err := c.Enrol(t.Context(), facetest.JPEG(t, imaging.Blur(facetest.Image(t, "obama.jpg", 700), 3)), nil)
	if err != nil || len(made.Warnings) != 1 || made.Warnings[0].Risk != "LOW_QUALITY_PORTRAIT_IMAGE" || made.Warnings[0].LogType == "" {
		t.Errorf("%+v, %v", made, err)
	}
}

// testSavedReference wants a search's vendor_data to have reached the server: its search can be
// erased by it.
func testSavedReference(t *testing.T, s *server, raw string) {
	var answer client.SearchAnswer
	if err := json.Unmarshal([]byte(raw), &answer); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v3/users/delete/", strings.NewReader(`{"vendor_data_list":["user-123"]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", bootstrapKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); !strings.Contains(string(body), `"searches_deleted":1`) {
		t.Errorf("%s", body)
	}
}

// testTypes writes a program in TypeScript with each answer as a literal of the type that it
// has to be, and answers that are wrong in one way, which the compiler has to refuse.
func testTypes(t *testing.T, answers map[string]string) {
	folder := t.TempDir()
	for _, file := range []string{"testdata/clients/face-search.ts", "testdata/clients/tsconfig.json", "clients/javascript/face-search.d.ts"} {
		data, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, folder, map[string][]byte{strings.Replace(filepath.Base(file), "search.d.ts", "search-own.d.ts", 1): data})
	}
	var program bytes.Buffer
	program.WriteString("import type { HostedFaceSearch } from \"./face-search\";\nimport type { FaceSearchResponse } from \"./face-search-own\";\n")
	for name, answer := range answers {
		literal := compact(t, answer)
		fmt.Fprintf(&program, "export const %s: HostedFaceSearch = %s;\nexport const own%s: FaceSearchResponse = %s;\n", name, literal, name, literal)
	}
	match := compact(t, answers["matchPython"])
	for i, change := range [][2]string{
		{`"total_matches":1`, `"total_matches":"1"`}, {`"warnings":[]`, `"warnings":null`}, {`"is_blocklisted":false`, `"is_blocklisted":false,"more":1`},
		{`"best_angle":0`, `"best_angle":45`}, {`"status":"In Review"`, `"status":"Review"`}, {`,"gender":"male"`, ``}, {`"gender":"male"`, `"gender":"man"`},
		{`"vendor_data":"obama"`, `"vendor_data":7`}, {`"request_id":`, `"id":`}, {`"document_number":"***345"`, `"document_number":null`},
	} {
		wrong := strings.Replace(match, change[0], change[1], 1)
		if wrong == match {
			t.Fatalf("the answer has no %s: %s", change[0], match)
		}
		for _, name := range []string{"HostedFaceSearch", "FaceSearchResponse"} {
			fmt.Fprintf(&program, "// @ts-expect-error %s\nexport const wrong%d%s: %s = %s;\n", change[1], i, name, name, wrong)
		}
	}
	write(t, folder, map[string][]byte{"answers.ts": program.Bytes()})
	compiler := filepath.Join(installed(t, "FACESEARCH_TYPESCRIPT"), "node_modules/typescript/bin/tsc")
	if got := tool(t, nil, "node", compiler, "--project", folder); got.status != 0 {
		t.Errorf("exit status %d: %s%s", got.status, got.out, got.errors)
	}
}

// compact is an answer on one line, its fields in one order.
func compact(t *testing.T, answer string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(answer), &value); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	line, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}

// TestClientsRefused: what went wrong is the server's own sentence, and the exit status tells
// failure from wrong usage.
func TestClientsRefused(t *testing.T) {
	const sentence = "credits are used up: top up first."
	var asked atomic.Int64
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"error":"insufficient_credits","detail":%q}`, sentence)
	}))
	defer refusing.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	picture := filepath.Join(t.TempDir(), "photo.jpg")
	write(t, filepath.Dir(picture), map[string][]byte{"photo.jpg": []byte("a picture")})
	for name, search := range searchers(t) {
		t.Run(name, func(t *testing.T) {
			asked.Store(0)
			got := search(t, refusing.URL, "some-key", picture)
			got.ended(t, 1, sentence)
			if got.out != "" || asked.Load() != 1 || strings.Contains(got.errors, "Traceback") {
				t.Errorf("asked %d times: %s%s", asked.Load(), got.out, got.errors)
			}
			search(t, gone.URL, "some-key", picture).ended(t, 1, "search")
			search(t, gone.URL, "", picture).ended(t, 1, "no API key")
			search(t, refusing.URL, "some-key", picture+".none").ended(t, 1, "photo.jpg.none")
			search(t, refusing.URL, "some-key").ended(t, 2, "usage: ")
			search(t, refusing.URL, "some-key", "--colour", picture).ended(t, 2, "usage: ")
		})
	}
}

// TestClientsTryAgain: 503 and 429 pass by themselves, after as long as the server says.
func TestClientsTryAgain(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "photo.jpg")
	write(t, filepath.Dir(picture), map[string][]byte{"photo.jpg": []byte("a picture")})
	const answer = `{"request_id":"x","face_search":{"status":"Approved","total_matches":0,"matches":[],"user_image":{"entities":[],"best_angle":0},"warnings":[]}}`
	const pauseSeconds = 2 // longer than the clients' own first pause
	for name, search := range searchers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent, _, err := r.FormFile("user_image")
				if err != nil {
					t.Errorf("no picture is sent: %v", err)
					return
				}
				if data, _ := io.ReadAll(sent); string(data) != "a picture" || r.Header.Get("x-api-key") != "some-key" {
					t.Errorf("the picture is %q", data)
				}
				switch asked.Add(1) {
				case 1:
					w.Header().Set("Retry-After", fmt.Sprint(pauseSeconds))
					w.WriteHeader(http.StatusServiceUnavailable)
				case 2:
					w.WriteHeader(http.StatusTooManyRequests)
				default:
					io.WriteString(w, answer)
				}
			}))
			defer busy.Close()
			started := time.Now()
			got := search(t, busy.URL+"/", "some-key", picture)
			got.ended(t, 0)
			if asked.Load() != 3 || time.Since(started) < pauseSeconds*time.Second {
				t.Errorf("asked %d times in %v", asked.Load(), time.Since(started))
			}
		})
	}
}

// TestReadmeExamples runs the README's examples as they stand, with another address, key and
// picture.
func TestReadmeExamples(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, t.TempDir(), nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	picture := filepath.Join(os.Getenv("FACESEARCH_PHOTOGRAPHS"), "biden.jpg")
	fill := strings.NewReplacer("http://127.0.0.1:8080", s.url, "YOUR_API_KEY", bootstrapKey, "photo.jpg", picture)
	interpreters := map[string][]string{
		"python": {"python3", "-c"}, "js": {"node", "--input-type=module", "--eval"}, "sh": {"sh", "-e", "-c"},
	}
	count := map[string]int{}
	for _, block := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		language, text := block[1], block[2]
		if !strings.Contains(text, "/v3/face-search/") && !strings.Contains(text, "search_faces.py") {
			continue
		}
		count[language]++
		t.Run(fmt.Sprint(language, count[language]), func(t *testing.T) {
			with := interpreters[language]
			if with == nil {
				t.Fatalf("an example in %s, which is not known here", language)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, with[0], append(with[1:], fill.Replace(text))...)
			cmd.Dir = repository
			cmd.Env = append(command(t, nil).Env, "PYTHONPATH="+installed(t, "FACESEARCH_PYTHON_CLIENT"), "FACESEARCH_SERVER="+s.url, "PYTHONDONTWRITEBYTECODE=1")
			got := finish(t, cmd)
			got.ended(t, 0)
			if !strings.Contains(got.out, "Approved") {
				t.Errorf("%s\n%s", got.out, got.errors)
			}
		})
	}
	if count["python"] != 1 || count["js"] != 1 || count["sh"] != 2 {
		t.Errorf("the README has these examples: %v", count)
	}
}
