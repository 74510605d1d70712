package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// Numbers that come out of a network differ a little from one kind of processor to the next.
var tolerances = map[string]float64{
	"age":                   2,    // years
	"bbox":                  8,    // pixels
	"confidence":            0.02, // of 1
	"similarity_percentage": 2,    // percent
	"score":                 2,    // percent
}

// golden compares a JSON answer with a file: the same fields, the same types, the same values
// but for what is new each time, and for the tolerances.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	got := decodeNumbers(t, body)
	got = replaceNew(t, "", got)
	path := filepath.Join("..", "testdata", "golden", name)
	if *update {
		var buffer bytes.Buffer
		encoder := json.NewEncoder(&buffer)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(got); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, buffer.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range differences("", "", got, decodeNumbers(t, file)) {
		t.Errorf("%s: %s", name, difference)
	}
}

func decodeNumbers(t *testing.T, data []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return value
}

var (
	addressPattern  = regexp.MustCompile(`^http://127\.0\.0\.1:\d+/v3/media/[0-9a-f-]{36}\?application=[0-9a-f-]{36}&expires=\d+&signature=[0-9a-f]{64}$`)
	measuredPattern = regexp.MustCompile(`\([0-9.e+-]+, limit`)
)

// replaceNew checks the form of what is new in each answer, and puts a word in its place.
func replaceNew(t *testing.T, key string, value any) any {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for each := range value {
			value[each] = replaceNew(t, each, value[each])
		}
	case []any:
		for i := range value {
			value[i] = replaceNew(t, key, value[i])
		}
	case string:
		switch key {
		case "request_id", "session_id", "other_session_id":
			if _, err := uuid.Parse(value); err != nil {
				t.Errorf("%s %q is not a UUID", key, value)
			}
			return "<uuid>"
		case "match_image_url", "portrait_image_url", "user_image_url":
			if !addressPattern.MatchString(value) {
				t.Errorf("%s %q has another form", key, value)
			}
			return "<address>"
		case "reviewed_by":
			return "<key>"
		case "created_at", "started_at", "reviewed_at":
			if parsed, err := time.Parse(time.RFC3339Nano, value); err != nil || parsed.Location() != time.UTC {
				t.Errorf("%s %q is not RFC 3339 in UTC", key, value)
			}
			return "<time>"
		case "additional_data":
			return measuredPattern.ReplaceAllString(value, "(<measured>, limit")
		}
	}
	return value
}

// differences compares got with want; path is where in the answer, key the last name in it.
func differences(path, key string, got, want any) (list []string) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, want an object", path, got)}
		}
		for name := range object {
			if _, ok := want[name]; !ok {
				list = append(list, fmt.Sprintf("%s.%s is not wanted", path, name))
			}
		}
		for name := range want {
			if _, ok := object[name]; !ok {
				list = append(list, fmt.Sprintf("%s.%s is missing", path, name))
				continue
			}
			list = append(list, differences(path+"."+name, name, object[name], want[name])...)
		}
	case []any:
		array, ok := got.([]any)
		if !ok || len(array) != len(want) {
			return []string{fmt.Sprintf("%s is %v, want a list of %d", path, got, len(want))}
		}
		for i := range want {
			list = append(list, differences(fmt.Sprintf("%s[%d]", path, i), key, array[i], want[i])...)
		}
	default:
		if !near(key, got, want) {
			list = append(list, fmt.Sprintf("%s is %v (%T), want %v (%T)", path, got, got, want, want))
		}
	}
	return list
}

var decimalPattern = regexp.MustCompile(`^\d+\.\d$`)

func near(key string, got, want any) bool {
	tolerance, tolerated := tolerances[key]
	if !tolerated || got == nil || want == nil {
		return got == want
	}
	if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
		return false
	}
	if key == "age" && !decimalPattern.MatchString(fmt.Sprint(got)) {
		return false
	}
	one, err1 := strconv.ParseFloat(fmt.Sprint(got), 64)
	other, err2 := strconv.ParseFloat(fmt.Sprint(want), 64)
	return err1 == nil && err2 == nil && math.Abs(one-other) <= tolerance
}
