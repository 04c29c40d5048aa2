package acl

import (
	"fmt"
	"iter"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Log is the DAG of one scope's operations. It holds their form, signatures and
// order against each other and knows nothing about rights; [State] does.
//
// Each operation knows its past as a clock, one counter for each device's chain,
// so that "is g in the past of h" costs the same at ten operations and at ten
// thousand. Operations with the same past beyond their own chain share a clock.
type Log struct {
	id     crdt.ScopeID
	nodes  []node                    // in the order added: each after its past
	index  map[crdt.AccessOpID]int32 // into nodes; nil while a scan is as fast
	chains []chain
	heads  []int32 // nodes that no other rests on
	forks  []*ForkError
}

type node struct {
	op    *Op
	chain int32
	clock []uint32 // by chain: how many of its operations are in the past; own chain left out
}

// chain is the operations of one device, by seq-1.
type chain struct {
	device crdt.DeviceID
	nodes  []int32
	under  []tally
}

// tally counts a chain's operations under one grant.
type tally struct {
	grant crdt.AccessOpID
	n     int
}

// indexFrom is the size from which a map pays. Most logs are a private document's
// list and hold one operation.
const indexFrom = 12

// maxForks bounds the evidence kept of one log.
const maxForks = 64

// NewLog begins a log with its genesis, whose signature it verifies.
func NewLog(genesis *Op) (*Log, error) {
	if genesis.Type() != TypeGenesis {
		return nil, refuse(genesis, fmt.Errorf("%w: a log begins with a genesis", ErrWrongScope))
	}
	if err := genesis.Verify(); err != nil {
		return nil, refuse(genesis, err)
	}
	l := &Log{id: genesis.Scope}
	l.insert(genesis)
	return l, nil
}

// Scope is the id of l's scope.
func (l *Log) Scope() crdt.ScopeID { return l.id }

// Len is how many operations l holds.
func (l *Log) Len() int { return len(l.nodes) }

// Genesis is the first operation.
func (l *Log) Genesis() *Op { return l.nodes[0].op }

// Get finds an operation.
func (l *Log) Get(id crdt.AccessOpID) (*Op, bool) {
	if n, ok := l.find(id); ok {
		return l.nodes[n].op, true
	}
	return nil, false
}

// All yields every operation after its past, in the order they were added.
func (l *Log) All() iter.Seq[*Op] {
	return func(yield func(*Op) bool) {
		for _, n := range l.nodes {
			if !yield(n.op) {
				return
			}
		}
	}
}

// Heads are the operations nothing else rests on, ascending.
func (l *Log) Heads() []crdt.AccessOpID {
	ids := make([]crdt.AccessOpID, len(l.heads))
	for i, n := range l.heads {
		ids[i] = l.nodes[n].op.id
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}

// Forks is the evidence kept of devices that signed two operations for one place,
// in the order found, one for each device and at most 64.
func (l *Log) Forks() []*ForkError { return slices.Clone(l.forks) }

// Outcome is what became of an operation that was not refused.
type Outcome uint8

// The outcomes.
const (
	Added     Outcome = iota + 1
	Duplicate         // known before, or waiting already
	Pending           // names operations that are not known
)

func (o Outcome) String() string {
	switch o {
	case Added:
		return "added"
	case Duplicate:
		return "duplicate"
	case Pending:
		return "pending"
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// Add adds o if its past is known. If it is not, the outcome is Pending with what
// is missing, and l is unchanged: the caller keeps o. Errors are [*RefusedError].
func (l *Log) Add(o *Op) (Outcome, []crdt.AccessOpID, error) {
	if _, ok := l.find(o.id); ok {
		return Duplicate, nil, nil
	}
	if o.Scope != l.id || o.Type() == TypeGenesis {
		return 0, nil, refuse(o, ErrWrongScope)
	}
	if err := o.Verify(); err != nil {
		return 0, nil, refuse(o, err)
	}
	if missing, err := l.check(o); err != nil {
		return 0, nil, err
	} else if missing != nil {
		return Pending, missing, nil
	}
	l.insert(o)
	return Added, nil, nil
}

// check holds an authentic operation of this scope against its chain and its past.
func (l *Log) check(o *Op) (missing []crdt.AccessOpID, err error) {
	c, length := l.chainOf(o.Device), 0
	if c >= 0 {
		length = len(l.chains[c].nodes)
	}
	if o.Seq <= uint64(length) {
		kept := l.nodes[l.chains[c].nodes[o.Seq-1]].op
		return nil, refuse(o, l.keepFork(&ForkError{Kept: kept, Refused: o}))
	}
	if o.Seq > 1 {
		prev, ok := l.find(o.Prev)
		switch {
		case !ok:
			missing = append(missing, o.Prev)
		case l.nodes[prev].op.Device != o.Device || l.nodes[prev].op.Seq != o.Seq-1:
			return nil, refuse(o, fmt.Errorf("%w: prev %s is no operation %d of this device", ErrBrokenChain, o.Prev, o.Seq-1))
		}
	}
	for _, d := range o.Deps {
		if _, ok := l.find(d); !ok {
			missing = append(missing, d)
		}
	}
	if missing != nil {
		return missing, nil
	}
	if c >= 0 && l.chains[c].count(o.grant()) >= MaxOpsPerGrant {
		return nil, refuse(o, fmt.Errorf("%w: %d of one device under one grant", ErrTooMany, MaxOpsPerGrant))
	}
	return nil, nil
}

// grant is the link of the path in the operation's own scope.
func (o *Op) grant() crdt.AccessOpID {
	if len(o.Path) == 0 {
		return o.id // a person's genesis
	}
	return o.Path[len(o.Path)-1]
}

func (c *chain) count(grant crdt.AccessOpID) int {
	for _, t := range c.under {
		if t.grant == grant {
			return t.n
		}
	}
	return 0
}

func (l *Log) keepFork(f *ForkError) error {
	known := slices.ContainsFunc(l.forks, func(k *ForkError) bool { return k.Kept.Device == f.Kept.Device })
	if !known && len(l.forks) < maxForks {
		l.forks = append(l.forks, f)
	}
	return f
}

func (l *Log) find(id crdt.AccessOpID) (int32, bool) {
	if l.index != nil {
		n, ok := l.index[id]
		return n, ok
	}
	for i := range l.nodes {
		if l.nodes[i].op.id == id {
			return int32(i), true
		}
	}
	return 0, false
}

// chainOf answers -1 for a device that has written nothing. Devices of one scope
// are few beside its operations, so a scan does.
func (l *Log) chainOf(device crdt.DeviceID) int32 {
	for i := range l.chains {
		if l.chains[i].device == device {
			return int32(i)
		}
	}
	return -1
}

// insert adds an operation that check passed.
func (l *Log) insert(o *Op) {
	n := int32(len(l.nodes))
	c := l.chainOf(o.Device)
	if c < 0 {
		c = int32(len(l.chains))
		l.chains = append(l.chains, chain{device: o.Device})
	}
	l.nodes = append(l.nodes, node{op: o, chain: c, clock: l.clockFor(o, c)})
	ch := &l.chains[c]
	ch.nodes = append(ch.nodes, n)
	ch.add(o.grant())
	l.heads = slices.DeleteFunc(l.heads, func(h int32) bool {
		id := l.nodes[h].op.id
		return id == o.Prev || slices.Contains(o.Deps, id)
	})
	l.heads = append(l.heads, n)
	switch {
	case l.index != nil:
		l.index[o.id] = n
	case len(l.nodes) >= indexFrom:
		l.index = make(map[crdt.AccessOpID]int32, 2*indexFrom)
		for i := range l.nodes {
			l.index[l.nodes[i].op.id] = int32(i)
		}
	}
}

func (c *chain) add(grant crdt.AccessOpID) {
	for i := range c.under {
		if c.under[i].grant == grant {
			c.under[i].n++
			return
		}
	}
	c.under = append(c.under, tally{grant, 1})
}
