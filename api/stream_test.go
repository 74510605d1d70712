package api_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"facesearch/api"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/photo"
)

// dial opens a connection on which a test speaks HTTP by hand.
func (a *tenant) dial(t *testing.T) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	connection.SetDeadline(time.Now().Add(patience))
	return connection
}

// head is the start of a search's request whose form has the boundary b.
func (a *tenant) head(more string) string {
	return "POST /v3/face-search/ HTTP/1.1\r\nHost: test\r\nx-api-key: " + a.key +
		"\r\nContent-Type: multipart/form-data; boundary=b\r\n" + more + "\r\n\r\n"
}

func readAnswer(t *testing.T, connection net.Conn) answer {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, body}
}

// TestEndlessBody sends forms that never end, until the server has had enough of it.
func TestEndlessBody(t *testing.T) {
	a := newTenant(t)
	unchanged := a.unchanged(t)
	picture := "Content-Disposition: form-data; name=\"user_image\"; filename=\"a.jpg\"\r\n\r\n"
	for name, start := range map[string]string{
		"Picture":     "--b\r\n" + picture,
		"UnknownPart": "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n",
		"PartHeader":  "--b\r\nX-Endless: ",
		"NoPart":      "",
		"AfterTheEnd": "--b\r\n" + picture + "x\r\n--b--\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			connection := a.dial(t)
			sent := make(chan int, 1)
			var heapMax uint64
			before := heap()
			go func() {
				total := 0
				fmt.Fprint(connection, a.head("Transfer-Encoding: chunked"))
				fmt.Fprintf(connection, "%x\r\n%s\r\n", max(1, len(start)), start+strings.Repeat(" ", max(0, 1-len(start))))
				block := append([]byte("100000\r\n"), bytes.Repeat([]byte("x"), 0x100000)...)
				block = append(block, "\r\n"...)
				for total < 512 {
					if _, err := connection.Write(block); err != nil {
						break
					}
					total++
					heapMax = max(heapMax, heap())
				}
				sent <- total
			}()
			got := readAnswer(t, connection)
			if name == "NoPart" || name == "PartHeader" {
				got.refused(t, 400, "invalid_request", "") // too large or malformed, whichever is seen first
			} else {
				got.refused(t, 400, "invalid_request", "too large")
			}
			megabytes := <-sent
			if megabytes > 64 {
				t.Errorf("the server read %d MB before it hung up", megabytes)
			}
			if growth := int64(heapMax) - int64(before); growth > 128<<20 {
				t.Errorf("memory grew by %d MB", growth>>20)
			}
		})
	}
	unchanged()
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestRefusedBeforeItIsRead: a client that listens only after it has sent everything, as many
// do, still gets to see why its large picture was refused.
func TestRefusedBeforeItIsRead(t *testing.T) {
	a := newTenant(t)
	kind, body := form(file("user_image", make([]byte, photo.BytesMax)))
	withoutKey := &tenant{world: a.world, url: a.url}
	starting := &tenant{world: a.world, key: a.key, url: notReady(t)}
	for range 5 { // what is seen of a connection that is cut is a matter of luck
		for name, each := range map[string]struct {
			from       *tenant
			path, kind string
			status     int
		}{
			"NoKey":      {withoutKey, "/v3/face-search/", kind, 401},
			"OtherType":  {a, "/v3/face-search/", "application/octet-stream", 400},
			"NotFound":   {a, "/v3/other/", kind, 404},
			"BadMethod":  {a, "/v3/media/x", kind, 405},
			"NotStarted": {starting, "/v3/face-search/", kind, 503},
		} {
			connection := each.from.dial(t)
			_, err := fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: test\r\nx-api-key: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
				each.path, each.from.key, each.kind, len(body), body)
			if err != nil {
				t.Fatalf("%s: sending: %v", name, err)
			}
			if got := readAnswer(t, connection); got.status != each.status {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
			connection.Close()
		}
	}
}

