package set

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed is wrapped when bytes are not the strict encoding of the
	// object expected, or one of its limits is exceeded.
	ErrMalformed = errors.New("set: malformed")
	// ErrUnsupported is wrapped when a version, suite, kind or codec is unknown to
	// this release.
	ErrUnsupported = errors.New("set: unknown to this version")
	// ErrSignature means that a signature is absent or wrong.
	ErrSignature = errors.New("set: bad signature")
	// ErrPayload means that a payload is not the one its header names.
	ErrPayload = errors.New("set: payload does not match its header")
	// ErrNoPayload means that an item travels without its payload.
	ErrNoPayload = errors.New("set: payload is withheld")
	// ErrChain is wrapped when items that should follow one another in a chain do
	// not, or a header contradicts the item it names as prev.
	ErrChain = errors.New("set: broken chain")
	// ErrTooLarge is wrapped when content exceeds what a set may carry.
	ErrTooLarge = errors.New("set: too large")
	// ErrPart is wrapped when a part does not continue what was assembled.
	ErrPart = errors.New("set: wrong part")
)

// Reason says why an item is inert. Numbers are stored: never renumber.
type Reason uint8

const (
	// ReasonSeal: the payload does not open under its epoch's key.
	ReasonSeal Reason = 1
	// ReasonPadding: wrong bucket, or padding that is not zero.
	ReasonPadding Reason = 2
	// ReasonContent: the content does not decode, or exceeds a limit.
	ReasonContent Reason = 3
	// ReasonCount: not as many changes as the header says.
	ReasonCount Reason = 4
	// ReasonChange: a change is not an uncompressed Automerge change chunk.
	ReasonChange Reason = 5
	// ReasonActor: a change is by an actor that is not the chain's.
	ReasonActor Reason = 6
	// ReasonSeq: a change does not continue the chain's Automerge sequence.
	ReasonSeq Reason = 7
	// ReasonDeps: a change depends on one outside the past of prev and deps.
	ReasonDeps Reason = 8
)

func (r Reason) String() string {
	switch r {
	case ReasonSeal:
		return "seal"
	case ReasonPadding:
		return "padding"
	case ReasonContent:
		return "content"
	case ReasonCount:
		return "count"
	case ReasonChange:
		return "change"
	case ReasonActor:
		return "actor"
	case ReasonSeq:
		return "seq"
	case ReasonDeps:
		return "deps"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// InertError says that an authentic item contributes nothing, and why. It stays
// in its chain.
type InertError struct {
	Reason Reason
	Change int   // index of the change at fault, or -1
	Err    error // detail, may be nil
}

func (e *InertError) Error() string {
	s := "set: inert: " + e.Reason.String()
	if e.Change >= 0 {
		s += fmt.Sprintf(": change %d", e.Change)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *InertError) Unwrap() error { return e.Err }

func inert(r Reason, change int, err error) error { return &InertError{r, change, err} }

// malformed wraps a decoder's error as ErrMalformed, unless it says that the
// object is of a later version.
func malformed(what string, err error) error {
	if err == nil || errors.Is(err, ErrUnsupported) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}
