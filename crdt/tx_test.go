//go:build cgo

package crdt_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

var at = crdt.At

func example() map[string]any {
	return map[string]any{
		"title": "hello", "n": int64(3), "f": 1.5, "big": uint64(math.MaxUint64), "yes": true, "no": nil,
		"likes": crdt.Counter(2), "color": crdt.Scalar("red"), "raw": []byte{1, 2},
		"when": time.UnixMilli(1700000000123).UTC(),
		"list": []any{int64(1), "two", map[string]any{"three": int64(3)}, []any{}},
		"map":  map[string]any{"a/b~c": int64(1), "0": "zero"},
	}
}

func TestValueAndSet(t *testing.T) {
	d := newDoc(t, 1, example())
	equal(t, ok[any](t)(d.Value(nil)), any(example()))
	if n := d.ops(t, func() { check(t, d.Set(nil, example())) }); n != 0 {
		t.Errorf("writing what is there took %d operations", n)
	}
	for path, want := range map[string]any{
		"title": "hello", "list/2/three": int64(3), "map/a~1b~0c": int64(1), "map/0": "zero", "list/0": int64(1), "raw": []byte{1, 2},
	} {
		p := ok[crdt.Path](t)(crdt.ParsePath(path))
		equal(t, ok[any](t)(d.Value(p)), want)
	}
}

// TestMinimal counts what a Set writes.
func TestMinimal(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		val  any
		ops  int
		want any
	}{
		"letters into a text":        {"title", "he(l)lo", 2, "he(l)lo"},
		"a letter out of a text":     {"title", "helo", 1, "helo"},
		"a scalar over a text":       {"title", int64(1), 1, int64(1)},
		"the same number as a float": {"n", 3.0, 0, int64(3)},
		"a number on a counter":      {"likes", 5, 1, crdt.Counter(5)},
		"a counter on a counter":     {"likes", crdt.Counter(1), 1, crdt.Counter(1)},
		"a counter on a number":      {"n", crdt.Counter(1), 1, crdt.Counter(1)},
		"a fraction on a counter":    {"likes", 1.5, 1, 1.5},
		"the same immutable string":  {"color", "red", 0, crdt.Scalar("red")},
		"another string":             {"color", "blue", 5, "blue"},
		"the same time as text":      {"when", "2023-11-14T22:13:20.123Z", 0, time.UnixMilli(1700000000123).UTC()},
		"another time as text":       {"when", "2023-11-14T22:13:20Z", 1, time.UnixMilli(1700000000000).UTC()},
		"what is no time":            {"when", "soon", 5, "soon"},
		"an item of a list":          {"list", []any{1, "two", map[string]any{"three": 4}, []any{}}, 1, []any{int64(1), "two", map[string]any{"three": int64(4)}, []any{}}},
		"an item less":               {"list", []any{1, map[string]any{"three": 3}, []any{}}, 1, []any{int64(1), map[string]any{"three": int64(3)}, []any{}}},
		"an item more, in front":     {"list", []any{0, 1, "two", map[string]any{"three": 3}, []any{}}, 1, []any{int64(0), int64(1), "two", map[string]any{"three": int64(3)}, []any{}}},
		"a key less and a key more":  {"map", map[string]any{"0": "zero", "new": 1}, 2, map[string]any{"0": "zero", "new": int64(1)}},
		"a new key":                  {"fresh", []int{1, 2}, 3, []any{int64(1), int64(2)}},
		"a list over a map":          {"map", []any{}, 1, []any{}},
		"a map over a list":          {"list", map[string]int{"a": 1}, 2, map[string]any{"a": int64(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoc(t, 1, example())
			p := ok[crdt.Path](t)(crdt.ParsePath(c.path))
			if n := d.ops(t, func() { check(t, d.Set(p, c.val)) }); n != c.ops {
				t.Errorf("%d operations, want %d", n, c.ops)
			}
			equal(t, ok[any](t)(d.Value(p)), c.want)
		})
	}
}

func TestConcurrentTyping(t *testing.T) {
	a := newDoc(t, 1, map[string]any{"t": "the cat sat", "l": []any{"a", "b", "c"}, "n": crdt.Counter(1)})
	b := newDoc(t, 2, nil)
	merge(t, a, b)
	check(t, a.Set(at("t"), "the black cat sat"))
	check(t, b.Set(at("t"), "the cat sat down"))
	check(t, a.Set(at("l"), []any{"a", "c"}))
	check(t, b.Set(at("l"), []any{"a", "b", "c", "d"}))
	check(t, a.Set(at("n"), 5))
	check(t, b.Set(at("n"), 11))
	merge(t, a, b)
	want := map[string]any{"t": "the black cat sat down", "l": []any{"a", "c", "d"}, "n": crdt.Counter(15)}
	equal(t, ok[any](t)(a.Value(nil)), any(want))
	equal(t, ok[any](t)(b.Value(nil)), any(want))
}

