package main

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// mutator makes changes that a hostile writer might send.
type mutator struct {
	r *rand.Rand
	h *history
}

func (m *mutator) one(n int) bool { return m.r.IntN(n) == 0 }

func choose[T any](r *rand.Rand, s []T) (v T) {
	if len(s) == 0 {
		return v
	}
	return s[r.IntN(len(s))]
}

// next returns a draft: the real change that would come next, or an invented one,
// with none to three things wrong.
func (m *mutator) next(real *change.Change) *draft {
	var d *draft
	if real != nil && m.one(3) {
		d = draftOf(real)
	} else {
		d = m.invent()
	}
	for range m.r.IntN(4) {
		switch {
		case m.one(6):
			m.spoilHeader(d)
		case m.one(12):
			m.spoilBytes(d)
		case m.one(5):
			m.spoilList(d)
		default:
			if len(d.ops) > 0 {
				m.spoilOp(d, &d.ops[m.r.IntN(len(d.ops))])
			}
		}
	}
	return d
}

// invent writes a change that could be true: a header that fits, and operations
// on what is there.
func (m *mutator) invent() *draft {
	d := &draft{h: change.Header{Deps: m.h.state.Heads(), Time: int64(m.r.IntN(3)), StartOp: 1}}
	if m.one(3) { // concurrent with something
		var some []crdt.ChangeHash
		for range 1 + m.r.IntN(2) {
			some = append(some, m.h.state.Hash(m.r.IntN(m.h.state.Len())))
		}
		d.h.Deps = some
	}
	var actors []change.Actor
	for a := range m.h.state.Actors() {
		actors = append(actors, a)
	}
	d.h.Actor = choose(m.r, actors)
	if m.one(4) {
		d.h.Actor = change.Actor([]byte{byte(m.r.IntN(256)), byte(m.r.IntN(256)), 7})
	}
	if d.h.Seq = m.h.state.Seq(d.h.Actor) + 1; d.h.Seq > 1 {
		d.h.Deps = append(d.h.Deps, m.h.last[d.h.Actor])
	}
	for _, dep := range d.h.Deps {
		d.h.StartOp = max(d.h.StartOp, m.h.maxOp[dep]+1)
	}
	for range m.r.IntN(8) {
		d.ops = append(d.ops, m.inventOp(d))
	}
	return d
}

// self is the id of the operation that comes next in d, or of an earlier one.
func (m *mutator) self(d *draft) id {
	return id{uint32(d.h.StartOp) + uint32(m.r.IntN(len(d.ops)+1)), d.h.Actor}
}

func (m *mutator) inventOp(d *draft) op {
	any := func(*made) bool { return true }
	if len(d.ops) > 0 && m.one(3) { // on what this change made
		i := m.r.IntN(len(d.ops))
		return m.on(made{id{uint32(d.h.StartOp) + uint32(i), d.h.Actor}, d.ops[i]})
	}
	if x, ok := m.h.pick(m.r, any); ok {
		o := m.on(x)
		for len(o.pred) > 0 && m.one(3) {
			m.also(&o)
		}
		return o
	}
	return op{key: "k", action: change.Set, value: m.value()}
}

// on returns an operation that refers to another one.
func (m *mutator) on(x made) op {
	place := op{obj: x.obj, key: x.key, elem: x.elem}
	if x.insert {
		place.elem = x.id
	}
	if !m.one(4) {
		place.pred = []id{x.id}
	}
	switch m.r.IntN(9) {
	case 0:
		place.action = change.Delete
	case 1:
		place.action, place.value = change.Increment, change.Value{Type: change.Int, Raw: string(sleb(int64(m.r.IntN(9))))}
	case 2:
		place.action = choose(m.r, []change.Action{change.MakeMap, change.MakeList, change.MakeText, change.MakeTable})
	case 3, 4:
		place.action, place.value = change.Set, m.value()
	case 5: // inside the object
		if x.action.Makes() {
			place = op{obj: x.id, action: change.Set, value: m.value()}
			if place.insert = x.action.IsList(); !place.insert {
				place.key = m.key()
			}
			return place
		}
		fallthrough
	case 6, 7: // beside the element
		if place.key == "" {
			place.insert, place.pred, place.action, place.value = true, nil, change.Set, m.value()
			return place
		}
		place.action, place.value = change.Set, m.value()
	case 8:
		if place.key == "" {
			return m.mark(place)
		}
		place.key, place.pred = m.key(), nil
		place.action, place.value = change.Set, m.value()
	}
	return place
}

func (m *mutator) mark(o op) op {
	o.insert, o.pred, o.action, o.expand = true, nil, change.Mark, m.one(2)
	if m.one(2) {
		o.hasName, o.name, o.value = true, m.key(), m.value()
	}
	return o
}

func (m *mutator) key() string {
	if m.one(3) {
		return choose(m.r, []string{"k", "new", "\x00", "é", "a\u0301", "longer key than others"})
	}
	if k := choose(m.r, m.h.keys); k != "" {
		return k
	}
	return "k"
}

