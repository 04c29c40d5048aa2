package change

import (
	"errors"
	"fmt"
)

// What was wrong, for errors.Is.
var (
	// ErrNotChange: the bytes are not a change chunk at all.
	ErrNotChange = errors.New("change: not a change chunk")
	// ErrChecksum: the chunk's checksum is not that of its content.
	ErrChecksum = errors.New("change: wrong checksum")
	// ErrMalformed: the bytes are no encoding of a change, or not the only one.
	ErrMalformed = errors.New("change: malformed")
	// ErrLimit: the change is larger than limits.go allows.
	ErrLimit = errors.New("change: over a limit")
	// ErrNotCanonical: no writer means what the change says; see [Change.Canonical].
	ErrNotCanonical = errors.New("change: not canonical")
	// ErrCompressed: [Split] takes apart uncompressed chunks only.
	ErrCompressed = errors.New("change: compressed chunk")
)

// Error says where in a change something was wrong. It wraps one of the
// sentinels above.
type Error struct {
	Kind error  // one of the sentinels
	Op   int    // index of the operation, or -1
	What string // lower case, no prefix
}

func (e *Error) Error() string {
	if e.Op >= 0 {
		return fmt.Sprintf("%v: operation %d: %s", e.Kind, e.Op, e.What)
	}
	return fmt.Sprintf("%v: %s", e.Kind, e.What)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

func malformed(what string) error { return &Error{ErrMalformed, -1, what} }
func overLimit(what string) error { return &Error{ErrLimit, -1, what} }

// fault holds the first error of a decoder with many parts.
type fault struct{ err error }

func (f *fault) malformed(what string) {
	if f.err == nil {
		f.err = malformed(what)
	}
}

func (f *fault) overLimit(what string) {
	if f.err == nil {
		f.err = overLimit(what)
	}
}
