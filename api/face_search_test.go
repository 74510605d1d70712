package api_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/disintegration/imaging"

	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

// gallery enrols three people.
func gallery(t *testing.T, a *tenant) {
	t.Helper()
	a.enrol(t, facetest.Photograph(t, "obama.jpg"), text("vendor_data", "person-obama"),
		text("full_name", "Barack Obama"), text("document_type", "Identity Card"),
		text("document_number", "AB-123456"), text("verification_date", "2025-06-10T12:30:00+02:00"))
	a.enrol(t, facetest.Photograph(t, "biden.jpg"), text("vendor_data", "person-biden"))
	a.enrol(t, facetest.Photograph(t, "astronaut.png"), text("vendor_data", "person-astronaut"))
}

func plain(width, height int) image.Image {
	return imaging.New(width, height, color.NRGBA{90, 120, 150, 255})
}

func TestFaceSearch(t *testing.T) {
	a := newTenant(t)
	obama := facetest.Photograph(t, "obama2.jpg")
	t.Run("NoMatch", func(t *testing.T) {
		golden(t, "search-no-match.json", a.search(t, obama).raw)
	})
	gallery(t, a)
	t.Run("OK", func(t *testing.T) {
		golden(t, "search-match.json", a.search(t, obama, text("vendor_data", "probe-of-somebody")).raw)
	})
	t.Run("EveryPhotograph", func(t *testing.T) {
		for name, person := range map[string]string{
			"obama3.jpg": "person-obama", "obama_partial_face.jpg": "person-obama",
			"obama_partial_face2.jpg": "person-obama", "biden.jpg": "person-biden", "astronaut.png": "person-astronaut",
		} {
			if found := a.search(t, facetest.Photograph(t, name)); found.first() != person || found.FaceSearch.TotalMatches != 1 {
				t.Errorf("%s: %s", name, found.raw)
			}
		}
	})
	t.Run("NoFace", func(t *testing.T) {
		golden(t, "search-no-face.json", a.search(t, facetest.JPEG(t, plain(320, 240))).raw)
	})
	t.Run("NoFaceRotated", func(t *testing.T) {
		golden(t, "search-no-face.json", a.search(t, facetest.JPEG(t, plain(320, 240)), text("rotate_image", "true")).raw)
	})
	t.Run("SeveralFaces", func(t *testing.T) {
		both := facetest.Beside(facetest.Image(t, "obama.jpg", 700), facetest.Image(t, "biden.jpg", 700))
		golden(t, "search-several-faces.json", a.search(t, facetest.JPEG(t, both)).raw)
	})
	t.Run("LowQuality", func(t *testing.T) {
		blurred := imaging.Blur(facetest.Image(t, "obama.jpg", 700), 3)
		golden(t, "search-low-quality.json", a.search(t, facetest.JPEG(t, blurred)).raw)
	})
	t.Run("WithoutLastSlash", func(t *testing.T) {
		got := a.post(t, "/v3/face-search", file("user_image", obama), text("vendor_data", "probe-of-somebody"))
		golden(t, "search-match.json", got.body)
	})
	t.Run("Settings", func(t *testing.T) { testSettings(t, a, obama) })
}

// testSettings changes the application's settings between searches.
func testSettings(t *testing.T, a *tenant, obama []byte) {
	settings := face.DefaultSettings()
	settings.MatchAction = face.Approved
	settings.KeepPicture = face.KeepNothing
	if err := a.gallery.PutSettings(t.Context(), a.id, settings); err != nil {
		t.Fatal(err)
	}
	if found := a.search(t, obama); found.FaceSearch.Status != "Approved" || found.FaceSearch.TotalMatches != 1 {
		t.Errorf("match_action Approved: %s", found.raw)
	}
	// What is kept of a picture is decided when it is enrolled: none, so the address is null.
	made := a.enrol(t, facetest.Photograph(t, "obama3.jpg"))
	if made.PortraitImageURL != nil {
		t.Errorf("keep_picture nothing, but there is the address %s", *made.PortraitImageURL)
	}
	settings.MaxMatches = 1
	if err := a.gallery.PutSettings(t.Context(), a.id, settings); err != nil {
		t.Fatal(err)
	}
	found := a.search(t, facetest.Photograph(t, "obama3.jpg"))
	if found.FaceSearch.TotalMatches != 2 || len(found.FaceSearch.Matches) != 1 || found.FaceSearch.Matches[0].MatchImageURL != nil {
		t.Errorf("max_matches 1: %s", found.raw)
	}
}

