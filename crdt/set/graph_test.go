package set

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

// item is a header and its id, as a graph takes them.
type item struct {
	h  Header
	id crdt.ChangeSetID
}

type idSet map[crdt.ChangeSetID]bool

// model is the naive graph: every item's past as a set.
type model struct {
	items map[crdt.ChangeSetID]item
	past  map[crdt.ChangeSetID]idSet // itself included, the document not
}

func newModel() *model {
	return &model{map[crdt.ChangeSetID]item{}, map[crdt.ChangeSetID]idSet{}}
}

func (m *model) parents(h *Header) []crdt.ChangeSetID {
	if h.Seq == 1 {
		return h.Deps
	}
	return append([]crdt.ChangeSetID{h.Prev}, h.Deps...)
}

func (m *model) missing(h *Header) (out []crdt.ChangeSetID) {
	for _, p := range m.parents(h) {
		if _, ok := m.items[p]; !ok {
			out = append(out, p)
		}
	}
	return out
}

func (m *model) add(it item) {
	past := idSet{it.id: true}
	for _, p := range m.parents(&it.h) {
		maps.Copy(past, m.past[p])
	}
	m.items[it.id], m.past[it.id] = it, past
}

func (m *model) rivals(it item) idSet {
	out := idSet{}
	for id, o := range m.items {
		if id != it.id && o.h.Chain() == it.h.Chain() && o.h.Prev == it.h.Prev {
			out[id] = true
		}
	}
	return out
}

func (m *model) vector() Vector {
	v := Vector{}
	for id, it := range m.items {
		tip := true
		for _, o := range m.items {
			tip = tip && !(o.h.Prev == id && o.h.Chain() == it.h.Chain())
		}
		if tip {
			v[it.h.Chain()] = append(v[it.h.Chain()], Tip{it.h.Seq, id})
		}
	}
	for _, tips := range v {
		slices.SortFunc(tips, func(a, b Tip) int { return crdt.CompareIDs(a.ID, b.ID) })
	}
	return v
}

// maximal are the items of ids that are in the past of no other one.
func (m *model) maximal(ids idSet) []crdt.ChangeSetID {
	out := []crdt.ChangeSetID{}
	for a := range ids {
		top := true
		for b := range ids {
			top = top && (a == b || !m.past[b][a])
		}
		if top {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, crdt.CompareIDs)
	return out
}

func (m *model) ids() idSet {
	out := idSet{}
	for id := range m.items {
		out[id] = true
	}
	return out
}

// drawDAG draws items of a few devices in causal order, with forks and merges.
func drawDAG(t *rapid.T, n int) []item {
	var items []item
	full := newModel()
	for i := range rapid.IntRange(1, n).Draw(t, "items") {
		d := rapid.IntRange(0, 3).Draw(t, "device")
		h := Header{Doc: testDoc, Device: hash32(fmt.Sprint("device", d)), Seq: 1, Prev: crdt.ChangeSetID(testDoc)}
		var own, ends []item
		for _, it := range items {
			if it.h.Chain() == h.Chain() {
				own = append(own, it)
			}
		}
		for _, it := range own {
			if !slices.ContainsFunc(own, func(o item) bool { return o.h.Prev == it.id }) {
				ends = append(ends, it)
			}
		}
		fork := rapid.IntRange(0, 4).Draw(t, "fork") == 0
		if len(own) > 0 && !(fork && rapid.Bool().Draw(t, "at seq 1")) {
			from := ends
			if fork {
				from = own
			}
			prev := from[rapid.IntRange(0, len(from)-1).Draw(t, "prev")]
			h.Seq, h.Prev = prev.h.Seq+1, prev.id
		}
		for range rapid.IntRange(0, 2).Draw(t, "deps") {
			if len(items) > 0 {
				h.Deps = append(h.Deps, items[rapid.IntRange(0, len(items)-1).Draw(t, "dep")].id)
			}
		}
		slices.SortFunc(h.Deps, crdt.CompareIDs)
		h.Deps = slices.Compact(h.Deps)
		it := item{h, hash32(fmt.Sprint("item", i))}
		full.add(it)
		items = append(items, it)
	}
	return items
}

func TestGraphIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := drawDAG(t, 40)
		m, g := newModel(), NewGraph(testDoc)
		waiting := rapid.Permutation(items).Draw(t, "order")
		for len(waiting) > 0 {
			var again []item
			for _, it := range waiting {
				if !deliver(t, m, g, it) {
					again = append(again, it)
				}
			}
			if len(again) == len(waiting) {
				t.Fatal("nothing became ready")
			}
			waiting = again
		}
		compare(t, m, g)
	})
}

