package opset

import (
	"strings"

	"github.com/pipes-sync/pipes/crdt/change"
)

// checker holds the operations of one change against its causal past and records
// them as it goes; a change that turns out to be invalid is undone.
type checker struct {
	s      *State
	c      *change.Change
	me     uint32
	actors []actorView     // by the change's own numbers
	own    map[slot]ownRec // the places that the change changed, its own inserts aside
	ownMax int             // how large own ever was
	work   int             // the sum that MaxRepeats bounds

	obj   change.OpID // the object of the operation before
	objAt uint32
	known bool // obj and objAt are set
}

// actorView is an actor as a change sees it.
type actorView struct {
	actor uint32
	last  uint32 // its highest counter in the causal past
	known bool
}

// slot is a place for values: a key of a map, or an element.
type slot struct {
	object uint32
	at     opRef // the key's number and noActor, or the element
}

// ownRec is what a change did in one place.
type ownRec struct {
	n    uint32 // operations
	last uint32 // the counter of the value that it set and has not deleted, or 0
}

const noActor = 1<<32 - 1

// maxOwnKept is the size above which the next change starts with a new map:
// clearing one takes time in proportion to its largest size.
const maxOwnKept = 4096

// mark is where to return to when a change is invalid.
type mark struct {
	spans, objectsOf, objects, keys, elems int
	last                                   span
}

// check records the operations of c, or none of them and says which broke what.
func (k *checker) check(s *State, c *change.Change, me uint32) (op int, err error) {
	k.s, k.c, k.me, k.known, k.work = s, c, me, false, 0
	k.view()
	if clear(k.own); k.ownMax > maxOwnKept {
		k.own, k.ownMax = nil, 0
	}
	m := k.mark()
	i := 0
	for o := range c.Ops() {
		if err := k.op(o); err != nil {
			k.undo(m)
			return i, err
		}
		i++
	}
	return 0, nil
}

// view looks up the actors that the change names and how far it knows them.
func (k *checker) view() {
	s := k.s
	k.actors = k.actors[:0]
	for _, id := range k.c.Actors {
		v := actorView{}
		v.actor, v.known = s.actorOf[id]
		if v.known {
			if n := s.work.clock.seq[v.actor]; n > 0 {
				v.last = s.changes[s.actors[v.actor].changes[n-1]].maxOp
			}
		}
		k.actors = append(k.actors, v)
	}
}

func (k *checker) mark() mark {
	s, a := k.s, &k.s.actors[k.me]
	m := mark{len(a.spans), len(a.objects), len(s.objects), len(s.keys), len(s.elems), span{}}
	if m.spans > 0 {
		m.last = a.spans[m.spans-1]
	}
	return m
}

func (k *checker) undo(m mark) {
	s, a := k.s, &k.s.actors[k.me]
	if a.spans = a.spans[:m.spans]; m.spans > 0 {
		a.spans[m.spans-1] = m.last
	}
	a.objects, s.objects, s.elems = a.objects[:m.objectsOf], s.objects[:m.objects], s.elems[:m.elems]
	for _, key := range s.keys[m.keys:] {
		delete(s.keyOf, key)
	}
	clear(s.keys[m.keys:])
	s.keys = s.keys[:m.keys]
}

// op checks one operation and records it.
func (k *checker) op(o *change.Op) error {
	obj, err := k.object(o)
	if err != nil {
		return err
	}
	at, err := k.place(o, obj)
	if err != nil {
		return err
	}
	if err := k.preds(o, at); err != nil {
		return err
	}
	if !o.Insert {
		if err := k.repeat(o, at); err != nil {
			return err
		}
	}
	if o.Action == change.Delete || o.Action == change.Increment {
		return nil
	}
	return k.record(o, at)
}

// find looks up an operation in the causal past or earlier in the change.
func (k *checker) find(id change.OpID) (*span, opRef) {
	v := &k.actors[id.Actor]
	if !v.known || id.Actor != 0 && id.Ctr > v.last {
		return nil, opRef{}
	}
	return k.s.actors[v.actor].find(id.Ctr), opRef{id.Ctr, v.actor}
}

