package opset

import "slices"

// span is a run of operations of one actor with consecutive counters that did
// the same to one object:
//
//   - inserts: each made an element, which is named by the operation's own id;
//   - sets in a map: of the keys key, key+1, ..., as numbered in State.keys;
//   - sets in a list: of the elements State.elems[key], [key+1], ...
//
// Deletions and increments are in no span: nothing may refer to them.
type span struct {
	start uint32
	n     uint32 // with the flags in its upper bits
	obj   uint32
	key   uint32
}

// The flags of a span.
const (
	flagInsert  = 1 << 31
	flagCounter = 1 << 30 // the values are counters
	flagMark    = 1 << 29 // the elements are the edges of marks, not values
	flagMask    = flagInsert | flagCounter | flagMark
)

// maxSpan is the length of the longest span; its flags need the other bits.
const maxSpan = 1 << 28

func (p *span) len() uint32         { return p.n &^ flagMask }
func (p *span) flags() uint32       { return p.n & flagMask }
func (p *span) is(flag uint32) bool { return p.n&flag != 0 }

func (p *span) has(ctr uint32) bool { return ctr-p.start < p.len() }

// find returns the span that holds the operation, or nil.
func (a *actorRec) find(ctr uint32) *span {
	// Typing and deleting walk through neighbouring spans.
	for _, i := range [...]int{len(a.spans) - 1, a.hint, a.hint + 1} {
		if i >= 0 && i < len(a.spans) && a.spans[i].has(ctr) {
			if i != len(a.spans)-1 {
				a.hint = i
			}
			return &a.spans[i]
		}
	}
	i, ok := slices.BinarySearchFunc(a.spans, ctr, func(p span, ctr uint32) int {
		switch {
		case p.has(ctr):
			return 0
		case p.start > ctr:
			return 1
		}
		return -1
	})
	if !ok {
		return nil
	}
	a.hint = i
	return &a.spans[i]
}

// push adds an operation with the highest counter yet, to the last span if it
// continues that.
func (a *actorRec) push(ctr, flags, obj, key uint32) {
	if len(a.spans) > 0 {
		p := &a.spans[len(a.spans)-1]
		n := p.len()
		if p.start+n == ctr && p.flags() == flags && p.obj == obj && (flags&flagInsert != 0 || p.key+n == key) && n < maxSpan {
			p.n++
			return
		}
	}
	a.spans = append(a.spans, span{ctr, flags | 1, obj, key})
}

// object returns the number of the object that the actor made.
func (a *actorRec) object(ctr uint32) (uint32, bool) {
	i, ok := slices.BinarySearchFunc(a.objects, ctr, func(o objectAt, ctr uint32) int {
		return int(int64(o.ctr) - int64(ctr))
	})
	if !ok {
		return 0, false
	}
	return a.objects[i].object, true
}
