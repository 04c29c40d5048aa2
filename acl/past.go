package acl

import (
	"iter"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Past is a closed set of operations of one log: some tips and all before them.
// It stays valid, and the same, while the log grows.
type Past struct {
	log  *Log
	tips []int32
}

// Past is the past of heads, themselves included. Heads that l does not know are
// answered too, and left out.
func (l *Log) Past(heads []crdt.AccessOpID) (p Past, unknown []crdt.AccessOpID) {
	p = Past{log: l, tips: make([]int32, 0, len(heads))}
	for _, id := range heads {
		if n, ok := l.find(id); ok {
			p.tips = append(p.tips, n)
		} else {
			unknown = append(unknown, id)
		}
	}
	return p, unknown
}

// Known is everything l holds now.
func (l *Log) Known() Past { return Past{log: l, tips: slices.Clone(l.heads)} }

// Has reports whether op is in p.
func (p Past) Has(op crdt.AccessOpID) bool {
	n, ok := p.log.find(op)
	return ok && p.has(n)
}

// hasAll is Has for each of ops.
func (p Past) hasAll(ops []crdt.AccessOpID) bool {
	return !slices.ContainsFunc(ops, func(op crdt.AccessOpID) bool { return !p.Has(op) })
}

// lives counts the incarnations of device that have begun in p. It reads clocks, not
// all chains: a device can begin more than anybody should walk through each time.
func (p Past) lives(device crdt.DeviceID) int {
	begun := map[int32]bool{}
	for _, tip := range p.tips {
		t := &p.log.nodes[tip]
		begun[t.chain] = true
		for c, seq := range t.clock {
			if seq > 0 {
				begun[int32(c)] = true
			}
		}
	}
	n := 0
	for c := range begun {
		if p.log.chains[c].life.device == device {
			n++
		}
	}
	return n
}

func (p Past) has(n int32) bool {
	for _, tip := range p.tips {
		if p.log.reaches(tip, n) {
			return true
		}
	}
	return false
}

// reaches reports whether n is tip or in its past.
func (l *Log) reaches(tip, n int32) bool {
	if n >= tip {
		return n == tip
	}
	t, o := &l.nodes[tip], &l.nodes[n]
	if t.chain == o.chain {
		return true // a chain is a line, and n came before
	}
	return int(o.chain) < len(t.clock) && uint64(t.clock[o.chain]) >= o.op.Seq
}

// Missing yields, each after its past, the operations that are not in the past of
// heads: what a peer with these heads lacks. Heads unknown here cover nothing.
func (l *Log) Missing(heads []crdt.AccessOpID) iter.Seq[*Op] {
	return func(yield func(*Op) bool) {
		p, _ := l.Past(heads)
		for n := range l.nodes {
			if !p.has(int32(n)) && !yield(l.nodes[n].op) {
				return
			}
		}
	}
}

// clockFor merges the clocks of what o names, sharing prev's where nothing is new.
func (l *Log) clockFor(o *Op, own int32) []uint32 {
	var clock []uint32
	shared := false
	if prev, ok := l.find(o.Prev); ok {
		clock, shared = l.nodes[prev].clock, true
	}
	for _, id := range o.Deps {
		n, _ := l.find(id)
		d := &l.nodes[n]
		if d.chain == own || int(d.chain) < len(clock) && uint64(clock[d.chain]) >= d.op.Seq {
			continue // with all of its past
		}
		if shared || clock == nil {
			clock, shared = append(make([]uint32, 0, len(l.chains)), clock...), false
		}
		if need := max(len(d.clock), int(d.chain)+1); len(clock) < need {
			clock = append(clock, make([]uint32, need-len(clock))...)
		}
		for c, seq := range d.clock {
			clock[c] = max(clock[c], seq)
		}
		clock[d.chain] = max(clock[d.chain], uint32(d.op.Seq))
	}
	return clock
}

// pick answers at most limit heads, ascending: all of them if they are so few,
// else first those that reach all of must, then the newest. The head except, and
// what it alone reaches, is left to the caller to name.
func (l *Log) pick(limit int, must []crdt.AccessOpID, except crdt.AccessOpID) []crdt.AccessOpID {
	rest := slices.Clone(l.heads)
	skip, skipping := l.find(except)
	if skipping {
		rest = slices.DeleteFunc(rest, func(h int32) bool { return h == skip })
	}
	var chosen []int32
	reached := func(n int32) bool {
		return skipping && l.reaches(skip, n) || Past{l, chosen}.has(n)
	}
	for _, id := range must {
		n, ok := l.find(id)
		if !ok || len(chosen) == limit || reached(n) || len(chosen)+len(rest) <= limit {
			continue
		}
		i := slices.IndexFunc(rest, func(h int32) bool { return l.reaches(h, n) })
		chosen = append(chosen, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	for len(chosen) < limit && len(rest) > 0 {
		last := len(rest) - 1
		chosen, rest = append(chosen, rest[last]), rest[:last]
	}
	ids := make([]crdt.AccessOpID, len(chosen))
	for i, n := range chosen {
		ids[i] = l.nodes[n].op.id
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}
