package storage

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system that Pebble sees. It exists because Pebble's answer
// to a failed write or fsync of a log is to end the process or to leave its
// writers waiting for ever. Once the store is live, disk freezes it instead
// and from then on lets Pebble believe that writes succeed while nothing
// reaches the disk, as if the power had been cut at that moment. Callers
// unwind normally and [health.guard] tells them the truth.
//
// A table that cannot be written for lack of space is no failure: Pebble tries
// again, and disk makes it wait until there is room.
type disk struct {
	vfs.FS
	h    *health
	home string       // prefix of the store's own files; a backup's are none of disk's business
	live *atomic.Bool // before, errors go to whoever is opening the store
}

var errFrozen = errors.New("storage: frozen")

func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

// hide decides what Pebble hears of an error of writing to name.
func (d *disk) hide(name string, err error) error {
	switch {
	case err == nil || d.h.frozen():
		return nil
	case !d.live.Load(), !strings.HasPrefix(name, d.home):
		return err
	case isTable(name) && isNoSpace(err):
		if !d.h.full.Swap(true) {
			d.h.log.Warn("disk full", "dir", d.h.dir)
		}
		return err
	}
	d.h.freeze(err)
	return nil
}

// Unwrap implements [vfs.FS].
func (d *disk) Unwrap() vfs.FS { return d.FS }

// Create implements [vfs.FS].
func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if isTable(name) && strings.HasPrefix(name, d.home) {
		if err := d.awaitRoom(); err != nil {
			return nil, err
		}
	}
	return d.writer(name, func() (vfs.File, error) { return d.FS.Create(name, c) })
}

// awaitRoom holds back a new table while the disk is full, so that Pebble's
// flush, which tries again at once and for ever, does not spin. In a frozen
// store it waits for Close.
func (d *disk) awaitRoom() error {
	const poll = 20 * time.Millisecond
	for d.h.frozen() || d.h.full.Load() {
		if d.h.closing.Load() {
			return errFrozen
		}
		// An unknown amount is worth a try now and then.
		if free, known := d.h.free(); !d.h.frozen() && (!known || free >= 2*tableSize) {
			time.Sleep(poll)
			return nil
		}
		time.Sleep(poll)
	}
	return nil
}

// OpenReadWrite implements [vfs.FS].
func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.writer(name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, c, o...) })
}

// ReuseForWrite implements [vfs.FS].
func (d *disk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.writer(newname, func() (vfs.File, error) { return d.FS.ReuseForWrite(oldname, newname, c) })
}

// OpenDir implements [vfs.FS].
func (d *disk) OpenDir(name string) (vfs.File, error) {
	return d.writer(name, func() (vfs.File, error) { return d.FS.OpenDir(name) })
}

func (d *disk) writer(name string, create func() (vfs.File, error)) (vfs.File, error) {
	if d.h.frozen() {
		return nowhere{}, nil
	}
	f, err := create()
	if err == nil {
		return &diskFile{f, d, name}, nil
	}
	if err := d.hide(name, err); err != nil {
		return nil, err
	}
	return nowhere{}, nil
}

// change does what alters a directory.
func (d *disk) change(name string, f func() error) error {
	if d.h.frozen() {
		return nil
	}
	return d.hide(name, f())
}

// Link implements [vfs.FS].
func (d *disk) Link(o, n string) error {
	return d.change(n, func() error { return d.FS.Link(o, n) })
}

// Rename implements [vfs.FS].
func (d *disk) Rename(o, n string) error {
	return d.change(n, func() error { return d.FS.Rename(o, n) })
}

// Remove implements [vfs.FS]. A file that cannot be removed is no failure.
func (d *disk) Remove(name string) error {
	if d.h.frozen() {
		return nil
	}
	return d.FS.Remove(name)
}

// RemoveAll implements [vfs.FS].
func (d *disk) RemoveAll(name string) error {
	if d.h.frozen() {
		return nil
	}
	return d.FS.RemoveAll(name)
}

// Lock implements [vfs.FS] for Pebble's own lock files: DIR/lock covers them,
// and a stuck Pebble must not keep the directory from being opened again.
func (d *disk) Lock(string) (io.Closer, error) { return unlocked{}, nil }

type unlocked struct{}

func (unlocked) Close() error { return nil }

// diskFile is a file or directory that disk watches.
type diskFile struct {
	vfs.File
	d    *disk
	name string
}

func (f *diskFile) Write(p []byte) (int, error) {
	n := len(p)
	err := f.d.change(f.name, func() (err error) { n, err = f.File.Write(p); return err })
	if err == nil {
		n = len(p)
		f.landed()
	}
	return n, err
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	n := len(p)
	err := f.d.change(f.name, func() (err error) { n, err = f.File.WriteAt(p, off); return err })
	if err == nil {
		n = len(p)
	}
	return n, err
}

func (f *diskFile) Sync() error     { return f.d.change(f.name, f.File.Sync) }
func (f *diskFile) SyncData() error { return f.d.change(f.name, f.File.SyncData) }

func (f *diskFile) SyncTo(length int64) (full bool, err error) {
	err = f.d.change(f.name, func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// landed notes that tables can be written again.
func (f *diskFile) landed() {
	if isTable(f.name) {
		f.d.h.roomAgain()
	}
}

// nowhere is a file of a frozen store: it takes everything and has nothing.
type nowhere struct{}

func (nowhere) Close() error                           { return nil }
func (nowhere) Read([]byte) (int, error)               { return 0, errFrozen }
func (nowhere) ReadAt([]byte, int64) (int, error)      { return 0, errFrozen }
func (nowhere) Write(p []byte) (int, error)            { return len(p), nil }
func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (nowhere) Preallocate(int64, int64) error         { return nil }
func (nowhere) Stat() (vfs.FileInfo, error)            { return nil, errFrozen }
func (nowhere) Sync() error                            { return nil }
func (nowhere) SyncTo(int64) (bool, error)             { return true, nil }
func (nowhere) SyncData() error                        { return nil }
func (nowhere) Prefetch(int64, int64) error            { return nil }
func (nowhere) Fd() uintptr                            { return vfs.InvalidFd }
