// Package client calls a facesearch server, or any other with the same API.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answerBytesMax bounds what is read of an answer.
const answerBytesMax = 16 << 20

// The bounds of trying again after 429, 503 or a failed connection.
const (
	triesMax      = 8
	retryWaitMin  = 200 * time.Millisecond
	retryWaitMax  = 30 * time.Second
	clientTimeout = 2 * time.Minute // of one try
)

// A Client calls one server with one key. It is safe for concurrent use.
type Client struct {
	server string
	key    string
	http   *http.Client
	// Once makes a call fail at the first 429, 503 or broken connection, as a benchmark wants.
	Once bool
}

// New makes a client for a server's address, such as http://127.0.0.1:8080.
func New(server, key string) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	return &Client{server: strings.TrimRight(server, "/"), key: key, http: &http.Client{Timeout: clientTimeout, Transport: transport}}
}

// An Error is an answer that is not a success.
type Error struct {
	Status     int
	Code       string `json:"error"`
	Detail     string `json:"detail"`
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	}
	return e.Detail
}

// Refused reports whether the server refused what was sent, so that sending it again is of
// no use.
func Refused(err error) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.Status >= 400 && answer.Status < 500 && answer.Status != http.StatusTooManyRequests
}

// A Match is a session that a search matched.
type Match struct {
	SessionID            string  `json:"session_id"`
	SessionNumber        uint64  `json:"session_number"`
	SimilarityPercentage float64 `json:"similarity_percentage"`
	VendorData           *string `json:"vendor_data"`
	Status               string  `json:"status"`
	IsBlocklisted        bool    `json:"is_blocklisted"`
	// ExpectedFalseMatches is nil unless the application's settings ask for it.
	ExpectedFalseMatches *float64 `json:"expected_false_matches"`
}

// A Warning is what is worth knowing of a picture or of a match.
type Warning struct {
	Risk             string  `json:"risk"`
	AdditionalData   *string `json:"additional_data"`
	LogType          string  `json:"log_type"`
	ShortDescription string  `json:"short_description"`
}

// A MatchedPerson is who has matches, perhaps several.
type MatchedPerson struct {
	VendorData     *string  `json:"vendor_data"`
	SessionIDs     []string `json:"session_ids"`
	BestSimilarity float64  `json:"best_similarity_percentage"`
}

// A SearchAnswer is what is read of a search's answer; Raw is all of it.
type SearchAnswer struct {
	RequestID  string `json:"request_id"`
	FaceSearch struct {
		Status       string  `json:"status"`
		TotalMatches int     `json:"total_matches"`
		Matches      []Match `json:"matches"`
		UserImage    struct {
			Entities []struct {
				Age        *string `json:"age"`
				BBox       [4]int  `json:"bbox"`
				Confidence float64 `json:"confidence"`
				Gender     *string `json:"gender"`
			} `json:"entities"`
			BestAngle int `json:"best_angle"`
		} `json:"user_image"`
		Warnings []Warning `json:"warnings"`
		// People are those of all matches, listed or not; nil unless ByPerson asked for them.
		People []MatchedPerson `json:"people"`
	} `json:"face_search"`
	Raw    []byte      `json:"-"`
	Header http.Header `json:"-"`
}

// SearchOptions are the parameters of a search beside its picture.
type SearchOptions struct {
	Rotate     bool
	Unsaved    bool
	ByPerson   bool
	VendorData string
}

// Search sends one picture.
func (c *Client) Search(ctx context.Context, picture []byte, options SearchOptions) (*SearchAnswer, error) {
	fields := map[string]string{"vendor_data": options.VendorData}
	if options.Rotate {
		fields["rotate_image"] = "true"
	}
	if options.Unsaved {
		fields["save_api_request"] = "false"
	}
	if options.ByPerson {
		fields["group_by_person"] = "true"
	}
	raw, header, err := c.post(ctx, "/v3/face-search/", "user_image", picture, fields)
	if err != nil {
		return nil, err
	}
	answer := &SearchAnswer{Raw: raw, Header: header}
	if err := json.Unmarshal(raw, answer); err != nil {
		return nil, fmt.Errorf("the server's answer is not the expected JSON: %w", err)
	}
	return answer, nil
}

// EnrolFields are the fields of an enrolment by their names in the API; empty ones are left out.
type EnrolFields map[string]string

// A SessionAnswer is what is read of an enrolment's answer.
type SessionAnswer struct {
	SessionID     string `json:"session_id"`
	SessionNumber uint64 `json:"session_number"`
	Status        string `json:"status"`
	// Warnings say what is not good about the picture.
	Warnings []Warning `json:"warnings"`
}

// Enrol sends one person's picture.
func (c *Client) Enrol(ctx context.Context, picture []byte, fields EnrolFields) (*SessionAnswer, error) {
	raw, _, err := c.post(ctx, "/v3/sessions/", "portrait_image", picture, fields)
	if err != nil {
		return nil, err
	}
	answer := &SessionAnswer{}
	if err := json.Unmarshal(raw, answer); err != nil {
		return nil, fmt.Errorf("the server's answer is not the expected JSON: %w", err)
	}
	return answer, nil
}

func (c *Client) post(ctx context.Context, path, name string, picture []byte, fields map[string]string) ([]byte, http.Header, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile(name, "picture")
	if err != nil {
		return nil, nil, err
	}
	part.Write(picture)
	for field, value := range fields {
		if value != "" {
			form.WriteField(field, value)
		}
	}
	if err := form.Close(); err != nil {
		return nil, nil, err
	}
	return c.retry(ctx, func() ([]byte, http.Header, error) {
		return c.once(ctx, path, form.FormDataContentType(), body.Bytes())
	})
}

// retry asks again while an answer says that this may help.
func (c *Client) retry(ctx context.Context, ask func() ([]byte, http.Header, error)) ([]byte, http.Header, error) {
	wait := retryWaitMin
	for try := 1; ; try++ {
		raw, header, err := ask()
		if err == nil || c.Once || try == triesMax || Refused(err) || ctx.Err() != nil {
			return raw, header, err
		}
		var answer *Error
		if errors.As(err, &answer) {
			wait = max(wait, answer.RetryAfter)
		}
		select {
		case <-time.After(min(wait, retryWaitMax)):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		wait *= 2
	}
}

func (c *Client) once(ctx context.Context, path, contentType string, body []byte) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Content-Type", contentType)
	return c.do(request)
}

// get asks for what is at a path.
func (c *Client) get(ctx context.Context, path string) ([]byte, http.Header, error) {
	return c.retry(ctx, func() ([]byte, http.Header, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
		if err != nil {
			return nil, nil, err
		}
		return c.do(request)
	})
}

func (c *Client) do(request *http.Request) ([]byte, http.Header, error) {
	if c.key != "" {
		request.Header.Set("x-api-key", c.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return raw, response.Header, nil
	}
	answer := &Error{Status: response.StatusCode}
	json.Unmarshal(raw, answer) // what is no JSON leaves the status to speak for itself
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		answer.RetryAfter = time.Duration(seconds) * time.Second
	}
	return nil, nil, answer
}
