package main

import (
	"maps"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// id is an operation id with the actor spelled out.
type id struct {
	ctr   uint32
	actor change.Actor
}

// op is an operation that may still become anything.
type op struct {
	obj, elem       id
	key             string
	insert          bool
	action          change.Action
	value           change.Value
	pred            []id
	expand, hasName bool
	name            string
}

// draft is a change before it is encoded.
type draft struct {
	h     change.Header
	ops   []op
	extra string
	odd   []change.Actor // actors to list that no operation names
	bytes func([]byte)   // spoils the encoded body; nil for no
}

// draftOf takes a real change apart.
func draftOf(c *change.Change) *draft {
	d := &draft{h: c.Header, extra: c.Extra}
	d.h.Deps = slices.Clone(c.Deps)
	global := func(o change.OpID) id {
		if o.IsZero() {
			return id{}
		}
		return id{o.Ctr, c.Actors[o.Actor]}
	}
	for o := range c.Ops() {
		x := op{obj: global(o.Obj), elem: global(o.Elem), key: o.Key, insert: o.Insert, action: o.Action,
			value: o.Value, expand: o.Expand, hasName: o.HasName, name: o.MarkName}
		for _, p := range o.Pred {
			x.pred = append(x.pred, global(p))
		}
		d.ops = append(d.ops, x)
	}
	return d
}

// build encodes the draft with a right hash, whatever it says.
func (d *draft) build() (*change.Change, error) {
	others := map[change.Actor]bool{}
	use := func(i id) {
		if i.ctr != 0 && i.actor != d.h.Actor {
			others[i.actor] = true
		}
	}
	for i := range d.ops {
		o := &d.ops[i]
		use(o.obj)
		use(o.elem)
		for _, p := range o.pred {
			use(p)
		}
	}
	for _, a := range d.odd {
		others[a] = true
	}
	actors := append([]change.Actor{d.h.Actor}, slices.Sorted(maps.Keys(others))...)
	local := func(i id) change.OpID {
		if i.ctr == 0 {
			return change.OpID{}
		}
		return change.OpID{Ctr: i.ctr, Actor: uint32(slices.Index(actors, i.actor))}
	}
	ops := make([]change.Op, len(d.ops))
	for i := range d.ops {
		o := &d.ops[i]
		ops[i] = change.Op{Obj: local(o.obj), Elem: local(o.elem), Key: o.key, Insert: o.insert, Action: o.action,
			Value: o.value, Expand: o.expand, MarkName: o.name, HasName: o.hasName}
		for _, p := range o.pred {
			ops[i].Pred = append(ops[i].Pred, local(p))
		}
	}
	slices.SortFunc(d.h.Deps, crdt.CompareIDs)
	d.h.Deps = slices.Compact(d.h.Deps)
	c, err := change.Build(d.h, actors, ops, d.extra)
	if err != nil || d.bytes == nil {
		return c, err
	}
	// Spoil what follows the header, and let Join make the hash right again.
	p, err := change.Split(c.Encode())
	if err != nil {
		return nil, err
	}
	d.bytes(p.Rest)
	chunk, _ := p.Join()
	return change.Decode(chunk)
}
