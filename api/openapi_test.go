package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"facesearch/api"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

// document is openapi.yaml, its numbers json.Number.
var document = sync.OnceValue(func() schemas {
	file, err := os.ReadFile("openapi.yaml")
	if err != nil {
		panic(err)
	}
	var read, root any
	if err := yaml.Unmarshal(file, &read); err != nil {
		panic(err)
	}
	data, err := json.Marshal(read)
	if err != nil {
		panic(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&root); err != nil {
		panic(err)
	}
	return schemas{root.(map[string]any)}
})

// An operation is one method of one path of the document.
type operation struct {
	method, path string
	pattern      *regexp.Regexp
	spec         map[string]any
}

var pathParameter = regexp.MustCompile(`\\\{[a-z]+\\\}`)

var operations = sync.OnceValue(func() (list []operation) {
	for path, methods := range document().root["paths"].(map[string]any) {
		quoted := regexp.QuoteMeta(strings.TrimRight(path, "/"))
		pattern := regexp.MustCompile("^" + pathParameter.ReplaceAllString(quoted, "[^/]+") + "/?$")
		for method, spec := range methods.(map[string]any) {
			list = append(list, operation{strings.ToUpper(method), path, pattern, spec.(map[string]any)})
		}
	}
	return list
})

// answered are the answers that were held against the document, as "GET /path 200".
var answered sync.Map

// conforms holds an answer against what the document says of its request.
func conforms(request *http.Request, got answer) error {
	method := request.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	response := map[string]any{"$ref": "#/components/responses/NotFound"}
	status := http.StatusNotFound
	// Some tests send an address that is no path, to have it arrive as it is.
	path, _, _ := strings.Cut(request.URL.RequestURI(), "?")
	for _, each := range operations() {
		if !each.pattern.MatchString(path) {
			continue
		}
		if each.method != method {
			if status == http.StatusNotFound {
				status, response = http.StatusMethodNotAllowed, map[string]any{"$ref": "#/components/responses/MethodNotAllowed"}
			}
			continue
		}
		status = got.status
		found, ok := each.spec["responses"].(map[string]any)[fmt.Sprint(got.status)]
		if !ok {
			return fmt.Errorf("%s %s has no answer %d", method, each.path, got.status)
		}
		answered.Store(fmt.Sprintf("%s %s %d", method, each.path, got.status), true)
		response = found.(map[string]any)
		break
	}
	if got.status != status {
		return fmt.Errorf("status %d at a place that is not in the document", got.status)
	}
	response, err := document().target(response)
	if err != nil {
		return err
	}
	return conformsTo(response, got, request.Method == http.MethodHead)
}

func conformsTo(response map[string]any, got answer, head bool) error {
	headers, _ := response["headers"].(map[string]any)
	for name, each := range headers {
		header, err := document().target(each.(map[string]any))
		if err != nil {
			return err
		}
		if len(got.header.Values(name)) == 0 && header["required"] != true {
			continue
		}
		if len(got.header.Values(name)) != 1 {
			return fmt.Errorf("the header %s comes %d times", name, len(got.header.Values(name)))
		}
		var value any = got.header.Get(name)
		schema := header["schema"].(map[string]any)
		if schema["type"] == "integer" {
			value = json.Number(got.header.Get(name))
		}
		if err := document().check(schema, value, name); err != nil {
			return err
		}
	}
	for _, name := range []string{"Retry-After", "Server-Timing", "Allow"} {
		if _, ok := headers[name]; !ok && got.header.Get(name) != "" {
			return fmt.Errorf("the header %s is not in the document", name)
		}
	}
	contents, _ := response["content"].(map[string]any)
	if len(contents) == 0 {
		if len(got.body) > 0 {
			return fmt.Errorf("the body should be empty and is %q", got.body)
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	content, ok := contents[kind].(map[string]any)
	if err != nil || !ok {
		return fmt.Errorf("the type %q is not in the document", got.header.Get("Content-Type"))
	}
	if kind != "application/json" || head {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(got.body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	return document().check(content["schema"].(map[string]any), value, "body")
}

// A conforming transport makes every request of the tests of this package fail whose answer is
// not what the document says.
type conforming struct{ http.RoundTripper }

func init() { httpClient.Transport = conforming{http.DefaultTransport} }

func (c conforming) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err := conforms(request, answer{response.StatusCode, response.Header, body}); err != nil {
		return nil, fmt.Errorf("the answer %d is not what openapi.yaml says: %w", response.StatusCode, err)
	}
	return response, nil
}

// TestDocumentRoutes holds the document and the router together.
func TestDocumentRoutes(t *testing.T) {
	documented := map[string]bool{}
	for _, each := range operations() {
		documented[each.method+" "+strings.TrimRight(each.path, "/")] = true
	}
	routes, err := api.Routes(api.New(api.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range routes {
		name := each[0] + " " + each[1]
		if !documented[name] {
			t.Errorf("%s is not in openapi.yaml", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("%s is in openapi.yaml and not a route", name)
	}
}

// TestDocumentWhole looks at what every operation, schema and example of the document must have.
func TestDocumentWhole(t *testing.T) {
	ids, used := map[string]bool{}, map[string]bool{}
	for _, each := range operations() {
		id, _ := each.spec["operationId"].(string)
		if id == "" || ids[id] || each.spec["summary"] == nil || each.spec["description"] == nil {
			t.Errorf("%s %s: operationId %q is missing or there twice, or it has no summary or description", each.method, each.path, id)
		}
		ids[id] = true
		parameters := map[string]bool{}
		for _, parameter := range listOf(each.spec["parameters"]) {
			found, err := document().target(parameter.(map[string]any))
			if err != nil {
				t.Fatal(err)
			}
			parameters[fmt.Sprint(found["in"], found["name"])] = true
		}
		if strings.Contains(each.path, "{id}") != parameters["pathid"] {
			t.Errorf("%s: the parameter id is in the path or in the list alone", each.path)
		}
	}
	walk(document().root, "", func(path string, object map[string]any) {
		if text, ok := object["description"].(string); ok && !strings.HasSuffix(strings.TrimSpace(text), ".") {
			t.Errorf("%s: the description is not a sentence: %q", path, text)
		}
		if reference, ok := object["$ref"].(string); ok {
			used[reference] = true
			if _, err := document().look(reference); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		schema, ok := object["schema"].(map[string]any)
		if !ok {
			return
		}
		examples := []any{object["example"]}
		named, _ := object["examples"].(map[string]any)
		for _, each := range named {
			example, err := document().target(each.(map[string]any))
			if err != nil {
				t.Error(err)
			}
			examples = append(examples, example["value"])
		}
		for _, example := range examples {
			if example == nil {
				continue
			}
			if err := document().check(schema, example, path); err != nil {
				t.Errorf("an example: %v", err)
			}
		}
	})
	// MethodNotAllowed is the answer where there is no operation.
	used["#/components/responses/MethodNotAllowed"] = true
	for _, kind := range []string{"schemas", "responses", "examples", "parameters", "headers"} {
		for name := range document().root["components"].(map[string]any)[kind].(map[string]any) {
			if !used["#/components/"+kind+"/"+name] {
				t.Errorf("%s in %s is used nowhere", name, kind)
			}
		}
	}
}

func listOf(value any) []any {
	list, _ := value.([]any)
	return list
}

func walk(value any, path string, visit func(path string, object map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		// What is below examples and properties has names, not words of OpenAPI.
		if !strings.HasSuffix(path, "/examples") && !strings.HasSuffix(path, "/properties") {
			visit(path, value)
		}
		for name, each := range value {
			if name != "value" && name != "example" {
				walk(each, path+"/"+name, visit)
			}
		}
	case []any:
		for i, each := range value {
			walk(each, fmt.Sprintf("%s/%d", path, i), visit)
		}
	}
}

// goldenSchemas are the schemas of the golden files, by the beginnings of their names.
var goldenSchemas = map[string]string{
	"search-": "FaceSearch", "match-": "FaceMatch", "session.": "Session", "saved-": "ShownSearch", "searches.": "SavedSearchList", "sessions.": "SessionList", "settings.": "Settings",
	"duplicates.": "Duplicates",
}

// goldenValues are the golden files that are answers, with their schemas.
func goldenValues(t *testing.T) map[string]goldenValue {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "testdata", "golden", "*.json"))
	if err != nil || len(files) < 11 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	list := map[string]goldenValue{}
	for _, name := range files {
		base := filepath.Base(name)
		if base == "ages.json" {
			continue // the ages of the photographs, which is no answer
		}
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("<uuid>", "0b9d6f0e-52a9-4d0b-8c26-1d7f3f1f4a52", "<time>", "2025-06-10T10:31:07.4Z",
			"<address>", "https://faces.example.org/v3/media/x").Replace(string(file))
		for beginning, schema := range goldenSchemas {
			if strings.HasPrefix(base, beginning) {
				list[base] = goldenValue{schema, []byte(text)}
			}
		}
		if _, ok := list[base]; !ok {
			t.Errorf("%s has no schema", base)
		}
	}
	return list
}

type goldenValue struct {
	schema string
	text   []byte
}

func checkAs(t *testing.T, name string, value any) error {
	t.Helper()
	schema, err := document().look("#/components/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return document().check(schema, value, name)
}

func TestDocumentGolden(t *testing.T) {
	for name, each := range goldenValues(t) {
		if err := checkAs(t, each.schema, decodeNumbers(t, each.text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDocumentRefuses spoils answers in every place: each must be refused, or the tests that
// find nothing wrong would say nothing.
func TestDocumentRefuses(t *testing.T) {
	for name, each := range goldenValues(t) {
		spoiled := 0
		for place := 0; ; place++ {
			value, left := decodeNumbers(t, each.text), place
			what := spoil(value, &left)
			if what == "" {
				break
			}
			spoiled++
			if checkAs(t, each.schema, value) == nil {
				t.Errorf("%s is accepted with %s", name, what)
			}
		}
		if spoiled < 20 {
			t.Errorf("%s was spoiled in %d places", name, spoiled)
		}
	}
	for words, spoiled := range map[string]string{
		"against enum": `{"error": "oh_no", "detail": "Something is wrong."}`, "against pattern": `{"error": "busy", "detail": "Something is wrong"}`,
		"against minLength": `{"error": "busy", "detail": "No."}`, "against type": `{"error": "busy", "detail": null}`,
		"has code": `{"error": "busy", "detail": "Something is wrong.", "code": 1}`, "has no error": `{"detail": "Something is wrong."}`,
	} {
		if err := checkAs(t, "Error", decodeNumbers(t, []byte(spoiled))); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", spoiled, err)
		}
	}
	for schema, values := range map[string][]string{
		"Percentage": {"-0.1", "100.1", `"95.2"`, "null"}, "SessionNumber": {"0", "1.5"}, "UUID": {`"x"`, `"{0b9d6f0e-52a9-4d0b-8c26-1d7f3f1f4a52}"`},
		"Time": {`"2025-06-10"`, `"2025-06-10T10:30:00+02:00"`}, "Status": {`"approved"`, "null"}, "SimilarityThreshold": {"0", `"Auto"`, "101"},
		"BooleanWord": {`"maybe"`, `" true"`, `""`, "1"}, "PictureAddress": {`"/v3/media/x"`, "1"},
	} {
		for _, value := range values {
			if checkAs(t, schema, decodeNumbers(t, []byte(value))) == nil {
				t.Errorf("%s accepts %s", schema, value)
			}
		}
	}
	if err := document().check(map[string]any{"maxium": json.Number("1")}, nil, ""); err == nil {
		t.Error("a word that is not known is read over")
	}
}

// spoil changes a value in the place of that number and says how, or says nothing when there
// are fewer places. Nothing that may be missing is taken away.
func spoil(value any, place *int) string {
	turn := func() bool { *place--; return *place == -1 }
	switch value := value.(type) {
	case map[string]any:
		if turn() {
			value["unknown"] = "x"
			return "one field more"
		}
		names := make([]string, 0, len(value))
		for name := range value {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			optional := name == "minimum" || name == "maximum" || name == "whole" || name == "one_of"
			if !optional && turn() {
				delete(value, name)
				return "no " + name
			}
			if turn() {
				value[name] = map[string]any{"x": "y"}
				return "an object for " + name
			}
			if what := spoil(value[name], place); what != "" {
				return what
			}
		}
	case []any:
		for i := range value {
			if turn() {
				value[i] = map[string]any{}
				return fmt.Sprintf("an object for item %d", i)
			}
			if what := spoil(value[i], place); what != "" {
				return what
			}
		}
	}
	return ""
}

// TestDocumentAnswers gets every answer that the document has, but for errors of the server's
// own, of which it gets one. The transport holds each against the document.
func TestDocumentAnswers(t *testing.T) {
	a := newTenant(t)
	picture := portrait(t, "obama.jpg")
	owner := confide("owner-" + uuid.NewString())
	id := text("session_id", uuid.NewString())
	session := a.enrol(t, picture, id, text("vendor_data", owner))
	a.post(t, "/v3/sessions/", file("portrait_image", picture), id, text("vendor_data", owner))
	a.post(t, "/v3/sessions/", file("portrait_image", picture), id)
	a.search(t, facetest.JPEG(t, plain(64, 64)), text("rotate_image", "true"))
	saved := a.search(t, portrait(t, "obama2.jpg"))
	a.get(t, "/v3/session/"+saved.RequestID+"/decision/")
	a.get(t, "/v3/blocklist/")
	a.twins(t, endless{a.gallery}).get(t, "/v3/duplicates/")
	for crowd := a.twins(t, crowded{a.gallery}); crowd.get(t, "/v3/duplicates/").status == 202; {
	}
	address := strings.TrimPrefix(*session.PortraitImageURL, a.url)
	a.get(t, address)
	a.get(t, address[:len(address)-1])
	stranger := &tenant{world: a.world, id: a.id, url: a.url}
	starting := &tenant{world: a.world, id: a.id, key: a.key, url: notReady(t)}
	failing := &tenant{world: a.world, id: a.id, key: a.key, url: a.serve(t, api.Options{}, broken{}, 1, 10)}
	failing.post(t, "/v3/face-search/", file("user_image", picture))
	searcher := a.withScope(t, face.ScopeSearch)
	registrations(t, a, starting)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.yaml", "/docs"} {
		stranger.get(t, path)
		starting.get(t, path)
	}
	starting.get(t, address)
	for _, each := range keyed(t) {
		of := session.SessionID
		if strings.Contains(each.body, "request_id") {
			of = saved.RequestID
		}
		each.send(t, stranger, each.method, of)
		each.send(t, starting, each.method, of)
		if each.scope(t) != face.ScopeSearch {
			each.send(t, searcher, each.method, of)
		}
		each.send(t, a, "PUT", of)
		each.send(t, a, each.method, uuid.NewString())
		if each.method != http.MethodDelete { // the session is needed until the end
			a.json(t, each.method, strings.Replace(each.path, "ID", of, 1)+"?limit=0", "")
			each.send(t, a, each.method, of)
		}
	}
	a.get(t, "/v3/session/"+session.SessionID+"/decision/")
	payAndLimit(t, a, session.SessionID)
	a.json(t, http.MethodDelete, "/v3/session/"+session.SessionID+"/delete/", "")
	a.get(t, fmt.Sprintf("/v3/audit/%d/receipt/", a.audit(t, "?limit=1").Results[0].Number))
	a.get(t, address)
	for _, each := range operations() {
		for status := range each.spec["responses"].(map[string]any) {
			name := each.method + " " + each.path + " " + status
			if _, seen := answered.Load(name); !seen && status != "500" {
				t.Errorf("%s is in the document and was not seen", name)
			}
		}
	}
	if _, seen := answered.Load("POST /v3/face-search/ 500"); !seen {
		t.Error("no internal error was seen")
	}
}

// payAndLimit gets the answers about credits, and then 429 everywhere.
func payAndLimit(t *testing.T, a *tenant, id string) {
	t.Helper()
	closed := &tenant{world: a.world, id: a.id, key: a.key, url: a.serve(t, api.Options{}, a.engine, 1, 10)}
	closed.json(t, http.MethodPost, "/v3/billing/top-up/", `{"amount_in_dollars": 50}`)
	credits, err := a.gallery.Credits(t.Context(), a.id)
	if err == nil {
		_, err = a.gallery.AddCredits(t.Context(), a.id, -credits)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.patch(t, `{"credits_metered": true}`)
	for _, each := range keyed(t) {
		if strings.HasPrefix(each.path, "/v3/face-") {
			each.send(t, a, each.method, id).refused(t, 403, "insufficient_credits", "credits add")
		}
	}
	a.patch(t, `{"requests_per_minute": 1, "credits_metered": false}`)
	a.get(t, "/v3/settings/")
	for _, each := range keyed(t) {
		each.send(t, a, each.method, id).refused(t, 429, "rate_limited", "wait")
	}
	settings := face.DefaultSettings()
	if err := a.gallery.PutSettings(t.Context(), a.id, settings); err != nil {
		t.Fatal(err)
	}
}

var (
	anyAddress   = regexp.MustCompile(`(?i)https?://[^\s"'<>]+`)
	styleElement = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
)

func TestDocs(t *testing.T) {
	server := api.New(api.Options{Log: testLog()}) // not ready, and has no key
	get := func(method, path string) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, httptest.NewRequest(method, path, nil))
		if recorder.Code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, recorder.Code, recorder.Body)
		}
		for _, address := range anyAddress.FindAllString(recorder.Body.String(), -1) {
			if !strings.HasPrefix(address, "https://faces.example.org") {
				t.Errorf("%s holds the address %s", path, address)
			}
		}
		return recorder
	}
	t.Run("OpenAPI", func(t *testing.T) {
		got := get("GET", "/openapi.yaml")
		file, err := os.ReadFile("openapi.yaml")
		if err != nil || !bytes.Equal(got.Body.Bytes(), file) || got.Header().Get("Content-Type") != "application/yaml" {
			t.Errorf("%v, %d bytes of %q", err, got.Body.Len(), got.Header().Get("Content-Type"))
		}
		get("GET", "/openapi.yaml/")
		if got := get("HEAD", "/openapi.yaml"); got.Header().Get("Content-Type") != "application/yaml" {
			t.Errorf("HEAD: %v", got.Header())
		}
	})
	t.Run("Page", func(t *testing.T) {
		got := get("GET", "/docs")
		page, policy := got.Body.String(), got.Header().Get("Content-Security-Policy")
		style := styleElement.FindStringSubmatch(page)
		if len(style) != 2 {
			t.Fatal("the page has not one style sheet")
		}
		digest := sha256.Sum256([]byte(style[1]))
		if !strings.HasPrefix(policy, "default-src 'none';") || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(digest[:])+"'") {
			t.Errorf("the policy %q does not let the page's own style sheet work, or more", policy)
		}
		if got.Header().Get("Content-Type") != "text/html; charset=utf-8" || got.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%v", got.Header())
		}
		for _, word := range []string{"<script", "<img", "<link", "<iframe", " style=", " onclick=", "url(", "@import", " src=", "ZgotmplZ"} {
			if strings.Contains(page, word) {
				t.Errorf("the page holds %s", word)
			}
		}
		for _, each := range operations() {
			if !strings.Contains(page, `<span class="method">`+each.method+`</span> <code>`+each.path+`</code>`) {
				t.Errorf("the page does not mention %s %s", each.method, each.path)
			}
		}
		checkAnchors(t, page)
	})
}

// checkAnchors wants every link within the page to lead somewhere, and every place there once.
func checkAnchors(t *testing.T, page string) {
	t.Helper()
	places := map[string]bool{}
	for _, id := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if places[id[1]] {
			t.Errorf("the page has the place %s twice", id[1])
		}
		places[id[1]] = true
	}
	for _, link := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if name, inside := strings.CutPrefix(link[1], "#"); inside && !places[name] || !inside && link[1] != "/openapi.yaml" {
			t.Errorf("the link %s leads nowhere", link[1])
		}
	}
}
