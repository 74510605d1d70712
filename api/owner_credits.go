package api

import (
	"encoding/json"
	"net/http"

	"facesearch/pkg/face"
)

// OwnerCredits is what an application has to spend. In a request, Credits are added.
type OwnerCredits struct {
	Application string `json:"application"`
	Credits     int64  `json:"credits"`
}

func (o *owner) credits(w http.ResponseWriter, r *http.Request) {
	application, err := o.oldest(r.Context(), r.URL.Query().Get("application"))
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	credits, err := o.gallery.Credits(r.Context(), application)
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, OwnerCredits{application, credits})
}

func (o *owner) addCredits(w http.ResponseWriter, r *http.Request) {
	var request OwnerCredits
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, ownerBytesMax)).Decode(&request); err != nil {
		o.server.fail(w, r, face.Invalid("The body is not the JSON of credits."))
		return
	}
	if request.Credits < 1 {
		o.server.fail(w, r, face.Invalid("At least one credit can be added."))
		return
	}
	application, err := o.oldest(r.Context(), request.Application)
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	credits, err := o.gallery.AddCredits(r.Context(), application, request.Credits)
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, OwnerCredits{application, credits})
}
