package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

func TestSessions(t *testing.T) {
	a := newTenant(t)
	picture := facetest.Photograph(t, "obama.jpg")
	id := uuid.NewString()
	parts := []part{
		file("portrait_image", picture), text("session_id", id), text("vendor_data", "enrolled-person"),
		text("full_name", "Barack Obama"), text("document_type", "Passport"), text("document_number", "P-987654"),
		text("status", "Approved"), text("verification_date", "2025-06-10T10:30:00.250Z"),
	}
	t.Run("OK", func(t *testing.T) {
		got := a.post(t, "/v3/sessions/", parts...)
		if got.status != 201 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		golden(t, "enrolled.json", got.body)
		if !strings.Contains(string(got.body), id) || strings.Contains(string(got.body), "987654") {
			t.Errorf("%s", got.body)
		}
	})
	t.Run("Again", func(t *testing.T) {
		// Without the last slash, with the ID in capitals, which is the same.
		parts := append([]part(nil), parts...)
		parts[1] = text("session_id", strings.ToUpper(id))
		got := a.post(t, "/v3/sessions", parts...)
		if got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		golden(t, "enrolled.json", got.body)
		if a.size(t) != 1 {
			t.Errorf("%d sessions", a.size(t))
		}
	})
	t.Run("ErrConflict", func(t *testing.T) {
		for _, other := range []part{
			file("portrait_image", facetest.Photograph(t, "obama2.jpg")), text("vendor_data", "another-person"),
			text("full_name", "Somebody Else"), text("document_number", "P-111111"),
			text("status", "In Review"), text("verification_date", "2025-06-10T10:30:01Z"),
		} {
			changed := append([]part(nil), parts...)
			for i := range changed {
				if changed[i].name == other.name {
					changed[i] = other
				}
			}
			a.post(t, "/v3/sessions/", changed...).refused(t, 409, "conflict", "session_id")
		}
		if found := a.search(t, picture); found.FaceSearch.TotalMatches != 1 || found.first() != "enrolled-person" {
			t.Errorf("a conflict changed the session: %s", found.raw)
		}
	})
	t.Run("NumbersInOrder", func(t *testing.T) {
		for number := 2; number < 5; number++ {
			if made := a.enrol(t, facetest.Photograph(t, "biden.jpg")); made.SessionNumber != number {
				t.Errorf("session_number %d, want %d", made.SessionNumber, number)
			}
		}
		// Equal matches are listed by session_number.
		found := a.search(t, facetest.Photograph(t, "biden.jpg"))
		if len(found.FaceSearch.Matches) != 3 {
			t.Fatalf("%s", found.raw)
		}
		for i, match := range found.FaceSearch.Matches {
			if match.SessionNumber != i+2 || match.SimilarityPercentage != 100 {
				t.Errorf("match %d: %+v", i, match)
			}
		}
	})
}

