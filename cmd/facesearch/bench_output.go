package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// benchOutput are the flags for where a report goes.
type benchOutput struct {
	JSON string `help:"Write the report as JSON; - is standard output, in place of the table." name:"json" placeholder:"FILE"`
	HTML string `help:"Write the report as one HTML page that needs nothing else." name:"html" placeholder:"FILE"`
}

// A benchReport can be written in every form.
type benchReport interface {
	WriteTable(to io.Writer) error
	WriteHTML(to io.Writer) error
}

// write writes a report in the forms asked for, whether or not measuring ended with an error, and returns that, too.
func (o *benchOutput) write(to streams, report benchReport, measured error) error {
	writeJSON := func(to io.Writer) error {
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	errs := []error{measured}
	switch o.JSON {
	case "":
		errs = append(errs, report.WriteTable(to.out))
	case "-":
		errs = append(errs, writeJSON(to.out))
	default:
		errs = append(errs, report.WriteTable(to.out), writeFile(o.JSON, writeJSON))
	}
	if o.HTML != "" {
		errs = append(errs, writeFile(o.HTML, report.WriteHTML))
	}
	return errors.Join(errs...)
}

func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// How often progress is shown: on a terminal, where each line takes the place of the last, and elsewhere.
const (
	benchProgressQuick = 200 * time.Millisecond
	benchProgressSlow  = 10 * time.Second
)

// A benchProgress shows what a benchmark does once it has taken a second.
type benchProgress struct {
	mu       sync.Mutex
	to       io.Writer
	terminal bool
	said     time.Time
	width    int // of the line on the terminal, in bytes
}

func newBenchProgress(to io.Writer) *benchProgress {
	file, ok := to.(*os.File)
	return &benchProgress{to: to, terminal: ok && term.IsTerminal(int(file.Fd())), said: time.Now().Add(time.Second - benchProgressSlow)}
}

func (p *benchProgress) tell(what string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := benchProgressSlow
	if p.terminal {
		every = benchProgressQuick
	}
	if time.Since(p.said) < every {
		return
	}
	p.said = time.Now()
	line := what
	if total > 0 {
		line = fmt.Sprintf("%s, %d of %d", what, done, total)
	}
	if !p.terminal {
		fmt.Fprintln(p.to, line)
		return
	}
	fmt.Fprintf(p.to, "\r%s%s", line, strings.Repeat(" ", max(0, p.width-len(line))))
	p.width = len(line)
}

// finish clears the line.
func (p *benchProgress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal && p.width > 0 {
		fmt.Fprintf(p.to, "\r%s\r", strings.Repeat(" ", p.width))
	}
}
