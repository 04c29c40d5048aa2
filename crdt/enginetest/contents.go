package enginetest

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

func isValue(t reflect.Type) bool { return t == reflect.TypeFor[crdt.Value]() }

// everyScalar has each kind, and the ends of its range.
var everyScalar = map[string]crdt.Value{
	"null": crdt.Null(), "true": crdt.Bool(true), "false": crdt.Bool(false),
	"int": crdt.Int(-1), "min": crdt.Int(math.MinInt64), "max": crdt.Int(math.MaxInt64),
	"uint": crdt.Uint(7), "max uint": crdt.Uint(math.MaxUint64),
	"float": crdt.Float(1.5), "nan": crdt.Float(math.NaN()), "inf": crdt.Float(math.Inf(-1)),
	"string": crdt.String("héllo \x00 🙂"), "empty": crdt.String(""), "long": crdt.String(strings.Repeat("x", 1<<20)),
	"bytes": crdt.Bytes([]byte{0, 255}), "no bytes": crdt.Bytes(nil),
	"time": crdt.Millis(-1), "counter": crdt.CounterAt(-5),
}

func (e Engine) scalars(t *testing.T) {
	d := e.open(t, 1)
	var list crdt.ObjID
	change(t, d, func(w crdt.Writer) {
		list = put(t, w, crdt.Root, "list", crdt.Object(crdt.KindList))
		for k, v := range everyScalar {
			put(t, w, crdt.Root, k, v)
			insert(t, w, list, 0, v)
			if got := value[crdt.ObjID](t)(w.Put(list, crdt.Prop{}, v)); got != crdt.Root {
				t.Errorf("the id of a scalar is %s", got)
			}
		}
	})
	r := now(t, d)
	ids := map[crdt.ObjID]bool{}
	for k, want := range everyScalar {
		got, ok, err := r.Get(crdt.Root, crdt.Prop{Key: k})
		must(t, err)
		if !ok || !got.Same(want) {
			t.Errorf("%s: got %v, want %v", k, got, want)
		}
		if got.ID == crdt.Root || ids[got.ID] {
			t.Errorf("%s: id %s is not its own", k, got.ID)
		}
		ids[got.ID] = true
	}
	equal(t, value[crdt.Info](t)(r.Info(list)), crdt.Info{Kind: crdt.KindList, Len: len(everyScalar)})
}

func (e Engine) maps(t *testing.T) {
	d := e.open(t, 1)
	change(t, d, func(w crdt.Writer) {
		m := put(t, w, crdt.Root, "m", crdt.Object(crdt.KindMap))
		put(t, w, m, "b", crdt.Int(1))
		put(t, w, m, "a", crdt.Int(2))
		put(t, w, m, "é", crdt.Int(3))
		put(t, w, m, "a", crdt.Int(4))
		put(t, w, m, "gone", crdt.Int(5))
		must(t, w.Delete(m, crdt.Prop{Key: "gone"}))
		must(t, w.Delete(m, crdt.Prop{Key: "never"}))
		put(t, w, crdt.Root, "n", crdt.CounterAt(1))
		must(t, w.Increment(crdt.Root, crdt.Prop{Key: "n"}, -3))
	})
	r := now(t, d)
	equal(t, dumpRoot(t, r), map[string]any{
		"m": map[string]any{"a": crdt.Int(4), "b": crdt.Int(1), "é": crdt.Int(3)},
		"n": crdt.CounterAt(-2),
	})
	equal(t, value[crdt.Info](t)(r.Info(crdt.Root)), crdt.Info{Kind: crdt.KindMap, Len: 2})
	if _, ok, err := r.Get(crdt.Root, crdt.Prop{Key: ""}); ok || err != nil {
		t.Errorf("the empty key: %v, %v", ok, err)
	}
}

func (e Engine) lists(t *testing.T) {
	d := e.open(t, 1)
	var list crdt.ObjID
	change(t, d, func(w crdt.Writer) {
		list = put(t, w, crdt.Root, "l", crdt.Object(crdt.KindList))
		insert(t, w, list, 0, crdt.Int(1))
		insert(t, w, list, 1, crdt.Int(3))
		insert(t, w, list, 1, crdt.Int(2))
		insert(t, w, list, 0, crdt.Object(crdt.KindMap))
		must(t, w.Delete(list, crdt.Prop{Index: 2}))
		value[crdt.ObjID](t)(w.Put(list, crdt.Prop{Index: 1}, crdt.CounterAt(7)))
		must(t, w.Increment(list, crdt.Prop{Index: 1}, 1))
	})
	r := now(t, d)
	equal(t, dumpRoot(t, r), map[string]any{"l": []any{map[string]any{}, crdt.CounterAt(8), crdt.Int(3)}})
	for _, i := range []int{-1, 3} {
		if _, ok, err := r.Get(list, crdt.Prop{Index: i}); ok || err != nil {
			t.Errorf("index %d: %v, %v", i, ok, err)
		}
	}
}

