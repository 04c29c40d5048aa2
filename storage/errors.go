package storage

import (
	"errors"
	"fmt"
	"time"

	"github.com/pipes-sync/pipes/crdt"
)

// Kinds of errors, for errors.Is. Those with a typed companion say more
// through errors.As.
var (
	ErrNotFound        = errors.New("storage: not found")
	ErrClosed          = errors.New("storage: closed")
	ErrNoReplica       = errors.New("storage: no replica in this directory")
	ErrReplicaExists   = errors.New("storage: the directory already has a replica")
	ErrLocked          = errors.New("storage: locked by another process")          // LockedError
	ErrDiskFull        = errors.New("storage: disk full")                          // DiskFullError
	ErrStoreFailed     = errors.New("storage: the store failed")                   // FailedError
	ErrDamaged         = errors.New("storage: damaged")                            // DamagedError
	ErrWrongPassphrase = errors.New("storage: wrong passphrase")                   // KeyError
	ErrWrongKey        = errors.New("storage: wrong root key")                     // KeyError
	ErrNewerFormat     = errors.New("storage: written by a newer version")         // FormatError
	ErrReadOnly        = errors.New("storage: opened or mounted read-only")        //
	ErrNotEmpty        = errors.New("storage: the directory holds something else") //
	ErrTooLarge        = errors.New("storage: value, batch or name is too large")  //
)

// LockedError says who has the directory open. Fields are zero where the
// holder's note could not be read.
type LockedError struct {
	Dir     string
	PID     int
	Host    string
	Since   time.Time // by the holder's clock
	Command string
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("storage: %s is open in another process; end it and try again", e.Dir)
	}
	return fmt.Sprintf("storage: %s is open in process %d on %s (%s) since %s; end it and try again",
		e.Dir, e.PID, e.Host, e.Command, e.Since.Format(time.RFC3339))
}

func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// DiskFullError says how much room there is, in bytes. Nothing of the refused
// call was written.
type DiskFullError struct {
	Dir     string
	Free    uint64
	Reserve uint64
}

func (e *DiskFullError) Error() string {
	return fmt.Sprintf("storage: disk full: %d MiB free at %s, %d MiB are kept in reserve; make room and try again",
		e.Free>>20, e.Dir, e.Reserve>>20)
}

func (e *DiskFullError) Is(target error) bool { return target == ErrDiskFull }

// FailedError says why the store stopped. A commit that got it may or may not
// be on disk; everything acknowledged before is.
type FailedError struct {
	Dir   string
	Cause error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("storage: the store at %s failed and must be opened again: %v", e.Dir, e.Cause)
}

func (e *FailedError) Is(target error) bool {
	return target == ErrStoreFailed || target == ErrDiskFull && isNoSpace(e.Cause)
}

func (e *FailedError) Unwrap() error { return e.Cause }

// DamagedError names what cannot be read. The document can be fetched again
// from a peer; other documents are not affected.
type DamagedError struct {
	Doc   crdt.DocID // zero where no document is concerned or known
	What  string     // the kind of record, as "change set" or "head record"
	Key   []byte     // the Pebble key, nil where unknown
	Cause error
}

func (e *DamagedError) Error() string {
	s := "storage: damaged " + e.What
	if e.Doc != (crdt.DocID{}) {
		s += " of document " + e.Doc.String()
	}
	if e.Key != nil {
		s += fmt.Sprintf(" at key %x", e.Key)
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }
func (e *DamagedError) Unwrap() error        { return e.Cause }

// KeyError says why the root key is not to be had. It is [ErrWrongPassphrase]
// or [ErrWrongKey].
type KeyError struct {
	Dir  string
	Kind error // ErrWrongPassphrase or ErrWrongKey
	Hint string
}

func (e *KeyError) Error() string { return fmt.Sprintf("%v for %s: %s", e.Kind, e.Dir, e.Hint) }
func (e *KeyError) Unwrap() error { return e.Kind }

// FormatError says which format version was found.
type FormatError struct {
	Dir         string
	Have, Known int
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("storage: %s has format %d, this program knows up to %d; use a newer one", e.Dir, e.Have, e.Known)
}

func (e *FormatError) Is(target error) bool { return target == ErrNewerFormat }
