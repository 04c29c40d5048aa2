package opset

import (
	"slices"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// Add offers a change. The first outcome is that of c; if c was applied or is
// invalid, the outcomes of queued changes that this decided follow, in the order
// of application. The State keeps c only while it is Pending.
func (s *State) Add(c *change.Change) []Outcome {
	out := []Outcome{s.offer(c)}
	for i := 0; i < len(out); i++ {
		h := out[i].Change.Hash
		switch out[i].Status {
		case Applied:
			for _, r := range s.queue.release(h) {
				out = append(out, s.judge(r))
			}
		case Invalid:
			for _, d := range s.queue.drop(h) {
				out = append(out, Outcome{Change: d, Status: Invalid, Err: &InvalidError{d.Hash, -1, ErrDep}})
			}
		}
	}
	return out
}

// offer queues a change or judges it.
func (s *State) offer(c *change.Change) Outcome {
	if s.Has(c.Hash) || s.queue.has(c.Hash) {
		return Outcome{Change: c, Status: Known}
	}
	if err := c.Canonical(); err != nil {
		return invalid(c, -1, err)
	}
	var missing []crdt.ChangeHash
	for _, d := range c.Deps {
		if !s.Has(d) {
			missing = append(missing, d)
		}
	}
	if len(missing) == 0 {
		return s.judge(c)
	}
	o := Outcome{Change: c, Status: Pending, Missing: missing}
	if !s.queue.put(c, missing) {
		o.Status = Full
	}
	return o
}

func invalid(c *change.Change, op int, rule error) Outcome {
	return Outcome{Change: c, Status: Invalid, Err: &InvalidError{c.Hash, op, rule}}
}

// scratch is memory that judge uses again and again.
type scratch struct {
	clock clock
	deps  []uint32
	ops   checker
}

// judge decides of a change whose deps are all applied, and applies it if it is
// valid.
func (s *State) judge(c *change.Change) Outcome {
	w := &s.work
	w.deps = w.deps[:0]
	pastOp := uint64(0)
	for _, d := range c.Deps {
		at := s.index[d]
		w.deps = append(w.deps, at)
		pastOp = max(pastOp, uint64(s.changes[at].maxOp))
	}
	parent, hasParent := s.past(&w.clock, w.deps)
	me, known := s.actorOf[c.Actor]
	prev := uint32(0)
	if known {
		prev = w.clock.seq[me]
	}
	switch {
	case c.Seq != uint64(prev)+1:
		return invalid(c, -1, ErrSeq)
	case c.StartOp <= pastOp || c.StartOp > pastOp+1+MaxJump:
		return invalid(c, -1, ErrStart)
	case known && len(s.actors[me].changes) > int(prev):
		other := s.changes[s.actors[me].changes[prev]].hash
		return Outcome{Change: c, Status: Equivocates, Err: &EquivocationError{c.Actor, c.Seq, other, c.Hash}}
	}
	if !known {
		me = s.newActor(c.Actor)
		w.clock.grow(len(s.actors))
	}
	if op, err := w.ops.check(s, c, me); err != nil {
		if !known {
			s.dropActor()
		}
		return invalid(c, op, err)
	}
	s.apply(c, me, parent, hasParent)
	return Outcome{Change: c, Status: Applied}
}

func (s *State) newActor(id change.Actor) uint32 {
	id = change.Actor(strings.Clone(string(id)))
	s.actorOf[id] = uint32(len(s.actors))
	s.actors = append(s.actors, actorRec{id: id})
	return uint32(len(s.actors) - 1)
}

func (s *State) dropActor() {
	last := len(s.actors) - 1
	delete(s.actorOf, s.actors[last].id)
	s.actors = s.actors[:last]
}

// apply records a valid change, whose operations are recorded already.
func (s *State) apply(c *change.Change, me, parent uint32, hasParent bool) {
	k, at := &s.work.clock, uint32(len(s.changes))
	rec := changeRec{hash: c.Hash, actor: me, seq: uint32(c.Seq), maxOp: uint32(c.MaxOp())}
	rec.parent, rec.firstNew, rec.cost = s.keepClock(k, parent, hasParent)
	s.changes = append(s.changes, rec)
	s.index[c.Hash] = at
	s.actors[me].changes = append(s.actors[me].changes, at)
	s.maxOp = max(s.maxOp, c.MaxOp())
	s.heads = append(slices.DeleteFunc(s.heads, func(h uint32) bool {
		return slices.Contains(s.work.deps, h)
	}), at)
	k.raise(me, rec.seq)
	k.of = int(at) + 1
}
