//go:build cgo

package crdt_test

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

type meta struct {
	Author string `automerge:"author,scalar"`
	Pages  []int  `automerge:"pages"`
}

type Stamp struct {
	Made time.Time `automerge:"made"`
}

type note struct {
	Stamp
	Title  string            `automerge:"title,text"`
	Likes  int               `automerge:"likes,counter"`
	Tags   []string          `automerge:"tags,list"`
	Extra  map[string]int8   `automerge:"extra,map,omitempty"`
	Meta   meta              `automerge:"meta"`
	Items  []meta            `automerge:"items"`
	Ratio  float32           `automerge:"ratio,omitempty"`
	Big    uint64            `automerge:"big"`
	Raw    []byte            `automerge:"raw"`
	Octets []byte            `automerge:"octets,list"`
	Next   *meta             `automerge:"next"`
	Any    any               `automerge:"any"`
	Doc    crdt.ChangeHash   `automerge:"doc"`
	Done   bool              // "Done"
	Names  map[string]string `automerge:"names"`
	Hidden string            `automerge:"-"`
	secret string
}

func fullNote() note {
	return note{
		Stamp: Stamp{time.UnixMilli(1700000000123).UTC()},
		Title: "hi", Likes: 3, Tags: []string{"a", "b"}, Extra: map[string]int8{"x": -1},
		Meta: meta{"me", []int{1}}, Items: []meta{{"i", []int{}}, {"j", []int{2}}}, Ratio: 0.5, Big: 1 << 63,
		Raw: []byte{1}, Octets: []byte{2, 3}, Next: &meta{"next", []int{}}, Any: "any",
		Doc: crdt.ChangeHash{7}, Done: true, Names: map[string]string{"k": "v"},
	}
}

func TestRead(t *testing.T) {
	d := newDoc(t, 1, nil)
	check(t, d.Set(nil, fullNote()))
	var got note
	check(t, d.Read(nil, &got))
	if diff := cmp.Diff(fullNote(), got, cmp.AllowUnexported(note{})); diff != "" {
		t.Error(diff)
	}
	kinds := map[string]crdt.Kind{
		"title": crdt.KindText, "likes": crdt.KindCounter, "tags": crdt.KindList, "raw": crdt.KindBytes, "octets": crdt.KindList,
		"doc": crdt.KindString, "made": crdt.KindTime, "big": crdt.KindUint, "ratio": crdt.KindFloat, "Done": crdt.KindBool,
	}
	for k, want := range kinds {
		equal(t, ok[crdt.Value](t)(d.Get(at(k))).Kind().String(), want.String())
	}
	equal(t, ok[crdt.Value](t)(d.Get(at("meta", "author"))).Kind(), crdt.KindString)
	// What is absent reads as zero, even into a value that was used before.
	check(t, d.Delete(at("tags")))
	check(t, d.Delete(at("next")))
	check(t, d.Read(nil, &got))
	if got.Tags != nil || got.Next != nil {
		t.Errorf("%v %v", got.Tags, got.Next)
	}
	var author string
	check(t, d.Read(at("meta", "author"), &author))
	equal(t, author, "me")
}

func TestReadNumbers(t *testing.T) {
	d := newDoc(t, 1, map[string]any{"whole": 3.0, "half": 3.5, "neg": -1, "big": uint64(1 << 63), "n": 300, "c": crdt.Counter(4), "s": "x"})
	into := func(key string, dst any) error { return d.Read(at(key), dst) }
	var i int
	var u uint
	var i8 int8
	var u8 uint8
	var f float64
	var s string
	check(t, into("whole", &i))
	check(t, into("n", &f))
	check(t, into("big", &f))
	check(t, into("whole", &u))
	check(t, into("c", &i))
	equal(t, []any{i, u, f}, []any{4, uint(3), float64(1 << 63)})
	for name, err := range map[string]error{
		"a fraction into an int": into("half", &i), "a negative into a uint": into("neg", &u), "300 into an int8": into("n", &i8),
		"300 into a uint8": into("n", &u8), "2^63 into an int": into("big", &i), "a number into a string": into("n", &s),
		"a text into an int": into("s", &i), "a counter into a float": into("c", &f), "a text into a list": into("s", &[]int{}),
		"a text into a map": into("s", &map[string]int{}), "a text into a struct": into("s", &meta{}), "a text into a time": into("s", &time.Time{}),
		"a map into a map of ints": d.Read(nil, &map[string]int{}), "a list of texts into ints": into("s", &[]string{}), "a map into an id": d.Read(nil, new(crdt.ChangeHash)),
		"a text into an id": into("s", new(crdt.ChangeHash)), "into a nil pointer": into("s", (*string)(nil)), "a map into an int": d.Read(nil, &i),
	} {
		t.Run(name, func(t *testing.T) { refused(t, err, crdt.ErrType) })
	}
}

