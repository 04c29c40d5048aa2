package set

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Graph is the DAG of a document's change sets by their headers. It holds no
// payloads and judges nobody: what it is given should be authentic. Items enter
// after what they name, so the graph is closed at all times: the past of every
// item is in it. Not for concurrent use. An item costs about 130 bytes, and 8 for
// each branch it learned news of.
//
// It does not insist that deps are tips that prev does not cover: an author who
// names too many harms nobody.
type Graph struct {
	doc      crdt.DocID
	index    map[crdt.ChangeSetID]int32
	nodes    []node
	branches []branch
	chains   map[Chain]*chainTips
	order    []Chain           // of chains, as first seen
	forks    map[int32][]int32 // item, or ^(index in order) for seq 1, to its later children in the chain
	tips     map[int32]struct{}
	scratch  horizon
}

// node is an item. Its place is (branch, pos): a branch is a line of items of one
// chain, each the prev of the next; a fork begins a new one.
type node struct {
	id     crdt.ChangeSetID
	prev   int32 // -1: the document
	next   int32 // the first child in its chain, -1 for none
	branch int32
	pos    int32
	clock  *clock
}

type branch struct {
	chain    Chain
	firstSeq uint64
	from     int32 // the item it forks from, -1 if it begins at seq 1
}

type chainTips struct {
	number int32 // index in Graph.order
	first  int32 // the first item of seq 1
	tips   []int32
}

// NewGraph is the graph of a document with no change sets.
func NewGraph(doc crdt.DocID) *Graph {
	return &Graph{
		doc:    doc,
		index:  map[crdt.ChangeSetID]int32{},
		chains: map[Chain]*chainTips{},
		forks:  map[int32][]int32{},
		tips:   map[int32]struct{}{},
	}
}

// Status is what became of an item given to [Graph.Add].
type Status uint8

const (
	// Added: the item is in the graph.
	Added Status = iota + 1
	// Duplicate: the item was in the graph already.
	Duplicate
	// Pending: prev or deps are missing; the item is not in the graph. Offer it
	// again when they are.
	Pending
	// Forked: the item is in the graph, and is not the only one of its chain after
	// its prev: its device contradicted itself. Both are kept.
	Forked
)

func (s Status) String() string {
	return [...]string{"none", "added", "duplicate", "pending", "forked"}[min(s, 4)]
}

// Result is the answer of [Graph.Add].
type Result struct {
	Status  Status
	Missing []crdt.ChangeSetID // Pending: what to get first, ascending by place in the header: prev, deps
	Rivals  []crdt.ChangeSetID // Forked: the other items after the same prev
}

// Add adds the item with header h and id. The error wraps [ErrChain] if h
// contradicts what it names, so that no such item can ever count: it is of another
// document, or prev is of another chain or not the seq before.
func (g *Graph) Add(h *Header, id crdt.ChangeSetID) (Result, error) {
	if h.Doc != g.doc {
		return Result{}, fmt.Errorf("%w: item of another document", ErrChain)
	}
	if _, ok := g.index[id]; ok {
		return Result{Status: Duplicate}, nil
	}
	var missing []crdt.ChangeSetID
	prev := int32(-1)
	if h.Seq > 1 {
		p, ok := g.index[h.Prev]
		if !ok {
			missing = append(missing, h.Prev)
		} else if b := &g.branches[g.nodes[p].branch]; b.chain != h.Chain() || g.seq(p)+1 != h.Seq {
			return Result{}, fmt.Errorf("%w: prev is not the item before", ErrChain)
		}
		prev = p
	}
	deps := make([]int32, 0, MaxDeps)
	for _, d := range h.Deps {
		n, ok := g.index[d]
		if !ok {
			missing = append(missing, d)
		}
		deps = append(deps, n)
	}
	if missing != nil {
		return Result{Status: Pending, Missing: missing}, nil
	}
	return g.insert(h, id, prev, deps), nil
}