// object resolves the object that the operation changes.
func (k *checker) object(o *change.Op) (uint32, error) {
	if o.Obj.IsZero() {
		return 0, nil
	}
	if k.known && k.obj == o.Obj {
		return k.objAt, nil
	}
	v := &k.actors[o.Obj.Actor]
	if !v.known || o.Obj.Actor != 0 && o.Obj.Ctr > v.last {
		return 0, ErrObject
	}
	at, ok := k.s.actors[v.actor].object(o.Obj.Ctr)
	if !ok {
		return 0, ErrObject
	}
	k.obj, k.objAt, k.known = o.Obj, at, true
	return at, nil
}

// place resolves the key or the element that the operation changes. For a key
// that no operation has named yet, which only a set may do, it adds the key.
func (k *checker) place(o *change.Op, obj uint32) (slot, error) {
	s := k.s
	if s.objects[obj].list != (o.Key == "") {
		return slot{}, ErrKind
	}
	if o.Key != "" {
		key, ok := s.keyOf[o.Key]
		if !ok {
			key = uint32(len(s.keys))
			name := strings.Clone(o.Key)
			s.keys, s.keyOf[name] = append(s.keys, name), key
		}
		return slot{obj, opRef{key, noActor}}, nil
	}
	if o.Elem.IsZero() {
		return slot{obj, opRef{}}, nil
	}
	p, at := k.find(o.Elem)
	if p == nil || !p.is(flagInsert) || p.obj != obj || !o.Insert && p.is(flagMark) {
		return slot{}, ErrElem
	}
	return slot{obj, at}, nil
}

// preds checks that each predecessor is a value in the same place. Of values in
// conflict the last one wins; it is the one that must be a counter for an
// increment, which names the others all the same.
func (k *checker) preds(o *change.Op, at slot) error {
	for i, id := range o.Pred {
		p, ref := k.find(id)
		switch {
		case p == nil || p.obj != at.object || p.is(flagMark):
			return ErrPred
		case p.is(flagInsert):
			if at.at != ref {
				return ErrPred
			}
		case at.at.actor == noActor:
			if p.key+ref.ctr-p.start != at.at.ctr {
				return ErrPred
			}
		case k.s.elems[p.key+ref.ctr-p.start] != at.at:
			return ErrPred
		}
		if o.Action == change.Increment && i == len(o.Pred)-1 && !p.is(flagCounter) {
			return ErrType
		}
	}
	return nil
}

// repeat notes that the change does something in a place. It refuses a second
// value of one change there that does not overwrite the first: conflicts are
// between writers. And it refuses to go on for ever.
func (k *checker) repeat(o *change.Op, at slot) error {
	own, ok := k.own[at]
	if !ok && at.at.actor == k.me && uint64(at.at.ctr) >= k.c.StartOp {
		own.last = at.at.ctr // the element's own insert
	}
	own.n++
	if k.work += int(own.n); k.work > MaxRepeats {
		return ErrRepeat
	}
	over := own.last != 0 && overwrites(o, own.last)
	switch o.Action {
	case change.Increment:
	case change.Delete:
		if over {
			own.last = 0
		}
	default:
		if own.last != 0 && !over {
			return ErrTwice
		}
		own.last = o.ID.Ctr
	}
	if k.own == nil {
		k.own = map[slot]ownRec{}
	}
	k.own[at] = own
	k.ownMax = max(k.ownMax, len(k.own))
	return nil
}

func overwrites(o *change.Op, ctr uint32) bool {
	for _, p := range o.Pred {
		if p.Actor == 0 && p.Ctr == ctr {
			return true
		}
	}
	return false
}

// record adds the operation to the author's spans, and the object it makes.
func (k *checker) record(o *change.Op, at slot) error {
	s, a := k.s, &k.s.actors[k.me]
	flags, key := uint32(0), at.at.ctr
	switch {
	case o.Insert:
		flags, key = flagInsert, 0
	case at.at.actor != noActor:
		key = uint32(len(s.elems))
		s.elems = append(s.elems, at.at)
	}
	switch {
	case o.Action == change.Mark:
		flags |= flagMark
	case o.Action == change.Set && o.Value.Type == change.Counter:
		flags |= flagCounter
	}
	a.push(o.ID.Ctr, flags, at.object, key)
	if !o.Action.Makes() {
		return nil
	}
	depth := s.objects[at.object].depth + 1
	if depth > MaxDepth {
		return ErrDepth
	}
	a.objects = append(a.objects, objectAt{o.ID.Ctr, uint32(len(s.objects))})
	s.objects = append(s.objects, objectRec{o.Action.IsList(), depth})
	return nil
}
