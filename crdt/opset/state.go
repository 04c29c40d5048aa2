package opset

import (
	"iter"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// Options are the quotas of a [State]. They decide what waits, never what is
// valid. Zero means the default.
type Options struct {
	MaxPending      int // changes in the queue; 4,096
	MaxPendingBytes int // their size in memory; 16 MiB
}

// State is the history of one document. Make one with [New] or [Load]. It is
// not safe for concurrent use.
type State struct {
	changes []changeRec // in the order of application
	index   map[crdt.ChangeHash]uint32
	heads   []uint32     // places of the heads, in no order
	news    []clockEntry // what the clocks of changes add to their parents'

	actors  []actorRec
	actorOf map[change.Actor]uint32
	objects []objectRec // [0] is the root map
	keys    []string    // map keys, each once
	keyOf   map[string]uint32
	elems   []opRef // the elements that were set after their insert, per operation
	maxOp   uint64

	queue queue
	work  scratch
}

// changeRec is one applied change. Its clock is the parent's clock, the parent
// itself and the entries news[firstNew:] up to the next change's firstNew.
type changeRec struct {
	hash     crdt.ChangeHash
	actor    uint32
	seq      uint32
	maxOp    uint32 // counter of its last operation, startOp-1 if it has none
	parent   uint32 // place of one of its deps plus 1; 0: the clock stands alone
	firstNew uint32
	cost     uint32 // entries on the way to a clock that stands alone
}

// actorRec is what one actor did.
type actorRec struct {
	id      change.Actor
	changes []uint32   // places of its changes, by seq-1
	spans   []span     // its operations that others may refer to, ascending
	objects []objectAt // the objects it made, ascending
	hint    int        // the span found last
}

// opRef is an operation id with this state's own number for the actor.
type opRef struct{ ctr, actor uint32 }

// objectAt says under which counter an actor made an object.
type objectAt struct{ ctr, object uint32 }

// objectRec is an object. What made it is in the actor's spans.
type objectRec struct {
	list  bool // a list or a text; otherwise a map
	depth uint8
}

// New returns the state of an empty document.
func New(opts Options) *State {
	return &State{
		index:   map[crdt.ChangeHash]uint32{},
		actorOf: map[change.Actor]uint32{},
		keyOf:   map[string]uint32{},
		objects: []objectRec{{}},
		queue:   newQueue(opts),
	}
}

// Heads returns the hashes of the applied changes that no applied change
// follows, ascending.
func (s *State) Heads() []crdt.ChangeHash {
	hs := make([]crdt.ChangeHash, len(s.heads))
	for i, at := range s.heads {
		hs[i] = s.changes[at].hash
	}
	slices.SortFunc(hs, crdt.CompareIDs)
	return hs
}

// MaxOp returns the highest operation counter applied; 0 if there is none.
func (s *State) MaxOp() uint64 { return s.maxOp }

// Len returns the number of changes applied.
func (s *State) Len() int { return len(s.changes) }

// Has reports whether the change is applied.
func (s *State) Has(h crdt.ChangeHash) bool {
	_, ok := s.index[h]
	return ok
}

// Index returns the place of an applied change in the order of application.
func (s *State) Index(h crdt.ChangeHash) (int, bool) {
	i, ok := s.index[h]
	return int(i), ok
}

// Hash returns the hash of the i-th change applied, from 0 to Len()-1.
func (s *State) Hash(i int) crdt.ChangeHash { return s.changes[i].hash }

// Seq returns the number of changes of an actor that are applied.
func (s *State) Seq(a change.Actor) uint64 {
	i, ok := s.actorOf[a]
	if !ok {
		return 0
	}
	return uint64(len(s.actors[i].changes))
}

// Actors yields the actors in the order in which they first appeared, with the
// number of their changes.
func (s *State) Actors() iter.Seq2[change.Actor, uint64] {
	return func(yield func(change.Actor, uint64) bool) {
		for _, a := range s.actors {
			if !yield(a.id, uint64(len(a.changes))) {
				return
			}
		}
	}
}

// Bytes returns the memory that the state keeps without its queue, in bytes,
// approximately.
func (s *State) Bytes() int {
	const mapSlot = 2 // a map keeps up to twice the room it needs
	n := cap(s.changes)*56 + cap(s.news)*8 + cap(s.objects)*2 + cap(s.elems)*8 + cap(s.keys)*16 +
		len(s.index)*36*mapSlot + len(s.keyOf)*20*mapSlot
	for _, k := range s.keys {
		n += len(k)
	}
	for _, a := range s.actors {
		n += 112 + 20*mapSlot + len(a.id) + cap(a.changes)*4 + cap(a.spans)*16 + cap(a.objects)*8
	}
	return n
}
