package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// Directories within the data directory. A restore works in the first, and renames it to the
// second when all is done: from then on it has happened, and whoever finds the second moves
// its files into their place.
const (
	restoringName = "restore.tmp"
	restoredName  = "restore.done"
)

// A Restored is what Restore has put back.
type Restored struct {
	Manifest Manifest
	// Counts are less than the manifest's where keys had been destroyed: while the backup was
	// made, or since then with keepErased.
	Counts Counts
}

// Restore puts a backup into a directory that holds no store. A directory that holds one is
// refused, but with keepErased, when it must be the same store, stopped: the backup replaces
// it, and every key that was destroyed there stays destroyed, so that nobody comes back who was
// erased since the backup. Whenever it is killed, the directory holds what it held before, or
// the whole backup.
func Restore(ctx context.Context, from io.Reader, directory string, keepErased bool) (Restored, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return Restored{}, fmt.Errorf("making the data directory: %w", err)
	}
	unlock, err := claim(directory, keepErased)
	if err != nil {
		return Restored{}, err
	}
	defer unlock()
	work := filepath.Join(directory, restoringName)
	if err := errors.Join(os.RemoveAll(work), os.Mkdir(work, 0o700)); err != nil {
		return Restored{}, err
	}
	restored, err := restoreInto(ctx, from, work, directory, keepErased)
	if err == nil {
		err = os.Rename(work, filepath.Join(directory, restoredName))
	}
	if err != nil {
		return Restored{}, errors.Join(err, os.RemoveAll(work))
	}
	return restored, errors.Join(syncDirectory(directory), finishRestore(directory))
}

// claim refuses a directory that is not to be touched, and holds its store's lock, as a
// running server does.
func claim(directory string, keepErased bool) (unlock func() error, err error) {
	if err := finishRestore(directory); err != nil {
		return nil, err
	}
	held := false
	for _, name := range []string{FileName, KeysFileName} {
		_, err := os.Stat(filepath.Join(directory, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		held = held || err == nil
	}
	if held && !keepErased {
		return nil, fmt.Errorf("%s holds a store already: name an empty directory; or, to put the backup in the place of this store while whoever was erased from it stays erased, stop its server and add --keep-erased", directory)
	}
	file, err := os.Open(filepath.Join(directory, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // bbolt's lock
		return nil, errors.Join(fmt.Errorf("%s: %w: stop the server first", directory, ErrLocked), file.Close())
	}
	return file.Close, nil
}

// restoreInto makes a whole store in a directory of its own.
func restoreInto(ctx context.Context, from io.Reader, work, directory string, keepErased bool) (restored Restored, err error) {
	restored.Manifest, err = readBackup(from, func(name string) (io.WriteCloser, error) {
		file, err := os.OpenFile(filepath.Join(work, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return syncedFile{file}, err
	})
	if err != nil {
		return Restored{}, err
	}
	if keepErased {
		if err := keepDestroyed(filepath.Join(directory, KeysFileName), work); err != nil {
			return Restored{}, err
		}
	}
	// To open it forgets who was erased, and shows that it can be opened.
	store, err := Open(work, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return Restored{}, fmt.Errorf("opening the restored store: %w", err)
	}
	err = store.db.Update(func(tx *bbolt.Tx) error {
		restored.Counts = countsOf(tx)
		detail := face.AuditDetail("made_at", restored.Manifest.MadeAt.Format(auditMinute), "keep_erased", strconv.FormatBool(keepErased))
		_, err := audit(ctx, tx, "", face.AuditRestore, "", detail)
		return err
	})
	return restored, errors.Join(err, store.Close(), syncDirectory(work))
}

const auditMinute = "2006-01-02T15:04Z"

// A syncedFile is durable when it has been closed.
type syncedFile struct{ *os.File }

func (f syncedFile) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

// keepDestroyed destroys the keys of a restored store that are destroyed in a file of keys of
// today. What today has beyond them is kept as it is, and no slot is used again: a newer backup
// may be restored later, whose people were not erased.
func keepDestroyed(todayPath, work string) error {
	today, err := openVault(todayPath)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s whose erasures could be kept: leave --keep-erased out", todayPath)
	}
	if err != nil {
		return err
	}
	defer today.close()
	restored, err := openVault(filepath.Join(work, KeysFileName))
	if err != nil {
		return err
	}
	doomed, err := destroyedSince(today, restored)
	if err == nil && len(doomed) > 0 {
		err = restored.destroy(doomed...)
	}
	var size int64
	if err == nil {
		size, err = restored.extend(today)
	}
	if err := errors.Join(err, restored.close()); err != nil {
		return err
	}
	db, err := bbolt.Open(filepath.Join(work, FileName), 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		slots := tx.Bucket(slotsBucket)
		return slots.SetSequence(max(slots.Sequence(), uint64(size)/vaultKeyBytes-1))
	})
	return errors.Join(err, db.Close())
}

// destroyedSince lists the slots that are to be destroyed.
func destroyedSince(today, restored *vault) (doomed []uint64, err error) {
	first, err := today.key(secretsSlot)
	own, ownErr := restored.key(secretsSlot)
	if err := errors.Join(err, ownErr); err != nil {
		return nil, err
	}
	if *first != *own {
		return nil, errors.New("the backup is of another store than the one that is there: name an empty directory")
	}
	inToday, err := today.size()
	inRestored, restoredErr := restored.size()
	if err := errors.Join(err, restoredErr); err != nil {
		return nil, err
	}
	keys := window{vault: today}
	for slot := uint64(secretsSlot); offsetOf(slot+1) <= min(inToday, inRestored); slot++ {
		key, err := keys.at(slot)
		if err != nil {
			return nil, err
		}
		if string(key[:]) == vaultDestroyed {
			doomed = append(doomed, slot)
		}
	}
	return doomed, nil
}

// extend copies what another file has beyond the end of this one, and returns the size.
func (v *vault) extend(longer *vault) (int64, error) {
	size, err := v.size()
	whole, wholeErr := longer.size()
	if err := errors.Join(err, wholeErr); err != nil || whole <= size {
		return size, err
	}
	rest := make([]byte, whole-size)
	if _, err := longer.file.ReadAt(rest, size); err != nil {
		return 0, err
	}
	if _, err := v.file.WriteAt(rest, size); err != nil {
		return 0, err
	}
	return whole, v.file.Sync()
}

// finishRestore moves what a restore has left into its place.
func finishRestore(directory string) error {
	done := filepath.Join(directory, restoredName)
	if _, err := os.Stat(done); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, name := range []string{KeysFileName, FileName} {
		err := os.Rename(filepath.Join(done, name), filepath.Join(directory, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // moved before a kill
			return fmt.Errorf("finishing a restore: %w", err)
		}
	}
	return errors.Join(syncDirectory(directory), os.Remove(done))
}

func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
