package enginetest

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

func (e Engine) transactions(t *testing.T) {
	d := e.open(t, 1)
	w := value[crdt.Writer](t)(d.Begin())
	_, err := d.Begin()
	refuses(t, err, crdt.ErrBusy)
	_, err = d.Heads()
	refuses(t, err, crdt.ErrBusy)
	_, err = d.Save()
	refuses(t, err, crdt.ErrBusy)
	refuses(t, d.Apply(nil, nil), crdt.ErrBusy)
	_, err = d.Since(nil)
	refuses(t, err, crdt.ErrBusy)

	m := put(t, w, crdt.Root, "m", crdt.Object(crdt.KindMap))
	put(t, w, m, "k", crdt.Int(1))
	equal(t, value[int](t)(w.Ops()), 2)
	equal(t, dumpRoot(t, w), map[string]any{"m": map[string]any{"k": crdt.Int(1)}})
	equal(t, dumpRoot(t, now(t, d)), dumpRoot(t, w))
	must(t, w.Rollback())
	equal(t, dumpRoot(t, now(t, d)), map[string]any{})
	_, err = now(t, d).Info(m)
	refuses(t, err, crdt.ErrNoObject)

	_, err = w.Ops()
	refuses(t, err, crdt.ErrDone)
	_, err = w.Commit("", 0)
	refuses(t, err, crdt.ErrDone)
	refuses(t, w.Rollback(), crdt.ErrDone)
	_, err = w.Put(crdt.Root, crdt.Prop{Key: "k"}, crdt.Null())
	refuses(t, err, crdt.ErrDone)
	_, err = w.Info(crdt.Root)
	refuses(t, err, crdt.ErrDone)

	c := change(t, d, func(crdt.Writer) {})
	if c.Bytes != nil || c.Hash != (crdt.ChangeHash{}) || len(heads(t, d)) != 0 {
		t.Errorf("an empty transaction made change %s", c.Hash)
	}
	w = value[crdt.Writer](t)(d.Begin())
	put(t, w, crdt.Root, "k", crdt.Int(1))
	_, err = w.Commit("\xff", 0)
	refuses(t, err, crdt.ErrUTF8)
	c = value[crdt.Change](t)(w.Commit("a message", 1700000000))
	equal(t, heads(t, d), []crdt.ChangeHash{c.Hash})
	if !bytes.Contains(c.Bytes, []byte("a message")) {
		t.Error("the change lacks its message")
	}
}

func (e Engine) conflicts(t *testing.T) {
	a, b := e.open(t, 1), e.open(t, 2)
	change(t, a, func(w crdt.Writer) {
		list := put(t, w, crdt.Root, "l", crdt.Object(crdt.KindList))
		insert(t, w, list, 0, crdt.Int(0))
		put(t, w, crdt.Root, "n", crdt.CounterAt(10))
		put(t, w, crdt.Root, "d", crdt.Int(0))
	})
	sync(t, a, b)
	l, _, err := now(t, a).Get(crdt.Root, crdt.Prop{Key: "l"})
	must(t, err)
	change(t, a, func(w crdt.Writer) {
		put(t, w, crdt.Root, "k", crdt.String("a"))
		value[crdt.ObjID](t)(w.Put(l.ID, crdt.Prop{}, crdt.Int(1)))
		insert(t, w, l.ID, 1, crdt.String("a"))
		must(t, w.Increment(crdt.Root, crdt.Prop{Key: "n"}, 2))
		must(t, w.Delete(crdt.Root, crdt.Prop{Key: "d"}))
	})
	change(t, b, func(w crdt.Writer) {
		put(t, w, crdt.Root, "k", crdt.String("b"))
		value[crdt.ObjID](t)(w.Put(l.ID, crdt.Prop{}, crdt.Object(crdt.KindMap)))
		insert(t, w, l.ID, 1, crdt.String("b"))
		must(t, w.Increment(crdt.Root, crdt.Prop{Key: "n"}, 3))
		put(t, w, crdt.Root, "d", crdt.Int(1))
	})
	sync(t, a, b)
	want := map[string]any{
		"k": crdt.String("b"), // equal counters: the greater actor wins
		"l": []any{map[string]any{}, crdt.String("b"), crdt.String("a")},
		"n": crdt.CounterAt(15),
		"d": crdt.Int(1), // writing survives deleting
	}
	for _, d := range []crdt.Engine{a, b} {
		r := now(t, d)
		equal(t, dumpRoot(t, r), want)
		equal(t, values(t, r, crdt.Root, crdt.Prop{Key: "k"}), []any{crdt.String("b"), crdt.String("a")})
		equal(t, values(t, r, l.ID, crdt.Prop{}), []any{map[string]any{}, crdt.Int(1)})
		equal(t, values(t, r, crdt.Root, crdt.Prop{Key: "d"}), []any{crdt.Int(1)})
		equal(t, values(t, r, crdt.Root, crdt.Prop{Key: "no"}), []any(nil))
	}
	change(t, a, func(w crdt.Writer) { put(t, w, crdt.Root, "k", crdt.String("settled")) })
	equal(t, values(t, now(t, a), crdt.Root, crdt.Prop{Key: "k"}), []any{crdt.String("settled")})
}

