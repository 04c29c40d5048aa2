package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	lockFile   = "lock"
	holderFile = "holder"
)

// holder is DIR/holder. It is a file of its own because locking a file
// truncates it, and closing any descriptor of a locked file unlocks it.
type holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"`
}

// lockDir takes the lock of dir or answers a *LockedError that names who has
// it. Closing the result gives it back.
func lockDir(fsys vfs.FS, dir string) (io.Closer, error) {
	l, err := fsys.Lock(fsys.PathJoin(dir, lockFile))
	if err != nil {
		// An error of the file itself names its path; one of the lock does not.
		if path := (*fs.PathError)(nil); errors.As(err, &path) {
			return nil, fmt.Errorf("storage: lock %s: %w", dir, readOnlyDisk(err))
		}
		e := &LockedError{Dir: dir}
		var h holder
		if text, err := readSmall(fsys, dir, holderFile); err == nil && json.Unmarshal(text, &h) == nil {
			e.PID, e.Host, e.Since, e.Command = h.PID, h.Host, h.Since, h.Command
		}
		return nil, e
	}
	host, _ := os.Hostname() // empty when unknown
	h := holder{os.Getpid(), host, time.Now().UTC().Truncate(time.Second), filepath.Base(os.Args[0])}
	text, err := json.Marshal(h)
	if err == nil {
		err = writeSmall(fsys, dir, holderFile, append(text, '\n'))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage: note the holder of the lock: %w", err), l.Close())
	}
	return l, nil
}

// readOnlyDisk adds ErrReadOnly to an error that means it.
func readOnlyDisk(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}
