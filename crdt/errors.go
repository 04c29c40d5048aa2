package crdt

import (
	"errors"
	"fmt"
)

// What can be wrong with a request. [PathError] and [HeadsError] say which.
var (
	// ErrNoPath: nothing is at the path.
	ErrNoPath = errors.New("crdt: no such path")
	// ErrType: what is at the path, or the value given, is of the wrong kind.
	ErrType = errors.New("crdt: wrong kind")
	// ErrRange: a position is before the start or past the end.
	ErrRange = errors.New("crdt: position out of range")
	// ErrKey: a map key is empty, which the format does not allow.
	ErrKey = errors.New("crdt: empty key")
	// ErrUTF8: a key or a string is not valid UTF-8.
	ErrUTF8 = errors.New("crdt: not valid UTF-8")
	// ErrDepth: a value is nested deeper than [MaxDepth].
	ErrDepth = errors.New("crdt: nested too deep")
	// ErrNoObject: the document has no object of that id.
	ErrNoObject = errors.New("crdt: no such object")
	// ErrNoChange: the document has no change of that hash.
	ErrNoChange = errors.New("crdt: no such change")
	// ErrHeads: after Apply the heads are not those expected.
	ErrHeads = errors.New("crdt: unexpected heads")
	// ErrBusy: a transaction is open.
	ErrBusy = errors.New("crdt: a transaction is open")
	// ErrDone: the transaction was committed or rolled back.
	ErrDone = errors.New("crdt: transaction is done")
	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("crdt: engine is closed")
)

// PathError says where in a document a request failed. It wraps [ErrNoPath],
// [ErrType], [ErrRange] or what the engine reported.
type PathError struct {
	Path   Path
	Detail string // what is there, "" when Err says it all
	Err    error
}

func (e *PathError) Error() string {
	s := fmt.Sprintf("%v: %q", e.Err, clip(e.Path.String()))
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

func (e *PathError) Unwrap() error { return e.Err }

func pathErr(p Path, err error, format string, args ...any) error {
	return &PathError{Path: p, Detail: fmt.Sprintf(format, args...), Err: err}
}

// HeadsError says that a document's heads are not those that were expected: the
// engine's state must not be trusted. It wraps [ErrHeads].
type HeadsError struct {
	Want, Got []ChangeHash
}

func (e *HeadsError) Error() string {
	return fmt.Sprintf("%v: want %v, got %v", ErrHeads, e.Want, e.Got)
}

func (e *HeadsError) Unwrap() error { return ErrHeads }
