package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"facesearch/pkg/facetest"
)

var keyPattern = regexp.MustCompile(`API key, shown this once: (\S+)`)

func TestServe(t *testing.T) {
	data := t.TempDir()
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	first := serve(t, data, nil, "--workers", "1")
	shown := keyPattern.FindAllStringSubmatch(first.said.String(), -1)
	if len(shown) != 1 {
		t.Fatalf("the key is shown %d times:\n%s", len(shown), first.said)
	}
	key := shown[0][1]
	if !strings.Contains(first.said.String(), "curl -s "+first.url+"/v3/face-search/ -H 'x-api-key: "+key+"' -F user_image=@") {
		t.Errorf("no curl line to paste:\n%s", first.said)
	}
	if got := status(t, http.MethodGet, first.url+"/readyz"); got != http.StatusOK {
		t.Errorf("/readyz %d", got)
	}
	run(t, nil, "health", "--server", first.url+"/").ended(t, 0)
	first.count(t, key)
	created := keysWhileRunning(t, first, key, photograph)
	first.stop(t)
	if text := first.said.String() + first.out.String(); strings.Count(text, key) != strings.Count(readyPart(text), key) || strings.Contains(text, created) {
		t.Errorf("a key is logged:\n%s", text)
	}
	if first.out.String() != "" {
		t.Errorf("standard output: %s", first.out)
	}
	run(t, nil, "health", "--server", first.url).ended(t, 1, "facesearch: ")
	later := keysWhileStopped(t, data, created)

	second := serve(t, data, nil, "--workers", "1")
	if keyPattern.MatchString(second.said.String()) || strings.Contains(second.said.String(), key) {
		t.Errorf("the second start shows a key:\n%s", second.said)
	}
	if answer := second.search(t, key, facetest.Photograph(t, "astronaut.png")); answer.FaceSearch.TotalMatches != 1 {
		t.Errorf("what was enrolled before the restart is not found: %s", answer.Raw)
	}
	second.search(t, later, photograph)
	if _, err := second.client(created).Search(t.Context(), photograph, clientOptions); err == nil {
		t.Error("a key that was revoked while the server was stopped is accepted")
	}
	second.stop(t)
}

// readyPart is what is said for a person to read, before the log of requests.
func readyPart(said string) string {
	greeting, _, _ := strings.Cut(said, "msg=request")
	return greeting
}

