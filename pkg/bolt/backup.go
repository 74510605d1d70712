package bolt

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// A backup is a tar file of four files: the store, its keys, a manifest, and the SHA-256 of
// these three, in that order and with nothing else, so that each byte of it is checked. It
// holds the keys: whoever has it can read all that it holds, and who is erased later is still
// in it.

// Names of files in a backup, beside FileName and KeysFileName.
const (
	manifestName = "manifest.json"
	sumsName     = "SHA256SUMS" // as sha256sum writes and checks it
)

// backupFormat is what this code reads and writes.
const backupFormat = "facesearch backup v1"

// A Manifest says what a backup holds.
type Manifest struct {
	Format string         `json:"format"`
	Schema uint32         `json:"schema"` // of the store
	MadeAt time.Time      `json:"made_at"`
	Counts Counts         `json:"counts"`
	Audit  face.AuditHead `json:"audit_head"` // that of the backup itself
	Files  []BackupFile   `json:"files"`
}

// Counts are how much a store holds.
type Counts struct {
	Applications int `json:"applications"`
	Sessions     int `json:"sessions"`
	Searches     int `json:"searches"`
}

// A BackupFile is one file of the store.
type BackupFile struct {
	Name   string      `json:"name"`
	Bytes  int64       `json:"bytes"`
	SHA256 face.Digest `json:"sha256"`
}

