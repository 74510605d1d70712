package api

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
)

// scopeOf is the one table of what a key needs for which route. Every route that takes a key is
// in it.
var scopeOf = map[string]face.Scope{
	"POST /v3/face-search":                 face.ScopeSearch,
	"POST /v3/face-match":                  face.ScopeSearch,
	"GET /v3/session/{id}/decision":        face.ScopeSearch,
	"GET /v3/settings":                     face.ScopeSearch,
	"GET /v3/sessions":                     face.ScopeEnrol,
	"POST /v3/sessions":                    face.ScopeEnrol,
	"GET /v3/blocklist":                    face.ScopeEnrol,
	"POST /v3/blocklist/add":               face.ScopeEnrol,
	"POST /v3/blocklist/faces":             face.ScopeEnrol,
	"POST /v3/blocklist/remove":            face.ScopeManage,
	"PATCH /v3/session/{id}/update-status": face.ScopeManage,
	"DELETE /v3/session/{id}/delete":       face.ScopeManage,
	"POST /v3/users/delete":                face.ScopeManage,
	"PATCH /v3/settings":                   face.ScopeManage,
	"GET /v3/duplicates":                   face.ScopeManage,
	"GET /v3/searches":                     face.ScopeManage,
	"GET /v3/audit":                        face.ScopeManage,
	"GET /v3/audit/{number}/receipt":       face.ScopeManage,
	"GET /v3/billing/balance":              face.ScopeSearch,
	"POST /v3/billing/top-up":              face.ScopeManage,
}

// checkScope refuses a key that may not do what a request asks for. A route that is not in the
// table needs everything.
func checkScope(key face.Key, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	needed, ok := scopeOf[method+" "+chi.RouteContext(r.Context()).RoutePattern()]
	if !ok {
		needed = face.ScopeManage
	}
	if key.Scope.Covers(needed) {
		return nil
	}
	return &face.Error{Code: face.CodeForbidden, Detail: fmt.Sprintf(
		"This API key has the scope %s, and this needs the scope %s: use a key that has it.", key.Scope, needed)}
}
