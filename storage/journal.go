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

// journalSlot is the room of one note, its length and checksum included.
const journalSlot = 128

// MaxNote bounds a journal's note, in bytes.
const MaxNote = journalSlot - 8

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
func (s *Store) OpenJournal() (*Journal, [][]byte, error) {
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
func (j *Journal) read() (notes [][]byte, err error) {
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
			notes = append(notes, append([]byte(nil), note...))
		}
	}
	return notes, nil
}

// Begin writes a note and answers its slot. It panics if the note is longer than
// MaxNote.
func (j *Journal) Begin(note []byte) (slot int, err error) {
	if len(note) > MaxNote {
		panic("storage: journal note too long")
	}
	var b [journalSlot]byte
	binary.BigEndian.PutUint32(b[:], uint32(len(note)))
	binary.BigEndian.PutUint32(b[4:], crc32.ChecksumIEEE(note))
	copy(b[8:], note)
	j.mu.Lock()
	defer j.mu.Unlock()
	for slot = 0; slot < len(j.used) && j.used[slot]; slot++ {
	}
	if slot == len(j.used) {
		j.used = append(j.used, false)
	}
	if _, err := j.f.WriteAt(b[:], int64(slot)*journalSlot); err != nil {
		return 0, fmt.Errorf("storage: journal: %w", err)
	}
	j.used[slot] = true
	return slot, nil
}

// End takes a note away. A note that cannot be taken away costs the item it names,
// no more.
func (j *Journal) End(slot int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var empty [4]byte
	if _, err := j.f.WriteAt(empty[:], int64(slot)*journalSlot); err != nil {
		return fmt.Errorf("storage: journal: %w", err)
	}
	j.used[slot] = false
	return nil
}

// Clear takes all notes away.
func (j *Journal) Clear() error {
	var err error
	for slot := range j.used {
		err = errors.Join(err, j.End(slot))
	}
	return err
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
