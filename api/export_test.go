package api

import (
	"net/http"
	"strings"

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

// Routes are the methods and patterns that a server answers, but for the console's pages, which
// are no part of the API.
func Routes(s *Server) (list [][2]string, err error) {
	err = chi.Walk(s.router.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !strings.HasPrefix(route, "/console") {
			list = append(list, [2]string{method, route})
		}
		return nil
	})
	return list, err
}

// JSONBytesMax is the bound that the tests hold a JSON body to.
const JSONBytesMax = jsonBytesMax
