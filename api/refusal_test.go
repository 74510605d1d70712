package api_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/gif"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"facesearch/pkg/facetest"
	"facesearch/pkg/photo"
)

func TestBadPictures(t *testing.T) {
	a := newTenant(t)
	good := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 400))
	var animation bytes.Buffer
	if err := gif.Encode(&animation, plain(64, 64), nil); err != nil {
		t.Fatal(err)
	}
	unchanged := a.unchanged(t)
	bad := []struct {
		name    string
		picture []byte
		words   string
	}{
		{"Empty", nil, "is empty"},
		{"OverFiveMegabytes", padded(good, 5*1024*1024+1), "too large: at most 5242880 bytes (5 MB)"},
		{"FarOver", padded(good, 12*1024*1024), "too large"},
		{"GIF", animation.Bytes(), "not a JPEG, PNG, WebP or TIFF"},
		{"Text", []byte("hello, this is not a picture\n"), "not a JPEG, PNG, WebP or TIFF"},
		{"TruncatedJPEG", good[:len(good)/2], "cut off or damaged"},
		{"JPEGHeaderAlone", good[:4], "cut off or damaged"},
		{"HugePNG", pngHeader(100_000, 100_000), "too large: 100000 x 100000 pixels"},
		{"TooManyPixels", pngHeader(10_000, 10_000), "too large: 10000 x 10000 pixels"},
		{"TIFFLoop", tiffLoop(), "cut off or damaged"},
	}
	for _, each := range bad {
		t.Run(each.name, func(t *testing.T) {
			a.post(t, "/v3/face-search/", file("user_image", each.picture)).refused(t, 400, "invalid_request", each.words)
			a.post(t, "/v3/sessions/", file("portrait_image", each.picture)).refused(t, 400, "invalid_request", each.words)
		})
	}
	unchanged()
	t.Run("ExactlyFiveMegabytes", func(t *testing.T) {
		if found := a.search(t, padded(good, 5*1024*1024)); len(found.FaceSearch.UserImage.Entities) != 1 {
			t.Errorf("%s", found.raw)
		}
	})
}

// unchanged returns what checks that nothing was stored since.
func (a *tenant) unchanged(t *testing.T) func() {
	t.Helper()
	size, saved := a.size(t), a.gallery.savedBy(a.id)
	return func() {
		t.Helper()
		if a.size(t) != size || a.gallery.savedBy(a.id) != saved {
			t.Errorf("refused requests changed the store: %d sessions and %d searches, before %d and %d",
				a.size(t), a.gallery.savedBy(a.id), size, saved)
		}
	}
}

// padded adds zeros behind the end of a JPEG, where a decoder does not look.
func padded(jpeg []byte, length int) []byte {
	return append(jpeg[:len(jpeg):len(jpeg)], make([]byte, length-len(jpeg))...)
}

// pngHeader is a PNG that claims a size and ends.
func pngHeader(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	header = binary.BigEndian.AppendUint32(header, height)
	header = append(header, 8, 2, 0, 0, 0) // eight bits of each of three colours
	chunk := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), uint32(len(header)-4))
	chunk = append(chunk, header...)
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(header))
}

// tiffLoop is a TIFF whose only directory is its own successor.
func tiffLoop() []byte {
	file := []byte("II*\x00\x08\x00\x00\x00")
	file = binary.LittleEndian.AppendUint16(file, 1)
	file = append(file, 0x00, 0x01, 3, 0, 1, 0, 0, 0, 64, 0, 0, 0) // ImageWidth, and nothing else
	return binary.LittleEndian.AppendUint32(file, 8)
}

