package api

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"facesearch/pkg/face"
)

// jsonBytesMax bounds a JSON body.
const jsonBytesMax = 64 * 1024

// A jsonBody is a JSON object, read whole, its values not looked at yet; null is as good as
// nothing, but for settings.
type jsonBody map[string]json.RawMessage

func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// readJSON reads a body that is a JSON object of known fields. It is stricter than
// encoding/json, which takes a field in another case, or the last of two, for the one that was
// meant. Whatever is wrong with it is CodeInvalid.
func readJSON(r *http.Request, known ...string) (jsonBody, error) {
	if !isJSON(r) {
		return nil, face.Invalid("The body is not declared as JSON: send it with the header Content-Type: application/json.")
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, jsonBytesMax+1))
	switch {
	case err != nil:
		refusal := face.Invalid("The body ends before its time.")
		refusal.Cause = err
		return nil, refusal
	case len(data) > jsonBytesMax:
		return nil, face.Invalid("The body is too large: at most %d bytes of JSON are accepted.", jsonBytesMax)
	case !utf8.Valid(data):
		return nil, face.Invalid("The body is not valid UTF-8.")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	var object json.RawMessage
	if err := decoder.Decode(&object); err != nil {
		return nil, face.Invalid("The body is not valid JSON.")
	}
	if object[0] != '{' {
		return nil, face.Invalid("The body is not a JSON object, such as {\"session_id\": \"…\"}.")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, face.Invalid("The body goes on after the end of its JSON object.")
	}
	return fieldsOf(object, known)
}

// fieldsOf takes apart an object that is valid JSON.
func fieldsOf(object json.RawMessage, known []string) (jsonBody, error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if _, err := decoder.Token(); err != nil { // the brace
		return nil, err
	}
	body := jsonBody{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if !slices.Contains(known, name) {
			return nil, face.Invalid("The body has a field that is not known here: the fields are %s.", strings.Join(known, ", "))
		}
		if _, twice := body[name]; twice {
			return nil, face.Invalid("The body has %s twice.", name)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		body[name] = value
	}
	return body, nil
}

// has reports whether a field is there, and not null.
func (b jsonBody) has(name string) bool { return b[name] != nil && !isNull(b[name]) }

func isNull(value json.RawMessage) bool { return string(value) == "null" }

// form turns a body whose values are all strings into fields of a form.
func (b jsonBody) form() (*form, error) {
	read := &form{fields: map[string]string{}}
	for name, value := range b {
		if !b.has(name) {
			continue
		}
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return nil, face.Invalid("%s is not a string.", name)
		}
		read.fields[name] = text
	}
	return read, nil
}

// id reads a field that must be a UUID.
func (b jsonBody) id(name string) (string, error) {
	var given string
	if !b.has(name) || json.Unmarshal(b[name], &given) != nil || given == "" {
		return "", face.Invalid("%s is missing, or not a string: send the UUID of a session.", name)
	}
	one := form{fields: map[string]string{name: given}}
	return one.id(name)
}