func sleb(v int64) []byte {
	var b []byte
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func (m *mutator) value() change.Value {
	ints := []int64{0, 1, -1, 63, 64, -65, math.MaxInt64, math.MinInt64, 1 << 32, -1 << 31}
	t := change.ValueType(m.r.IntN(10))
	switch t {
	case change.Uint:
		return change.Value{Type: t, Raw: string(binary.AppendUvarint(nil, uint64(choose(m.r, ints))))}
	case change.Int, change.Counter, change.Timestamp:
		return change.Value{Type: t, Raw: string(sleb(choose(m.r, ints)))}
	case change.Float:
		f := choose(m.r, []uint64{0, 1, 1 << 63, 0x7ff0000000000000, 0x7ff0000000000001, 0xfff8000000000000, math.MaxUint64})
		return change.Value{Type: t, Raw: string(binary.LittleEndian.AppendUint64(nil, f))}
	case change.String:
		return change.Value{Type: t, Raw: choose(m.r, []string{"", "x", "é", "😀", "two words", "\x00", "\ufffc", "a\u0301"})}
	case change.Bytes:
		return change.Value{Type: t, Raw: choose(m.r, []string{"", "\xff", "abc"})}
	}
	return change.Value{Type: t}
}

// anyID returns an id that may or may not make sense.
func (m *mutator) anyID(d *draft) id {
	switch m.r.IntN(8) {
	case 0:
		return id{}
	case 1:
		return m.self(d)
	case 2:
		x, _ := m.h.pick(m.r, func(*made) bool { return true })
		return id{x.ctr + uint32(m.r.IntN(3)) - 1, x.actor}
	case 3:
		x, _ := m.h.pick(m.r, func(*made) bool { return true })
		y, _ := m.h.pick(m.r, func(*made) bool { return true })
		return id{x.ctr, y.actor}
	case 4:
		x, _ := m.h.pick(m.r, func(x *made) bool { return x.action.Makes() })
		return x.id
	case 5:
		x, _ := m.h.pick(m.r, func(x *made) bool { return x.insert })
		return x.id
	}
	x, _ := m.h.pick(m.r, func(*made) bool { return true })
	return x.id
}

// spoilOp changes one thing about an operation.
func (m *mutator) spoilOp(d *draft, o *op) {
	switch m.r.IntN(12) {
	case 0:
		o.obj = m.anyID(d)
	case 1:
		o.elem = m.anyID(d)
	case 2:
		o.key = m.key()
	case 3:
		o.key = ""
	case 4:
		o.insert = !o.insert
	case 5:
		o.action = change.Action(m.r.IntN(8))
	case 6:
		o.value = m.value()
	case 7:
		o.pred = append(o.pred, m.anyID(d))
	case 8:
		if len(o.pred) > 0 {
			o.pred = slices.Delete(slices.Clone(o.pred), 0, 1)
		}
	case 9:
		o.expand = !o.expand
	case 10:
		o.hasName, o.name = !o.hasName, m.key()
	case 11:
		m.also(o)
	}
}

// also gives an operation a further predecessor in the same place.
func (m *mutator) also(o *op) {
	x, ok := m.h.pick(m.r, func(x *made) bool {
		return x.obj == o.obj && (x.key == o.key && x.key != "" || x.key == "" && (x.elem == o.elem && !x.insert || x.id == o.elem))
	})
	if !ok || slices.Contains(o.pred, x.id) {
		return
	}
	o.pred = append(slices.Clone(o.pred), x.id)
	slices.SortFunc(o.pred, func(a, b id) int {
		if a.ctr != b.ctr {
			return int(int64(a.ctr) - int64(b.ctr))
		}
		return strings.Compare(string(a.actor), string(b.actor))
	})
}

// spoilList changes the list of operations.
func (m *mutator) spoilList(d *draft) {
	n := len(d.ops)
	if n == 0 {
		d.ops = append(d.ops, m.inventOp(d))
		return
	}
	i, j := m.r.IntN(n), m.r.IntN(n)
	switch m.r.IntN(5) {
	case 0:
		d.ops = slices.Delete(d.ops, i, i+1)
	case 1:
		d.ops[i], d.ops[j] = d.ops[j], d.ops[i]
	case 2:
		d.ops = slices.Insert(d.ops, j, d.ops[i])
	case 3:
		for range m.r.IntN(100) {
			d.ops = append(d.ops, d.ops[i])
		}
	case 4:
		d.ops = append(d.ops, m.inventOp(d))
	}
}

// spoilHeader changes one thing about the header.
func (m *mutator) spoilHeader(d *draft) {
	switch m.r.IntN(9) {
	case 0:
		d.h.Seq += uint64(m.r.IntN(3)) - 1
	case 1:
		d.h.StartOp += uint64(m.r.IntN(5)) - 2
	case 2:
		d.h.StartOp += choose(m.r, []uint64{1000, 1 << 20, 1 << 21, 1 << 30, 1<<32 - 10})
	case 3:
		d.h.Deps = append(d.h.Deps, m.h.state.Hash(m.r.IntN(m.h.state.Len())))
	case 4:
		if len(d.h.Deps) > 0 {
			d.h.Deps = d.h.Deps[1:]
		}
	case 5:
		d.h.Actor = choose(m.r, []change.Actor{"\x00", "z", d.h.Actor + "x", ""})
	case 6:
		d.h.Time = choose(m.r, []int64{-1, math.MaxInt64, math.MinInt64})
	case 7:
		d.h.Message = m.key()
	case 8:
		if d.extra = "extra"; m.one(2) {
			d.odd = append(d.odd, "\x01unused")
		}
	}
}

// spoilBytes flips some of the bytes behind the header.
func (m *mutator) spoilBytes(d *draft) {
	n, seed := 1+m.r.IntN(3), m.r.Uint64()
	d.bytes = func(b []byte) {
		r := rand.New(rand.NewPCG(seed, 1))
		for range n {
			i := r.IntN(len(b))
			switch r.IntN(3) {
			case 0:
				b[i] ^= 1 << r.IntN(8)
			case 1:
				b[i] += byte(r.IntN(3)) - 1
			case 2:
				b[i] = byte(r.IntN(256))
			}
		}
	}
}
