package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// DuplicatesOptions are the parameters of a search for duplicates.
type DuplicatesOptions struct {
	Similarity    float64 // in percent; 0: the threshold in force
	SamePerson    bool
	Fresh         bool
	Offset, Limit int // of the groups
}

// A DuplicatesAnswer is the groups found, or how far the search for them has come.
type DuplicatesAnswer struct {
	Status           string           `json:"status"` // running or done
	Similarity       float64          `json:"similarity_percentage"`
	StartedAt        string           `json:"started_at"` // of this comparison
	SessionsExamined int              `json:"sessions_examined"`
	SessionsTotal    int              `json:"sessions_total"`
	TotalPairs       int              `json:"total_pairs"`
	Count            int              `json:"count"`
	Results          []DuplicateGroup `json:"results"`
}

// A DuplicateGroup is people who look alike.
type DuplicateGroup struct {
	People []DuplicatePerson `json:"people"`
	Pairs  []DuplicatePair   `json:"pairs"`
}

// A DuplicatePerson is one person's sessions that look like another's.
type DuplicatePerson struct {
	VendorData *string            `json:"vendor_data"`
	Sessions   []DuplicateSession `json:"sessions"`
}

// A DuplicateSession is what is read of a session.
type DuplicateSession struct {
	SessionID        string  `json:"session_id"`
	SessionNumber    uint64  `json:"session_number"`
	Status           string  `json:"status"`
	PortraitImageURL *string `json:"portrait_image_url"`
	IsBlocklisted    bool    `json:"is_blocklisted"`
}

// A DuplicatePair is two sessions that look alike.
type DuplicatePair struct {
	SessionID      string  `json:"session_id"`
	OtherSessionID string  `json:"other_session_id"`
	Similarity     float64 `json:"similarity_percentage"`
	WeakBridge     bool    `json:"weak_bridge"`
}

// Duplicates asks once; while Status is running there are no Results, and the caller asks again. A
// server that was started again has begun anew: StartedAt is another one then.
func (c *Client) Duplicates(ctx context.Context, options DuplicatesOptions) (*DuplicatesAnswer, error) {
	query := url.Values{}
	if options.Similarity != 0 {
		query.Set("similarity", strconv.FormatFloat(options.Similarity, 'f', -1, 64))
	}
	if options.SamePerson {
		query.Set("same_person", "true")
	}
	if options.Fresh {
		query.Set("fresh", "true")
	}
	query.Set("offset", strconv.Itoa(options.Offset))
	query.Set("limit", strconv.Itoa(options.Limit))
	raw, _, err := c.get(ctx, "/v3/duplicates/?"+query.Encode())
	if err != nil {
		return nil, err
	}
	answer := &DuplicatesAnswer{}
	if err := json.Unmarshal(raw, answer); err != nil {
		return nil, fmt.Errorf("the server's answer is not the expected JSON: %w", err)
	}
	return answer, nil
}

// Picture fetches what is behind a signed address that the server gave. The key is not sent
// along: the address may be another host's.
func (c *Client) Picture(ctx context.Context, address string) (data []byte, contentType string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	anonymous := &Client{http: c.http}
	data, header, err := anonymous.do(request)
	if err != nil {
		return nil, "", err
	}
	return data, header.Get("Content-Type"), nil
}
