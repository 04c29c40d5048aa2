package acl

import (
	"fmt"
	"iter"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// State is what one replica knows of who may do what: the logs of many scopes,
// and the operations that wait for what they name. The zero value is empty and
// ready. What it answers depends on the operations it was given and not on their
// order (except where one life of a device forks its own chain: the first is kept).
type State struct {
	scopes  map[crdt.ScopeID]*scope
	waiting pool
}

// scope is a log with what State has worked out about it.
type scope struct {
	log    *Log
	body   *Genesis
	depths []uint8 // by node: of the place the operation gives, or 0
	grants []int32 // nodes
	epochs []int32 // nodes
}

// Status is what became of an operation.
type Status uint8

// The statuses. A later version adds void, for what a revocation ended.
const (
	Unknown   Status = iota // never seen, or refused
	Waiting                 // names operations that are not known
	Effective               // counts
)

func (s Status) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Waiting:
		return "waiting"
	case Effective:
		return "effective"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// Change says that an operation's status is another than before. Err is set, a
// [*RefusedError], where an operation that waited turned out to be refused.
type Change struct {
	Op     *Op
	Status Status
	Err    error
}

// Result is the effect of one Add.
type Result struct {
	Outcome Outcome
	Missing []Ref    // with Pending
	Changes []Change // in causal order; the operation itself and those that waited for it
}

// Add takes an operation in, of any scope, in any order. One that names
// operations not known is kept waiting and taken in by itself when they arrive.
// Errors are [*RefusedError], or ErrFull, and leave s as it was.
func (s *State) Add(o *Op) (Result, error) { return s.add(o, true) }

// Load adds stored operations, in any order and with no limit on how many wait
// meanwhile, and yields what did not become effective.
func (s *State) Load(ops iter.Seq[*Op]) []Change {
	var odd []Change
	for o := range ops {
		res, err := s.add(o, false)
		if err != nil {
			odd = append(odd, Change{Op: o, Err: err})
		}
		for _, c := range res.Changes {
			if c.Err != nil {
				odd = append(odd, c)
			}
		}
	}
	for o := range s.Waiting() {
		odd = append(odd, Change{Op: o, Status: Waiting})
	}
	return odd
}

func (s *State) add(o *Op, bounded bool) (Result, error) {
	if s.Status(o.Ref()) != Unknown {
		return Result{Outcome: Duplicate}, nil
	}
	if err := o.Verify(); err != nil {
		return Result{}, refuse(o, err)
	}
	missing, err := s.admit(o)
	switch {
	case err != nil:
		return Result{}, err
	case missing != nil:
		if bounded && s.waiting.full(o) {
			return Result{}, fmt.Errorf("%w: %d", ErrFull, s.waiting.len())
		}
		s.waiting.put(o, missing[0])
		return Result{Pending, missing, []Change{{Op: o, Status: Waiting}}}, nil
	}
	changes := []Change{{Op: o, Status: Effective}}
	for i := 0; i < len(changes); i++ { // grows as what waited follows
		if changes[i].Status == Effective {
			changes = s.release(changes[i].Op, changes)
		}
	}
	return Result{Outcome: Added, Changes: changes}, nil
}

// release tries again what waited for o.
func (s *State) release(o *Op, changes []Change) []Change {
	for _, w := range s.waiting.take(o.Ref()) {
		missing, err := s.admit(w)
		switch {
		case err != nil:
			changes = append(changes, Change{Op: w, Err: err})
		case missing != nil:
			s.waiting.put(w, missing[0])
		default:
			changes = append(changes, Change{Op: w, Status: Effective})
		}
	}
	return changes
}

// admit inserts an authentic operation, or says what it lacks or why it is refused.
func (s *State) admit(o *Op) (missing []Ref, err error) {
	sc := s.scopes[o.Scope]
	if sc == nil && o.Type() != TypeGenesis {
		return []Ref{genesisRef(o.Scope)}, nil
	}
	if sc != nil {
		own, err := sc.log.check(o)
		if err != nil {
			return nil, err
		}
		for _, id := range own {
			missing = append(missing, Ref{o.Scope, id})
		}
	}
	past, more := s.pastOf(o.Heads)
	if missing = append(missing, more...); len(missing) > 0 {
		return missing, nil
	}
	depth, err := s.judge(sc, o, past)
	if err != nil {
		return nil, refuse(o, err)
	}
	s.insert(sc, o, depth)
	return nil, nil
}

func (s *State) insert(sc *scope, o *Op, depth uint8) {
	if sc == nil {
		log := &Log{id: o.Scope}
		sc = &scope{log: log, body: o.Body.(*Genesis)}
		if s.scopes == nil {
			s.scopes = map[crdt.ScopeID]*scope{}
		}
		s.scopes[o.Scope] = sc
	}
	n := int32(sc.log.Len())
	sc.log.insert(o)
	sc.depths = append(sc.depths, depth)
	switch o.Type() {
	case TypeGrant:
		sc.grants = append(sc.grants, n)
	case TypeEpoch:
		sc.epochs = append(sc.epochs, n)
	}
}

func genesisRef(scope crdt.ScopeID) Ref { return Ref{scope, crdt.AccessOpID(scope)} }

// Status says what became of an operation.
func (s *State) Status(op Ref) Status {
	if sc := s.scopes[op.Scope]; sc != nil {
		if _, ok := sc.log.find(op.Op); ok {
			return Effective
		}
	}
	if s.waiting.has(op.Op) {
		return Waiting
	}
	return Unknown
}

// Log is the log of a scope, which only s may add to.
func (s *State) Log(scope crdt.ScopeID) (*Log, bool) {
	if sc := s.scopes[scope]; sc != nil {
		return sc.log, true
	}
	return nil, false
}

// Scopes yields the scopes whose genesis is known, ascending.
func (s *State) Scopes() iter.Seq[crdt.ScopeID] {
	ids := make([]crdt.ScopeID, 0, len(s.scopes))
	for id := range s.scopes {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareIDs)
	return slices.Values(ids)
}

// Waiting yields the operations that wait, in no particular order.
func (s *State) Waiting() iter.Seq[*Op] { return s.waiting.all() }

// Forget drops an operation that waits, to make room, and reports whether it did.
func (s *State) Forget(id crdt.AccessOpID) bool { return s.waiting.drop(id) }

// Heads are the tips of a scope's log, at most MaxHeads, as an item's header or
// another scope's operation names them. Of more tips it answers those that reach
// all of must first.
func (s *State) Heads(scope crdt.ScopeID, must ...crdt.AccessOpID) (Row, error) {
	sc := s.scopes[scope]
	if sc == nil {
		return Row{}, &PendingError{[]Ref{genesisRef(scope)}}
	}
	return Row{scope, sc.log.pick(MaxHeads, must, crdt.AccessOpID{})}, nil
}
