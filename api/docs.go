package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"sort"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

var (
	//go:embed openapi.yaml
	openAPIFile []byte
	//go:embed docs.html
	docsHTML string
	//go:embed docs.css
	docsCSS string
)

// docsPage is made once, by the first server of a process. It is made of nothing but embedded
// files, so that only a mistake in those can make it panic, which no test would let pass.
var docsPage = sync.OnceValue(func() []byte {
	page, err := makeDocs(openAPIFile)
	if err != nil {
		panic("openapi.yaml: " + err.Error())
	}
	return page
})

// docsPolicy lets a browser use the page's own style sheet, known by its digest, and nothing else.
var docsPolicy = sync.OnceValue(func() string {
	digest := sha256.Sum256([]byte(docsCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

// openAPI answers GET /openapi.yaml.
func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(openAPIFile)
}

// docs answers GET /docs.
func (s *Server) docs(w http.ResponseWriter, _ *http.Request) {
	page := docsPage()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Content-Security-Policy", docsPolicy())
	w.Write(page)
}

// What the template shows. Everything in it is plain text; the template escapes it.
type (
	docsView struct {
		Title, Version, Summary, Server string
		Description                     []string
		Style                           template.CSS
		Groups                          []docsGroup
		Errors                          []docsResponse
		Schemas                         []docsSchema
	}
	docsGroup struct {
		Name, Description string
		Operations        []docsOperation
	}
	docsOperation struct {
		ID, Method, Path, Summary, Description, Curl string
		Key                                          bool
		Parameters                                   []docsParameter
		Bodies                                       []docsContent
		Responses                                    []docsResponse
	}
	docsParameter struct {
		Name, In, Description, Type string
		Required                    bool
	}
	docsContent struct {
		Type     string
		Schema   docsSchema
		Examples []docsExample
	}
	docsExample  struct{ Name, Text string }
	docsResponse struct {
		Name, Status, Description string
		Headers                   []docsHeader
		Contents                  []docsContent
	}
	docsHeader struct{ Name, Description string }
	// A docsSchema is one line of a nested list. A schema that has a name of its own is a link
	// to it, so that no list is endless.
	docsSchema struct {
		Name, Link, Type, Description string
		Required                      bool
		Children                      []docsSchema
	}
)

// makeDocs turns an OpenAPI document into a page of HTML.
func makeDocs(document []byte) ([]byte, error) {
	var file yaml.Node
	if err := yaml.Unmarshal(document, &file); err != nil {
		return nil, err
	}
	page, err := template.New("docs").Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	d := docsReader{root: file.Content[0]}
	view, err := d.view()
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	err = page.Execute(&buffer, view)
	return bytes.TrimSpace(buffer.Bytes()), err
}

// A docsReader walks the document as YAML nodes, which keep the order of its fields.
type docsReader struct{ root *yaml.Node }

// at follows names down from a node; nil is a place that does not exist.
func at(node *yaml.Node, names ...string) *yaml.Node {
	for _, name := range names {
		var found *yaml.Node
		for _, each := range fields(node) {
			if each.name == name {
				found = each.value
			}
		}
		node = found
	}
	return node
}

func textAt(node *yaml.Node, names ...string) string {
	if found := at(node, names...); found != nil {
		return strings.TrimSpace(found.Value)
	}
	return ""
}

type docsField struct {
	name  string
	value *yaml.Node
}

func fields(node *yaml.Node) (list []docsField) {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		list = append(list, docsField{node.Content[i].Value, node.Content[i+1]})
	}
	return list
}

func items(node *yaml.Node) []*yaml.Node {
	if node == nil || node.Kind != yaml.SequenceNode {
		return nil
	}
	return node.Content
}

// target is what a node refers to, with its name; the node itself when it refers to nothing.
func (d docsReader) target(node *yaml.Node) (found *yaml.Node, name string) {
	reference := textAt(node, "$ref")
	if reference == "" {
		return node, ""
	}
	path := strings.Split(strings.TrimPrefix(reference, "#/"), "/")
	return at(d.root, path...), path[len(path)-1]
}

func (d docsReader) view() (docsView, error) {
	view := docsView{
		Title: textAt(d.root, "info", "title"), Version: textAt(d.root, "info", "version"), Summary: textAt(d.root, "info", "summary"),
		Description: strings.Split(textAt(d.root, "info", "description"), "\n\n"), Style: template.CSS(docsCSS),
	}
	if servers := items(at(d.root, "servers")); len(servers) > 0 {
		view.Server = textAt(servers[0], "url")
	}
	for _, tag := range items(at(d.root, "tags")) {
		group := docsGroup{Name: textAt(tag, "name"), Description: textAt(tag, "description")}
		for _, path := range fields(at(d.root, "paths")) {
			for _, method := range fields(path.value) {
				tags := items(at(method.value, "tags"))
				if len(tags) != 1 {
					return view, fmt.Errorf("%s %s has %d tags", method.name, path.name, len(tags))
				}
				if tags[0].Value == group.Name {
					group.Operations = append(group.Operations, d.operation(view.Server, path.name, method))
				}
			}
		}
		view.Groups = append(view.Groups, group)
	}
	for _, response := range fields(at(d.root, "components", "responses")) {
		if textAt(response.value, "content", "application/json", "schema", "$ref") == "#/components/schemas/Error" {
			view.Errors = append(view.Errors, d.response(response.name, response.value))
		}
	}
	for _, schema := range fields(at(d.root, "components", "schemas")) {
		view.Schemas = append(view.Schemas, d.schema(schema.name, schema.value))
	}
	sort.Slice(view.Schemas, func(i, j int) bool { return view.Schemas[i].Name < view.Schemas[j].Name })
	return view, nil
}

func (d docsReader) operation(server, path string, method docsField) docsOperation {
	node := method.value
	operation := docsOperation{
		ID: textAt(node, "operationId"), Method: strings.ToUpper(method.name), Path: path,
		Summary: textAt(node, "summary"), Description: textAt(node, "description"),
		Key: at(node, "security") == nil, // the document's own security asks for a key
	}
	for _, each := range items(at(node, "parameters")) {
		parameter, _ := d.target(each)
		operation.Parameters = append(operation.Parameters, docsParameter{
			Name: textAt(parameter, "name"), In: textAt(parameter, "in"), Description: textAt(parameter, "description"),
			Required: textAt(parameter, "required") == "true", Type: d.typeOf(at(parameter, "schema")),
		})
	}
	operation.Bodies = d.contents(at(node, "requestBody", "content"))
	for i, body := range fields(at(node, "requestBody", "content")) {
		// What to send is told in place, not behind a link.
		schema, _ := d.target(at(body.value, "schema"))
		operation.Bodies[i].Schema = d.schema("", schema)
	}
	for _, each := range fields(at(node, "responses")) {
		found, _ := d.target(each.value)
		response := d.response(each.name, found)
		response.Status = each.name
		operation.Responses = append(operation.Responses, response)
	}
	operation.Curl = d.curl(server+path, operation, node)
	return operation
}

func (d docsReader) response(name string, node *yaml.Node) docsResponse {
	response := docsResponse{Name: name, Description: textAt(node, "description"), Contents: d.contents(at(node, "content"))}
	for _, header := range fields(at(node, "headers")) {
		found, _ := d.target(header.value)
		response.Headers = append(response.Headers, docsHeader{header.name, textAt(found, "description")})
	}
	return response
}

func (d docsReader) contents(node *yaml.Node) (list []docsContent) {
	for _, each := range fields(node) {
		content := docsContent{Type: each.name, Schema: d.schema("", at(each.value, "schema"))}
		if example := at(each.value, "example"); example != nil {
			content.Examples = append(content.Examples, docsExample{"Example", asJSON(example, "")})
		}
		for _, example := range fields(at(each.value, "examples")) {
			found, _ := d.target(example.value)
			content.Examples = append(content.Examples, docsExample{textAt(found, "summary"), asJSON(at(found, "value"), "")})
		}
		list = append(list, content)
	}
	return list
}
