package api

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// nameMax is the length of the name of an application or a key, in characters.
const nameMax = 200

// An OwnerApplication is a new application with its first key, which is shown this once.
type OwnerApplication struct {
	face.Application
	Secret string `json:"secret"`
}

// An OwnerName names an application or a key.
type OwnerName struct {
	Name string `json:"name"`
}

func checkName(name string) error {
	if name == "" || utf8.RuneCountInString(name) > nameMax || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return face.Invalid("A name has 1 to %d characters, all in one line.", nameMax)
	}
	return nil
}

func (o *owner) name(w http.ResponseWriter, r *http.Request) (string, error) {
	var request OwnerName
	if err := o.read(w, r, &request); err != nil {
		return "", err
	}
	return request.Name, checkName(request.Name)
}

func (o *owner) applications(w http.ResponseWriter, r *http.Request) {
	list, err := o.gallery.Applications(r.Context())
	o.answer(w, r, http.StatusOK, list, err)
}

func (o *owner) createApplication(w http.ResponseWriter, r *http.Request) {
	name, err := o.name(w, r)
	made := OwnerApplication{Secret: search.NewSecret()}
	if err == nil {
		made.Application, err = search.CreateApplication(r.Context(), o.gallery, name, made.Secret)
	}
	o.answer(w, r, http.StatusCreated, made, err)
}

func (o *owner) renameApplication(w http.ResponseWriter, r *http.Request) {
	name, err := o.name(w, r)
	if err == nil {
		err = o.gallery.RenameApplication(r.Context(), chi.URLParam(r, "id"), name)
	}
	o.answer(w, r, http.StatusNoContent, nil, err)
}

func (o *owner) deleteApplication(w http.ResponseWriter, r *http.Request) {
	err := o.gallery.DeleteApplication(r.Context(), chi.URLParam(r, "id"))
	o.answer(w, r, http.StatusNoContent, nil, err)
}
