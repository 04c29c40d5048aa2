package acl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
)

// Why an operation is refused for good. All are wrapped by a [*RefusedError].
var (
	// ErrWrongScope: the operation is of another scope, or a second genesis.
	ErrWrongScope = errors.New("acl: wrong scope")
	// ErrBrokenChain: seq and prev do not continue the life's operations.
	ErrBrokenChain = errors.New("acl: broken chain")
	// ErrFork: one life of a device signed two operations in one place; see
	// [*ForkError].
	ErrFork = errors.New("acl: fork")
	// ErrIncarnation: the life it was written in is not announced in the past it
	// names of its person's log.
	ErrIncarnation = errors.New("acl: incarnation not announced")
	// ErrOlderHeads: it names less of a scope than its life announced to know.
	ErrOlderHeads = errors.New("acl: heads older than those announced")
	// ErrTooMany: a limit on a device's operations is passed.
	ErrTooMany = errors.New("acl: too many operations")
	// ErrDenied: the author was not allowed to; see [*DeniedError].
	ErrDenied = errors.New("acl: denied")
	// ErrBadBody: what the operation says contradicts its scope or its past.
	ErrBadBody = errors.New("acl: contradicts its past")
)

// ErrFull says that as many operations wait as a State keeps. It is the State's
// limit, not the operation's fault: offer it again.
var ErrFull = errors.New("acl: too many operations wait")

// ErrPending is wrapped by [*PendingError].
var ErrPending = errors.New("acl: pending")

// RefusedError says which operation is refused; Reason wraps one of the errors
// above or ErrBadSignature.
type RefusedError struct {
	Op     Ref
	Type   Type
	Device crdt.DeviceID
	Reason error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("acl: refused %s %s of device %s: %v", e.Type, e.Op.Op, e.Device, e.Reason)
}

// Unwrap is the reason.
func (e *RefusedError) Unwrap() error { return e.Reason }

func refuse(o *Op, reason error) error {
	return &RefusedError{Op: o.Ref(), Type: o.Type(), Device: o.Device, Reason: reason}
}

// ForkError holds the evidence of a fork: two operations of one scope, device and
// incarnation that continue the same one, or begin the chain. The first to arrive is
// kept.
type ForkError struct{ Kept, Refused *Op }

func (e *ForkError) Error() string {
	return fmt.Sprintf("%v: seq %d is %s already", ErrFork, e.Kept.Seq, e.Kept.ID())
}

// Unwrap is ErrFork.
func (e *ForkError) Unwrap() error { return ErrFork }

// PendingError names operations that must be known before a question has an answer.
type PendingError struct{ Missing []Ref }

func (e *PendingError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: waiting for %d operations", ErrPending, len(e.Missing))
	for i, m := range e.Missing {
		if i == 3 {
			b.WriteString(", ...")
			break
		}
		fmt.Fprintf(&b, ", %s of scope %s", m.Op, m.Scope)
	}
	return b.String()
}

// Unwrap is ErrPending.
func (e *PendingError) Unwrap() error { return ErrPending }

// Denial is the kind of a missing or broken link.
type Denial uint8

// The kinds of denial.
const (
	DeniedNoGrant    Denial = iota + 1 // nobody granted it
	DeniedNotInPast                    // the path names what the author did not know
	DeniedNotAGrant                    // the path names another kind of operation
	DeniedOtherParty                   // the grant is for somebody else
	DeniedPathShape                    // the path is too short, too long, or turns in a circle
	DeniedHeads                        // the heads are not those of the scopes on the path
	DeniedRole                         // the role is too low
	DeniedDepth                        // too many admins appointed one another
)

var denialText = [...]string{
	DeniedNoGrant:    "nobody granted it",
	DeniedNotInPast:  "the grant is not in the past the author names",
	DeniedNotAGrant:  "the path names what is no grant",
	DeniedOtherParty: "the grant is for somebody else",
	DeniedPathShape:  "the path does not lead from a device to the scope",
	DeniedHeads:      "the heads are not those of the scopes on the path",
	DeniedRole:       "the role is too low",
	DeniedDepth:      "the line of admins is too long",
}

func (d Denial) String() string {
	if int(d) < len(denialText) && denialText[d] != "" {
		return denialText[d]
	}
	return fmt.Sprintf("denial(%d)", uint8(d))
}

// DeniedError names the link that is missing or broken. Grant is zero where no
// link is named.
type DeniedError struct {
	Scope crdt.ScopeID
	Grant crdt.AccessOpID
	Why   Denial
	Have  Role // with DeniedRole
	Need  Role // with DeniedRole
}

func (e *DeniedError) Error() string {
	s := fmt.Sprintf("%v in scope %s: %s", ErrDenied, e.Scope, e.Why)
	if e.Why == DeniedRole {
		s += fmt.Sprintf(": %s, needs %s", e.Have, e.Need)
	}
	if e.Grant != (crdt.AccessOpID{}) {
		s += fmt.Sprintf(" (grant %s)", e.Grant)
	}
	return s
}

// Unwrap is ErrDenied.
func (e *DeniedError) Unwrap() error { return ErrDenied }
