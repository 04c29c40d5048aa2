package netsync

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// copyOf is an item as one carrier hands it on.
type copyOf struct {
	set     *set.Set
	payload bool // and right
	sig     int8 // 1 right, 0 none, -1 wrong
}

func (c copyOf) make() *set.Set {
	s := copySet(c.set)
	if !c.payload {
		s = s.Bare()
	}
	switch c.sig {
	case 0:
		s.Sig = nil
	case -1:
		s = forged(s)
	}
	return s
}

// model admits by the definitions alone, with no run, stretch or cover: an item is
// authentic if itself or anything after it in the run or the cover is rightly signed.
type model map[crdt.ChangeSetID]bool

func (m model) admit(run, cover []copyOf) (out []Status) {
	fits := map[crdt.ChangeSetID]bool{} // whole, and complete in what it names
	for i, c := range run {
		h := &c.set.Header
		complete := h.Seq == 1 || m[h.Prev] || fits[h.Prev]
		for _, d := range h.Deps {
			complete = complete && m[d]
		}
		authentic := false
		for _, later := range append(run[i:len(run):len(run)], cover...) {
			authentic = authentic || later.sig > 0
		}
		switch id := c.set.ID(); {
		case m[id]:
			out = append(out, Known)
		case !c.payload:
			out = append(out, Refused)
		case !complete:
			out = append(out, Pending)
		default:
			fits[id] = true
			if authentic {
				out = append(out, Admitted)
			} else {
				out = append(out, Refused)
			}
		}
	}
	for i, c := range run {
		m[c.set.ID()] = m[c.set.ID()] || out[i] == Admitted
	}
	return out
}

// weave is two authors' chains that name each other's items, and a fork of one: three
// lines of items, each line an author's, every item once. All claims are equal.
func weave(tb testing.TB, w *ward) [][]*set.Set {
	w.a.freeze()
	w.b.freeze()
	var lines [3][]*set.Set
	var a, b []crdt.ChangeSetID
	for i := range 12 {
		var deps []crdt.ChangeSetID
		if i%3 == 2 {
			deps = b[len(b)-1:]
		}
		x := w.a.write(deps...)
		lines[0], a = append(lines[0], x), append(a, x.ID())
		deps = nil
		if i%4 == 1 {
			deps = a[len(a)-1:]
		}
		y := w.b.write(deps...)
		lines[1], b = append(lines[1], y), append(b, y.ID())
		if i == 5 {
			other := w.a.fork()
			lines[2] = append(slices.Clone(lines[0]), other.run(4)...) // with what it forks from
		}
	}
	return lines[:]
}

// TestAdmitModel: random pieces of chains, in random order, with payloads and
// signatures that carriers withheld or spoilt, and covers of random length.
func TestAdmitModel(t *testing.T) {
	w := newWard(t)
	lines := weave(t, w)
	rapid.Check(t, func(t *rapid.T) {
		n, m := newNode(w.s, w.doc.Document), model{}
		for range rapid.IntRange(1, 25).Draw(t, "runs") {
			line := rapid.SampledFrom(lines).Draw(t, "line")
			from := rapid.IntRange(0, len(line)-1).Draw(t, "from")
			to := rapid.IntRange(from+1, len(line)).Draw(t, "to")
			end := rapid.IntRange(to, len(line)).Draw(t, "end of cover")
			var run, cover []copyOf
			for _, s := range line[from:to] {
				run = append(run, copyOf{s, rapid.IntRange(0, 9).Draw(t, "payload") > 0, rapid.SampledFrom([]int8{1, 0, 0, -1}).Draw(t, "signature")})
			}
			items := Items{}
			for _, c := range run {
				items.Sets = append(items.Sets, c.make())
			}
			if end > to {
				items.Cover = &set.Cover{}
			}
			for i, s := range line[to:end] {
				c := copyOf{set: s}
				if i == end-to-1 {
					c.sig = rapid.SampledFrom([]int8{1, 1, -1}).Draw(t, "cover")
				}
				cover = append(cover, c)
				items.Cover.Items = append(items.Cover.Items, c.make())
			}
			want := m.admit(run, cover)
			verdicts, err := n.admit(items)
			if err != nil {
				t.Fatal(err)
			}
			var got []Status
			for _, v := range verdicts {
				got = append(got, v.Status)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("verdicts (-model +got):\n%s", diff)
			}
			for id, in := range m {
				if in != n.graph.Has(id) {
					t.Fatalf("item %s in the graph: %v, in the model: %v", id, n.graph.Has(id), in)
				}
			}
			if err := n.check(); err != nil {
				t.Fatal(err)
			}
		}
		finish(t, n, lines)
	})
}

// finish gives a node every item whole, and expects all of them.
func finish(t *rapid.T, n *node, lines [][]*set.Set) {
	all := map[crdt.ChangeSetID]bool{}
	for range 3 { // lines name each other
		for _, line := range lines {
			if _, err := n.admit(of(line...)); err != nil {
				t.Fatal(err)
			}
			for _, s := range line {
				all[s.ID()] = true
			}
		}
		if _, err := n.retry(); err != nil {
			t.Fatal(err)
		}
	}
	if n.graph.Len() != len(all) {
		t.Fatalf("%d items of %d in the end", n.graph.Len(), len(all))
	}
	if err := n.check(); err != nil {
		t.Fatal(err)
	}
}