// deliver offers it to both, and reports whether it went in.
func deliver(t *rapid.T, m *model, g *Graph, it item) bool {
	want := Result{Status: Added}
	switch missing := m.missing(&it.h); {
	case m.past[it.id] != nil:
		want.Status = Duplicate
	case missing != nil:
		want = Result{Status: Pending, Missing: missing}
	case len(m.rivals(it)) > 0:
		want.Status = Forked
	}
	got, err := g.Add(&it.h, it.id)
	if err != nil {
		t.Fatal(err)
	}
	rivals := idSet{}
	for _, id := range got.Rivals {
		rivals[id] = true
	}
	if want.Status == Forked && !maps.Equal(rivals, m.rivals(it)) {
		t.Fatalf("rivals %v, want %v", rivals, m.rivals(it))
	}
	got.Rivals = nil
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	if got.Status != Pending && got.Status != Duplicate {
		m.add(it)
	}
	return got.Status != Pending
}

func compare(t *rapid.T, m *model, g *Graph) {
	seen := idSet{}
	for id := range g.All() {
		it := m.items[id]
		for _, p := range m.parents(&it.h) {
			if !seen[p] {
				t.Fatal("All lists an item before its parent")
			}
		}
		seen[id] = true
	}
	if len(seen) != len(m.items) || g.Len() != len(m.items) {
		t.Fatalf("%d items listed, Len %d, want %d", len(seen), g.Len(), len(m.items))
	}
	for a, ia := range m.items {
		for b := range m.items {
			if g.Covers(a, b) != m.past[a][b] {
				t.Fatalf("Covers is %v", !m.past[a][b])
			}
			if inPast := b != a && m.past[a][b]; g.InPast(&ia.h, b) != inPast {
				t.Fatalf("InPast is %v", !inPast)
			}
		}
		if n := &g.nodes[g.index[a]]; n.clock.at(n.branch) >= 0 {
			t.Fatal("a clock says what every item knows, its own branch")
		}
		place, ok := g.Place(a)
		if want := (Place{ia.h.Chain(), ia.h.Seq, ia.h.Prev}); !ok || place != want {
			t.Fatalf("place %v, want %v", place, want)
		}
	}
	if d := cmp.Diff(m.maximal(m.ids()), g.Tips()); d != "" {
		t.Fatal("tips: ", d)
	}
	if d := cmp.Diff(m.vector(), g.Vector()); d != "" {
		t.Fatal("vector: ", d)
	}
	compareForks(t, m, g)
	compareFrontier(t, m, g)
}

func compareForks(t *rapid.T, m *model, g *Graph) {
	forked := idSet{}
	for fork := range g.Forks() {
		for _, id := range fork {
			rivals := m.rivals(m.items[id])
			rivals[id] = true
			if len(rivals) != len(fork) || !rivals[fork[0]] {
				t.Fatalf("fork of %d, want %d", len(fork), len(rivals))
			}
			forked[id] = true
		}
	}
	for id, it := range m.items {
		if forked[id] != (len(m.rivals(it)) > 0) {
			t.Fatal("a fork is not listed, or what is listed is none")
		}
	}
}

func compareFrontier(t *rapid.T, m *model, g *Graph) {
	ids := slices.SortedFunc(maps.Keys(m.items), crdt.CompareIDs)
	applied := rapid.SliceOf(rapid.SampledFrom(ids)).Draw(t, "applied")
	prev := rapid.SampledFrom(append(ids, crdt.ChangeSetID(testDoc))).Draw(t, "prev")
	want := idSet{}
	for _, id := range applied {
		if !m.past[prev][id] {
			want[id] = true
		}
	}
	got := g.Frontier(prev, append(applied, crdt.ChangeSetID{}))
	if d := cmp.Diff(m.maximal(want), append([]crdt.ChangeSetID{}, got...)); d != "" {
		t.Fatal("frontier: ", d)
	}
}