func notReady(t *testing.T) string {
	t.Helper()
	server := listen(api.New(api.Options{Log: testLog()}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestInterruptedClients(t *testing.T) {
	a := newTenant(t)
	picture := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 400))
	_, body := form(file("user_image", picture))
	unchanged := a.unchanged(t)
	t.Run("StopsInTheMiddle", func(t *testing.T) {
		for _, sent := range []int{0, 1, len(body) / 2, len(body) - 1} {
			connection := a.dial(t)
			fmt.Fprint(connection, a.head(fmt.Sprintf("Content-Length: %d", len(body))))
			connection.Write(body[:sent])
			connection.Close()
		}
	})
	t.Run("StopsSendingAndListens", func(t *testing.T) {
		connection := a.dial(t)
		fmt.Fprint(connection, a.head("Content-Length: 100000"))
		fmt.Fprint(connection, "--b\r\nContent-Disposition: form-data; name=\"user_image\"\r\n\r\nx")
		if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		readAnswer(t, connection).refused(t, 400, "invalid_request", "malformed or ends before")
	})
	unchanged()
	t.Run("Slow", func(t *testing.T) {
		slow := make(chan answer, 1)
		reader, writer := io.Pipe()
		kind, body := form(file("user_image", picture))
		request := a.request(t, http.MethodPost, "/v3/face-search/", kind, reader)
		go func() {
			got, err := do(request)
			if err != nil {
				got.body = []byte(err.Error())
			}
			slow <- got
		}()
		for len(body) > 0 {
			piece := min(len(body), 4096)
			writer.Write(body[:piece])
			body = body[piece:]
			a.search(t, picture) // others do not wait for the slow one
		}
		writer.Close()
		if got := <-slow; got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("ServerGoesOn", func(t *testing.T) { a.search(t, picture) })
}

// FuzzForm: whatever is sent as a form is refused as invalid, or is within its bounds.
func FuzzForm(f *testing.F) {
	picture := "Content-Disposition: form-data; name=\"user_image\"; filename=\"a.jpg\"\r\n\r\n"
	vendor := "Content-Disposition: form-data; name=\"vendor_data\"\r\n\r\n"
	for _, body := range []string{
		"", "--b--\r\n", "--b\r\n" + picture + "data\r\n--b--\r\n",
		"--b\r\n" + picture + "data\r\n--b\r\n" + vendor + "user-1\r\n--b--\r\nepilogue",
		"preamble\r\n--b\n" + vendor + "bare line feeds\n--b--\n",
		"--b\r\n" + vendor + "one\r\n--b\r\n" + vendor + "two\r\n--b--\r\n",
		// A form in a form, with the same boundary and with a longer one.
		"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n" + picture + "--b\r\n" + vendor + "x\r\n--b--\r\n--b--\r\n",
		"--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n" + picture + "--bb\r\n" + vendor + "x\r\n--bb--\r\n--b--\r\n",
		"--b\r\nX-Long: " + strings.Repeat("x", 70_000) + "\r\n" + vendor + "x\r\n--b--\r\n",
		"--b\r\n" + strings.Repeat("X-Many: x\r\n", 2_000) + vendor + "x\r\n--b--\r\n",
		"--b\r\n" + vendor + strings.Repeat("y", 17_000) + "\r\n--b--\r\n",
		strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"z\"\r\n\r\n\r\n", 40) + "--b--\r\n",
		"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n" + vendor + "=FF=\r\n=zz\r\n--b--\r\n",
		"--b\r\nContent-Disposition: form-data; name=\"vendor_data\"; name*=utf-8''user_image\r\n\r\nx\r\n--b--\r\n",
		"--b\r\n" + vendor + "\xff\xfe\r\n--b--\r\n", "--b\r\n: \r\n\r\n--b--", "--b\r\n\r\n\r\n--b--\r\n",
	} {
		f.Add("multipart/form-data; boundary=b", []byte(body))
	}
	f.Add("multipart/form-data; boundary=\"\"", []byte("----\r\n"))
	f.Add("multipart/form-data; boundary="+strings.Repeat("b", 80), []byte("--b--"))
	f.Add("application/json", []byte("{}"))
	server := api.New(api.Options{Log: testLog()})
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		request.Header["Content-Type"] = []string{kind}
		files, fields, err := api.ReadForm(server, request, []string{"user_image"}, []string{"vendor_data", "rotate_image"})
		if err != nil {
			var refusal *face.Error
			if !errors.As(err, &refusal) || refusal.Code != face.CodeInvalid || refusal.Detail == "" {
				t.Fatalf("%v is not a refusal of an invalid request", err)
			}
			return
		}
		if len(files) > 1 || len(fields) > 2 {
			t.Fatalf("%d files and %d fields", len(files), len(fields))
		}
		for name, data := range files {
			if name != "user_image" || data == nil || len(data) > min(len(body), photo.BytesMax) {
				t.Fatalf("file %q of %d bytes out of a body of %d", name, len(data), len(body))
			}
		}
		for name, value := range fields {
			if name != "vendor_data" && name != "rotate_image" || len(value) > min(len(body), api.FieldBytesMax) {
				t.Fatalf("field %q of %d bytes out of a body of %d", name, len(value), len(body))
			}
		}
	})
}
