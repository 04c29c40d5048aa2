package set

import (
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// precedes reports whether a is in the past of b, or is b.
func (g *Graph) precedes(a, b int32) bool {
	x, y := &g.nodes[a], &g.nodes[b]
	if x.branch == y.branch {
		return x.pos <= y.pos
	}
	return y.clock.at(x.branch) >= x.pos
}

// Covers reports whether b is a, or in a's past through prev and deps. The
// document is in every past. It is false if either is not in the graph.
func (g *Graph) Covers(a, b crdt.ChangeSetID) bool {
	x, ok := g.index[a]
	if !ok {
		return false
	}
	if b == crdt.ChangeSetID(g.doc) {
		return true
	}
	y, ok := g.index[b]
	return ok && g.precedes(y, x)
}

// InPast reports whether item id is in the past of an item with header h, which
// itself need not be in the graph: in the closure of {prev, deps}.
func (g *Graph) InPast(h *Header, id crdt.ChangeSetID) bool {
	if id == crdt.ChangeSetID(g.doc) || h.Seq > 1 && g.Covers(h.Prev, id) {
		return true
	}
	return slices.ContainsFunc(h.Deps, func(d crdt.ChangeSetID) bool { return g.Covers(d, id) })
}

// Tips lists the items that no item names as prev or dep, ascending.
func (g *Graph) Tips() []crdt.ChangeSetID {
	out := make([]crdt.ChangeSetID, 0, len(g.tips))
	for n := range g.tips {
		out = append(out, g.nodes[n].id)
	}
	slices.SortFunc(out, crdt.CompareIDs)
	return out
}

// Frontier is what an item that follows prev (the document for the first of a
// chain) names as deps when its author has applied the given items: those that
// neither prev nor another of them covers, ascending, each once. Items that are
// not in the graph are left out. There may be more than MaxDeps: then the author
// merges some first, in a set of its own.
func (g *Graph) Frontier(prev crdt.ChangeSetID, applied []crdt.ChangeSetID) []crdt.ChangeSetID {
	p, ok := g.index[prev]
	if !ok {
		p = -1
	}
	var ns []int32
	for _, id := range applied {
		if n, ok := g.index[id]; ok && (p < 0 || !g.precedes(n, p)) {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	ns = slices.Compact(ns)
	var out []crdt.ChangeSetID
	for i, n := range ns {
		// Only what came later can cover it.
		if !slices.ContainsFunc(ns[i+1:], func(m int32) bool { return g.precedes(n, m) }) {
			out = append(out, g.nodes[n].id)
		}
	}
	slices.SortFunc(out, crdt.CompareIDs)
	return out
}

// Tip is the end of a chain, or of one branch of a forked one.
type Tip struct {
	Seq uint64
	ID  crdt.ChangeSetID
}

// Vector is a state vector: the tips of each chain, several where it forked.
type Vector map[Chain][]Tip

// Vector is the graph's state vector. Tips ascend by id.
func (g *Graph) Vector() Vector {
	v := make(Vector, len(g.chains))
	for c := range g.chains {
		v[c] = g.ChainTips(c)
	}
	return v
}

// ChainTips are the tips of one chain, ascending by id; nil if it has no items.
func (g *Graph) ChainTips(c Chain) []Tip {
	ct := g.chains[c]
	if ct == nil {
		return nil
	}
	tips := make([]Tip, len(ct.tips))
	for i, n := range ct.tips {
		tips[i] = Tip{g.seq(n), g.nodes[n].id}
	}
	slices.SortFunc(tips, func(a, b Tip) int { return crdt.CompareIDs(a.ID, b.ID) })
	return tips
}

// Missing compares the graph with another replica's state vector, of a graph that
// is closed as well. lacks are the items of ours that the other does not have, each
// after what it names; unknown are its tips that we do not have.
//
// In a chain with an unknown tip, ours below that tip's seq are taken for its past
// and left out, since they nearly always are; if the chain forked there, the other
// finds our items pending on what it lacks and asks for it by id, and once we have
// its tips, lacks is exact.
func (g *Graph) Missing(theirs Vector) (lacks []crdt.ChangeSetID, unknown []Tip) {
	has := make([]int32, len(g.branches)) // per branch: they have the items before this position
	floor := map[Chain]uint64{}           // they may have our items below this seq
	for c, tips := range theirs {
		for _, t := range tips {
			n, ok := g.index[t.ID]
			if !ok {
				unknown = append(unknown, t)
				floor[c] = max(floor[c], t.Seq)
				continue
			}
			g.mark(has, n)
		}
	}
	for n := range g.nodes {
		v := &g.nodes[n]
		if v.pos >= has[v.branch] && g.seq(int32(n)) >= floor[g.branches[v.branch].chain] {
			lacks = append(lacks, v.id)
		}
	}
	slices.SortFunc(unknown, func(a, b Tip) int { return crdt.CompareIDs(a.ID, b.ID) })
	return lacks, unknown
}

// mark notes that they have n and its chain before it.
func (g *Graph) mark(has []int32, n int32) {
	for n >= 0 {
		v := &g.nodes[n]
		if v.pos < has[v.branch] {
			return
		}
		has[v.branch] = v.pos + 1
		n = g.branches[v.branch].from
	}
}