func (e Engine) texts(t *testing.T) {
	d := e.open(t, 1)
	var id crdt.ObjID
	change(t, d, func(w crdt.Writer) {
		id = put(t, w, crdt.Root, "t", crdt.Object(crdt.KindText))
		must(t, w.Splice(id, 0, 0, "a🙂c"))
		must(t, w.Splice(id, 2, 1, "é!"))
		must(t, w.Splice(id, 4, 0, ""))
		must(t, w.Splice(id, 0, 1, ""))
	})
	r := now(t, d)
	equal(t, value[string](t)(r.Text(id)), "🙂é!")
	equal(t, value[crdt.Info](t)(r.Info(id)), crdt.Info{Kind: crdt.KindText, Len: 3})
}

func (e Engine) marks(t *testing.T) {
	d := e.open(t, 1)
	var id crdt.ObjID
	change(t, d, func(w crdt.Writer) {
		id = put(t, w, crdt.Root, "t", crdt.Object(crdt.KindText))
		must(t, w.Splice(id, 0, 0, "abcdefgh"))
		must(t, w.Mark(id, crdt.Mark{Start: 0, End: 2, Name: "bold", Value: crdt.Bool(true)}, crdt.ExpandAfter))
		must(t, w.Mark(id, crdt.Mark{Start: 3, End: 6, Name: "link", Value: crdt.String("x")}, crdt.ExpandNone))
	})
	change(t, d, func(w crdt.Writer) {
		must(t, w.Splice(id, 6, 0, "-")) // outside of the link
		must(t, w.Splice(id, 2, 0, "+")) // bold
		must(t, w.Mark(id, crdt.Mark{Start: 5, End: 7, Name: "link"}, crdt.ExpandNone))
	})
	got := value[[]crdt.Mark](t)(now(t, d).Marks(id))
	for i := range got {
		got[i].Value.ID = crdt.ObjID{}
	}
	equal(t, got, []crdt.Mark{
		{Start: 0, End: 3, Name: "bold", Value: crdt.Bool(true)},
		{Start: 4, End: 5, Name: "link", Value: crdt.String("x")},
	})
}

// expansions: "a[bc]d" with "+" inserted at the end of the mark and "-" at its start.
func (e Engine) expansions(t *testing.T) {
	for x, want := range map[crdt.Expand][2]int{
		crdt.ExpandAfter: {2, 5}, crdt.ExpandBefore: {1, 4}, crdt.ExpandBoth: {1, 5}, crdt.ExpandNone: {2, 4},
	} {
		d := e.open(t, 1)
		var id crdt.ObjID
		change(t, d, func(w crdt.Writer) {
			id = put(t, w, crdt.Root, "t", crdt.Object(crdt.KindText))
			must(t, w.Splice(id, 0, 0, "abcd"))
			must(t, w.Mark(id, crdt.Mark{Start: 1, End: 3, Name: "m", Value: crdt.Bool(true)}, x))
		})
		change(t, d, func(w crdt.Writer) {
			must(t, w.Splice(id, 3, 0, "+"))
			must(t, w.Splice(id, 1, 0, "-"))
		})
		marks := value[[]crdt.Mark](t)(now(t, d).Marks(id))
		if len(marks) != 1 || [2]int{marks[0].Start, marks[0].End} != want {
			t.Errorf("expansion %d: got %v, want %v", x, marks, want)
		}
	}
}