// TestWriteDiff: only what differs is written, and what the struct does not know
// stays.
func TestWriteDiff(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*note)
		ops  int
	}{
		"nothing":             {func(*note) {}, 0},
		"letters":             {func(n *note) { n.Title = "hi!" }, 1},
		"a counter":           {func(n *note) { n.Likes += 2 }, 1},
		"a tag":               {func(n *note) { n.Tags = append(n.Tags, "c") }, 2},
		"a tag less":          {func(n *note) { n.Tags = n.Tags[1:] }, 1},
		"an empty map":        {func(n *note) { n.Extra = nil }, 1},
		"a nested field":      {func(n *note) { n.Meta.Pages = []int{1, 2} }, 1},
		"an item's field":     {func(n *note) { n.Items[1].Author = "k" }, 1},
		"a pointer to nil":    {func(n *note) { n.Next = nil }, 1},
		"hidden fields":       {func(n *note) { n.Hidden, n.secret = "x", "y" }, 0},
		"a time, below 1 ms":  {func(n *note) { n.Made = n.Made.Add(time.Microsecond) }, 0},
		"a time":              {func(n *note) { n.Made = n.Made.Add(time.Second) }, 1},
		"a whole list":        {func(n *note) { n.Octets = []byte{9, 9, 9} }, 3},
		"a flag and a number": {func(n *note) { n.Done, n.Big = false, 1 }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoc(t, 1, nil)
			check(t, d.Set(at("note"), fullNote()))
			check(t, d.Set(at("note", "unknown"), 1))
			check(t, d.Set(at("note", "meta", "unknown"), 2))
			check(t, d.Set(at("note", "items", 1, "unknown"), 3))
			var old, next note
			check(t, d.Read(at("note"), &old))
			check(t, d.Read(at("note"), &next))
			c.edit(&next)
			if n := d.ops(t, func() { check(t, d.WriteDiff(at("note"), old, next)) }); n != c.ops {
				t.Errorf("%d operations, want %d", n, c.ops)
			}
			var got note
			check(t, d.Read(at("note"), &got))
			next.Hidden, next.secret, next.Made = "", "", next.Made.Truncate(time.Millisecond)
			if diff := cmp.Diff(next, got, cmp.AllowUnexported(note{})); diff != "" {
				t.Error(diff)
			}
			for i, p := range []crdt.Path{at("note", "unknown"), at("note", "meta", "unknown"), at("note", "items", 1, "unknown")} {
				equal(t, ok[any](t)(d.Value(p)), any(int64(i+1)))
			}
		})
	}
}

func TestWriteDiffRefuses(t *testing.T) {
	d := newDoc(t, 1, nil)
	check(t, d.WriteDiff(nil, note{}, fullNote())) // from nothing, at the root
	var got note
	check(t, d.Read(nil, &got))
	equal(t, got.Title, "hi")
	refused(t, d.WriteDiff(nil, note{}, meta{}), crdt.ErrType)
	refused(t, d.WriteDiff(nil, 1, 2), crdt.ErrType)
	refused(t, d.WriteDiff(at("nothing"), note{}, fullNote()), crdt.ErrNoPath)
	refused(t, d.WriteDiff(nil, note{}, note{Title: "\xff"}), crdt.ErrUTF8)
	refused(t, d.WriteDiff(nil, note{Title: "\xff"}, note{}), crdt.ErrUTF8)
	for _, bad := range []any{
		struct {
			A int `automerge:"a,text"`
		}{},
		struct {
			A int `automerge:"a,counter,list"`
		}{},
		struct {
			A int `automerge:"a,colour"`
		}{},
		struct {
			A int `automerge:"x"`
			B int `automerge:"x"`
		}{},
		struct{ A [2]int }{},
	} {
		refused(t, d.Set(at("bad"), bad), crdt.ErrType)
	}
	refused(t, d.Read(nil, &struct {
		A int `automerge:"a,text"`
	}{}), crdt.ErrType)
}

