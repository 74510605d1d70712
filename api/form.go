package api

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"facesearch/pkg/face"
	"facesearch/pkg/photo"
)

// The bounds of a form.
const (
	fieldBytesMax = 16 * 1024  // of a field that is not a picture
	partsMax      = 32         // parts of one form, unknown ones included
	formBytesMax  = 256 * 1024 // of a body beside its pictures
	// drainMax bytes of a body that is refused are read and thrown away, so that its client,
	// which may only listen when it has sent everything, gets to see why.
	drainMax = 16 * 1024 * 1024
)

// A form is a multipart body, read whole.
type form struct {
	files  map[string][]byte
	fields map[string]string
}

// readForm reads a multipart form. files names the parts that are pictures, fields the other
// ones that are known; what is not named is read over. Whatever is wrong with the form is
// CodeInvalid, and CodeBusy says that too many bodies are being read.
func (s *Server) readForm(r *http.Request, files, fields []string) (*form, error) {
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		return nil, &face.Error{Code: face.CodeBusy, RetryAfter: time.Second, Detail: "Too many uploads are under way: send the request again in a moment."}
	}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, face.Invalid("The body is not multipart/form-data with a boundary: send the picture as a form's file.")
	}
	limited := &boundedReader{from: r.Body, left: int64(len(files))*photo.BytesMax + formBytesMax}
	read, err := parseForm(multipart.NewReader(limited, parameters["boundary"]), files, fields)
	if err == nil {
		// What follows the last boundary has no meaning, but net/http watches for a client that
		// goes away only once the body has been read to its end.
		if _, rest := io.Copy(io.Discard, limited); rest != nil {
			err = malformed(rest)
		}
	}
	if err != nil {
		drain(r)
		if limited.left < 0 {
			return nil, face.Invalid("The body is too large: a picture has at most %d bytes (5 MB).", photo.BytesMax)
		}
	}
	return read, err
}

// drain reads over what is left of a body that is refused.
func drain(r *http.Request) {
	io.Copy(io.Discard, io.LimitReader(r.Body, drainMax))
	r.Body = http.NoBody
}

// errTooLong ends the reading of a body that is longer than any valid one.
var errTooLong = errors.New("body too long")

// A boundedReader gives errTooLong, and has left < 0, once more was asked for than allowed.
type boundedReader struct {
	from io.Reader
	left int64
}

func (b *boundedReader) Read(into []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLong
	}
	if int64(len(into)) > b.left+1 {
		into = into[:b.left+1]
	}
	n, err := b.from.Read(into)
	if b.left -= int64(n); b.left < 0 {
		return n, errTooLong
	}
	return n, err
}

func parseForm(reader *multipart.Reader, files, fields []string) (*form, error) {
	read := &form{files: map[string][]byte{}, fields: map[string]string{}}
	for count := 0; ; count++ {
		part, err := reader.NextPart()
		if err == io.EOF {
			return read, nil
		}
		if err != nil {
			return nil, malformed(err)
		}
		if count == partsMax {
			return nil, face.Invalid("The form has more than %d parts.", partsMax)
		}
		if err := read.add(part, files, fields); err != nil {
			return nil, err
		}
	}
}

func malformed(cause error) error {
	refusal := face.Invalid("The multipart body is malformed or ends before its last boundary.")
	refusal.Cause = cause
	return refusal
}

func (f *form) add(part *multipart.Part, files, fields []string) error {
	name := part.FormName()
	_, isFile := f.files[name]
	_, isField := f.fields[name]
	if isFile || isField {
		return face.Invalid("The form has %s twice.", name)
	}
	switch {
	case slices.Contains(files, name):
		data, err := readAtMost(part, photo.BytesMax)
		if err != nil {
			return err
		}
		if data == nil {
			return face.Invalid("%s is too large: at most %d bytes (5 MB) are accepted.", name, photo.BytesMax)
		}
		f.files[name] = data
	case slices.Contains(fields, name):
		data, err := readAtMost(part, fieldBytesMax)
		if err != nil {
			return err
		}
		if data == nil {
			return face.Invalid("%s is too long: at most %d bytes are accepted.", name, fieldBytesMax)
		}
		if !utf8.Valid(data) {
			return face.Invalid("%s is not valid UTF-8.", name)
		}
		f.fields[name] = string(data)
	default:
		if _, err := io.Copy(io.Discard, part); err != nil {
			return malformed(err)
		}
	}
	return nil
}

// readAtMost returns nil, without an error, when there is more.
func readAtMost(part io.Reader, bytesMax int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(part, bytesMax+1))
	if err != nil {
		return nil, malformed(err)
	}
	if int64(len(data)) > bytesMax {
		return nil, nil
	}
	return data, nil
}

// picture is a file that must be there.
func (f *form) picture(name string) ([]byte, error) {
	data, ok := f.files[name]
	if !ok {
		return nil, face.Invalid("%s is missing: send the picture as the form's file %s.", name, name)
	}
	if len(data) == 0 {
		return nil, face.Invalid("%s is empty (0 bytes): send a JPEG, PNG, WebP or TIFF.", name)
	}
	return data, nil
}

// boolean reads a field that may be missing.
func (f *form) boolean(name string, missing bool) (bool, error) {
	value, ok := f.fields[name]
	if !ok {
		return missing, nil
	}
	switch strings.ToLower(value) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, face.Invalid("%s is not a boolean: use true or false.", name)
}

// text reads a field of at most charactersMax characters, empty when it is missing.
func (f *form) text(name string, charactersMax int) (string, error) {
	value := f.fields[name]
	if utf8.RuneCountInString(value) > charactersMax {
		return "", face.Invalid("%s is too long: at most %d characters are accepted.", name, charactersMax)
	}
	return value, nil
}