// refusals: what cannot be done is an error of the right kind, and leaves no trace.
func (e Engine) refusals(t *testing.T) {
	d := e.open(t, 1)
	w := value[crdt.Writer](t)(d.Begin())
	list := put(t, w, crdt.Root, "l", crdt.Object(crdt.KindList))
	txt := put(t, w, crdt.Root, "t", crdt.Object(crdt.KindText))
	put(t, w, crdt.Root, "n", crdt.Int(1))
	insert(t, w, list, 0, crdt.Int(1))
	before, ops := dumpRoot(t, w), value[int](t)(w.Ops())

	drop := func(_ any, err error) error { return err }
	stranger := crdt.ObjID{Counter: 1000, Actor: "0123456789abcdef"}
	mark := func(start, end int, name string, v crdt.Value) error {
		return w.Mark(txt, crdt.Mark{Start: start, End: end, Name: name, Value: v}, crdt.ExpandAfter)
	}
	must(t, w.Splice(txt, 0, 0, ""))
	for name, c := range map[string]struct{ err, want error }{
		"read a stranger":       {drop(w.Info(stranger)), crdt.ErrNoObject},
		"write to a stranger":   {drop(w.Put(stranger, crdt.Prop{Key: "k"}, crdt.Null())), crdt.ErrNoObject},
		"put past the end":      {drop(w.Put(list, crdt.Prop{Index: 1}, crdt.Null())), crdt.ErrRange},
		"put before the start":  {drop(w.Put(list, crdt.Prop{Index: -1}, crdt.Null())), crdt.ErrRange},
		"insert past the end":   {drop(w.Insert(list, 2, crdt.Null())), crdt.ErrRange},
		"insert at -1":          {drop(w.Insert(list, -1, crdt.Null())), crdt.ErrRange},
		"delete past the end":   {w.Delete(list, crdt.Prop{Index: 1}), crdt.ErrRange},
		"splice past the end":   {w.Splice(txt, 1, 0, "x"), crdt.ErrRange},
		"delete too much":       {w.Splice(txt, 0, 1, "x"), crdt.ErrRange},
		"splice at -1":          {w.Splice(txt, -1, 0, "x"), crdt.ErrRange},
		"delete -1":             {w.Splice(txt, 0, -1, "x"), crdt.ErrRange},
		"splice a map":          {w.Splice(crdt.Root, 0, 0, "x"), crdt.ErrType},
		"splice a list":         {w.Splice(list, 0, 0, "x"), crdt.ErrType},
		"put into a text":       {drop(w.Put(txt, crdt.Prop{}, crdt.Null())), crdt.ErrType},
		"insert into a text":    {drop(w.Insert(txt, 0, crdt.Null())), crdt.ErrType},
		"insert into a map":     {drop(w.Insert(crdt.Root, 0, crdt.Null())), crdt.ErrType},
		"increment an int":      {w.Increment(crdt.Root, crdt.Prop{Key: "n"}, 1), crdt.ErrType},
		"increment nothing":     {w.Increment(crdt.Root, crdt.Prop{Key: "no"}, 1), crdt.ErrType},
		"increment past end":    {w.Increment(list, crdt.Prop{Index: 5}, 1), crdt.ErrType},
		"empty key":             {drop(w.Put(crdt.Root, crdt.Prop{}, crdt.Null())), crdt.ErrKey},
		"key not UTF-8":         {drop(w.Put(crdt.Root, crdt.Prop{Key: "\xff"}, crdt.Null())), crdt.ErrUTF8},
		"string not UTF-8":      {drop(w.Put(crdt.Root, crdt.Prop{Key: "k"}, crdt.String("\xff"))), crdt.ErrUTF8},
		"text not UTF-8":        {w.Splice(txt, 0, 0, "\xff"), crdt.ErrUTF8},
		"unknown value":         {drop(w.Put(crdt.Root, crdt.Prop{Key: "k"}, crdt.UnknownValue(12, nil))), crdt.ErrType},
		"mark nothing":          {mark(0, 0, "b", crdt.Bool(true)), crdt.ErrRange},
		"mark past the end":     {mark(0, 1, "b", crdt.Bool(true)), crdt.ErrRange},
		"mark with an object":   {mark(0, 1, "b", crdt.Object(crdt.KindMap)), crdt.ErrType},
		"mark without a name":   {mark(0, 1, "", crdt.Bool(true)), crdt.ErrKey},
		"text of a list":        {drop(w.Text(list)), crdt.ErrType},
		"marks of a map":        {drop(w.Marks(crdt.Root)), crdt.ErrType},
		"get from a text":       {second(w.Get(txt, crdt.Prop{})), crdt.ErrType},
		"conflicts in a text":   {drop(w.Conflicts(txt, crdt.Prop{})), crdt.ErrType},
		"conflicts of stranger": {drop(w.Conflicts(stranger, crdt.Prop{})), crdt.ErrNoObject},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c.err, c.want) })
	}
	for _, err := range w.Entries(txt) {
		refuses(t, err, crdt.ErrType)
	}
	equal(t, dumpRoot(t, w), before)
	equal(t, value[int](t)(w.Ops()), ops)
	must(t, w.Rollback())
}

func second(_ crdt.Value, _ bool, err error) error { return err }
