package opset

import (
	"encoding/binary"
	"slices"
)

// snapshotVersion is the first byte of a snapshot. A snapshot is a cache: one of
// another version is made again from the changes.
const snapshotVersion = 1

// AppendBinary appends a snapshot of the state, without its queue, for [Load]. It
// never fails. Numbers are unsigned LEB128 in their shortest form:
//
//	version = 1 (one byte)
//	count, then per actor: length, id
//	count, then per key: length, UTF-8
//	count, then per object after the root: depth<<1 | list
//	count, then per element set: actor, counter
//	count, then per change: hash (32 bytes), actor, last counter,
//	    how far back the parent is (0 none), count, then per clock entry: actor, seq
//	per actor:
//	    count, then per span: gap to the span before, flags>>29 | length<<3, object,
//	        and the key unless the span inserts
//	    count, then per object: difference to the counter before, object
//	count, then per head, ascending: place
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	put := func(vs ...uint32) {
		for _, v := range vs {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	count := func(n int) { b = binary.AppendUvarint(b, uint64(n)) }
	b = append(b, snapshotVersion)
	count(len(s.actors))
	for i := range s.actors {
		count(len(s.actors[i].id))
		b = append(b, s.actors[i].id...)
	}
	count(len(s.keys))
	for _, k := range s.keys {
		count(len(k))
		b = append(b, k...)
	}
	count(len(s.objects) - 1)
	for _, o := range s.objects[1:] {
		list := uint32(0)
		if o.list {
			list = 1
		}
		put(uint32(o.depth)<<1 | list)
	}
	count(len(s.elems))
	for _, e := range s.elems {
		put(e.actor, e.ctr)
	}
	count(len(s.changes))
	for i, c := range s.changes {
		b = append(b, c.hash[:]...)
		back := uint32(0)
		if c.parent != 0 {
			back = uint32(i) + 1 - c.parent
		}
		news := s.newsOf(uint32(i))
		put(c.actor, c.maxOp, back, uint32(len(news)))
		for _, e := range news {
			put(e.actor, e.seq)
		}
	}
	for i := range s.actors {
		b = s.actors[i].appendOps(b)
	}
	heads := slices.Sorted(slices.Values(s.heads))
	count(len(heads))
	put(heads...)
	return b, nil
}

func (a *actorRec) appendOps(b []byte) []byte {
	put := func(v uint32) { b = binary.AppendUvarint(b, uint64(v)) }
	end := uint32(0)
	put(uint32(len(a.spans)))
	for _, p := range a.spans {
		put(p.start - end)
		b = binary.AppendUvarint(b, uint64(p.len())<<3|uint64(p.flags()>>29))
		put(p.obj)
		if !p.is(flagInsert) {
			put(p.key)
		}
		end = p.start + p.len()
	}
	put(uint32(len(a.objects)))
	last := uint32(0)
	for _, o := range a.objects {
		put(o.ctr - last)
		put(o.object)
		last = o.ctr
	}
	return b
}
