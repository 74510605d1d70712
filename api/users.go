package api

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"facesearch/pkg/face"
)

// usersMax is how many people one request may erase, in one transaction.
const usersMax = 1000

// deleteUsers answers POST /v3/users/delete/: everything of these people is erased. That
// there is nothing of one of them is no error, so that it can be sent again.
func (s *Server) deleteUsers(w http.ResponseWriter, r *http.Request) {
	list, err := vendorDataList(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	receipt, err := s.ready.Load().service.EraseOwners(r.Context(), application(r.Context()), list)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.metrics.erasures.Add(float64(receipt.Sessions + receipt.Searches))
	writeJSON(w, http.StatusOK, usersDeleteResponse{receipt.Sessions, receipt.Searches, receipt})
}

// vendorDataList is checked whole before anything is erased.
func vendorDataList(r *http.Request) ([]string, error) {
	body, err := readJSON(r, "vendor_data_list")
	if err != nil {
		return nil, err
	}
	var given []*string // a null must not pass for an empty string
	if !body.has("vendor_data_list") || json.Unmarshal(body["vendor_data_list"], &given) != nil || len(given) == 0 {
		return nil, face.Invalid("vendor_data_list is missing, empty, or not a list of strings: name the people to erase.")
	}
	if len(given) > usersMax {
		return nil, face.Invalid("vendor_data_list is too long: at most %d people can be erased at once.", usersMax)
	}
	list := make([]string, len(given))
	for i, each := range given {
		switch {
		case each == nil || *each == "":
			return nil, face.Invalid("vendor_data_list has an entry that is empty.")
		case utf8.RuneCountInString(*each) > vendorDataMax:
			return nil, face.Invalid("vendor_data_list has an entry that is too long: at most %d characters are accepted.", vendorDataMax)
		}
		list[i] = *each
	}
	return list, nil
}
