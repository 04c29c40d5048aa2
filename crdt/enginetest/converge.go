package enginetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

func same(rt *rapid.T, t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.Exporter(isValue)); d != "" {
		rt.Fatalf("-want +got:\n%s", d)
	}
}

// convergence: several writers edit what they have, exchange changes now and
// then, and agree in the end, whatever way the changes took.
func (e Engine) convergence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		docs := make([]crdt.Engine, 3)
		for i := range docs {
			docs[i] = value[crdt.Engine](t)(e.New(actor(byte(i + 1))))
			defer docs[i].Close()
		}
		pick := rapid.IntRange(0, len(docs)-1)
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			d := docs[pick.Draw(rt, "writer")]
			w := value[crdt.Writer](t)(d.Begin())
			root := load(t, w, crdt.ObjectAt(crdt.KindMap, crdt.Root))
			for range rapid.IntRange(1, 6).Draw(rt, "edits") {
				edit(rt, t, w, root)
				markSome(rt, t, w, root)
			}
			value[crdt.Change](t)(w.Commit("", 0))
			if a, b := pick.Draw(rt, "from"), pick.Draw(rt, "to"); a != b {
				sync(t, docs[a], docs[b])
			}
		}
		for range docs {
			for i := range docs[1:] {
				sync(t, docs[i], docs[i+1])
			}
		}
		all := value[[][]byte](t)(docs[0].Since(nil))
		late := value[crdt.Engine](t)(e.New(actor(9)))
		defer late.Close()
		must(t, late.Apply(rapid.Permutation(all).Draw(rt, "order"), nil))
		want := dumpRoot(t, now(t, docs[0]))
		for _, d := range append(docs[1:], late) {
			same(rt, t, heads(t, d), heads(t, docs[0]))
			same(rt, t, dumpRoot(t, now(t, d)), want)
		}
	})
}

func markSome(rt *rapid.T, t testing.TB, w crdt.Writer, root *node) {
	for _, txt := range root.objects(crdt.KindText) {
		if n := len(txt.runes); n > 0 && rapid.IntRange(0, 3).Draw(rt, "mark") == 0 {
			start := rapid.IntRange(0, n-1).Draw(rt, "start")
			m := crdt.Mark{
				Start: start, End: rapid.IntRange(start+1, n).Draw(rt, "end"),
				Name:  rapid.SampledFrom([]string{"b", "i"}).Draw(rt, "name"),
				Value: rapid.SampledFrom([]crdt.Value{crdt.Bool(true), crdt.Int(1), crdt.Null()}).Draw(rt, "value"),
			}
			must(t, w.Mark(txt.id, m, crdt.Expand(rapid.IntRange(0, 3).Draw(rt, "expand"))))
		}
	}
}

// load reads a model from an engine.
func load(t testing.TB, r crdt.Reader, v crdt.Value) *node {
	n := newNode(v, v.ID)
	switch v.Kind() {
	case crdt.KindMap:
		for e, err := range r.Entries(v.ID) {
			must(t, err)
			n.keys[e.Key] = load(t, r, e.Value)
		}
	case crdt.KindList:
		for e, err := range r.Entries(v.ID) {
			must(t, err)
			n.items = append(n.items, load(t, r, e.Value))
		}
	case crdt.KindText:
		n.runes = []rune(value[string](t)(r.Text(v.ID)))
	}
	return n
}
