package replica

import (
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/netsync"
	"github.com/pipes-sync/pipes/storage"
)

// What went wrong. Errors that a caller can act on wrap one of these, or a
// sentinel of package crdt; a typed error around it says which document.
var (
	ErrDenied    = acl.ErrDenied // *acl.DeniedError names the missing grant
	ErrNotFound  = errors.New("replica: not found")
	ErrAmbiguous = errors.New("replica: more than one fits")
	ErrWaiting   = errors.New("replica: waits for what is not here yet")
	ErrTooLarge  = errors.New("replica: change is too large")
	ErrClosed    = errors.New("replica: closed")
	// ErrCopied means that this replica cannot continue its own history in a
	// document. A backup, restored into a new directory, can.
	ErrCopied = errors.New("replica: cannot continue what this device wrote; back up, restore into a new directory and go on there")

	ErrBadBundle       = netsync.ErrBundle // *netsync.BundleError, *ImportError
	ErrExists          = storage.ErrReplicaExists
	ErrNoReplica       = storage.ErrNoReplica
	ErrDamaged         = storage.ErrDamaged
	ErrLocked          = storage.ErrLocked
	ErrDiskFull        = storage.ErrDiskFull
	ErrStoreFailed     = storage.ErrStoreFailed
	ErrWrongPassphrase = storage.ErrWrongPassphrase
)

// DocError says which document an error is about.
type DocError struct {
	Doc crdt.DocID
	Op  string // what was tried: "open", "change", "share"
	Err error
}

func (e *DocError) Error() string { return fmt.Sprintf("%s document %s: %v", e.Op, e.Doc, e.Err) }
func (e *DocError) Unwrap() error { return e.Err }

// docErr puts the document on an error, once.
func docErr(doc crdt.DocID, op string, err error) error {
	var already *DocError
	if err == nil || errors.As(err, &already) {
		return err
	}
	if errors.Is(err, storage.ErrNotFound) && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return &DocError{Doc: doc, Op: op, Err: err}
}

// ExistsError says who lives in a directory where a replica was to be created.
// It wraps ErrExists.
type ExistsError struct {
	Dir    string
	Person crdt.ScopeID  // zero if it could not be read
	Device crdt.DeviceID // zero if it could not be read
}

func (e *ExistsError) Error() string {
	if e.Person == (crdt.ScopeID{}) {
		return fmt.Sprintf("replica: %s already has a replica", e.Dir)
	}
	return fmt.Sprintf("replica: %s already has a replica, of person %s on device %s", e.Dir, e.Person, e.Device)
}

func (e *ExistsError) Unwrap() error { return ErrExists }