func values(t testing.TB, r crdt.Reader, obj crdt.ObjID, p crdt.Prop) (all []any) {
	t.Helper()
	for _, v := range value[[]crdt.Value](t)(r.Conflicts(obj, p)) {
		all = append(all, dump(t, r, v))
	}
	return all
}

func (e Engine) history(t *testing.T) {
	a, b, c := e.open(t, 1), e.open(t, 2), e.open(t, 3)
	equal(t, heads(t, a), []crdt.ChangeHash(nil))
	var cs []crdt.Change
	for i := range 4 {
		cs = append(cs, change(t, a, func(w crdt.Writer) { put(t, w, crdt.Root, "k", crdt.Int(int64(i))) }))
	}
	other := change(t, b, func(w crdt.Writer) { put(t, w, crdt.Root, "other", crdt.Int(1)) })
	equal(t, value[[]byte](t)(a.Change(cs[1].Hash)), cs[1].Bytes)
	_, err := a.Change(other.Hash)
	refuses(t, err, crdt.ErrNoChange)

	equal(t, value[[][]byte](t)(a.Since(nil)), [][]byte{cs[0].Bytes, cs[1].Bytes, cs[2].Bytes, cs[3].Bytes})
	equal(t, value[[][]byte](t)(a.Since([]crdt.ChangeHash{cs[1].Hash, other.Hash})), [][]byte{cs[2].Bytes, cs[3].Bytes})
	equal(t, value[[][]byte](t)(a.Since(heads(t, a))), [][]byte(nil))

	// In any order, twice, and with gaps: nothing is lost.
	must(t, c.Apply([][]byte{cs[3].Bytes, cs[0].Bytes}, []crdt.ChangeHash{cs[0].Hash}))
	equal(t, value[[]crdt.ChangeHash](t)(c.Missing(nil)), []crdt.ChangeHash{cs[2].Hash})
	equal(t, value[[]crdt.ChangeHash](t)(c.Missing([]crdt.ChangeHash{other.Hash})), sorted(cs[2].Hash, other.Hash))
	both := sorted(cs[3].Hash, other.Hash)
	must(t, c.Apply([][]byte{other.Bytes, cs[2].Bytes, cs[1].Bytes, cs[0].Bytes}, []crdt.ChangeHash{both[1], both[0]}))
	equal(t, heads(t, c), both)
	equal(t, value[[]crdt.ChangeHash](t)(c.Missing(nil)), []crdt.ChangeHash(nil))
	must(t, c.Apply(nil, both))

	var he *crdt.HeadsError
	err = c.Apply([][]byte{cs[0].Bytes}, []crdt.ChangeHash{cs[0].Hash})
	if refuses(t, err, crdt.ErrHeads); !errors.As(err, &he) || !slices.Equal(he.Got, both) {
		t.Errorf("got %v", err)
	}
	merged := change(t, c, func(w crdt.Writer) { put(t, w, crdt.Root, "merged", crdt.Bool(true)) })
	equal(t, heads(t, c), []crdt.ChangeHash{merged.Hash})
}

func (e Engine) states(t *testing.T) {
	d := e.open(t, 1)
	type version struct {
		heads []crdt.ChangeHash
		state any
	}
	versions := []version{{[]crdt.ChangeHash{}, map[string]any{}}}
	var m, list, txt crdt.ObjID
	for _, f := range []func(w crdt.Writer){
		func(w crdt.Writer) {
			m = put(t, w, crdt.Root, "m", crdt.Object(crdt.KindMap))
			list = put(t, w, m, "l", crdt.Object(crdt.KindList))
			txt = put(t, w, m, "t", crdt.Object(crdt.KindText))
			put(t, w, m, "n", crdt.CounterAt(1))
		},
		func(w crdt.Writer) {
			must(t, w.Splice(txt, 0, 0, "hello"))
			insert(t, w, list, 0, crdt.Object(crdt.KindMap))
		},
		func(w crdt.Writer) { must(t, w.Splice(txt, 1, 3, "")); insert(t, w, list, 0, crdt.Int(1)) },
		func(w crdt.Writer) {
			must(t, w.Mark(txt, crdt.Mark{Start: 0, End: 1, Name: "b", Value: crdt.Bool(true)}, crdt.ExpandNone))
			must(t, w.Increment(m, crdt.Prop{Key: "n"}, 1))
		},
		func(w crdt.Writer) { must(t, w.Delete(crdt.Root, crdt.Prop{Key: "m"})) },
	} {
		change(t, d, f)
		versions = append(versions, version{heads(t, d), dumpRoot(t, now(t, d))})
	}
	for i, v := range versions {
		r := value[crdt.Reader](t)(d.At(v.heads))
		equal(t, dumpRoot(t, r), v.state)
		if i == 2 { // an object that is gone now, at an index that it had then
			got, ok, err := r.Get(list, crdt.Prop{Index: 0})
			if must(t, err); !ok || got.Kind() != crdt.KindMap {
				t.Errorf("got %v", got)
			}
			equal(t, value[crdt.Info](t)(r.Info(txt)), crdt.Info{Kind: crdt.KindText, Len: 5})
			equal(t, values(t, r, list, crdt.Prop{}), []any{map[string]any{}})
		}
	}
	_, err := d.At([]crdt.ChangeHash{{1}})
	refuses(t, err, crdt.ErrNoChange)
}

