package opset

import (
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// Status is what became of a change.
type Status uint8

const (
	// Applied: the change is valid and part of the state.
	Applied Status = iota
	// Known: the change was applied or queued before.
	Known
	// Pending: the change is queued until its deps are applied.
	Pending
	// Full: the change has to wait, and the queue is full. Offer it again later.
	Full
	// Invalid: no replica will ever apply the change, or what builds on it.
	Invalid
	// Equivocates: another change with the same actor and seq is applied.
	Equivocates
)

// String returns a lower-case word.
func (s Status) String() string {
	names := [...]string{"applied", "known", "pending", "full", "invalid", "equivocates"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// Outcome is what became of one change.
type Outcome struct {
	Change  *change.Change
	Status  Status
	Missing []crdt.ChangeHash // Pending, Full: the deps that are not applied
	Err     error             // Invalid: an *[InvalidError] or one of package change's; Equivocates: an *[EquivocationError]
}

// The rules that a change can break, for errors.Is.
var (
	ErrSeq    = errors.New("opset: seq does not follow the author's last change")
	ErrStart  = errors.New("opset: start op does not follow the causal past")
	ErrObject = errors.New("opset: no such object in the causal past")
	ErrKind   = errors.New("opset: key does not fit the kind of object")
	ErrElem   = errors.New("opset: no such element in the causal past")
	ErrPred   = errors.New("opset: predecessor is not a value of that key in the causal past")
	ErrType   = errors.New("opset: increment of something else than a counter")
	ErrTwice  = errors.New("opset: a key set twice without overwriting")
	ErrRepeat = errors.New("opset: a key changed too often")
	ErrDepth  = errors.New("opset: nested too deep")
	ErrDep    = errors.New("opset: follows an invalid change")
)

// InvalidError says which change broke which rule, and where.
type InvalidError struct {
	Hash crdt.ChangeHash
	Op   int   // index of the operation, or -1
	Rule error // one of the rules above, or an error of package change
}

func (e *InvalidError) Error() string {
	if e.Op >= 0 {
		return fmt.Sprintf("%v: operation %d", e.Rule, e.Op)
	}
	return e.Rule.Error()
}

// Unwrap returns the rule.
func (e *InvalidError) Unwrap() error { return e.Rule }

// EquivocationError names the change that is applied in the place of another.
type EquivocationError struct {
	Actor   change.Actor
	Seq     uint64
	Applied crdt.ChangeHash // the one that is here
	Offered crdt.ChangeHash
}

func (e *EquivocationError) Error() string {
	return fmt.Sprintf("opset: actor %v wrote two changes with seq %d", e.Actor, e.Seq)
}
