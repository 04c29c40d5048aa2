package opset

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// gid is an operation id with the actor spelled out.
type gid struct {
	ctr   uint32
	actor change.Actor
}

// gop is an operation with such ids.
type gop struct {
	change.Op
	obj, elem gid
	pred      []gid
}

// encode builds a change as a canonical writer does.
func encode(h change.Header, ops []gop) (*change.Change, error) {
	used := map[change.Actor]bool{}
	for _, o := range ops {
		for _, id := range append([]gid{o.obj, o.elem}, o.pred...) {
			if id.ctr != 0 && id.actor != h.Actor {
				used[id.actor] = true
			}
		}
	}
	actors := append([]change.Actor{h.Actor}, slices.Sorted(maps.Keys(used))...)
	local := func(id gid) change.OpID {
		if id.ctr == 0 {
			return change.OpID{}
		}
		return change.OpID{Ctr: id.ctr, Actor: uint32(slices.Index(actors, id.actor))}
	}
	out := make([]change.Op, len(ops))
	for i, o := range ops {
		out[i] = o.Op
		out[i].Obj, out[i].Elem, out[i].Pred = local(o.obj), local(o.elem), nil
		for _, p := range o.pred {
			out[i].Pred = append(out[i].Pred, local(p))
		}
	}
	slices.SortFunc(h.Deps, crdt.CompareIDs)
	h.Deps = slices.Compact(h.Deps)
	return change.Build(h, actors, out, "")
}

// model judges as package doc says, with a map entry for everything and the
// causal past as a set.
type model struct {
	known   map[crdt.ChangeHash]*modelChange
	invalid map[crdt.ChangeHash]bool
}

type modelChange struct {
	c    *change.Change
	past map[crdt.ChangeHash]bool // with itself
	ops  map[gid]modelOp
}

type modelOp struct {
	gop
	place string
}

func newModel() *model {
	return &model{map[crdt.ChangeHash]*modelChange{}, map[crdt.ChangeHash]bool{}}
}

// judge records the change if it is valid.
func (m *model) judge(c *change.Change, ops []gop) error {
	mc := &modelChange{c, map[crdt.ChangeHash]bool{c.Hash: true}, map[gid]modelOp{}}
	for _, d := range c.Deps {
		if m.known[d] == nil {
			return ErrDep
		}
		maps.Copy(mc.past, m.known[d].past)
	}
	seq, top, visible := uint64(0), uint64(0), map[gid]modelOp{}
	for h := range mc.past {
		if p := m.known[h]; p != nil {
			if top = max(top, p.c.MaxOp()); p.c.Actor == c.Actor {
				seq = max(seq, p.c.Seq)
			}
			maps.Copy(visible, p.ops)
		}
	}
	if c.Seq != seq+1 {
		return ErrSeq
	}
	if c.StartOp <= top || c.StartOp > top+1+MaxJump {
		return ErrStart
	}
	lastSet := map[string]gid{}
	for i, o := range ops {
		id := gid{uint32(c.StartOp) + uint32(i), c.Actor}
		place, err := m.place(visible, o, id)
		if err != nil {
			return err
		}
		for i, p := range o.pred {
			v, ok := visible[p]
			if !ok || v.place != place || v.Action == change.Delete || v.Action == change.Increment || v.Action == change.Mark {
				return ErrPred
			}
			if wins := i == len(o.pred)-1; wins && o.Action == change.Increment && (v.Action != change.Set || v.Value.Type != change.Counter) {
				return ErrType
			}
		}
		visible[id], mc.ops[id] = modelOp{o, place}, modelOp{o, place}
		last, again := lastSet[place]
		over := slices.Contains(o.pred, last)
		switch {
		case o.Action == change.Increment || o.Action == change.Mark:
		case o.Action == change.Delete:
			if over {
				delete(lastSet, place)
			}
		case again && !over:
			return ErrTwice
		default:
			lastSet[place] = id
		}
	}
	m.known[c.Hash] = mc
	return nil
}

// place names the object and the key or element that an operation changes.
func (m *model) place(visible map[gid]modelOp, o gop, id gid) (string, error) {
	list := false
	if o.obj.ctr != 0 {
		v, ok := visible[o.obj]
		if !ok || !v.Action.Makes() {
			return "", ErrObject
		}
		list = v.Action.IsList()
	}
	if list != (o.Key == "") {
		return "", ErrKind
	}
	if o.elem.ctr != 0 {
		v, ok := visible[o.elem]
		if !ok || !v.Insert || v.obj != o.obj || !o.Insert && v.Action == change.Mark {
			return "", ErrElem
		}
	}
	switch {
	case o.Key != "":
		return fmt.Sprint(o.obj, "key", o.Key), nil
	case o.Insert:
		return fmt.Sprint(o.obj, "elem", id), nil
	}
	return fmt.Sprint(o.obj, "elem", o.elem), nil
}