func TestTx(t *testing.T) {
	d := newDoc(t, 1, example())
	check(t, d.Insert(at("list"), 1, "x", map[string]any{"y": 1}))
	check(t, d.Delete(at("list", 0)))
	check(t, d.Delete(at("map", "0")))
	check(t, d.Splice(at("title"), 1, 3, "🙂"))
	check(t, d.Increment(at("likes"), -7))
	check(t, d.PutCounter(at("n"), 9))
	check(t, d.Mark(at("title"), crdt.Mark{Start: 0, End: 2, Name: "b", Value: crdt.Bool(true)}, crdt.ExpandNone))
	check(t, d.Unmark(at("title"), 1, 2, "b", crdt.ExpandNone))
	equal(t, ok[any](t)(d.Value(at("list"))), any([]any{"x", map[string]any{"y": int64(1)}, "two", map[string]any{"three": int64(3)}, []any{}}))
	equal(t, ok[string](t)(d.Text(at("title"))), "h🙂o")
	equal(t, ok[string](t)(d.Text(at("color"))), "red")
	equal(t, ok[int](t)(d.Len(at("title"))), 3)
	equal(t, ok[[]string](t)(d.Keys(at("map"))), []string{"a/b~c"})
	equal(t, ok[any](t)(d.Value(at("likes"))), any(crdt.Counter(-5)))
	equal(t, ok[any](t)(d.Value(at("n"))), any(crdt.Counter(9)))
	equal(t, ok[[]crdt.Mark](t)(d.Marks(at("title"))), []crdt.Mark{{Start: 0, End: 1, Name: "b", Value: crdt.Bool(true)}})
	equal(t, ok[[]crdt.Value](t)(d.Conflicts(at("n"))), []crdt.Value{crdt.CounterAt(9)})
	var n int
	for e, err := range d.Entries(at("list")) {
		check(t, err)
		equal(t, e.Index, n)
		n++
	}
	equal(t, n, 5)
}

