package api

import "net/http"

// FormLimits are the bounds that the tests hold a form to.
const (
	FieldBytesMax = fieldBytesMax
	PartsMax      = partsMax
)

// ReadForm reads a form as the handlers do, and returns what it holds.
func ReadForm(s *Server, r *http.Request, files, fields []string) (map[string][]byte, map[string]string, error) {
	read, err := s.readForm(r, files, fields)
	if err != nil {
		return nil, nil, err
	}
	return read.files, read.fields, nil
}
