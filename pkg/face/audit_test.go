package face_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/face"
)

func newEntry() face.AuditEntry {
	entry := face.AuditEntry{
		Number: 7, At: time.Date(2025, 6, 10, 12, 30, 0, 5000, time.FixedZone("", 7200)), Application: "application", Actor: "key-1",
		Action: face.AuditErase, Object: "3:id,", Detail: face.ErasureDetail(1, 2, "ids", "a,b c&d"), Previous: sha256.Sum256([]byte("before")),
	}
	entry.Hash = entry.Sum()
	return entry
}

// TestAuditEncoding pins the canonical form, which others rebuild to check a receipt.
func TestAuditEncoding(t *testing.T) {
	entry := newEntry()
	previous := fmt.Sprintf("%x", sha256.Sum256([]byte("before")))
	want := "19:facesearch audit v1,1:7,30:2025-06-10T10:30:00.000005000Z,11:application,5:key-1,5:erase,5:3:id,," +
		"41:sessions=1 searches=2 ids=a%2Cb+c%26d,64:" + previous + ","
	want = strings.Replace(want, "41:", fmt.Sprint(len(entry.Detail))+":", 1)
	if got := string(entry.Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(want))); got != entry.Sum().String() {
		t.Errorf("hash %s", entry.Sum())
	}
	if details := entry.Details(); details["ids"] != "a,b c&d" || details["searches"] != "2" {
		t.Errorf("%v", details)
	}
	t.Run("JSON", func(t *testing.T) {
		text, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		var again face.AuditEntry
		if err := json.Unmarshal(text, &again); err != nil || again.Sum() != entry.Hash || again.Hash != entry.Hash {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

func FuzzDecodeAuditEntry(f *testing.F) {
	f.Add(newEntry().Encode())
	f.Add(face.AuditEntry{}.Encode())
	f.Add([]byte("19:facesearch audit v1,1:7,"))
	f.Fuzz(func(t *testing.T, text []byte) {
		entry, err := face.DecodeAuditEntry(text)
		if err == nil && !bytes.Equal(entry.Encode(), text) {
			t.Errorf("%q was read as %+v", text, entry)
		}
	})
}

func TestDecodeAuditEntry(t *testing.T) {
	entry := newEntry()
	text := entry.Encode()
	got, err := face.DecodeAuditEntry(text)
	if err != nil || got.Sum() != entry.Hash {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, wrong := range []string{"", "x", string(text[:len(text)-1]), string(text) + "1:x,", strings.Replace(string(text), "1:7,", "01:7,", 1),
		strings.Replace(string(text), "1:7,", "2:07,", 1), strings.Replace(string(text), "v1", "v2", 1), strings.Replace(string(text), "19:", "-1:", 1),
		strings.Replace(string(text), "19:", "99999999999999999999:", 1)} {
		if _, err := face.DecodeAuditEntry([]byte(wrong)); err == nil {
			t.Errorf("%q was read", wrong)
		}
	}
}

func TestParseAuditHead(t *testing.T) {
	hash := newEntry().Hash
	if head, err := face.ParseAuditHead("7:" + hash.String()); err != nil || head.Number != 7 || head.Hash != hash {
		t.Errorf("%+v, %v", head, err)
	}
	for _, wrong := range []string{"", "7", "7:", ":" + hash.String(), "0:" + hash.String(), "-7:" + hash.String(), "7:" + hash.String()[1:], "7:" + hash.String() + "0"} {
		if _, err := face.ParseAuditHead(wrong); face.CodeOf(err) != face.CodeInvalid {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestSettingsDetail(t *testing.T) {
	from := face.DefaultSettings()
	to := from
	if got, err := face.SettingsDetail(from, to); err != nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
	to.SimilarityThreshold, to.AllowMultipleFaces, to.MatchAction = 87.5, true, face.InReview
	if got, err := face.SettingsDetail(from, to); err != nil || got != "similarity_threshold=87.5 allow_multiple_faces=true" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestActor(t *testing.T) {
	if got := face.ActorOf(context.Background()); got != face.ServerActor {
		t.Errorf("%+v", got)
	}
	if got := face.ActorOf(face.WithActor(t.Context(), face.Actor{ID: "key-1", Name: "a name"})); got.ID != "key-1" || got.Name != "a name" {
		t.Errorf("%+v", got)
	}
}