func TestRotateImage(t *testing.T) {
	a := newTenant(t)
	gallery(t, a)
	upright := facetest.Image(t, "obama2.jpg", 900)
	turns := []struct {
		name  string
		angle int // clockwise, that puts it upright
		turn  func(image.Image) *image.NRGBA
	}{
		{"0", 0, imaging.Clone}, {"90", 90, imaging.Rotate90},
		{"180", 180, imaging.Rotate180}, {"270", 270, imaging.Rotate270}, // imaging turns counter-clockwise
	}
	for _, each := range turns {
		t.Run(each.name, func(t *testing.T) {
			found := a.search(t, facetest.JPEG(t, each.turn(upright)), text("rotate_image", "true"))
			image := found.FaceSearch.UserImage
			if image.BestAngle != each.angle || found.first() != "person-obama" || len(image.Entities) != 1 {
				t.Fatalf("%s", found.raw)
			}
			inside(t, image.Entities[0].BBox, upright.Bounds())
			if each.angle != 0 {
				found = a.search(t, facetest.JPEG(t, each.turn(upright)))
				if found.FaceSearch.UserImage.BestAngle != 0 || found.first() == "person-obama" {
					t.Errorf("without rotate_image: %s", found.raw)
				}
			}
		})
	}
	t.Run("EXIF", func(t *testing.T) {
		// Orientation 6: the picture has to be turned clockwise by 90 degrees to be seen upright.
		turned := withOrientation(facetest.JPEG(t, imaging.Rotate90(upright)), 6)
		for _, rotate := range []string{"false", "true"} {
			found := a.search(t, turned, text("rotate_image", rotate))
			image := found.FaceSearch.UserImage
			if image.BestAngle != 0 || found.first() != "person-obama" || len(image.Entities) != 1 {
				t.Fatalf("rotate_image %s: %s", rotate, found.raw)
			}
			inside(t, image.Entities[0].BBox, upright.Bounds())
		}
	})
}

// inside wants a box of some size in the upper two thirds of the picture, where the face is.
func inside(t *testing.T, box [4]int, bounds image.Rectangle) {
	t.Helper()
	face := image.Rect(box[0], box[1], box[2], box[3])
	if box[0] >= box[2] || box[1] >= box[3] || !face.In(image.Rect(0, 0, bounds.Dx(), bounds.Dy()*2/3)) || face.Dx() < 50 {
		t.Errorf("bbox %v in a picture of %v", box, bounds.Size())
	}
}

// withOrientation puts an EXIF segment behind the start of a JPEG that has none.
func withOrientation(jpeg []byte, orientation uint16) []byte {
	var exif bytes.Buffer
	exif.WriteString("Exif\x00\x00MM\x00*")
	for _, field := range []any{
		uint32(8),                            // where the directory is
		uint16(1),                            // entries
		uint16(0x0112), uint16(3), uint32(1), // Orientation, one SHORT
		orientation, uint16(0), // value, padded
		uint32(0), // no further directory
	} {
		binary.Write(&exif, binary.BigEndian, field)
	}
	segment := append([]byte{0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(exif.Len()+2))...)
	segment = append(segment, exif.Bytes()...)
	return append(append(append([]byte(nil), jpeg[:2]...), segment...), jpeg[2:]...)
}

func TestSavedSearch(t *testing.T) {
	a := newTenant(t)
	picture := facetest.Photograph(t, "obama2.jpg")
	t.Run("OK", func(t *testing.T) {
		found := a.search(t, picture, text("vendor_data", "who-asked"))
		saved, err := a.gallery.SavedSearch(t.Context(), a.id, found.RequestID)
		if err != nil || saved.VendorData != "who-asked" || saved.Template == nil || string(saved.Status) != found.FaceSearch.Status {
			t.Errorf("%+v, %v", saved, err)
		}
	})
	t.Run("NotAskedFor", func(t *testing.T) {
		found := a.search(t, picture, text("save_api_request", "false"))
		if _, err := a.gallery.SavedSearch(t.Context(), a.id, found.RequestID); face.CodeOf(err) != face.CodeNotFound {
			t.Errorf("%v, want not found", err)
		}
	})
	t.Run("NeverEnrolled", func(t *testing.T) {
		if found := a.search(t, picture); found.FaceSearch.TotalMatches != 0 || a.size(t) != 0 {
			t.Errorf("%s", found.raw)
		}
	})
}

func TestIsolation(t *testing.T) {
	one, other := newTenant(t), newTenant(t)
	picture := facetest.Photograph(t, "obama.jpg")
	made := one.enrol(t, picture, text("vendor_data", "known-to-one-alone"))
	if found := other.search(t, picture); found.FaceSearch.TotalMatches != 0 || strings.Contains(string(found.raw), made.SessionID) {
		t.Errorf("a search sees another application's session: %s", found.raw)
	}
	// The same ID is free in another application, and numbers start at 1 in each.
	same := other.enrol(t, facetest.Photograph(t, "biden.jpg"), text("session_id", made.SessionID))
	if same.SessionID != made.SessionID || same.SessionNumber != 1 || made.SessionNumber != 1 {
		t.Errorf("%+v and %+v", made, same)
	}
	if found := one.search(t, picture); found.FaceSearch.TotalMatches != 1 || found.first() != "known-to-one-alone" {
		t.Errorf("%s", found.raw)
	}
	search := one.search(t, picture)
	if _, err := other.gallery.SavedSearch(t.Context(), other.id, search.RequestID); face.CodeOf(err) != face.CodeNotFound {
		t.Errorf("a saved search is visible in another application: %v", err)
	}
}
