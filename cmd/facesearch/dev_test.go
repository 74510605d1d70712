package main_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
)

const devKey = "facesearch-dev-key-not-a-secret"

// post sends JSON without a key, and reads the answer.
func post(t *testing.T, address, body string, into any) int {
	t.Helper()
	response, err := http.Post(address, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

var codePattern = regexp.MustCompile(`code=([A-Z2-9]{6})\b`)

// register makes an application by e-mail, with the code that is logged.
func register(t *testing.T, s *server, email string) (key string) {
	t.Helper()
	var answer struct {
		APIKey string `json:"api_key"`
	}
	if got := post(t, s.url+"/auth/v2/programmatic/register/", `{"email": "`+email+`", "password": "MyStr0ng!Pass"}`, &answer); got != 201 {
		t.Fatalf("%d", got)
	}
	s.waitFor(t, "code=")
	code := codePattern.FindStringSubmatch(s.said.String())
	if code == nil {
		t.Fatalf("no code is logged:\n%s", s.said)
	}
	if got := post(t, s.url+"/auth/v2/programmatic/verify-email/", `{"email": "`+email+`", "code": "`+code[1]+`"}`, &answer); got != 200 || answer.APIKey == "" {
		t.Fatalf("%d %+v", got, answer)
	}
	return answer.APIKey
}

var mailedPattern = regexp.MustCompile(`one-time code is ([A-Z2-9]{6})\.`)

// registerByMail makes an application with the code that is mailed.
func registerByMail(t *testing.T, s *server, mail *facetest.MailServer, email string) {
	t.Helper()
	var answer struct {
		APIKey string `json:"api_key"`
	}
	if got := post(t, s.url+"/auth/v2/programmatic/register", `{"email": "`+email+`", "password": "MyStr0ng!Pass"}`, &answer); got != 201 {
		t.Fatalf("%d\n%s", got, s.said)
	}
	said := strings.Join(mail.Next(t).Lines, "\n")
	code := mailedPattern.FindStringSubmatch(said)
	if code == nil || !strings.Contains(said, "RCPT TO:<"+email+">") {
		t.Fatalf("no code was mailed:\n%s", said)
	}
	if got := post(t, s.url+"/auth/v2/programmatic/verify-email", `{"email": "`+email+`", "code": "`+code[1]+`"}`, &answer); got != 200 || answer.APIKey == "" {
		t.Fatalf("%d %+v", got, answer)
	}
}

func TestDev(t *testing.T) {
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	data := t.TempDir()
	plain := serve(t, data, nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	var refusal struct{ Error, Detail string }
	if got := post(t, plain.url+"/auth/v2/programmatic/register/", `{"email": "a@example.org", "password": "MyStr0ng!Pass"}`, &refusal); got != 403 || !strings.Contains(refusal.Detail, "switched off") {
		t.Errorf("%d %+v", got, refusal)
	}
	plain.stop(t)
	for range 2 {
		dev := serve(t, data, nil, "--workers", "1", "--dev")
		for _, words := range []string{"NOT FOR PRODUCTION", "API key of every server with --dev: " + devKey, "-H 'x-api-key: " + devKey + "'"} {
			if !strings.Contains(dev.said.String(), words) {
				t.Errorf("it does not say %q:\n%s", words, dev.said)
			}
		}
		dev.search(t, devKey, photograph)
		dev.search(t, bootstrapKey, photograph)
		request, err := http.NewRequest(http.MethodGet, dev.url+"/v3/settings/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Simulate", "429")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 429 || response.Header.Get("Retry-After") == "" {
			t.Errorf("%d %v", response.StatusCode, response.Header)
		}
		dev.stop(t)
	}
	t.Run("TheKeyIsWorthNothingElsewhere", func(t *testing.T) {
		plain := serve(t, data, nil, "--workers", "1")
		_, err := plain.client(devKey).Search(t.Context(), photograph, clientOptions)
		if refusal, ok := err.(*client.Error); !ok || refusal.Status != 401 {
			t.Errorf("%v", err)
		}
		plain.stop(t)
		got := start(t, t.TempDir(), nil, "--workers", "1", "--bootstrap-key", devKey)
		if status := got.wait(t); status != 1 || !strings.Contains(got.said.String(), "everybody knows") {
			t.Errorf("%d %s", status, got.said)
		}
	})
	t.Run("LoopbackAlone", func(t *testing.T) {
		for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
			got := run(t, nil, "serve", "--dev", "--addr", address, "--data", filepath.Join(t.TempDir(), "data"), "--models", facetest.Models(t))
			got.ended(t, 1, "listens on this machine alone")
		}
	})
}

func TestRegistration(t *testing.T) {
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	s := serve(t, t.TempDir(), nil, "--workers", "1", "--registration", "--bootstrap-key", bootstrapKey)
	const email = "somebody.special@example.org"
	key := register(t, s, email)
	s.search(t, key, photograph)
	s.stop(t)
	if text := s.said.String() + s.out.String(); strings.Contains(text, "special") || strings.Contains(text, "MyStr0ng") || strings.Contains(text, key) {
		t.Errorf("the log says who registered:\n%s", text)
	}
	store, err := os.ReadFile(filepath.Join(s.data, "facesearch.db"))
	if err != nil || bytes.Contains(store, []byte("special")) || bytes.Contains(store, []byte("MyStr0ng")) || !bytes.Contains(store, []byte("$argon2id$v=19$m=19456,t=2,p=1$")) {
		t.Errorf("the store holds the address or the password, or no hash of it: %v", err)
	}
	t.Run("ByMail", func(t *testing.T) {
		post := facetest.ListenMail(t, nil, "AUTH PLAIN LOGIN")
		s := serve(t, t.TempDir(), []string{"FACESEARCH_SMTP_FROM=facesearch@example.org"}, "--workers", "1", "--registration", "--smtp-address", post.Address)
		registerByMail(t, s, post, email)
		s.stop(t)
		if text := s.said.String(); strings.Contains(text, "special") || strings.Contains(text, "code=") {
			t.Errorf("the log says who registered, or the code:\n%s", text)
		}
	})
	for name, arguments := range map[string][]string{
		"WithoutAddress": {"--smtp-from", "a@example.org"}, "BadAddress": {"--smtp-address", "mail", "--smtp-from", "a@example.org"},
		"WithoutSender": {"--smtp-address", "127.0.0.1:25"},
	} {
		t.Run(name, func(t *testing.T) {
			all := append([]string{"serve", "--registration", "--addr", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--models", facetest.Models(t)}, arguments...)
			run(t, nil, all...).ended(t, 1, "--smtp-")
		})
	}
}
