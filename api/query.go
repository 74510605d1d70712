package api

import (
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"facesearch/pkg/face"
)

// How many rows one page of a list has.
const (
	pageDefault = 50
	pageMax     = 200
)

// readQuery reads the part of an address behind its question mark as the fields of a form.
func readQuery(r *http.Request) (*form, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, face.Invalid("The part of the address behind the question mark is malformed.")
	}
	read := &form{fields: map[string]string{}}
	for name, each := range values {
		if len(each) > 1 {
			return nil, face.Invalid("The address has a parameter twice.")
		}
		if !utf8.ValidString(each[0]) {
			return nil, face.Invalid("A parameter of the address is not valid UTF-8.")
		}
		if each[0] != "" { // an empty parameter is as good as none
			read.fields[name] = each[0]
		}
	}
	return read, nil
}

// page reads which part of a list is asked for.
func (f *form) page() (offset, limit int, err error) {
	if offset, err = f.whole("offset", 0, 0, 1<<31-1); err != nil {
		return 0, 0, err
	}
	limit, err = f.whole("limit", pageDefault, 1, pageMax)
	return offset, limit, err
}

// list reads what lists of sessions and of saved searches have in common.
func (f *form) list() (offset, limit int, status face.Status, vendorData string, err error) {
	if offset, limit, err = f.page(); err != nil {
		return 0, 0, "", "", err
	}
	if status = face.Status(f.fields["status"]); status != "" && !status.Valid() {
		return 0, 0, "", "", wrongStatus("status")
	}
	vendorData, err = f.text("vendor_data", vendorDataMax)
	return offset, limit, status, vendorData, err
}

// whole reads a whole number between two bounds; an empty field counts as missing.
func (f *form) whole(name string, missing, least, most int) (int, error) {
	if f.fields[name] == "" {
		return missing, nil
	}
	value, err := strconv.Atoi(f.fields[name])
	if err != nil || value < least || value > most {
		return 0, face.Invalid("%s is a whole number from %d to %d.", name, least, most)
	}
	return value, nil
}
