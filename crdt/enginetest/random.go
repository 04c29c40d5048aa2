package enginetest

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

// node is an object or a scalar of the model.
type node struct {
	kind  crdt.Kind
	id    crdt.ObjID
	value crdt.Value
	keys  map[string]*node
	items []*node
	runes []rune
}

func (n *node) clone() *node {
	c := *n
	c.runes = slices.Clone(n.runes)
	c.items = nil
	for _, i := range n.items {
		c.items = append(c.items, i.clone())
	}
	c.keys = map[string]*node{}
	for k, v := range n.keys {
		c.keys[k] = v.clone()
	}
	return &c
}

// dump is what dump gives for an engine.
func (n *node) dump() any {
	switch n.kind {
	case crdt.KindMap:
		m := map[string]any{}
		for k, v := range n.keys {
			m[k] = v.dump()
		}
		return m
	case crdt.KindList:
		l := []any{}
		for _, v := range n.items {
			l = append(l, v.dump())
		}
		return l
	case crdt.KindText:
		return text{Content: string(n.runes)}
	}
	return n.value
}

// objects are all objects of kind k that can be reached.
func (n *node) objects(k crdt.Kind) (all []*node) {
	if n.kind == k {
		all = append(all, n)
	}
	for _, c := range n.items {
		all = append(all, c.objects(k)...)
	}
	for _, key := range []string{"a", "b", "c", "é"} {
		if c := n.keys[key]; c != nil {
			all = append(all, c.objects(k)...)
		}
	}
	return all
}

var (
	genKey   = rapid.SampledFrom([]string{"a", "b", "c", "é"})
	genText  = rapid.StringOfN(rapid.RuneFrom([]rune("abcé🙂\n")), 0, 6, -1)
	genValue = rapid.OneOf(
		rapid.Just(crdt.Null()), rapid.Map(rapid.Bool(), crdt.Bool),
		rapid.Map(rapid.Int64(), crdt.Int), rapid.Map(rapid.Uint64(), crdt.Uint),
		rapid.Map(rapid.Float64(), crdt.Float), rapid.Map(genText, crdt.String),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 4), crdt.Bytes),
		rapid.Map(rapid.Int64Range(-1e15, 1e15), crdt.Millis),
		rapid.Map(rapid.Int64Range(-1e9, 1e9), crdt.CounterAt),
		rapid.Map(rapid.SampledFrom([]crdt.Kind{crdt.KindMap, crdt.KindList, crdt.KindText}), crdt.Object),
	)
)

func newNode(v crdt.Value, id crdt.ObjID) *node {
	return &node{kind: v.Kind(), value: v, id: id, keys: map[string]*node{}}
}

// edit makes one random write, in the engine and in the model. Positions may be
// past the end: then the engine has to refuse and the model stays as it is.
func edit(t *rapid.T, tb testing.TB, w crdt.Writer, root *node) {
	kind := rapid.SampledFrom([]crdt.Kind{crdt.KindMap, crdt.KindMap, crdt.KindList, crdt.KindText}).Draw(t, "kind")
	objs := root.objects(kind)
	if len(objs) == 0 {
		objs, kind = []*node{root}, crdt.KindMap
	}
	obj := rapid.SampledFrom(objs).Draw(t, "object")
	switch kind {
	case crdt.KindMap:
		editMap(t, tb, w, obj)
	case crdt.KindList:
		editList(t, tb, w, obj)
	case crdt.KindText:
		pos := rapid.IntRange(0, len(obj.runes)+1).Draw(t, "pos")
		del := rapid.IntRange(0, 3).Draw(t, "del")
		s := genText.Draw(t, "text")
		err := w.Splice(obj.id, pos, del, s)
		if expect(tb, err, pos+del <= len(obj.runes), crdt.ErrRange) {
			obj.runes = slices.Concat(obj.runes[:pos], []rune(s), obj.runes[pos+del:])
		}
	}
}

// expect reports whether a call succeeded, which it has to do just when ok.
func expect(t testing.TB, err error, ok bool, want error) bool {
	t.Helper()
	if ok && err != nil || !ok && !errors.Is(err, want) {
		t.Fatalf("got error %v, should succeed: %v", err, ok)
	}
	return ok
}