func TestGraphRefuses(t *testing.T) {
	g := NewGraph(testDoc)
	first := Header{Doc: testDoc, Device: crdt.DeviceID{1}, Seq: 1, Prev: crdt.ChangeSetID(testDoc)}
	if _, err := g.Add(&first, crdt.ChangeSetID{1}); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Header){
		"another document": func(h *Header) { h.Doc[0]++ },
		"another chain":    func(h *Header) { h.Incarnation[0]++ },
		"another device":   func(h *Header) { h.Device[0]++ },
		"gap in seq":       func(h *Header) { h.Seq++ },
	} {
		h := first
		h.Seq, h.Prev = 2, crdt.ChangeSetID{1}
		spoil(&h)
		if r, err := g.Add(&h, crdt.ChangeSetID{2}); !errors.Is(err, ErrChain) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	doc, none := crdt.ChangeSetID(testDoc), crdt.ChangeSetID{9}
	for name, wrong := range map[string]bool{
		"has doc": !g.Has(doc), "has item": !g.Has(crdt.ChangeSetID{1}), "has none": g.Has(none),
		"covers doc": !g.Covers(crdt.ChangeSetID{1}, doc), "none covers": g.Covers(none, doc),
		"covers none": g.Covers(crdt.ChangeSetID{1}, none), "doc": g.Doc() != testDoc,
		"doc in past": !g.InPast(&first, doc),
	} {
		if wrong {
			t.Error(name)
		}
	}
	if _, ok := g.Place(none); ok {
		t.Error("an unknown item has a place")
	}
	for range g.All() {
		break
	}
}

// TestManyForks lets two chains merge hundreds of branches one after the other, so
// that their clocks are written out whole several times.
func TestManyForks(t *testing.T) {
	g, m := NewGraph(testDoc), newModel()
	add := func(h Header, name string) crdt.ChangeSetID {
		it := item{h, hash32(name)}
		if r, err := g.Add(&it.h, it.id); err != nil || r.Status == Pending {
			t.Fatal(r, err)
		}
		m.add(it)
		return it.id
	}
	first := func(device byte) Header {
		return Header{Doc: testDoc, Device: crdt.DeviceID{device}, Seq: 1, Prev: crdt.ChangeSetID(testDoc)}
	}
	ends := [2]Header{first(1), first(2)}
	for i := range 150 {
		branch := add(first(byte(3+i%2)), fmt.Sprint("branch", i))
		h := &ends[i%3%2]
		h.Deps = []crdt.ChangeSetID{branch}
		h.Prev = add(*h, fmt.Sprint("merge", i))
		h.Seq++
	}
	last := first(5)
	last.Deps = []crdt.ChangeSetID{ends[0].Prev, ends[1].Prev}
	add(last, "last")
	whole := 0
	for i := range g.nodes {
		if c := g.nodes[i].clock; c != nil && c.size > 0 && c.base == nil {
			whole++
		}
	}
	if whole < 4 {
		t.Errorf("%d clocks were written out whole", whole)
	}
	for a := range m.items {
		for b := range m.items {
			if g.Covers(a, b) != m.past[a][b] {
				t.Fatalf("Covers is %v", !m.past[a][b])
			}
		}
	}
}

// TestSharedClocks: a chain that learns nothing new of others has one clock.
func TestSharedClocks(t *testing.T) {
	g := NewGraph(testDoc)
	headers, ids := weave(2, 2)
	for i := range headers {
		_, _ = g.Add(&headers[i], ids[i])
	}
	h, id := headers[1], ids[1]
	clocks := map[*clock]bool{}
	for i := range 10_000 {
		h = Header{Doc: testDoc, Device: h.Device, Seq: h.Seq + 1, Prev: id}
		if i == 5000 {
			h.Deps = []crdt.ChangeSetID{ids[0]} // known already
		}
		id = hash32(fmt.Sprint("more", i))
		if r, err := g.Add(&h, id); err != nil || r.Status != Added {
			t.Fatal(r, err)
		}
	}
	for i := range g.nodes {
		clocks[g.nodes[i].clock] = true
	}
	if len(clocks) != 2 { // the first item's, which is empty, and the second's
		t.Errorf("%d clocks for %d items", len(clocks), g.Len())
	}
}