func TestBadFields(t *testing.T) {
	a := newTenant(t)
	picture := file("user_image", facetest.JPEG(t, plain(64, 64)))
	unchanged := a.unchanged(t)
	post := func(parts ...part) answer { return a.post(t, "/v3/face-search/", parts...) }
	t.Run("NoPicture", func(t *testing.T) {
		post(text("vendor_data", "no picture here")).refused(t, 400, "invalid_request", "user_image is missing")
		post().refused(t, 400, "invalid_request", "")
	})
	t.Run("Boolean", func(t *testing.T) {
		for _, name := range []string{"rotate_image", "save_api_request"} {
			for _, value := range []string{"", "2", "t", "ja", "truee", " true", "null", "\x00"} {
				post(picture, text(name, value)).refused(t, 400, "invalid_request", name+" is not a boolean")
			}
		}
	})
	t.Run("VendorData", func(t *testing.T) {
		post(picture, text("vendor_data", strings.Repeat("ü", 1025))).refused(t, 400, "invalid_request", "at most 1024 characters")
		post(picture, text("vendor_data", strings.Repeat("x", 20_000))).refused(t, 400, "invalid_request", "vendor_data is too long")
		post(picture, text("vendor_data", "a broken \xff\xfe reference")).refused(t, 400, "invalid_request", "vendor_data is not valid UTF-8")
	})
	t.Run("Twice", func(t *testing.T) {
		post(picture, picture).refused(t, 400, "invalid_request", "user_image twice")
		post(picture, text("rotate_image", "true"), text("rotate_image", "true")).refused(t, 400, "invalid_request", "rotate_image twice")
	})
	unchanged()
	t.Run("OK", func(t *testing.T) {
		for _, value := range []string{"true", "TRUE", "True", "1", "yes", "YES", "Yes", "on", "oN",
			"false", "FALSE", "False", "0", "no", "NO", "nO", "off", "OFF"} {
			a.search(t, picture.data, text("rotate_image", value), text("save_api_request", value))
		}
		longest := strings.Repeat("ü", 1024)
		found := a.search(t, picture.data, text("vendor_data", longest))
		saved, err := a.gallery.SavedSearch(t.Context(), a.id, found.RequestID)
		if err != nil || utf8.RuneCountInString(saved.VendorData) != 1024 {
			t.Errorf("%d characters kept, %v", utf8.RuneCountInString(saved.VendorData), err)
		}
		a.search(t, picture.data, text("unknown", "read over"))
	})
	t.Run("FileNameAndTypeDoNotMatter", func(t *testing.T) {
		a.search(t, facetest.Photograph(t, "astronaut.png")) // sent as photo.jpg, image/jpeg
	})
}

func TestMalformedForms(t *testing.T) {
	a := newTenant(t)
	picture := facetest.JPEG(t, plain(64, 64))
	kind, whole := form(file("user_image", picture))
	many := []part{file("user_image", picture)}
	for i := range 32 {
		many = append(many, text(fmt.Sprintf("extra-%d", i), "x"))
	}
	manyKind, manyBody := form(many...)
	fitKind, fitBody := form(many[:32]...)
	unchanged := a.unchanged(t)
	bad := []struct {
		name, kind string
		body       []byte
		words      string
	}{
		{"CutOff", kind, whole[:len(whole)-20], "malformed or ends before"},
		{"CutInPicture", kind, whole[:len(whole)/2], "malformed or ends before"},
		{"Empty", kind, nil, "malformed or ends before"},
		{"Garbage", kind, []byte(strings.Repeat("no form at all ", 100)), "malformed or ends before"},
		{"BrokenPartHeader", "multipart/form-data; boundary=b", []byte("--b\r\nno colon in here\r\n\r\nx\r\n--b--\r\n"), "malformed"},
		{"NoBoundary", "multipart/form-data", whole, "not multipart/form-data with a boundary"},
		{"BrokenType", "multipart/form-data; boundary", whole, "not multipart/form-data with a boundary"},
		{"NoType", "", whole, "not multipart/form-data with a boundary"},
		{"JSON", "application/json", []byte(`{"user_image": "aGVsbG8="}`), "not multipart/form-data with a boundary"},
		{"URLEncoded", "application/x-www-form-urlencoded", []byte("user_image=x"), "not multipart/form-data with a boundary"},
		{"Mixed", strings.Replace(kind, "form-data", "mixed", 1), whole, "not multipart/form-data with a boundary"},
		{"TooManyParts", manyKind, manyBody, "more than 32 parts"},
	}
	for _, each := range bad {
		t.Run(each.name, func(t *testing.T) {
			a.send(t, http.MethodPost, "/v3/face-search/", each.kind, each.body).refused(t, 400, "invalid_request", each.words)
		})
	}
	unchanged()
	t.Run("OK", func(t *testing.T) {
		for name, got := range map[string]answer{
			"32 parts": a.send(t, http.MethodPost, "/v3/face-search/", fitKind, fitBody),
			"epilogue": a.send(t, http.MethodPost, "/v3/face-search/", kind, append(whole, "after the end"...)),
		} {
			if got.status != http.StatusOK {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
	})
	if photo.BytesMax != 5*1024*1024 {
		t.Errorf("a picture may have %d bytes, the contract says 5 MB", photo.BytesMax)
	}
}