func editMap(t *rapid.T, tb testing.TB, w crdt.Writer, obj *node) {
	key := genKey.Draw(t, "key")
	p := crdt.Prop{Key: key}
	switch rapid.IntRange(0, 5).Draw(t, "op") {
	case 0:
		must(tb, w.Delete(obj.id, p))
		delete(obj.keys, key)
	case 1:
		n := obj.keys[key]
		inc := rapid.Int64Range(-100, 100).Draw(t, "n")
		err := w.Increment(obj.id, p, inc)
		if expect(tb, err, n != nil && n.kind == crdt.KindCounter, crdt.ErrType) {
			n.value = crdt.CounterAt(n.value.Int() + inc)
		}
	default:
		v := genValue.Draw(t, "value")
		id, err := w.Put(obj.id, p, v)
		must(tb, err)
		obj.keys[key] = newNode(v, id)
	}
}

func editList(t *rapid.T, tb testing.TB, w crdt.Writer, obj *node) {
	n := len(obj.items)
	i := rapid.IntRange(0, n+1).Draw(t, "index")
	p := crdt.Prop{Index: i}
	switch rapid.IntRange(0, 5).Draw(t, "op") {
	case 0:
		if expect(tb, w.Delete(obj.id, p), i < n, crdt.ErrRange) {
			obj.items = slices.Delete(obj.items, i, i+1)
		}
	case 1:
		inc := rapid.Int64Range(-100, 100).Draw(t, "n")
		if expect(tb, w.Increment(obj.id, p, inc), i < n && obj.items[i].kind == crdt.KindCounter, crdt.ErrType) {
			obj.items[i].value = crdt.CounterAt(obj.items[i].value.Int() + inc)
		}
	case 2:
		v := genValue.Draw(t, "value")
		id, err := w.Put(obj.id, p, v)
		if expect(tb, err, i < n, crdt.ErrRange) {
			obj.items[i] = newNode(v, id)
		}
	default:
		v := genValue.Draw(t, "value")
		id, err := w.Insert(obj.id, i, v)
		if expect(tb, err, i <= n, crdt.ErrRange) {
			obj.items = slices.Insert(obj.items, i, newNode(v, id))
		}
	}
}

// model: one writer, who commits, rolls back, saves, loads and looks back.
func (e Engine) model(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := value[crdt.Engine](t)(e.New(actor(1)))
		defer func() { d.Close() }()
		root := newNode(crdt.Object(crdt.KindMap), crdt.Root)
		type version struct {
			heads []crdt.ChangeHash
			state any
		}
		var versions []version
		for range rapid.IntRange(1, 8).Draw(rt, "transactions") {
			before := root.clone()
			w := value[crdt.Writer](t)(d.Begin())
			for range rapid.IntRange(0, 12).Draw(rt, "edits") {
				edit(rt, t, w, root)
			}
			check(rt, t, w, root)
			if rapid.IntRange(0, 4).Draw(rt, "end") == 0 {
				must(t, w.Rollback())
				root = before
			} else {
				value[crdt.Change](t)(w.Commit("", 0))
			}
			check(rt, t, now(t, d), root)
			versions = append(versions, version{heads(t, d), root.dump()})
			if rapid.IntRange(0, 4).Draw(rt, "reload") == 0 {
				save := value[[]byte](t)(d.Save())
				must(t, d.Close())
				d = value[crdt.Engine](t)(e.Load(save, actor(1)))
				check(rt, t, now(t, d), root)
			}
		}
		for _, v := range versions {
			if v.heads == nil {
				v.heads = []crdt.ChangeHash{}
			}
			same(rt, t, dumpRoot(t, value[crdt.Reader](t)(d.At(v.heads))), v.state)
		}
	})
}

func check(rt *rapid.T, t testing.TB, r crdt.Reader, root *node) {
	t.Helper()
	same(rt, t, dumpRoot(t, r), root.dump())
	for _, k := range []crdt.Kind{crdt.KindMap, crdt.KindList, crdt.KindText} {
		for _, obj := range root.objects(k) {
			want := crdt.Info{Kind: k, Len: len(obj.keys) + len(obj.items) + len(obj.runes)}
			if got := value[crdt.Info](t)(r.Info(obj.id)); got != want {
				rt.Fatalf("%s: got %v, want %v", obj.id, got, want)
			}
		}
	}
}