func TestRefusals(t *testing.T) {
	d := newDoc(t, 1, example())
	deep := any(int64(1))
	for range crdt.MaxDepth + 1 {
		deep = []any{deep}
	}
	value := func(p crdt.Path) error { _, err := d.Value(p); return err }
	keys := func(p crdt.Path) error { _, err := d.Keys(p); return err }
	length := func(p crdt.Path) error { _, err := d.Len(p); return err }
	text := func(p crdt.Path) error { _, err := d.Text(p); return err }
	marks := func(p crdt.Path) error { _, err := d.Marks(p); return err }
	conflicts := func(p crdt.Path) error { _, err := d.Conflicts(p); return err }
	entries := func(p crdt.Path) (err error) {
		for _, err = range d.Entries(p) {
		}
		return err
	}
	for name, c := range map[string]struct{ err, want error }{
		"get nothing":              {value(at("nothing")), crdt.ErrNoPath},
		"get in nothing":           {value(at("nothing", "a")), crdt.ErrNoPath},
		"get past the end":         {value(at("list", 4)), crdt.ErrNoPath},
		"get a key of a list":      {value(at("list", "a")), crdt.ErrType},
		"get an index of a map":    {value(at("map", 0)), crdt.ErrType},
		"get in a number":          {value(at("n", "a")), crdt.ErrType},
		"keys of a list":           {keys(at("list")), crdt.ErrType},
		"keys of nothing":          {keys(at("nothing")), crdt.ErrNoPath},
		"length of a number":       {length(at("n")), crdt.ErrType},
		"length of nothing":        {length(at("nothing")), crdt.ErrNoPath},
		"text of a number":         {text(at("n")), crdt.ErrType},
		"text of nothing":          {text(at("nothing")), crdt.ErrNoPath},
		"marks of a list":          {marks(at("list")), crdt.ErrType},
		"conflicts of the root":    {conflicts(nil), crdt.ErrType},
		"conflicts of nothing":     {conflicts(at("nothing")), crdt.ErrNoPath},
		"entries of a text":        {entries(at("title")), crdt.ErrType},
		"set in nothing":           {d.Set(at("nothing", "a"), 1), crdt.ErrNoPath},
		"set past the end":         {d.Set(at("list", 4), 1), crdt.ErrRange},
		"set the root to a list":   {d.Set(nil, []any{}), crdt.ErrType},
		"set a channel":            {d.Set(at("a"), make(chan int)), crdt.ErrType},
		"set a map of numbers":     {d.Set(at("a"), map[int]int{}), crdt.ErrType},
		"set too deep":             {d.Set(at("a"), deep), crdt.ErrDepth},
		"set an empty key":         {d.Set(at("a"), map[string]any{"": 1}), crdt.ErrKey},
		"set at an empty key":      {d.Set(at(""), 1), crdt.ErrKey},
		"set a key not UTF-8":      {d.Set(at("a"), map[string]any{"\xff": 1}), crdt.ErrUTF8},
		"set a string not UTF-8":   {d.Set(at("a"), "\xff"), crdt.ErrUTF8},
		"set a scalar not UTF-8":   {d.Set(at("a"), crdt.Scalar("\xff")), crdt.ErrUTF8},
		"insert into a map":        {d.Insert(at("map"), 0, 1), crdt.ErrType},
		"insert past the end":      {d.Insert(at("list"), 5, 1), crdt.ErrRange},
		"insert at -1":             {d.Insert(at("list"), -1, 1), crdt.ErrRange},
		"insert a channel":         {d.Insert(at("list"), 0, make(chan int)), crdt.ErrType},
		"delete nothing":           {d.Delete(at("nothing")), crdt.ErrNoPath},
		"delete past the end":      {d.Delete(at("list", 4)), crdt.ErrNoPath},
		"delete the root":          {d.Delete(nil), crdt.ErrType},
		"splice past the end":      {d.Splice(at("title"), 6, 0, "x"), crdt.ErrRange},
		"splice an immutable":      {d.Splice(at("color"), 0, 0, "x"), crdt.ErrType},
		"increment a number":       {d.Increment(at("n"), 1), crdt.ErrType},
		"increment nothing":        {d.Increment(at("nothing"), 1), crdt.ErrNoPath},
		"increment the root":       {d.Increment(nil, 1), crdt.ErrType},
		"put a counter at nothing": {d.PutCounter(at("nothing", "a"), 1), crdt.ErrNoPath},
		"mark a list":              {d.Mark(at("list"), crdt.Mark{End: 1, Name: "b"}, 0), crdt.ErrType},
		"read into no pointer":     {d.Read(nil, 1), crdt.ErrType},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.err, c.want)
			var pe *crdt.PathError
			if !errors.As(c.err, &pe) || !strings.HasPrefix(c.err.Error(), "crdt: ") {
				t.Errorf("error %T %q", c.err, c.err)
			}
		})
	}
	equal(t, ok[any](t)(d.Value(nil)), any(example()))
}

// A transaction remembers which text it typed into last, and forgets it when the
// path may lead elsewhere.
func TestSpliceAfterThePathMoved(t *testing.T) {
	for name, move := range map[string]func(*crdt.Tx) error{
		"set": func(tx *crdt.Tx) error { return errors.Join(tx.Delete(at("t")), tx.Set(at("t"), "new")) },
		"delete": func(tx *crdt.Tx) error {
			return errors.Join(tx.Delete(at("l", 0)), tx.Delete(at("t")), tx.Set(nil, map[string]any{"t": "new", "l": []any{"c", "d"}}))
		},
		"through": func(tx *crdt.Tx) error {
			_, err := tx.Writer().Put(crdt.Root, crdt.Prop{Key: "t"}, crdt.Object(crdt.KindText))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoc(t, 1, map[string]any{"t": "old", "l": []any{"a", "b"}})
			check(t, d.Splice(at("t"), 0, 0, "x"))
			check(t, move(d.Tx))
			check(t, d.Splice(at("t"), 0, 0, "y"))
			if got := ok[string](t)(d.Text(at("t"))); got[0] != 'y' {
				t.Errorf("%q", got)
			}
			check(t, d.Splice(at("l", 0), 0, 0, "z"))
			check(t, d.Delete(at("l", 0)))
			check(t, d.Splice(at("l", 0), 0, 0, "w"))
			if got := ok[any](t)(d.Value(at("l"))); !cmp.Equal(got, []any{"wb"}) && name != "delete" {
				t.Errorf("%v", got)
			}
		})
	}
}
