package api

import (
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"
)

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

// Routes are the methods and patterns that a server answers.
func Routes(s *Server) (list [][2]string, err error) {
	err = chi.Walk(s.router.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		list = append(list, [2]string{method, route})
		return nil
	})
	return list, err
}

// JSONBytesMax is the bound that the tests hold a JSON body to.
const JSONBytesMax = jsonBytesMax

// SignedAddress is what a secret signs for one picture until a time, in seconds of 1970.
func SignedAddress(secret []byte, application, picture string, until int64) string {
	return addressUntil(secret, application, picture, strconv.FormatInt(until, 10))
}
