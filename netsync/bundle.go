package netsync

import (
	"errors"
	"fmt"
)

// BundleMagic is the first line of a bundle.
const BundleMagic = "pipes bundle v1\n"

// ErrBundle is wrapped by every [*BundleError].
var ErrBundle = errors.New("netsync: bundle refused")

// BundleError says why a file is not a whole and unchanged bundle. Nothing of such
// a file is used.
type BundleError struct {
	Offset int64 // of the frame at fault
	Reason string
	Err    error // detail, may be nil
}

func (e *BundleError) Error() string {
	s := fmt.Sprintf("%v at byte %d: %s", ErrBundle, e.Offset, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap is ErrBundle, and the detail if there is one.
func (e *BundleError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrBundle}
	}
	return []error{ErrBundle, e.Err}
}

// ErrOrder means that a frame came after one of a later phase.
var ErrOrder = errors.New("netsync: frame out of order")

// phase is the place of a frame type in a bundle.
func phase(t Type) int {
	if t == TypePart {
		t = TypeRun
	}
	return int(t)
}

// follow holds the type of frame number n (from 0) against the phase before it, and
// answers the phase then: the begin frame is first, and nowhere else.
func follow(before int, n uint64, t Type) (int, error) {
	if at := phase(t); at >= before && (t == TypeBegin) == (n == 0) {
		return at, nil
	}
	return before, fmt.Errorf("%w: %s", ErrOrder, t)
}
