package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

// Who and what is moved.
const (
	movedSessions = 400
	movedAccounts = 30
)

// fillForMove makes a store that takes a while to move.
func fillForMove(t *testing.T, data string) {
	t.Helper()
	store, err := bolt.Open(data, bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	failures := []error{
		store.CreateApplication(t.Context(), face.Application{ID: "one", Name: "one", CreatedAt: time.Now()}),
		store.RotateMediaSecret(t.Context(), false),
	}
	for n := range movedSessions {
		template := make(face.Template, face.TemplateDim)
		template[n%face.TemplateDim] = float32(n)
		id := fmt.Sprint("session-", n)
		_, _, err := store.Enrol(t.Context(), "one", face.Enrolment{
			Session:  face.Session{ID: id, Status: face.Approved, Fingerprint: id, PictureID: "picture-" + id, CreatedAt: time.Now(), VerifiedAt: time.Now()},
			Template: template, Picture: face.Picture{ContentType: "image/jpeg", Data: []byte("of " + id)},
		})
		failures = append(failures, err)
	}
	for n := range movedAccounts {
		_, err := store.ChangeAccount(t.Context(), fmt.Sprintf("%d@example.org", n), func(account *face.Account) error {
			account.CodeTries = n
			return nil
		})
		failures = append(failures, err)
	}
	if err := errors.Join(append(failures, store.Close())...); err != nil {
		t.Fatal(err)
	}
}

// migrateKilled moves a store and is killed again and again, a little later each time, until it
// comes to its end. Then everything is there.
func migrateKilled(t *testing.T, way ...string) {
	t.Helper()
	kills := 0
	for after := 20 * time.Millisecond; ; after += after / 4 {
		cmd := command(t, nil, append([]string{"migrate"}, way...)...)
		var out bytes.Buffer
		var said facetest.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if cmd.ProcessState.ExitCode() == -1 {
			kills++
			continue
		}
		var report struct {
			Sessions     int `json:"sessions"`
			Accounts     int `json:"accounts"`
			MediaSecrets int `json:"media_secrets"`
		}
		if err != nil || json.Unmarshal(out.Bytes(), &report) != nil || report.Sessions != movedSessions || report.Accounts != movedAccounts || report.MediaSecrets != 2 {
			t.Errorf("after %d kills: %s, %v\n%s", kills, &out, err, said.String())
		}
		if kills == 0 {
			t.Error("it was never killed")
		}
		return
	}
}

// TestMigrateKilled: kill -9 at any moment, and it goes on where it was.
func TestMigrateKilled(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	fillForMove(t, from)
	migrateKilled(t, "--from", "bolt:"+from, "--to", "bolt:"+to)
}

// A moved is what people were given before a store was moved.
type moved struct {
	old, rotated string // addresses of pictures, from before and after a rotation
	receipt      string // its file
	code, email  string
}

// useBeforeMove gives out what has to work afterwards, and returns the sessions that stay.
func useBeforeMove(t *testing.T, s *server) moved {
	t.Helper()
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	gone := s.enrolled(t, photograph)
	stays := enrolPhotograph(t, s, "astronaut.png").SessionID
	m := moved{old: address(t, s, stays), receipt: filepath.Join(t.TempDir(), "receipt"), email: "somebody.special@example.org"}
	run(t, nil, "media", "rotate", "--data", s.data).ended(t, 0, "good until they expire")
	m.rotated = address(t, s, stays)
	write(t, filepath.Dir(m.receipt), map[string][]byte{"receipt": []byte(s.erase(t, gone) + "\n")})
	var answer map[string]any
	if got := post(t, s.url+"/auth/v2/programmatic/register/", `{"email": "`+m.email+`", "password": "MyStr0ng!Pass"}`, &answer); got != 201 {
		t.Fatalf("%d %v", got, answer)
	}
	s.waitFor(t, "code=")
	m.code = codePattern.FindStringSubmatch(s.said.String())[1]
	m.guess(t, s, 2)
	return m
}

// guess tries wrong codes.
func (m moved) guess(t *testing.T, s *server, times int) {
	t.Helper()
	for range times {
		var answer map[string]any
		if got := post(t, s.url+"/auth/v2/programmatic/verify-email/", `{"email": "`+m.email+`", "code": "222222"}`, &answer); got == 200 {
			t.Fatalf("%d %v", got, answer)
		}
	}
}

// verify tries the right code.
func (m moved) verify(t *testing.T, s *server) (status int, key string) {
	t.Helper()
	var answer struct {
		APIKey string `json:"api_key"`
	}
	status = post(t, s.url+"/auth/v2/programmatic/verify-email/", `{"email": "`+m.email+`", "code": "`+m.code+`"}`, &answer)
	return status, answer.APIKey
}

// requireSigned wants what the old store signed to be good.
func (m moved) requireSigned(t *testing.T, s *server) {
	t.Helper()
	for _, each := range []string{m.old, m.rotated} {
		if got := status(t, http.MethodGet, s.url+pathOf(t, each)); got != http.StatusOK {
			t.Errorf("the address of a picture from before: %d", got)
		}
	}
	run(t, nil, "audit", "receipt", m.receipt, "--data", s.data).ended(t, 0, "The receipt is good")
}

// TestMigrateInUse: what people were given by the old store's server, the new one's accepts.
func TestMigrateInUse(t *testing.T) {
	from, to, used := t.TempDir(), t.TempDir(), t.TempDir()
	s := serve(t, from, nil, "--workers", "1", "--registration", "--bootstrap-key", bootstrapKey)
	m := useBeforeMove(t, s)
	s.stop(t)
	run(t, nil, "migrate", "--from", "bolt:"+from, "--to", "bolt:"+to).ended(t, 0, "1 accounts, 2 secrets for addresses")
	run(t, nil, "migrate", "--from", "bolt:"+from, "--to", "bolt:"+used).ended(t, 0, "1 accounts")
	s = serve(t, to, nil, "--workers", "1", "--registration")
	m.requireSigned(t, s)
	if got, key := m.verify(t, s); got != http.StatusOK || key == "" {
		t.Errorf("the code of before: %d", got)
	}
	s.stop(t)
	s = serve(t, used, nil, "--workers", "1", "--registration")
	m.guess(t, s, 3) // five in all
	if got, _ := m.verify(t, s); got == http.StatusOK {
		t.Error("the tries of before are forgotten")
	}
	s.stop(t)
}
