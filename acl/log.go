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
// Operations of one life of a device are a chain, each naming the one before; two
// lives of one device know nothing of each other and are two chains. Each operation
// knows its past as a clock, one counter for each chain, so that "is g in the past
// of h" costs the same at ten operations and at ten thousand. Operations with the
// same past beyond their own chain share a clock.
type Log struct {
	id     crdt.ScopeID
	nodes  []node                    // in the order added: each after its past
	index  map[crdt.AccessOpID]int32 // into nodes; nil while a scan is as fast
	chains []chain
	lives  map[life]int32 // into chains; nil while a scan is as fast
	heads  []int32        // nodes that no other rests on
	forks  []*ForkError
}

type node struct {
	op    *Op
	chain int32
	clock []uint32 // by chain: how many of its operations are in the past; own chain left out
}

// life is one incarnation of a device, or of a recovery key.
type life struct {
	device      crdt.DeviceID
	incarnation crdt.Incarnation
}

func (o *Op) life() life { return life{o.Device, o.Incarnation} }

// chain is the operations of one life, by seq-1.
type chain struct {
	life  life
	nodes []int32
	under []tally
}

// tally counts a chain's operations under one grant.
type tally struct {
	grant crdt.AccessOpID
	n     int
}

// indexFrom is the size from which a map pays, of operations and of chains. Most
// logs are a private document's list and hold one operation.
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
	c, length := l.chainOf(o.life()), 0
	if c >= 0 {
		length = len(l.chains[c].nodes)
	}
	broken := func() error {
		return refuse(o, fmt.Errorf("%w: prev %s is no operation %d of incarnation %s", ErrBrokenChain, o.Prev, o.Seq-1, o.Incarnation))
	}
	if o.Seq <= uint64(length) {
		kept := l.nodes[l.chains[c].nodes[o.Seq-1]].op
		if kept.Prev != o.Prev {
			return nil, broken() // it rests on what was refused, or on nothing
		}
		return nil, refuse(o, l.keepFork(&ForkError{Kept: kept, Refused: o}))
	}
	if o.Seq > 1 {
		prev, ok := l.find(o.Prev)
		switch {
		case !ok:
			missing = append(missing, o.Prev)
		case l.nodes[prev].chain != c || l.nodes[prev].op.Seq != o.Seq-1:
			return nil, broken()
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
		return nil, refuse(o, fmt.Errorf("%w: %d of one incarnation under one grant", ErrTooMany, MaxOpsPerGrant))
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

// chainOf answers -1 for a life that has written nothing here.
func (l *Log) chainOf(who life) int32 {
	if l.lives != nil {
		if c, ok := l.lives[who]; ok {
			return c
		}
		return -1
	}
	for i := range l.chains {
		if l.chains[i].life == who {
			return int32(i)
		}
	}
	return -1
}

func (l *Log) newChain(who life) int32 {
	c := int32(len(l.chains))
	l.chains = append(l.chains, chain{life: who})
	switch {
	case l.lives != nil:
		l.lives[who] = c
	case len(l.chains) >= indexFrom:
		l.lives = make(map[life]int32, 2*indexFrom)
		for i := range l.chains {
			l.lives[l.chains[i].life] = int32(i)
		}
	}
	return c
}

// insert adds an operation that check passed.
func (l *Log) insert(o *Op) {
	n := int32(len(l.nodes))
	c := l.chainOf(o.life())
	if c < 0 {
		c = l.newChain(o.life())
	}
	l.nodes = append(l.nodes, node{op: o, chain: c, clock: l.clockFor(o, c)})
	ch := &l.chains[c]
	ch.nodes = append(ch.nodes, n)
	ch.add(o.grant())
	for _, id := range append(slices.Clone(o.Deps), o.Prev) {
		if named, ok := l.find(id); ok {
			l.heads = slices.DeleteFunc(l.heads, func(h int32) bool { return h == named })
		}
	}
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
