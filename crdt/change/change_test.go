package change

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

const author = Actor("author0123456789")

var header = Header{Actor: author, Seq: 1, StartOp: 1}

func str(s string) Value { return Value{String, s} }

// compress makes a type 2 chunk of a type 1 chunk, or of any body.
func compress(t testing.TB, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, 9)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(body)
	z.Close()
	h := hashBody(body)
	b := append([]byte(magic), h[:4]...)
	b = binary.AppendUvarint(append(b, typeCompressed), uint64(out.Len()))
	return append(b, out.Bytes()...)
}

func build(t testing.TB, ops ...Op) *Change {
	t.Helper()
	c, err := Build(header, []Actor{author}, ops, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBuildRefuses(t *testing.T) {
	id := OpID{Ctr: 1}
	text := Op{Key: "t", Action: MakeText}
	long := strings.Repeat("x", MaxValue+1)
	tests := []struct {
		name string
		want error
		edit func(h *Header, actors *[]Actor, ops *[]Op, extra *string)
	}{
		{"no author", ErrMalformed, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.Actor = "other" }},
		{"seq 0", ErrMalformed, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.Seq = 0 }},
		{"seq too large", ErrMalformed, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.Seq = MaxCounter + 1 }},
		{"start 0", ErrMalformed, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.StartOp = 0 }},
		{"last counter too large", ErrLimit, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.StartOp = MaxCounter }},
		{"time", ErrLimit, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.Time = math.MinInt64 }},
		{"message", ErrLimit, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.Message = long[:MaxMessage+1] }},
		{"message not UTF-8", ErrMalformed, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.Message = "\xff" }},
		{"deps", ErrMalformed, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.Deps = []crdt.ChangeHash{{2}, {1}} }},
		{"deps twice", ErrMalformed, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.Deps = []crdt.ChangeHash{{1}, {1}} }},
		{"too many deps", ErrLimit, func(h *Header, _ *[]Actor, _ *[]Op, _ *string) { h.Deps = make([]crdt.ChangeHash, MaxDeps+1) }},
		{"actor twice", ErrMalformed, func(_ *Header, a *[]Actor, _ *[]Op, _ *string) { *a = append(*a, author) }},
		{"actors not ascending", ErrMalformed, func(_ *Header, a *[]Actor, _ *[]Op, _ *string) { *a = append(*a, "b", "a") }},
		{"actor too long", ErrLimit, func(_ *Header, a *[]Actor, _ *[]Op, _ *string) { *a = append(*a, Actor(long[:MaxActorLen+1])) }},
		{"extra", ErrLimit, func(_ *Header, _ *[]Actor, _ *[]Op, x *string) { *x = long[:MaxExtra+1] }},
		{"value", ErrLimit, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Value = str(long) }},
		{"key", ErrLimit, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[0].Key = long[:MaxKey+1] }},
		{"no place", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Insert = false }},
		{"insert under key", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[0].Insert = true }},
		{"insert over something", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Pred = []OpID{id} }},
		{"list in the root", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Obj = OpID{} }},
		{"object of the future", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Obj.Ctr = 2 }},
		{"element of the future", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Elem.Ctr = 9 }},
		{"pred of the future", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[0].Pred = []OpID{id} }},
		{"pred without counter", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[0].Pred = []OpID{{}} }},
		{"pred of nobody", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[0].Pred = []OpID{{1, 4}} }},
		{"too many preds", ErrLimit, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[0].Pred = make([]OpID, MaxPreds+1) }},
		{"unknown action", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[0].Action = 8 }},
		{"unknown value", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Value.Type = 10 }},
		{"null with bytes", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Value = Value{Null, "x"} }},
		{"short float", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Value = Value{Float, "1234567"} }},
		{"long uint", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Value = Value{Uint, "\x81\x00"} }},
		{"two ints", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Value = Value{Int, "\x01\x01"} }},
		{"long int", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Value = Value{Counter, "\xff\x7f"} }},
		{"string not UTF-8", ErrMalformed, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) { (*o)[1].Value = str("\xc0") }},
		{"too many operations", ErrLimit, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) {
			*o = slices.Repeat([]Op{{Key: "k", Action: Set}}, MaxOps+1)
		}},
		{"too many objects", ErrLimit, func(_ *Header, _ *[]Actor, o *[]Op, _ *string) {
			*o = slices.Repeat([]Op{{Key: "k", Action: MakeMap}}, MaxMakes+1)
		}},
	}
	for _, test := range tests {
		h, actors, extra := header, []Actor{author}, ""
		ops := []Op{text, {Obj: id, Insert: true, Action: Set, Value: str("x")}}
		if _, err := Build(h, actors, ops, extra); err != nil {
			t.Fatalf("before the edit: %v", err)
		}
		test.edit(&h, &actors, &ops, &extra)
		if _, err := Build(h, actors, ops, extra); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestCanonical(t *testing.T) {
	one := OpID{Ctr: 1}
	set := Op{Key: "k", Action: Set}
	list := Op{Key: "l", Action: MakeList}
	tests := []struct {
		name string
		odd  bool
		ops  []Op
	}{
		{"set", false, []Op{set}},
		{"nothing", false, nil},
		{"overwrite", false, []Op{set, {Key: "k", Action: Set, Pred: []OpID{one}}}},
		{"delete", false, []Op{set, {Key: "k", Action: Delete, Pred: []OpID{one}}}},
		{"delete nothing", true, []Op{{Key: "k", Action: Delete}}},
		{"delete with a value", true, []Op{set, {Key: "k", Action: Delete, Pred: []OpID{one}, Value: str("")}}},
		{"increment", false, []Op{set, {Key: "k", Action: Increment, Pred: []OpID{one}, Value: Value{Int, "\x01"}}}},
		{"increment nothing", true, []Op{{Key: "k", Action: Increment, Value: Value{Int, "\x01"}}}},
		{"increment by uint", true, []Op{set, {Key: "k", Action: Increment, Pred: []OpID{one}, Value: Value{Uint, "\x01"}}}},
		{"inserted increment", true, []Op{list, {Obj: one, Insert: true, Action: Increment, Value: Value{Int, "\x01"}}}},
		{"preds descend", true, []Op{set, set, {Key: "k", Action: Set, Pred: []OpID{{Ctr: 2}, one}}}},
		{"pred twice", true, []Op{set, {Key: "k", Action: Set, Pred: []OpID{one, one}}}},
		{"object with a value", true, []Op{{Key: "k", Action: MakeMap, Value: str("x")}}},
		{"set that expands", true, []Op{{Key: "k", Action: Set, Expand: true}}},
		{"set with a mark's name", true, []Op{{Key: "k", Action: Set, HasName: true, MarkName: "b"}}},
		{"mark", false, []Op{list, {Obj: one, Insert: true, Action: Mark, HasName: true, MarkName: "b", Expand: true, Value: str("x")}}},
		{"mark's end", false, []Op{list, {Obj: one, Insert: true, Action: Mark}}},
		{"mark's end with a value", true, []Op{list, {Obj: one, Insert: true, Action: Mark, Value: str("x")}}},
		{"mark under a key", true, []Op{{Key: "k", Action: Mark}}},
	}
	for _, test := range tests {
		err := build(t, test.ops...).Canonical()
		if odd := errors.Is(err, ErrNotCanonical); odd != test.odd {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	c, err := Build(header, []Actor{author, "b"}, []Op{set}, "")
	if err != nil {
		t.Fatal(err)
	}
	var where *Error
	if err := c.Canonical(); !errors.As(err, &where) || where.Op != -1 {
		t.Errorf("an actor that no operation names: %v", err)
	}
}

// TestBombs: what is small on the wire must be small in memory, or refused.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 32<<20)
	if _, err := Decode(compress(t, zeros)); !errors.Is(err, ErrLimit) {
		t.Errorf("32 MiB of zeros in %d bytes: %v", len(compress(t, zeros)), err)
	}
	c := build(t, Op{Key: "k", Action: Set, Value: Value{Bytes, string(zeros[:MaxValue])}})
	if _, err := Decode(compress(t, []byte(c.body))); err != nil {
		t.Errorf("one value of zeros: %v", err)
	}
	// A change of 60 bytes that says it holds 2^40 operations.
	run := func(v uint64) []byte { return binary.AppendUvarint(appendSleb(nil, 1<<40), v) }
	b := header.append(nil)
	b = append(b, 0, 5)
	cols := [][]byte{colKeyStr: append(appendSleb(nil, 1<<40), 1, 'k'), colInsert: binary.AppendUvarint(nil, 1<<40),
		colAction: run(1), colValueMeta: run(0), colPredCount: run(0)}
	for i, col := range cols {
		if len(col) > 0 {
			b = binary.AppendUvarint(binary.AppendUvarint(b, colSpecs[i]), uint64(len(col)))
		}
	}
	b = append(b, slices.Concat(cols...)...)
	got := testing.AllocsPerRun(1, func() {
		if _, err := Decode(frame(hashBody(b), b)); !errors.Is(err, ErrLimit) {
			t.Errorf("2^40 operations in %d bytes: %v", len(b), err)
		}
	})
	if got > 100 {
		t.Errorf("refusing a bomb took %v allocations", got)
	}
}

func TestChunk(t *testing.T) {
	c := build(t, Op{Key: "k", Action: Set, Value: str(strings.Repeat("long text ", 100))})
	b := c.Encode()
	for n := range len(b) {
		if _, err := Decode(b[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes decode", n, len(b))
		}
	}
	if _, err := Decode(append(b, 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte after the chunk: %v", err)
	}
	flip := bytes.Clone(b)
	flip[len(flip)-1] ^= 1
	if _, err := Decode(flip); !errors.Is(err, ErrChecksum) {
		t.Errorf("a flipped bit: %v", err)
	}
	flip = bytes.Clone(b)
	flip[8] = 0
	if _, err := Decode(flip); !errors.Is(err, ErrNotChange) {
		t.Errorf("a document chunk: %v", err)
	}
	z := compress(t, []byte(c.body))
	got, err := Decode(z)
	if err != nil || !bytes.Equal(got.Encode(), b) || got.Hash != c.Hash {
		t.Errorf("compressed: %v", err)
	}
	if _, err := Split(z); !errors.Is(err, ErrCompressed) {
		t.Errorf("Split of a compressed chunk: %v", err)
	}
	data := z[headLen+2:]
	for name, bad := range map[string][]byte{"trailing": append(bytes.Clone(data), 0), "short": data[:len(data)-2], "bad": {0xff, 0xff}} {
		if _, err := inflate(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, err := range Chunks(append(slices.Concat(b, z), 1)) {
		if err != nil && !errors.Is(err, ErrNotChange) {
			t.Errorf("Chunks: %v", err)
		}
	}
}

// TestOneForm writes the same rows in other runs; each must be refused.
func TestOneForm(t *testing.T) {
	ops := slices.Repeat([]Op{{Key: "k", Action: Set}}, 4)
	c := build(t, ops...)
	forms := map[string]struct {
		col  int
		data []byte
	}{
		"two runs of one value":     {colAction, []byte{2, 1, 2, 1}},
		"run of one":                {colAction, []byte{1, 1, 3, 1}},
		"literal of equal values":   {colAction, []byte{0x7c, 1, 1, 1, 1}},
		"null where none may be":    {colAction, []byte{0, 4}},
		"too few rows":              {colAction, []byte{3, 1}},
		"a column of nulls":         {colMarkName, []byte{0, 4}},
		"a column of false":         {colExpand, []byte{4}},
		"runs of no booleans":       {colInsert, []byte{2, 0, 2}},
		"two literals in a row":     {colValueMeta, []byte{0x7f, 1, 0x7f, 2, 2, 0}},
		"a longer number":           {colPredCount, []byte{4, 0x80, 0}},
		"strings in two runs":       {colKeyStr, []byte{2, 1, 'k', 2, 1, 'k'}},
		"two runs of nulls":         {colMarkName, []byte{0, 1, 0, 1, 2, 1, 'm'}},
		"column that runs on":       {colPredCount, []byte{4, 0, 1, 0}},
		"predecessors without rows": {colPredCount, []byte{4, 1}},
		"differences overflow":      {colKeyCtr, appendSleb([]byte{4}, math.MaxInt64)},
		"null run of no length":     {colMarkName, []byte{0, 0, 2, 1, 'm', 0, 2}},
	}
	for name, form := range forms {
		cols := c.cols
		cols.data[form.col] = string(form.data)
		b := append(header.append(nil), 0)
		n := 0
		for _, d := range cols.data {
			if d != "" {
				n++
			}
		}
		b = append(b, byte(n))
		for i, d := range cols.data {
			if d != "" {
				b = append(binary.AppendUvarint(b, colSpecs[i]), byte(len(d)))
			}
		}
		b = append(b, strings.Join(cols.data[:], "")...)
		if _, err := Decode(frame(hashBody(b), b)); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// drawOps makes operations that need not mean anything but can be written.
func drawOps(t *rapid.T, actors int) (ops []Op) {
	id := rapid.Custom(func(t *rapid.T) OpID {
		return OpID{uint32(rapid.IntRange(1, 9).Draw(t, "ctr")), uint32(rapid.IntRange(0, actors-1).Draw(t, "actor"))}
	})
	for range rapid.IntRange(0, 40).Draw(t, "ops") {
		o := Op{Action: Action(rapid.IntRange(0, 7).Draw(t, "action")), Expand: rapid.Bool().Draw(t, "expand")}
		if rapid.Bool().Draw(t, "map") {
			o.Key = rapid.StringN(1, 3, 9).Draw(t, "key")
			o.Pred = rapid.SliceOfN(id, 0, 3).Draw(t, "pred")
		} else if o.Obj, o.Insert = id.Draw(t, "obj"), rapid.Bool().Draw(t, "insert"); !o.Insert || rapid.Bool().Draw(t, "after") {
			o.Elem = id.Draw(t, "elem")
		}
		if rapid.Bool().Draw(t, "named") {
			o.HasName, o.MarkName = true, rapid.StringN(0, 2, 8).Draw(t, "name")
		}
		o.Value = rapid.SampledFrom([]Value{{}, {True, ""}, {Int, "\x7f"}, {Uint, "\x80\x01"}, str("x"), str("é"), {Bytes, "\xff"}, {Float, "12345678"}}).Draw(t, "value")
		ops = append(ops, o)
	}
	return ops
}

// TestRoundTrip: what Build writes, Ops reads; and Split and Join change nothing.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Header{Actor: author, Seq: rapid.Uint64Range(1, MaxCounter).Draw(t, "seq"), StartOp: rapid.Uint64Range(10, 1<<30).Draw(t, "start"),
			Time: rapid.Int64Range(-MaxTime, MaxTime).Draw(t, "time"), Message: rapid.StringN(0, 20, 99).Draw(t, "message")}
		if rapid.Bool().Draw(t, "dep") {
			h.Deps = []crdt.ChangeHash{{1}, {1, 2}}
		}
		actors := []Actor{author, "a", "b"}
		ops := drawOps(t, len(actors))
		extra := rapid.StringN(0, 5, 20).Draw(t, "extra")
		c, err := Build(h, actors, ops, extra)
		if err != nil {
			t.Fatal(err)
		}
		got := collect(c)
		for i := range ops {
			ops[i].ID = OpID{Ctr: uint32(h.StartOp) + uint32(i)}
			if len(ops[i].Pred) == 0 {
				ops[i].Pred = nil
			}
		}
		if diff := cmp.Diff(ops, got); diff != "" {
			t.Fatalf("operations (-want +got):\n%s", diff)
		}
		h.Hash = c.Hash
		if diff := cmp.Diff(h, c.Header); diff != "" {
			t.Fatalf("header (-want +got):\n%s", diff)
		}
		if c.Extra != extra || c.NumOps() != len(ops) || c.MaxOp() != h.StartOp+uint64(len(ops))-1 {
			t.Fatalf("extra %q, %d operations up to %d", c.Extra, c.NumOps(), c.MaxOp())
		}
		chunk := c.Encode()
		if got, err := ParseHeader(chunk); err != nil || !cmp.Equal(got, h) {
			t.Fatalf("ParseHeader: %v, %v", got, err)
		}
		p, err := Split(chunk)
		if err != nil {
			t.Fatal(err)
		}
		if again, hash := p.Join(); !bytes.Equal(again, chunk) || hash != c.Hash {
			t.Fatal("Join is not the inverse of Split")
		}
	})
}