// Backup writes a backup, while the store goes on working. The store is as at one moment; the
// keys are read after that, so that who is erased meanwhile is not in the backup.
func (s *Store) Backup(ctx context.Context, to io.Writer) error {
	manifest := Manifest{Format: backupFormat, Schema: schemaVersion, MadeAt: time.Now().UTC()}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		entry, err := audit(ctx, tx, "", face.AuditBackup, "", "")
		manifest.Audit = face.AuditHead{Number: entry.Number, Hash: entry.Hash}
		return err
	})
	if err != nil {
		return err
	}
	into := tar.NewWriter(to)
	err = s.db.View(func(tx *bbolt.Tx) error {
		manifest.Counts = countsOf(tx)
		return manifest.add(into, FileName, tx.Size(), func(w io.Writer) error {
			_, err := tx.WriteTo(w)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("backing up the store: %w", err)
	}
	size, err := s.vault.size()
	if err == nil {
		err = manifest.add(into, KeysFileName, size, func(w io.Writer) error { return s.vault.copyTo(w, size) })
	}
	if err != nil {
		return fmt.Errorf("backing up the keys: %w", err)
	}
	return errors.Join(manifest.finish(into), into.Close())
}

func countsOf(tx *bbolt.Tx) (counts Counts) {
	all := tx.Bucket(applicationsBucket)
	all.ForEachBucket(func(id []byte) error {
		counts.Applications++
		counts.Sessions += all.Bucket(id).Bucket(sessionsBucket).Stats().KeyN
		counts.Searches += all.Bucket(id).Bucket(searchesBucket).Stats().KeyN
		return nil
	})
	return counts
}

// header is the whole of what a backup says of a file: nothing of the machine.
func header(name string, size int64, at time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: at.Truncate(time.Second)}
}

func (m *Manifest) add(into *tar.Writer, name string, size int64, write func(io.Writer) error) error {
	if err := into.WriteHeader(header(name, size, m.MadeAt)); err != nil {
		return err
	}
	hash := sha256.New()
	if err := write(io.MultiWriter(into, hash)); err != nil {
		return err
	}
	m.Files = append(m.Files, BackupFile{name, size, face.Digest(hash.Sum(nil))})
	return nil
}

// finish writes the manifest, and the sums with which sha256sum can check a backup too.
func (m *Manifest) finish(into *tar.Writer) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	for _, file := range []struct {
		name string
		text []byte
	}{{manifestName, text}, {sumsName, m.sums(text)}} {
		if err := into.WriteHeader(header(file.name, int64(len(file.text)), m.MadeAt)); err != nil {
			return err
		}
		if _, err := into.Write(file.text); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manifest) sums(text []byte) (sums []byte) {
	for _, file := range append(m.Files[:len(m.Files):len(m.Files)], BackupFile{Name: manifestName, SHA256: sha256.Sum256(text)}) {
		sums = fmt.Appendf(sums, "%s  %s\n", file.SHA256, file.Name)
	}
	return sums
}

// copyTo writes the first bytes of the file, no key of them overwritten by half.
func (v *vault) copyTo(w io.Writer, size int64) error {
	part := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(part)) {
		part = part[:min(int64(len(part)), size-at)]
		v.mu.RLock()
		_, err := v.file.ReadAt(part, at)
		v.mu.RUnlock()
		if err != nil {
			return err
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// manifestBytesMax bounds the two small files of a backup.
const manifestBytesMax = 1 << 20

// VerifyBackup reads a whole backup and checks each byte of it.
func VerifyBackup(from io.Reader) (Manifest, error) {
	return readBackup(from, func(string) (io.WriteCloser, error) { return discard{}, nil })
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

func damagedBackup(why any) error {
	return fmt.Errorf("the backup is damaged, cut short, or none of this program: %v", why)
}

// readBackup copies the store and its keys out of a backup. It writes what it reads as a backup
// again and compares the two, which covers what no sum does, such as the space between files.
func readBackup(from io.Reader, create func(name string) (io.WriteCloser, error)) (manifest Manifest, err error) {
	given, again := sha256.New(), sha256.New()
	from = io.TeeReader(from, given)
	reader, writer := tar.NewReader(from), tar.NewWriter(again)
	var files []BackupFile
	var small [2]bytes.Buffer // manifest and sums
	for i, name := range []string{FileName, KeysFileName, manifestName, sumsName} {
		var into io.WriteCloser = discard{}
		if i < 2 {
			if into, err = create(name); err != nil {
				return Manifest{}, err
			}
		}
		file, failure := copyFile(reader, writer, name, into, i >= 2, &small[i%2])
		if err := errors.Join(failure, into.Close()); err != nil {
			return Manifest{}, err
		}
		if i < 2 {
			files = append(files, file)
		}
	}
	if _, err := reader.Next(); err != io.EOF {
		return Manifest{}, damagedBackup("it does not end where it should")
	}
	if _, err := io.Copy(io.Discard, from); err != nil {
		return Manifest{}, err
	}
	if err := writer.Close(); err != nil {
		return Manifest{}, damagedBackup(err)
	}
	if !bytes.Equal(given.Sum(nil), again.Sum(nil)) {
		return Manifest{}, damagedBackup("there is something in it that this program did not write")
	}
	err = manifest.check(small[0].Bytes(), small[1].Bytes(), files)
	return manifest, err
}

func copyFile(reader *tar.Reader, writer *tar.Writer, name string, into io.Writer, isSmall bool, small *bytes.Buffer) (file BackupFile, err error) {
	found, err := reader.Next()
	switch {
	case err != nil:
		return file, damagedBackup(err)
	case found.Name != name || isSmall && found.Size > manifestBytesMax:
		return file, damagedBackup("its files are not those of a backup")
	}
	if err := writer.WriteHeader(header(name, found.Size, found.ModTime)); err != nil {
		return file, damagedBackup(err)
	}
	hash := sha256.New()
	targets := []io.Writer{writer, hash, into}
	if isSmall {
		targets = append(targets, small)
	}
	if _, err := io.Copy(io.MultiWriter(targets...), reader); err != nil {
		return file, damagedBackup(err)
	}
	return BackupFile{name, found.Size, face.Digest(hash.Sum(nil))}, nil
}

// check reads the manifest and holds the files and sums against it.
func (m *Manifest) check(text, sums []byte, files []BackupFile) error {
	if err := json.Unmarshal(text, m); err != nil {
		return damagedBackup("its manifest cannot be read")
	}
	if m.Format != backupFormat || m.Schema != schemaVersion {
		return fmt.Errorf("the backup is %q of schema version %d, this program reads %q and %d: use the program version that made it",
			m.Format, m.Schema, backupFormat, schemaVersion)
	}
	if len(m.Files) != len(files) {
		return damagedBackup("its manifest names other files")
	}
	for i, file := range files {
		if m.Files[i] != file {
			return damagedBackup(file.Name + " is not what was backed up")
		}
	}
	if !bytes.Equal(sums, m.sums(text)) {
		return damagedBackup("its manifest is not what was written")
	}
	return nil
}
