package api

import (
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
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

// ScopeOf is the table of what a key needs for which route.
func ScopeOf() map[string]face.Scope { return scopeOf }

// SimulatedWait is how long X-Simulate: slow waits.
const SimulatedWait = simulatedWait

// The bounds that the tests hold the counting of requests to.
const (
	WrongKeysPerWindow = wrongKeysPerWindow
	CountedMax         = countedMax
)

// FillWindows counts requests of that many keys, each with a wrong and a right one, and returns
// how many were remembered at most.
func FillWindows(keys int) (most int) {
	var g guesses
	for i := range keys {
		from := origin{client: netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})}
		g.remember(from, false, time.Now())
		g.remember(from, true, time.Now())
		most = max(most, len(g.wrong.counts), len(g.right))
	}
	return most
}

// ClientOf is the address that a request is counted by.
func ClientOf(trusted []netip.Prefix, r *http.Request) (address string) {
	withClient(trusted)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		address = clientOf(r).String()
	})).ServeHTTP(nil, r)
	return address
}

// SignedAddress is what a secret signs for one picture until a time, in seconds of 1970.
func SignedAddress(secret []byte, application, picture string, until int64) string {
	return addressUntil(secret, application, picture, strconv.FormatInt(until, 10))
}
