package acl

import (
	"iter"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// pool holds operations that wait, each filed under the first operation it lacks.
type pool struct {
	on    map[Ref][]*Op
	ref   map[crdt.AccessOpID]Ref
	bytes int
}

func (p *pool) len() int { return len(p.ref) }

func (p *pool) full(o *Op) bool {
	return len(p.ref) >= MaxWaiting || p.bytes+o.Size() > MaxWaitingBytes
}

func (p *pool) has(id crdt.AccessOpID) bool {
	_, ok := p.ref[id]
	return ok
}

func (p *pool) put(o *Op, missing Ref) {
	if p.on == nil {
		p.on, p.ref = map[Ref][]*Op{}, map[crdt.AccessOpID]Ref{}
	}
	p.on[missing] = append(p.on[missing], o)
	p.ref[o.id] = missing
	p.bytes += o.Size()
}

// take removes and answers what waits for op.
func (p *pool) take(op Ref) []*Op {
	ops := p.on[op]
	delete(p.on, op)
	for _, o := range ops {
		delete(p.ref, o.id)
		p.bytes -= o.Size()
	}
	return ops
}

func (p *pool) drop(id crdt.AccessOpID) bool {
	ref, ok := p.ref[id]
	if !ok {
		return false
	}
	delete(p.ref, id)
	ops := p.on[ref]
	i := slices.IndexFunc(ops, func(o *Op) bool { return o.id == id })
	p.bytes -= ops[i].Size()
	if p.on[ref] = slices.Delete(ops, i, i+1); len(p.on[ref]) == 0 {
		delete(p.on, ref)
	}
	return true
}

func (p *pool) all() iter.Seq[*Op] {
	return func(yield func(*Op) bool) {
		for _, ops := range p.on {
			for _, o := range ops {
				if !yield(o) {
					return
				}
			}
		}
	}
}
