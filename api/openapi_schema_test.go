package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// A schemas validates values against the schemas of an OpenAPI document. It knows the part of
// JSON Schema that openapi.yaml uses, and says so when that uses more.
type schemas struct{ root map[string]any }

// annotations are words of a schema that ask for nothing.
var annotations = map[string]bool{"description": true, "examples": true, "default": true}

// look follows a reference such as #/components/schemas/Error.
func (s schemas) look(reference string) (map[string]any, error) {
	var found any = s.root
	for _, name := range strings.Split(strings.TrimPrefix(reference, "#/"), "/") {
		object, _ := found.(map[string]any)
		found = object[name]
	}
	object, ok := found.(map[string]any)
	if !ok || !strings.HasPrefix(reference, "#/") {
		return nil, fmt.Errorf("there is nothing at %s", reference)
	}
	return object, nil
}

// target is what an object refers to, or the object.
func (s schemas) target(object map[string]any) (map[string]any, error) {
	if reference, ok := object["$ref"].(string); ok {
		return s.look(reference)
	}
	return object, nil
}

// check returns the first thing that is wrong with a value; path says where.
func (s schemas) check(schema map[string]any, value any, path string) error {
	for word, want := range schema {
		if annotations[word] {
			continue
		}
		var err error
		switch word {
		case "$ref":
			var target map[string]any
			if target, err = s.look(want.(string)); err == nil {
				err = s.check(target, value, path)
			}
		case "oneOf", "anyOf":
			err = s.checkChoice(word == "oneOf", want.([]any), value, path)
		case "properties", "required", "additionalProperties":
			err = s.checkObject(word, schema, value, path)
		case "items", "minItems", "maxItems":
			err = s.checkList(word, want, value, path)
		default:
			err = checkScalar(word, want, value, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s schemas) checkChoice(one bool, choices []any, value any, path string) error {
	fits, last := 0, error(nil)
	for _, choice := range choices {
		if err := s.check(choice.(map[string]any), value, path); err != nil {
			last = err
		} else {
			fits++
		}
	}
	if fits == 0 || one && fits > 1 {
		return fmt.Errorf("%s fits %d of %d choices, %v", path, fits, len(choices), last)
	}
	return nil
}

func (s schemas) checkObject(word string, schema map[string]any, value any, path string) error {
	object, ok := value.(map[string]any)
	if !ok {
		return nil // which "type" is for
	}
	properties, _ := schema["properties"].(map[string]any)
	if word == "required" {
		for _, name := range schema[word].([]any) {
			if _, there := object[name.(string)]; !there {
				return fmt.Errorf("%s has no %s", path, name)
			}
		}
		return nil
	}
	for name, each := range object {
		property, known := properties[name].(map[string]any)
		if word == "additionalProperties" {
			if schema[word] != false {
				return fmt.Errorf("%s: additionalProperties is %v, only false is known", path, schema[word])
			}
			if !known {
				return fmt.Errorf("%s has %s, which it may not", path, name)
			}
		} else if known {
			if err := s.check(property, each, path+"."+name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s schemas) checkList(word string, want, value any, path string) error {
	list, ok := value.([]any)
	if !ok {
		return nil
	}
	switch word {
	case "minItems":
		if float64(len(list)) < number(want) {
			return fmt.Errorf("%s has %d items, wants at least %v", path, len(list), want)
		}
	case "maxItems":
		if float64(len(list)) > number(want) {
			return fmt.Errorf("%s has %d items, wants at most %v", path, len(list), want)
		}
	case "items":
		for i, each := range list {
			if err := s.check(want.(map[string]any), each, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func number(value any) float64 {
	parsed, err := strconv.ParseFloat(string(value.(json.Number)), 64)
	if err != nil {
		panic(err) // a json.Number is one
	}
	return parsed
}

func checkScalar(word string, want, value any, path string) error {
	text, isText := value.(string)
	_, isNumber := value.(json.Number)
	fits := true
	switch word {
	case "type":
		fits = hasType(want, value)
	case "enum":
		fits = false
		for _, each := range want.([]any) {
			fits = fits || reflect.DeepEqual(each, value)
		}
	case "const":
		fits = reflect.DeepEqual(want, value)
	case "minimum":
		fits = !isNumber || number(value) >= number(want)
	case "maximum":
		fits = !isNumber || number(value) <= number(want)
	case "minLength":
		fits = !isText || float64(utf8.RuneCountInString(text)) >= number(want)
	case "maxLength":
		fits = !isText || float64(utf8.RuneCountInString(text)) <= number(want)
	case "pattern":
		fits = !isText || regexp.MustCompile(want.(string)).MatchString(text)
	case "format":
		fits = !isText || hasFormat(want.(string), text)
	default:
		return fmt.Errorf("%s: its schema has the word %s, which is not known", path, word)
	}
	if !fits {
		return fmt.Errorf("%s is %v (%T), which is against %s %v", path, value, value, word, want)
	}
	return nil
}

func hasType(want, value any) bool {
	if list, ok := want.([]any); ok {
		for _, each := range list {
			if hasType(each, value) {
				return true
			}
		}
		return false
	}
	kind := "null"
	switch value := value.(type) {
	case map[string]any:
		kind = "object"
	case []any:
		kind = "array"
	case string:
		kind = "string"
	case bool:
		kind = "boolean"
	case json.Number:
		if _, err := value.Int64(); err == nil && want == "integer" {
			return true
		}
		kind = "number"
	}
	return kind == want
}

func hasFormat(format, text string) bool {
	switch format {
	case "uuid":
		_, err := uuid.Parse(text)
		return err == nil
	case "date-time":
		_, err := time.Parse(time.RFC3339, text)
		return err == nil
	case "uri":
		address, err := url.Parse(text)
		return err == nil && address.IsAbs() && address.Host != ""
	case "binary":
		return true
	}
	return false
}