func TestSessionsRefused(t *testing.T) {
	a := newTenant(t)
	picture := file("portrait_image", facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500)))
	both := facetest.Beside(facetest.Image(t, "obama.jpg", 600), facetest.Image(t, "biden.jpg", 600))
	unchanged := a.unchanged(t)
	for name, each := range map[string]struct {
		parts []part
		words string
	}{
		"NoFace":         {[]part{file("portrait_image", facetest.JPEG(t, plain(320, 240)))}, "No face was found in portrait_image"},
		"TwoFaces":       {[]part{file("portrait_image", facetest.JPEG(t, both))}, "2 faces were found in portrait_image"},
		"NoPicture":      {[]part{file("user_image", picture.data)}, "portrait_image is missing"},
		"VendorData":     {[]part{picture, text("vendor_data", strings.Repeat("x", 1025))}, "vendor_data is too long: at most 1024"},
		"FullName":       {[]part{picture, text("full_name", strings.Repeat("é", 257))}, "full_name is too long: at most 256"},
		"DocumentType":   {[]part{picture, text("document_type", strings.Repeat("x", 257))}, "document_type is too long: at most 256"},
		"DocumentNumber": {[]part{picture, text("document_number", strings.Repeat("7", 257))}, "document_number is too long: at most 256"},
		"NotUTF8":        {[]part{picture, text("full_name", "not \xff a name")}, "full_name is not valid UTF-8"},
		"Status":         {[]part{picture, text("status", "approved")}, "status is Approved, In Review or Declined"},
		"StatusTwice":    {[]part{picture, text("status", "Approved"), text("status", "Declined")}, "status twice"},
		"SessionID":      {[]part{picture, text("session_id", "session-1")}, "session_id is not a UUID"},
		"SessionIDForm":  {[]part{picture, text("session_id", "{"+uuid.NewString()+"}")}, "session_id is not a UUID"},
		"SessionIDURN":   {[]part{picture, text("session_id", "urn:uuid:"+uuid.NewString())}, "session_id is not a UUID"},
		"Date":           {[]part{picture, text("verification_date", "10.06.2025 10:30")}, "not a time in RFC 3339"},
		"DateAlone":      {[]part{picture, text("verification_date", "2025-06-10")}, "not a time in RFC 3339"},
		"DateNoZone":     {[]part{picture, text("verification_date", "2025-06-10T10:30:00")}, "not a time in RFC 3339"},
		"DateImpossible": {[]part{picture, text("verification_date", "2025-02-30T10:30:00Z")}, "not a time in RFC 3339"},
		// In UTC it is in the year 10000, which RFC 3339 cannot say.
		"DateTooLate":  {[]part{picture, text("verification_date", "9999-12-31T23:59:59-01:00")}, "not a time in RFC 3339"},
		"DateTooEarly": {[]part{picture, text("verification_date", "0001-01-01T00:00:00+01:00")}, "not a time in RFC 3339"},
	} {
		t.Run(name, func(t *testing.T) {
			a.post(t, "/v3/sessions/", each.parts...).refused(t, 400, "invalid_request", each.words)
		})
	}
	unchanged()
}

func TestSessionDefaults(t *testing.T) {
	a := newTenant(t)
	before := time.Now().Add(-time.Second)
	made := a.enrol(t, facetest.Photograph(t, "obama.jpg"))
	verified, err := time.Parse(time.RFC3339, made.VerificationDate)
	if err != nil || verified.Before(before) || verified.After(time.Now().Add(time.Second)) || made.Status != "Approved" {
		t.Errorf("%+v, %v", made, err)
	}
	found := a.search(t, facetest.Photograph(t, "obama2.jpg"))
	if len(found.FaceSearch.Matches) != 1 || found.FaceSearch.Matches[0].VendorData != nil ||
		found.FaceSearch.Matches[0].UserDetails.DocumentNumber != "" {
		t.Errorf("%s", found.raw)
	}
}

// TestStatusesInGallery: only what is approved, or blocklisted, is compared with.
func TestStatusesInGallery(t *testing.T) {
	for _, status := range []face.Status{face.Approved, face.InReview, face.Declined} {
		t.Run(string(status), func(t *testing.T) {
			a := newTenant(t)
			made := a.enrol(t, facetest.Photograph(t, "obama.jpg"), text("status", string(status)))
			want := 0
			if status == face.Approved {
				want = 1
			}
			found := a.search(t, facetest.Photograph(t, "obama2.jpg"))
			if made.Status != string(status) || found.FaceSearch.TotalMatches != want {
				t.Errorf("%+v: %s", made, found.raw)
			}
		})
	}
}

func TestMaskedDocumentNumber(t *testing.T) {
	a := newTenant(t)
	for number, masked := range map[string]string{
		"123456789": "***789", "12345": "***345", "1234": "***", "ÄÖÜ-ßé12": "***é12", "": "",
	} {
		got := a.post(t, "/v3/sessions/", file("portrait_image", facetest.Photograph(t, "obama.jpg")), text("document_number", number))
		var made struct {
			UserDetails struct {
				DocumentNumber string `json:"document_number"`
			} `json:"user_details"`
		}
		got.decode(t, 201, &made)
		if made.UserDetails.DocumentNumber != masked {
			t.Errorf("%q is shown as %q, want %q", number, made.UserDetails.DocumentNumber, masked)
		}
	}
}
