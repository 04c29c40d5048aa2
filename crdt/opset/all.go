package opset

import (
	"slices"

	"github.com/pipes-sync/pipes/crdt/change"
)

// AddAll offers changes that belong together, each after its deps: all become
// part of the state, or none. Outcomes are those of [State.Add] for each change, in
// order, up to the first that is neither Applied nor Known; then ok is false and the
// state is as it was. Nothing is queued: a change with deps that are not applied is
// Pending, and is not kept.
//
// The queue must be empty, or what waits there could follow a change that is taken
// back; AddAll drops it.
func (s *State) AddAll(cs []*change.Change) (out []Outcome, ok bool) {
	s.queue.clear()
	u := s.begin()
	for _, c := range cs {
		u.touch(c.Actor)
		o := s.offer(c)
		out = append(out, o)
		if o.Status != Applied && o.Status != Known {
			s.queue.clear()
			u.undo()
			return out, false
		}
	}
	return out, true
}

// before is a state as it was before some changes, which only append to it.
type before struct {
	s                     *State
	changes, news, actors int
	objects, keys, elems  int
	heads                 []uint32
	maxOp                 uint64
	touched               map[uint32]actorBefore // of the actors there were
}

// actorBefore is an actor as it was. Only its last span can have grown.
type actorBefore struct {
	changes, spans, objects int
	last                    span
}

func (s *State) begin() *before {
	return &before{
		s: s, changes: len(s.changes), news: len(s.news), actors: len(s.actors),
		objects: len(s.objects), keys: len(s.keys), elems: len(s.elems),
		heads: slices.Clone(s.heads), maxOp: s.maxOp, touched: map[uint32]actorBefore{},
	}
}

// touch notes how an actor is, the first time that it writes.
func (b *before) touch(id change.Actor) {
	at, ok := b.s.actorOf[id]
	if _, done := b.touched[at]; !ok || done || int(at) >= b.actors {
		return
	}
	a := &b.s.actors[at]
	was := actorBefore{changes: len(a.changes), spans: len(a.spans), objects: len(a.objects)}
	if was.spans > 0 {
		was.last = a.spans[was.spans-1]
	}
	b.touched[at] = was
}

// undo makes the state what it was.
func (b *before) undo() {
	s := b.s
	for _, c := range s.changes[b.changes:] {
		delete(s.index, c.hash)
	}
	for at, was := range b.touched {
		a := &s.actors[at]
		a.changes, a.objects = a.changes[:was.changes], a.objects[:was.objects]
		if a.spans = a.spans[:was.spans]; was.spans > 0 {
			a.spans[was.spans-1] = was.last
		}
	}
	for len(s.actors) > b.actors {
		s.dropActor()
	}
	for _, key := range s.keys[b.keys:] {
		delete(s.keyOf, key)
	}
	clear(s.keys[b.keys:])
	s.changes, s.news, s.keys = s.changes[:b.changes], s.news[:b.news], s.keys[:b.keys]
	s.objects, s.elems = s.objects[:b.objects], s.elems[:b.elems]
	s.heads, s.maxOp = b.heads, b.maxOp
	s.work.clock.of = 0 // it may be the clock of a change that is gone
}
