package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"facesearch/pkg/client"
	"facesearch/pkg/photo"
)

type importCommand struct {
	clientFlags `embed:""`
	From        string `arg:"" name:"folder-or-csv" help:"A folder, whose files NAME/anything.jpg and NAME.jpg are pictures of NAME; or a CSV file with a column file and any of vendor_data, full_name, document_type, document_number, status, verification_date and session_id."`
	Parallel    int    `help:"Pictures sent at once." default:"${workers}"`
}

// An entry is one picture to enrol.
type entry struct {
	file   string
	fields client.EnrolFields
}

// Run can be stopped and run again: a picture that is enrolled already is told by its
// content and its fields, and costs the server next to nothing. One that is refused is named
// and does not keep the rest from it.
func (c *importCommand) Run(ctx context.Context, to streams) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	if c.Parallel < 1 {
		return errors.New("--parallel is at least 1")
	}
	entries, err := readEntries(c.From)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return fmt.Errorf("%s has no pictures", c.From)
	}
	started := time.Now()
	progress := newProgress(to.err, len(entries), "enrolling")
	enrolled, refused, err := c.enrolAll(ctx, server, entries, progress)
	progress.finish()
	if err != nil {
		return fmt.Errorf("stopped after %d of %d pictures; run it again to go on: %w", enrolled, len(entries), err)
	}
	fmt.Fprintf(to.err, "%d of %d pictures are enrolled, %d refused, in %.1f s\n", enrolled, len(entries), refused, time.Since(started).Seconds())
	if refused > 0 {
		return errFailed
	}
	return nil
}

// enrolAll sends the entries over a few connections, and stops at the first error that is no
// refusal.
func (c *importCommand) enrolAll(ctx context.Context, server *client.Client, entries []entry, progress *progress) (enrolled, refused int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan entry)
	var group sync.WaitGroup
	var accepted, rejected atomic.Int64
	for range c.Parallel {
		group.Go(func() {
			for each := range queue {
				err := enrol(ctx, server, each)
				var unreadable *fs.PathError
				switch {
				case err == nil:
					accepted.Add(1)
				case client.Refused(err) && !isUnauthorized(err) || errors.As(err, &unreadable):
					rejected.Add(1)
					progress.line(fmt.Sprintf("refused %s: %v", each.file, err))
				default:
					cancel(err)
					return
				}
				progress.add()
			}
		})
	}
	for _, each := range entries {
		select {
		case queue <- each:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	group.Wait()
	return accepted.Load(), rejected.Load(), context.Cause(ctx)
}

func isUnauthorized(err error) bool {
	var answer *client.Error
	return errors.As(err, &answer) && (answer.Status == 401 || answer.Status == 403)
}

func enrol(ctx context.Context, server *client.Client, each entry) error {
	info, err := os.Stat(each.file)
	if err != nil {
		return err
	}
	if info.Size() > photo.BytesMax {
		return &client.Error{Status: 400, Detail: fmt.Sprintf("The picture has %d bytes; at most %d (5 MB) are accepted.", info.Size(), photo.BytesMax)}
	}
	picture, err := os.ReadFile(each.file)
	if err != nil {
		return err
	}
	fields := client.EnrolFields{}
	for name, value := range each.fields {
		fields[name] = value
	}
	if fields["session_id"] == "" {
		fields["session_id"] = importID(picture, fields)
	}
	_, err = server.Enrol(ctx, picture, fields)
	return err
}

// importID names a session by what is enrolled, so that the same picture with the same
// fields is the same session however often it is sent.
func importID(picture []byte, fields client.EnrolFields) string {
	hash := sha256.New()
	hash.Write(picture)
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(hash, "\x00%s\x00%s", name, fields[name])
	}
	return uuid.NewSHA1(uuid.NameSpaceOID, hash.Sum(nil)).String()
}

func readEntries(from string) ([]entry, error) {
	info, err := os.Stat(from)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return folderEntries(from)
	}
	file, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return csvEntries(file, filepath.Dir(from))
}

// pictureEndings are the names under which a folder's pictures are looked for; what they are
// is told by their bytes.
var pictureEndings = map[string]bool{".jpg": true, ".jpeg": true, ".png": true, ".webp": true, ".tif": true, ".tiff": true}

// folderEntries lists the pictures of a folder in a fixed order. The name of the folder a
// picture is in, or else its own without the ending, is the person's.
func folderEntries(folder string) ([]entry, error) {
	var entries []entry
	err := filepath.WalkDir(folder, func(path string, item fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		ending := strings.ToLower(filepath.Ext(path))
		if item.IsDir() || !pictureEndings[ending] || strings.HasPrefix(item.Name(), ".") {
			return nil
		}
		inside, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(item.Name(), filepath.Ext(path))
		if first, _, ok := strings.Cut(filepath.ToSlash(inside), "/"); ok {
			name = first
		}
		entries = append(entries, entry{path, client.EnrolFields{"vendor_data": name}})
		return nil
	})
	return entries, err
}

var csvColumns = map[string]bool{
	"file": true, "vendor_data": true, "full_name": true, "document_type": true,
	"document_number": true, "status": true, "verification_date": true, "session_id": true,
}

// csvEntries reads a table with a heading; file names are relative to the table's folder.
func csvEntries(from io.Reader, folder string) ([]entry, error) {
	reader := csv.NewReader(from)
	heading, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("the CSV file has no heading: %w", err)
	}
	fileColumn := -1
	for i, name := range heading {
		heading[i] = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		if !csvColumns[heading[i]] {
			return nil, fmt.Errorf("the CSV file has a column %q, which is not known", heading[i])
		}
		if heading[i] == "file" {
			fileColumn = i
		}
	}
	if fileColumn < 0 {
		return nil, errors.New("the CSV file has no column named file")
	}
	var entries []entry
	for {
		row, err := reader.Read()
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the CSV file: %w", err)
		}
		fields := client.EnrolFields{}
		for i, value := range row {
			if i != fileColumn && value != "" {
				fields[heading[i]] = value
			}
		}
		file := row[fileColumn]
		if !filepath.IsAbs(file) {
			file = filepath.Join(folder, file)
		}
		entries = append(entries, entry{file, fields})
	}
}

// A progress shows how far a long command is: a bar on a terminal, a line now and then
// elsewhere.
type progress struct {
	mu    sync.Mutex
	to    io.Writer
	bar   *progressbar.ProgressBar // nil: not a terminal
	total int
	done  int
	said  time.Time
	what  string
}

const progressEvery = 10 * time.Second

func newProgress(to io.Writer, total int, what string) *progress {
	p := &progress{to: to, total: total, said: time.Now(), what: what}
	if file, ok := to.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(to), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

func (p *progress) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if p.bar != nil {
		p.bar.Add(1)
		return
	}
	if time.Since(p.said) >= progressEvery {
		p.said = time.Now()
		fmt.Fprintf(p.to, "%s: %d of %d\n", p.what, p.done, p.total)
	}
}

// line writes something of its own without tearing the bar.
func (p *progress) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintln(p.to, text)
}

func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Finish()
		fmt.Fprintln(p.to)
	}
}