func (e Engine) save(t *testing.T) {
	d := e.open(t, 1)
	var txt crdt.ObjID
	c := change(t, d, func(w crdt.Writer) {
		txt = put(t, w, crdt.Root, "t", crdt.Object(crdt.KindText))
		must(t, w.Splice(txt, 0, 0, "abc"))
		for k, v := range everyScalar {
			put(t, w, crdt.Root, k, v)
		}
	})
	save := value[[]byte](t)(d.Save())
	l := value[crdt.Engine](t)(e.Load(save, actor(2)))
	defer l.Close()
	equal(t, heads(t, l), heads(t, d))
	equal(t, dumpRoot(t, now(t, l)), dumpRoot(t, now(t, d)))
	equal(t, value[[]byte](t)(l.Change(c.Hash)), c.Bytes)
	change(t, l, func(w crdt.Writer) { must(t, w.Splice(txt, 3, 0, "d")) })
	sync(t, l, d)
	equal(t, value[string](t)(now(t, d).Text(txt)), "abcd")

	empty := e.open(t, 1)
	l2 := value[crdt.Engine](t)(e.Load(value[[]byte](t)(empty.Save()), actor(1)))
	defer l2.Close()
	equal(t, heads(t, l2), []crdt.ChangeHash(nil))
	_, err := e.Load(nil, actor(1))
	if err == nil {
		t.Error("loaded from nothing")
	}
}

func (e Engine) close(t *testing.T) {
	d := e.open(t, 1)
	r := now(t, d)
	w := value[crdt.Writer](t)(d.Begin())
	put(t, w, crdt.Root, "k", crdt.Null())
	must(t, d.Close())
	must(t, d.Close())
	_, err := d.At(nil)
	refuses(t, err, crdt.ErrClosed)
	_, err = d.Begin()
	refuses(t, err, crdt.ErrClosed)
	_, err = d.Save()
	refuses(t, err, crdt.ErrClosed)
	_, err = d.Heads()
	refuses(t, err, crdt.ErrClosed)
	_, err = d.Missing(nil)
	refuses(t, err, crdt.ErrClosed)
	_, err = d.Change(crdt.ChangeHash{})
	refuses(t, err, crdt.ErrClosed)
	refuses(t, d.Apply(nil, nil), crdt.ErrClosed)
	refuses(t, second(r.Get(crdt.Root, crdt.Prop{Key: "k"})), crdt.ErrClosed)
	for _, err := range r.Entries(crdt.Root) {
		refuses(t, err, crdt.ErrClosed)
	}
	refuses(t, w.Rollback(), crdt.ErrClosed)
	_, err = w.Commit("", 0)
	refuses(t, err, crdt.ErrClosed)
}

// fork is for engines that are a [crdt.Forker].
func (e Engine) fork(t *testing.T) {
	d := e.open(t, 1)
	f, ok := d.(crdt.Forker)
	if !ok {
		t.Skip("the engine cannot fork")
	}
	equal(t, f.Actor(), actor(1))
	one := change(t, d, func(w crdt.Writer) { put(t, w, crdt.Root, "k", crdt.Int(1)) })
	change(t, d, func(w crdt.Writer) { put(t, w, crdt.Root, "k", crdt.Int(2)) })
	past := value[crdt.Engine](t)(f.Fork([]crdt.ChangeHash{one.Hash}, actor(2)))
	defer past.Close()
	equal(t, dumpRoot(t, now(t, past)), map[string]any{"k": crdt.Int(1)})
	change(t, past, func(w crdt.Writer) { put(t, w, crdt.Root, "k", crdt.Int(3)) })
	full := value[crdt.Engine](t)(f.Fork(nil, actor(3)))
	defer full.Close()
	sync(t, full, past)
	equal(t, values(t, now(t, full), crdt.Root, crdt.Prop{Key: "k"}), []any{crdt.Int(3), crdt.Int(2)})
	_, err := f.Fork([]crdt.ChangeHash{{1}}, actor(2))
	refuses(t, err, crdt.ErrNoChange)

	g := full.(crdt.Forker)
	must(t, g.SetActor(actor(9)))
	equal(t, g.Actor(), actor(9))
	c := value[crdt.Change](t)(g.EmptyChange("merge", 5))
	equal(t, heads(t, full), []crdt.ChangeHash{c.Hash})
	id := actor(9)
	if !bytes.Contains(c.Bytes, id[:]) {
		t.Error("the change is not its new actor's")
	}
}
