package set

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

// closed draws a part of items that is closed under parents.
func closed(t *rapid.T, items []item, name string) (*model, *Graph) {
	m, g := newModel(), NewGraph(testDoc)
	for _, it := range items {
		if m.missing(&it.h) == nil && rapid.IntRange(0, 4).Draw(t, name) < 4 { // rapid prefers small numbers
			deliver(t, m, g, it)
		}
	}
	return m, g
}

// TestMissing lets two replicas that each know a part exchange what the other
// lacks until they are equal, fetching by id what is pending.
func TestMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := drawDAG(t, 30)
		ma, a := closed(t, items, "a")
		mb, b := closed(t, items, "b")
		for round := 0; ; round++ {
			if maps.Equal(ma.ids(), mb.ids()) {
				break
			}
			if round == 4 {
				t.Fatalf("not equal after %d rounds: %d and %d items", round, len(ma.items), len(mb.items))
			}
			va, vb := a.Vector(), b.Vector()
			fromA, unknownA := a.Missing(vb)
			fromB, unknownB := b.Missing(va)
			exact(t, ma, mb, fromA, unknownA)
			exact(t, mb, ma, fromB, unknownB)
			accept(t, ma, mb, b, fromA)
			accept(t, mb, ma, a, fromB)
		}
		if d := cmp.Diff(a.Vector(), b.Vector()); d != "" {
			t.Fatal(d)
		}
	})
}

// TestMissingAfterAFork: who has only the branch that came second has the line it
// forks from.
func TestMissingAfterAFork(t *testing.T) {
	ours, theirs := NewGraph(testDoc), NewGraph(testDoc)
	doc := crdt.ChangeSetID(testDoc)
	for _, x := range []struct {
		id, prev crdt.ChangeSetID
		seq      uint64
		shared   bool
	}{
		{crdt.ChangeSetID{1}, doc, 1, true}, {crdt.ChangeSetID{2}, crdt.ChangeSetID{1}, 2, true},
		{crdt.ChangeSetID{3}, crdt.ChangeSetID{2}, 3, false}, {crdt.ChangeSetID{4}, crdt.ChangeSetID{2}, 3, true},
		{crdt.ChangeSetID{5}, crdt.ChangeSetID{4}, 4, false},
	} {
		h := Header{Doc: testDoc, Seq: x.seq, Prev: x.prev}
		if _, err := ours.Add(&h, x.id); err != nil {
			t.Fatal(err)
		}
		if x.shared {
			_, _ = theirs.Add(&h, x.id)
		}
	}
	lacks, unknown := ours.Missing(theirs.Vector())
	if d := cmp.Diff([]crdt.ChangeSetID{{3}, {5}}, lacks); d != "" || unknown != nil {
		t.Error(d, unknown)
	}
	lacks, unknown = theirs.Missing(ours.Vector())
	if d := cmp.Diff([]Tip{{3, crdt.ChangeSetID{3}}, {4, crdt.ChangeSetID{5}}}, unknown); d != "" || lacks != nil {
		t.Error(d, lacks)
	}
}

// exact holds an answer of Missing against the sets: nothing that they have,
// in causal order, and everything they lack if we know all their tips or nothing
// forked.
func exact(t *rapid.T, ours, theirs *model, lacks []crdt.ChangeSetID, unknown []Tip) {
	sent := idSet{}
	for _, id := range lacks {
		if _, has := theirs.items[id]; has {
			t.Fatal("sends what the other has")
		}
		it := ours.items[id]
		for _, p := range ours.parents(&it.h) {
			if _, lackedByThem := theirs.items[p]; !lackedByThem && len(unknown) == 0 && !sent[p] {
				t.Fatal("sends an item before its parent")
			}
		}
		sent[id] = true
	}
	for _, tip := range unknown {
		if _, has := ours.items[tip.ID]; has {
			t.Fatal("a known tip is called unknown")
		}
	}
	// With unknown tips an answer may be short, but only if something forked.
	both := newModel()
	maps.Copy(both.items, ours.items)
	maps.Copy(both.items, theirs.items)
	forked := false
	for _, it := range both.items {
		forked = forked || len(both.rivals(it)) > 0
	}
	for id := range ours.items {
		if _, has := theirs.items[id]; !has && !sent[id] && (len(unknown) == 0 || !forked) {
			t.Fatal("an item is left out")
		}
	}
}

// accept adds items in order, fetching missing parents by id first.
func accept(t *rapid.T, from, to *model, g *Graph, ids []crdt.ChangeSetID) {
	for _, id := range ids {
		it := from.items[id]
		accept(t, from, to, g, to.missing(&it.h))
		if !deliver(t, to, g, it) {
			t.Fatal("still pending")
		}
	}
}
