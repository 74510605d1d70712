package main

import (
	"fmt"
	"io"
	"time"
)

// progressStep is how often a long copy says how far it is.
const progressStep = 2 * time.Second

// A progressReader says how much has been read.
type progressReader struct {
	from  io.Reader
	to    io.Writer
	what  string
	bytes int64
	said  time.Time
}

func newProgressReader(from io.Reader, to io.Writer, what string) *progressReader {
	return &progressReader{from: from, to: to, what: what, said: time.Now()}
}

func (p *progressReader) Read(into []byte) (int, error) {
	n, err := p.from.Read(into)
	p.bytes += int64(n)
	if time.Since(p.said) >= progressStep {
		p.said = time.Now()
		fmt.Fprintf(p.to, "%s: %.0f MB\n", p.what, float64(p.bytes)/1e6)
	}
	return n, err
}
