package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	opensearchgo "github.com/opensearch-project/opensearch-go/v4"

	"facesearch/pkg/face"
)

// An engine speaks HTTP to the cluster. The client's library chooses the node, and passes on to
// the next one when a node does not answer: every write of this package can be sent twice (see
// put), so that this is safe.
type engine struct {
	client *opensearchgo.Client
	// patient waits for as long as it takes, for merges.
	patient   *opensearchgo.Client
	transport *http.Transport
}

// idleMax is how many connections to a node are kept for the next call: as many as there are
// calls at once on a busy server. Go's own default is 2.
const idleMax = 64

func newEngine(options Options) (*engine, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Templates are numbers without a pattern: to compress an answer takes longer than to send it.
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost, transport.DisableCompression = 0, idleMax, true
	config := opensearchgo.Config{
		Transport: transport, Addresses: options.URLs, Username: options.User, Password: options.Password, CACert: options.CA,
		RetryOnStatus: []int{http.StatusBadGateway, http.StatusGatewayTimeout}, EnableRetryOnTimeout: true,
		MaxRetries: max(2, len(options.URLs)), RequestTimeout: options.Timeout / 3,
		ResurrectTimeoutInitial: time.Second, ResurrectTimeoutMax: 5 * time.Second,
	}
	client, err := opensearchgo.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to OpenSearch: %w", err)
	}
	config.RequestTimeout, config.DisableRetry = 0, true
	patient, err := opensearchgo.NewClient(config)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to OpenSearch: %w", err), client.Close())
	}
	return &engine{client, patient, transport}, nil
}

func (e *engine) close() error {
	defer e.transport.CloseIdleConnections()
	return errors.Join(e.client.Close(), e.patient.Close())
}

// An engineError is a refusal of the cluster. Its reason is left out of what is logged, as it
// may quote a document.
type engineError struct {
	Status int
	Type   string
	reason string
}

func (e *engineError) Error() string {
	said := strings.TrimSpace(fmt.Sprintf("OpenSearch answered %d %s", e.Status, e.Type))
	if e.Type == securityRefusal {
		said += ": " + e.reason
	}
	return said
}

// securityRefusal is what the security plugin calls a right that is missing. It names the right and
// the user, and quotes no document.
const securityRefusal = "security_exception"

// busyWait is when a caller is told to ask again.
const busyWait = 5 * time.Second

func busy(cause error) error {
	return &face.Error{
		Code:   face.CodeBusy,
		Detail: "The gallery cannot be reached at the moment, so it is not certain that this was done. Please ask again.", RetryAfter: busyWait, Cause: cause,
	}
}

// call sends one request and decodes the answer into out, unless out is nil. A body that is not
// []byte is sent as JSON. It returns an *engineError that the caller has to judge where the
// cluster refused the request, CodeBusy where it could not carry it out, and the context's
// error where the caller gave up.
func (e *engine) call(ctx context.Context, method, path string, body, out any) error {
	return e.callWith(ctx, e.client, method, path, body, out)
}

func (e *engine) callWith(ctx context.Context, client *opensearchgo.Client, method, path string, body, out any) error {
	request, err := newRequest(ctx, method, path, body)
	if err != nil {
		return err
	}
	response, err := client.Stream(request)
	if response != nil && response.Body != nil {
		defer response.Body.Close()
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(response.Body)
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return busy(err)
	}
	if response.StatusCode >= 300 {
		return refusal(response.StatusCode, data)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("OpenSearch's answer to %s %s is not understood: %w", method, path, err)
	}
	return nil
}

func newRequest(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var data []byte
	kind := "application/json"
	switch body := body.(type) {
	case nil:
	case []byte:
		data, kind = body, "application/x-ndjson"
	default:
		var err error
		if data, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	var reader io.Reader
	if data != nil {
		reader = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, path, reader)
	if err == nil && data != nil {
		request.Header.Set("Content-Type", kind)
	}
	return request, err
}

// refusal makes an error of an answer that is none.
func refusal(status int, data []byte) error {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	failure := &engineError{Status: status}
	if json.Unmarshal(data, &answer) == nil {
		failure.Type, failure.reason = causeOf(answer.Error)
	}
	return failure.judge()
}

func causeOf(data json.RawMessage) (kind, reason string) {
	var cause struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
	if json.Unmarshal(data, &cause) != nil {
		return "", string(data)
	}
	return cause.Type, cause.Reason
}

// judge tells what passes by itself, a full disk or a full queue, from what does not.
func (e *engineError) judge() error {
	passes := e.Status == http.StatusTooManyRequests || e.Status >= 500 || e.Type == "cluster_block_exception"
	if passes {
		return busy(e)
	}
	return e
}

// statusOf is that of an engineError; 0 for any other error.
func statusOf(err error) int {
	var failure *engineError
	if errors.As(err, &failure) {
		return failure.Status
	}
	return 0
}

func isConflict(err error) bool { return statusOf(err) == http.StatusConflict }

// A shardsReport says whether an answer is of all shards.
type shardsReport struct {
	Total  int `json:"total"`
	Failed int `json:"failed"`
}

func (r shardsReport) whole() error {
	if r.Failed > 0 {
		return busy(fmt.Errorf("%d of %d shards did not answer", r.Failed, r.Total))
	}
	return nil
}