// insert adds an item whose prev (-1: the document) and deps are present.
func (g *Graph) insert(h *Header, id crdt.ChangeSetID, prev int32, deps []int32) Result {
	n := int32(len(g.nodes))
	v := node{id: id, prev: prev, next: -1, branch: -1}
	if prev >= 0 {
		p := &g.nodes[prev]
		v.clock = p.clock
		if p.next < 0 {
			v.branch, v.pos = p.branch, p.pos+1
		}
	}
	if v.branch < 0 {
		v.branch = int32(len(g.branches))
		g.branches = append(g.branches, branch{h.Chain(), h.Seq, prev})
		if prev >= 0 { // the line it forks from precedes it
			deps = append(deps, prev)
		}
	}
	for _, d := range deps {
		if dn := &g.nodes[d]; !(prev >= 0 && g.precedes(d, prev)) || d == prev {
			g.scratch.join(dn.clock)
			g.scratch.raise(dn.branch, dn.pos)
		}
		delete(g.tips, d)
	}
	g.scratch.drop(v.branch) // what others know of this line it knows itself
	v.clock = v.clock.with(&g.scratch)
	delete(g.tips, prev)
	g.tips[n] = struct{}{}
	g.nodes = append(g.nodes, v)
	g.index[id] = n
	return g.link(h.Chain(), n)
}

// link enters item n into its chain and answers whether that is a fork.
func (g *Graph) link(c Chain, n int32) Result {
	ct := g.chains[c]
	prev := g.nodes[n].prev
	if ct == nil {
		ct = &chainTips{number: int32(len(g.order)), first: -1}
		g.chains[c] = ct
		g.order = append(g.order, c)
	}
	if i := slices.Index(ct.tips, prev); i >= 0 {
		ct.tips[i] = n
	} else {
		ct.tips = append(ct.tips, n)
	}
	first, key := &ct.first, ^ct.number
	if prev >= 0 {
		first, key = &g.nodes[prev].next, prev
	}
	if *first < 0 {
		*first = n
		return Result{Status: Added}
	}
	rivals := append(g.ids([]int32{*first}), g.ids(g.forks[key])...)
	g.forks[key] = append(g.forks[key], n)
	return Result{Status: Forked, Rivals: rivals}
}

func (g *Graph) seq(n int32) uint64 {
	v := &g.nodes[n]
	return g.branches[v.branch].firstSeq + uint64(v.pos)
}

func (g *Graph) ids(ns []int32) []crdt.ChangeSetID {
	out := make([]crdt.ChangeSetID, len(ns))
	for i, n := range ns {
		out[i] = g.nodes[n].id
	}
	return out
}

// Doc is the graph's document.
func (g *Graph) Doc() crdt.DocID { return g.doc }

// Len is the number of items.
func (g *Graph) Len() int { return len(g.nodes) }

// Has reports whether the item is in the graph. The document itself is always.
func (g *Graph) Has(id crdt.ChangeSetID) bool {
	_, ok := g.index[id]
	return ok || id == crdt.ChangeSetID(g.doc)
}

// All lists every item once, each after what it names, in the order of arrival.
func (g *Graph) All() iter.Seq[crdt.ChangeSetID] {
	return func(yield func(crdt.ChangeSetID) bool) {
		for i := range g.nodes {
			if !yield(g.nodes[i].id) {
				return
			}
		}
	}
}

// Place is where an item stands in its chain. Prev is the document for seq 1.
type Place struct {
	Chain Chain
	Seq   uint64
	Prev  crdt.ChangeSetID
}

// Place answers where an item stands, and whether it is in the graph.
func (g *Graph) Place(id crdt.ChangeSetID) (Place, bool) {
	n, ok := g.index[id]
	if !ok {
		return Place{}, false
	}
	p := Place{Chain: g.branches[g.nodes[n].branch].chain, Seq: g.seq(n), Prev: crdt.ChangeSetID(g.doc)}
	if prev := g.nodes[n].prev; prev >= 0 {
		p.Prev = g.nodes[prev].id
	}
	return p, true
}

// Forks lists, for each prev that several items of one chain follow, those items:
// items in the order of arrival, forks in no meaningful order.
func (g *Graph) Forks() iter.Seq[[]crdt.ChangeSetID] {
	return func(yield func([]crdt.ChangeSetID) bool) {
		for _, key := range slices.Sorted(maps.Keys(g.forks)) {
			first := int32(0)
			if key >= 0 {
				first = g.nodes[key].next
			} else {
				first = g.chains[g.order[^key]].first
			}
			if !yield(append(g.ids([]int32{first}), g.ids(g.forks[key])...)) {
				return
			}
		}
	}
}