type listedKey struct {
	ID         string
	Name       string
	Scope      string
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

func listKeys(t *testing.T, data string) map[string]listedKey {
	t.Helper()
	got := run(t, nil, "keys", "list", "--data", data, "--json")
	got.ended(t, 0)
	var list []listedKey
	if err := json.Unmarshal([]byte(got.out), &list); err != nil {
		t.Fatalf("%v: %s", err, got.out)
	}
	named := map[string]listedKey{}
	for _, key := range list {
		named[key.Name] = key
	}
	return named
}

func createKey(t *testing.T, data, name string) (secret string) {
	t.Helper()
	got := run(t, nil, "keys", "create", "--data", data, "--name", name)
	got.ended(t, 0, "shown this once")
	secret = strings.TrimSuffix(got.out, "\n")
	if len(secret) < 40 || strings.ContainsAny(secret, " \n") {
		t.Fatalf("standard output is not one key: %q", got.out)
	}
	return secret
}

// keysWhileRunning returns a key that it created.
func keysWhileRunning(t *testing.T, s *server, key string, photograph []byte) string {
	t.Helper()
	one, other := createKey(t, s.data, "one"), createKey(t, s.data, "other")
	s.search(t, one, photograph)
	s.search(t, other, photograph)
	keys := listKeys(t, s.data)
	if len(keys) != 3 || keys["one"].RevokedAt != nil || keys["one"].LastUsedAt == nil {
		t.Errorf("%+v", keys)
	}
	run(t, nil, "keys", "revoke", "--data", s.data, keys["one"].ID).ended(t, 0, "is revoked")
	run(t, nil, "keys", "revoke", "--data", s.data, "00000000").ended(t, 1, "no key of that ID")
	if _, err := s.client(one).Search(t.Context(), photograph, clientOptions); err == nil {
		t.Error("a revoked key is accepted")
	}
	s.search(t, other, photograph)
	s.search(t, key, photograph)
	table := run(t, nil, "keys", "list", "--data", s.data)
	table.ended(t, 0)
	if strings.Contains(table.out, one) || !strings.Contains(table.out, keys["one"].ID) {
		t.Errorf("%s", table.out)
	}
	return other
}

// keysWhileStopped revokes a key and creates another.
func keysWhileStopped(t *testing.T, data, revoke string) string {
	t.Helper()
	later := createKey(t, data, "later")
	run(t, nil, "keys", "revoke", "--data", data, listKeys(t, data)["other"].ID).ended(t, 0, "is revoked")
	if keys := listKeys(t, data); keys["other"].LastUsedAt == nil || keys["other"].RevokedAt == nil || keys["one"].RevokedAt == nil || keys["later"].RevokedAt != nil {
		t.Errorf("%+v", keys)
	}
	run(t, nil, "keys", "list", "--data", t.TempDir()).ended(t, 1, "there is no store in")
	return later
}

func TestBootstrapKey(t *testing.T) {
	data := t.TempDir()
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	for _, each := range [][]string{{"--bootstrap-key", "short"}, {"--bootstrap-key", "long enough, but with a space at the end "}} {
		s := start(t, data, nil, append(each, "--workers", "1")...)
		if got := s.wait(t); got != 1 || !strings.Contains(s.said.String(), "at least 16 characters") {
			t.Errorf("exit status %d:\n%s", got, s.said)
		}
	}
	// A key of digits stays as it is written, and nothing of the refused ones is in the way.
	const digits = "0012345678901234567890"
	file := config(t, "bootstrap-key: "+digits+"\nworkers: 1\ndata: "+data+"\n")
	s := serve(t, data, nil, "--config", file)
	if !keyPattern.MatchString(s.said.String()) {
		t.Errorf("the key is not shown:\n%s", s.said)
	}
	s.search(t, digits, photograph)
	s.stop(t)
	// It is for an empty store alone.
	again := serve(t, data, []string{"FACESEARCH_BOOTSTRAP_KEY=another-key-that-comes-late"}, "--workers", "1")
	again.search(t, digits, photograph)
	if _, err := again.client("another-key-that-comes-late").Search(t.Context(), photograph, clientOptions); err == nil {
		t.Error("a bootstrap key was added to a store that has one")
	}
}

func TestSIGTERM(t *testing.T) {
	photograph := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	s := serve(t, t.TempDir(), nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(patience))
	body := "--b\r\nContent-Disposition: form-data; name=\"user_image\"; filename=\"a.jpg\"\r\n\r\n" + string(photograph) + "\r\n--b--\r\n"
	fmt.Fprintf(connection, "POST /v3/face-search/ HTTP/1.1\r\nHost: test\r\nx-api-key: %s\r\nExpect: 100-continue\r\n"+
		"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n", bootstrapKey, len(body))
	reader := bufio.NewReader(connection)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err) // once it says this, the request is under way
	}
	reader.ReadString('\n')
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, "requests under way are finished first")
	io.WriteString(connection, body)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(answer), "face_search") {
		t.Errorf("%d %s, %v", response.StatusCode, answer, err)
	}
	if got := s.wait(t); got != 0 {
		t.Errorf("exit status %d\n%s", got, s.said)
	}
}

func TestSIGTERMWhileStarting(t *testing.T) {
	s := start(t, t.TempDir(), nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	s.cmd.Process.Signal(syscall.SIGTERM)
	// Before the program listens to signals, the system ends it.
	if got := s.wait(t); got != 0 && s.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("exit status %d\n%s", got, s.said)
	}
}

func TestSecondServer(t *testing.T) {
	data := t.TempDir()
	s := serve(t, data, nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	t.Run("ErrSameData", func(t *testing.T) {
		other := start(t, data, nil, "--workers", "1")
		if got := other.wait(t); got != 1 || !strings.Contains(other.said.String(), "the store is in use by another process") {
			t.Errorf("exit status %d\n%s", got, other.said)
		}
	})
	t.Run("ErrSameAddress", func(t *testing.T) {
		address := strings.TrimPrefix(s.url, "http://")
		other := start(t, t.TempDir(), nil, "--workers", "1", "--addr", address)
		if got := other.wait(t); got != 1 || !strings.Contains(other.said.String(), "listening at "+address) ||
			!strings.Contains(other.said.String(), "address already in use") {
			t.Errorf("exit status %d\n%s", got, other.said)
		}
	})
	t.Run("FirstGoesOn", func(t *testing.T) {
		s.search(t, bootstrapKey, facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500)))
		createKey(t, data, "the owner is still heard")
	})
}
