package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const journalFile = "journal"

// A slot is a note's length, its checksum, the note, and at the end its mark: 0, or 1
// if what the note announces set it. See Slot.
const (
	journalSlot = 128
	journalMark = journalSlot - 1
)

// MaxNote bounds a journal's note, in bytes.
const MaxNote = journalMark - 8

// Note is what was being done when a process ended.
type Note struct {
	Text   []byte
	Marked bool // the mark was set, see Slot
}

// Slot is the place of a note in the journal. The byte at Offset of the file FD is
// its mark: code that knows it is about to end the process may set it to 1, with one
// system call. FD is [NoFile] where the file system has none.
type Slot struct {
	FD     uintptr
	Offset int64
	n      int
}

// NoFile is no file descriptor.
const NoFile = vfs.InvalidFd

// Journal remembers what is being done at this moment, so that a process that dies
// on it finds it at its next start. It survives the end of the process, not a power
// cut: a note is written and not synced, and costs a few microseconds. Safe for
// concurrent use.
type Journal struct {
	mu   sync.Mutex
	f    vfs.File
	used []bool // slots
}

// OpenJournal opens the replica's journal and answers the notes of what was not
// ended when the process before died. They stay until [Journal.Clear].
func (s *Store) OpenJournal() (*Journal, []Note, error) {
	fsys := s.opt.FS
	path := fsys.PathJoin(s.dir, journalFile)
	f, err := fsys.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if errors.Is(err, os.ErrNotExist) {
		if f, err = fsys.Create(path, vfs.WriteCategoryUnspecified); err == nil {
			err = f.Close()
		}
		if err == nil {
			f, err = fsys.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("storage: journal: %w", readOnlyDisk(err))
	}
	j := &Journal{f: f}
	notes, err := j.read()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("storage: journal: %w", err), f.Close())
	}
	return j, notes, nil
}

// read answers the notes in the file. A slot that was being written is empty: what
// it was to announce had not begun.
func (j *Journal) read() (notes []Note, err error) {
	info, err := j.f.Stat()
	if err != nil {
		return nil, err
	}
	for off := int64(0); off < info.Size(); off += journalSlot {
		var slot [journalSlot]byte
		if _, err := j.f.ReadAt(slot[:], off); err != nil && err != io.EOF {
			return nil, err
		}
		j.used = append(j.used, false)
		n := binary.BigEndian.Uint32(slot[:])
		if n == 0 || n > MaxNote {
			continue
		}
		note := slot[8 : 8+n]
		if crc32.ChecksumIEEE(note) == binary.BigEndian.Uint32(slot[4:]) {
			notes = append(notes, Note{append([]byte(nil), note...), slot[journalMark] != 0})
		}
	}
	return notes, nil
}

// Begin writes a note and answers its slot. It panics if the note is longer than
// MaxNote.
func (j *Journal) Begin(note []byte) (Slot, error) {
	if len(note) > MaxNote {
		panic("storage: journal note too long")
	}
	var b [journalSlot]byte
	binary.BigEndian.PutUint32(b[:], uint32(len(note)))
	binary.BigEndian.PutUint32(b[4:], crc32.ChecksumIEEE(note))
	copy(b[8:], note)
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for n < len(j.used) && j.used[n] {
		n++
	}
	if n == len(j.used) {
		j.used = append(j.used, false)
	}
	at := int64(n) * journalSlot
	if _, err := j.f.WriteAt(b[:], at); err != nil {
		return Slot{}, fmt.Errorf("storage: journal: %w", err)
	}
	j.used[n] = true
	return Slot{j.f.Fd(), at + journalMark, n}, nil
}

// End takes a note away. A note that cannot be taken away costs the item it names,
// no more.
func (j *Journal) End(slot Slot) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.endLocked(slot.n)
}

func (j *Journal) endLocked(n int) error {
	var empty [4]byte
	if _, err := j.f.WriteAt(empty[:], int64(n)*journalSlot); err != nil {
		return fmt.Errorf("storage: journal: %w", err)
	}
	j.used[n] = false
	return nil
}

// Clear takes all notes away.
func (j *Journal) Clear() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	for n := range j.used {
		err = errors.Join(err, j.endLocked(n))
	}
	return err
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
