package api

import (
	"encoding/json"
	"strings"

	"gopkg.in/yaml.v3"
)

// schema is one schema as a line of a list, with what it consists of below it.
func (d docsReader) schema(name string, node *yaml.Node) docsSchema {
	view := docsSchema{Name: name, Type: d.typeOf(node), Description: textAt(node, "description")}
	target, named := d.target(node)
	if named != "" {
		view.Link = named
		if view.Description == "" {
			view.Description = textAt(target, "description")
		}
		return view
	}
	if list := at(node, "items"); list != nil {
		if _, view.Link = d.target(list); view.Link == "" {
			node = list
		}
	}
	required := map[string]bool{}
	for _, each := range items(at(node, "required")) {
		required[each.Value] = true
	}
	for _, property := range fields(at(node, "properties")) {
		child := d.schema(property.name, property.value)
		child.Required = required[property.name]
		view.Children = append(view.Children, child)
	}
	for _, choice := range append(items(at(node, "oneOf")), items(at(node, "anyOf"))...) {
		view.Children = append(view.Children, d.schema("", choice))
	}
	return view
}

// typeOf says in a few words what a value may be.
func (d docsReader) typeOf(node *yaml.Node) string {
	if node == nil {
		return ""
	}
	if target, name := d.target(node); name != "" {
		return d.typeOf(target)
	}
	if at(node, "oneOf") != nil || at(node, "anyOf") != nil {
		return "one of"
	}
	var words []string
	for _, each := range items(at(node, "type")) {
		words = append(words, each.Value)
	}
	kind := strings.Join(words, " or ")
	if kind == "" {
		kind = textAt(node, "type")
	}
	if list := at(node, "items"); list != nil {
		kind += " of " + d.typeOf(list)
	}
	return strings.TrimPrefix(kind+limits(node), ", ")
}

// limits are the bounds of a value, each after a comma.
func limits(node *yaml.Node) string {
	var text string
	var values []string
	for _, each := range items(at(node, "enum")) {
		values = append(values, asJSON(each, ""))
	}
	if len(values) > 0 {
		text += ", " + strings.Join(values, " | ")
	}
	if only := at(node, "const"); only != nil {
		text += ", " + asJSON(only, "")
	}
	for _, bound := range []struct{ name, before, after string }{
		{"format", "", ""}, {"minimum", "at least ", ""}, {"maximum", "at most ", ""},
		{"minLength", "at least ", " long"}, {"maxLength", "at most ", " long"},
		{"minItems", "at least ", " items"}, {"maxItems", "at most ", " items"}, {"default", "default ", ""},
	} {
		if value := textAt(node, bound.name); value != "" {
			text += ", " + bound.before + value + bound.after
		}
	}
	return text
}

// asJSON writes a value as JSON, its fields in the order of the document.
func asJSON(node *yaml.Node, indent string) string {
	if node == nil {
		return ""
	}
	deeper := indent + "  "
	var parts []string
	switch node.Kind {
	case yaml.MappingNode:
		for _, each := range fields(node) {
			parts = append(parts, quoted(each.name)+": "+asJSON(each.value, deeper))
		}
		return enclosed("{", parts, "}", indent)
	case yaml.SequenceNode:
		scalars := true
		for _, each := range node.Content {
			scalars = scalars && each.Kind == yaml.ScalarNode
			parts = append(parts, asJSON(each, deeper))
		}
		if scalars {
			return "[" + strings.Join(parts, ", ") + "]"
		}
		return enclosed("[", parts, "]", indent)
	}
	if node.Tag == "!!str" || node.Tag == "!!timestamp" {
		return quoted(node.Value)
	}
	return node.Value
}

func enclosed(opening string, parts []string, closing, indent string) string {
	if len(parts) == 0 {
		return opening + closing
	}
	return opening + "\n" + indent + "  " + strings.Join(parts, ",\n"+indent+"  ") + "\n" + indent + closing
}

func quoted(text string) string {
	var buffer strings.Builder
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // the template escapes it
	encoder.Encode(text)         // a string always encodes
	return strings.TrimSpace(buffer.String())
}

// curl is the command line of a request with the examples of the document.
func (d docsReader) curl(address string, operation docsOperation, node *yaml.Node) string {
	var query []string
	for _, each := range items(at(node, "parameters")) {
		parameter, _ := d.target(each)
		name, example := textAt(parameter, "name"), textAt(parameter, "example")
		switch textAt(parameter, "in") {
		case "path":
			address = strings.ReplaceAll(address, "{"+name+"}", example)
		case "query":
			query = append(query, name+"="+example)
		}
	}
	if len(query) > 0 {
		address += "?" + strings.Join(query, "&")
	}
	line := "curl"
	if operation.Method != "GET" && (operation.Method != "POST" || len(operation.Bodies) == 0) {
		line += " -X " + operation.Method
	}
	line += " " + shell(address)
	if operation.Key {
		line += ` -H "x-api-key: $FACESEARCH_API_KEY"`
	}
	bodies := fields(at(node, "requestBody", "content"))
	if len(bodies) == 0 {
		return line
	}
	first := bodies[0]
	if first.name == "multipart/form-data" {
		return line + d.curlForm(at(first.value, "schema"))
	}
	return line + " -H " + shell("Content-Type: "+first.name) + " -d " + shell(onOneLine(asJSON(at(first.value, "example"), "")))
}

// curlForm sends a picture for every field that is a file, and each other field that has an example.
func (d docsReader) curlForm(node *yaml.Node) (line string) {
	form, _ := d.target(node)
	for _, field := range fields(at(form, "properties")) {
		target, _ := d.target(field.value)
		if textAt(target, "format") == "binary" {
			line += " -F " + shell(field.name+"=@"+field.name+".jpg")
		} else if examples := items(at(field.value, "examples")); len(examples) > 0 {
			line += " -F " + shell(field.name+"="+examples[0].Value)
		}
	}
	return line
}

// onOneLine takes the line breaks of asJSON out, which no string in JSON can hold. That an
// example with a brace beside a space would lose that space does no harm.
func onOneLine(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.NewReplacer("{ ", "{", " }", "}").Replace(strings.Join(lines, " "))
}

// shell quotes a word for a shell.
func shell(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