type noteV1 struct {
	Title string   `automerge:"title"`
	Tags  []string `automerge:"tags"`
	Likes int      `automerge:"likes,counter"`
	Meta  struct {
		Links []string `automerge:"links"`
		N     int      `automerge:"n"`
	} `automerge:"meta"`
	Color string   `automerge:"color,scalar"`
	Late  []string `automerge:"late,omitempty"`
}

type noteV2 struct {
	noteV1
	Parts map[string]string `automerge:"parts"`
}

func (d *doc) applyRoots(t *testing.T, roots []crdt.Change) {
	t.Helper()
	check(t, d.Writer().Rollback())
	for _, c := range roots {
		check(t, d.e.Apply([][]byte{c.Bytes}, nil))
	}
	d.begin(t)
}

// TestSchemaRoots: devices that make a document, or take it to a new version,
// without seeing each other lose nothing.
func TestSchemaRoots(t *testing.T) {
	v1 := ok[[]crdt.Change](t)(crdt.SchemaRoots[noteV1](newEngine, crdt.View{}))
	v2 := ok[[]crdt.Change](t)(crdt.SchemaRoots[noteV2](newEngine, crdt.View{}))
	equal(t, []int{len(v1), len(v2)}, []int{4, 5})
	equal(t, v1, v2[:4])

	a, b, c := newDoc(t, 1, nil), newDoc(t, 2, nil), newDoc(t, 3, nil)
	a.applyRoots(t, v1)
	b.applyRoots(t, v1)
	check(t, a.WriteDiff(nil, noteV1{}, noteV1{Title: "a", Tags: []string{"a"}, Likes: 1}))
	check(t, b.WriteDiff(nil, noteV1{}, noteV1{Title: "b", Tags: []string{"b"}, Likes: 2}))
	check(t, b.Insert(at("meta", "links"), 0, "x"))
	merge(t, a, b)
	var got noteV1
	check(t, a.Read(nil, &got))
	want := noteV1{Title: "ba", Tags: []string{"b", "a"}, Likes: 3}
	want.Meta.Links = []string{"x"}
	equal(t, got, want)

	// Both go to version 2 by themselves; a third starts there.
	for _, d := range []*doc{a, b} {
		d.applyRoots(t, ok[[]crdt.Change](t)(crdt.SchemaRoots[noteV2](newEngine, d.View)))
	}
	c.applyRoots(t, v2)
	for i, d := range []*doc{a, b, c} {
		check(t, d.Set(at("parts", string(rune('a'+i))), "x"))
		check(t, d.Insert(at("tags"), 0, "more"))
	}
	merge(t, a, b)
	merge(t, b, c)
	merge(t, a, c)
	equal(t, ok[int](t)(a.Len(at("parts"))), 3)
	equal(t, ok[int](t)(c.Len(at("tags"))), 5)
	equal(t, ok[[]crdt.Change](t)(crdt.SchemaRoots[noteV2](newEngine, c.View)), []crdt.Change(nil))

	_, err := crdt.SchemaRoots[int](newEngine, crdt.View{})
	refused(t, err, crdt.ErrType)
}

var update = flag.Bool("update", false, "write the golden vectors anew")

// TestSchemaVector pins the bytes: a schema change that came out otherwise would
// no longer merge with those of documents that exist.
func TestSchemaVector(t *testing.T) {
	type vector struct {
		Actor crdt.ActorID    `json:"actor"`
		Hash  crdt.ChangeHash `json:"hash"`
		Chunk []byte          `json:"chunk"`
	}
	got := []vector{}
	for _, c := range ok[[]crdt.Change](t)(crdt.SchemaRoots[noteV2](newEngine, crdt.View{})) {
		zeroed := append([]byte{}, c.Bytes...)
		// An uncompressed change without deps: 8 bytes of magic and checksum, the
		// type, the length, no deps, the actor's length.
		start := 8 + 1 + 1 + 1 + 1
		if c.Bytes[9] >= 0x80 {
			start++
		}
		actor := crdt.ActorID(zeroed[start : start+16])
		clear(zeroed[start : start+16])
		sum := sha256.Sum256(zeroed[8:])
		copy(zeroed[4:8], sum[:])
		equal(t, actor, crdt.SchemaActor(zeroed))
		got = append(got, vector{actor, c.Hash, c.Bytes})
	}
	const file = "../doc/vectors/schema.json"
	b, err := json.MarshalIndent(got, "", "  ")
	check(t, err)
	if *update {
		check(t, os.WriteFile(file, append(b, '\n'), 0o644))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if d := cmp.Diff(string(want), string(b)+"\n"); d != "" {
		t.Error(d)
	}
}
