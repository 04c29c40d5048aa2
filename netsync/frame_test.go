package netsync

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// frames are one of each kind and at each limit.
var frames = map[string]Frame{
	"begin":           Begin{Device: crdt.DeviceID{1, 2}, Incarnation: crdt.Incarnation{3}},
	"begin, zero":     Begin{},
	"ops":             Ops{Scope: crdt.ScopeID{4}, Ops: [][]byte{{1}, {2, 3}}},
	"ops, largest":    Ops{Ops: [][]byte{make([]byte, acl.MaxOpSize+64)}},
	"ops, most":       Ops{Ops: smallOps(MaxFrameOps)},
	"document":        Document{Item: []byte("item")},
	"run":             Run{Run: []byte("run")},
	"run, covered":    Run{Run: []byte("run"), Cover: []byte("cover")},
	"run, largest":    Run{Run: make([]byte, pieceSize), Cover: make([]byte, MaxCoverBytes)},
	"part":            Part{Part: []byte("part")},
	"part, covered":   Part{Part: []byte("part"), Cover: []byte("cover")},
	"end":             End{Frames: 1 << 40, Hash: [32]byte{5}},
	"end, of nothing": End{},
}

func smallOps(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = []byte{byte(i), byte(i >> 8)}
	}
	return out
}

func TestFrames(t *testing.T) {
	for name, f := range frames {
		t.Run(name, func(t *testing.T) {
			enc := Encode(f)
			got, err := Decode(enc)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, f) {
				t.Errorf("-want +got:\n%s", cmp.Diff(f, got))
			}
			if got.Type() != f.Type() || !bytes.Equal(Encode(got), enc) {
				t.Error("not the same again")
			}
		})
	}
}

// TestFrameStrict spells frames by hand.
func TestFrameStrict(t *testing.T) {
	id := "5820" + strings.Repeat("11", 32)
	inc := "48" + strings.Repeat("22", 8)
	tests := map[string]struct {
		hex  string
		want error
	}{
		"nothing":                     {"", ErrFrame},
		"no array":                    {"01", ErrFrame},
		"empty array":                 {"80", ErrFrame},
		"type only":                   {"8101", ErrFrame},
		"type 0":                      {"8100", ErrUnsupported},
		"type 7":                      {"8107", ErrUnsupported},
		"type 7 with fields":          {"83070102", ErrUnsupported},
		"type 256":                    {"81190100", ErrFrame},
		"type as text":                {"816161", ErrFrame},
		"type in two bytes":           {"831801" + "4101" + "40", ErrFrame},
		"begin of version 2":          {"840102" + id + inc, ErrUnsupported},
		"begin of version 0":          {"840100" + id + inc, ErrUnsupported},
		"begin with a short device":   {"840101" + "4111" + inc, ErrFrame},
		"begin with a long life":      {"840101" + id + "49" + strings.Repeat("22", 9), ErrFrame},
		"begin with a field too many": {"850101" + id + inc + "00", ErrFrame},
		"begin with a field too few":  {"830101" + id, ErrFrame},
		"a byte after begin":          {"840101" + id + inc + "00", ErrFrame},
		"count says one field less":   {"830101" + id + inc, ErrFrame},
		"count says one field more":   {"850101" + id + inc, ErrFrame},
		"ops of no operation":         {"8302" + id + "80", ErrFrame},
		"ops with an empty operation": {"8302" + id + "8140", ErrFrame},
		"ops cut off":                 {"8302" + id + "824101", ErrFrame},
		"ops of too many":             {"8302" + id + "990401" + strings.Repeat("4101", MaxFrameOps+1), ErrFrame},
		"ops of very many":            {"8302" + id + "9b00ffffffffffffff", ErrFrame},
		"ops that are numbers":        {"8302" + id + "8101", ErrFrame},
		"empty document":              {"820340", ErrFrame},
		"document longer than it is":  {"82035a7fffffff00", ErrFrame},
		"document of 2^63-1 bytes":    {"82035b7fffffffffffffff00", ErrFrame},
		"long length of document":     {"8203580100", ErrFrame},
		"document of indefinite":      {"82035f4100ff", ErrFrame},
		"empty run":                   {"83044040", ErrFrame},
		"run without cover":           {"82044101", ErrFrame},
		"run with null cover":         {"83044101f6", ErrFrame},
		"empty part":                  {"83054040", ErrFrame},
		"end with negative frames":    {"830620" + id, ErrFrame},
		"end with frames beyond":      {"83061b8000000000000000" + id, ErrFrame},
		"end with a short hash":       {"830600" + "40", ErrFrame},
		"a map":                       {"a10102", ErrFrame},
		"tagged":                      {"c1820341ff", ErrFrame},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(c.hex)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Decode(b)
			if !errors.Is(err, c.want) || !errors.Is(err, ErrFrame) || f != nil {
				t.Errorf("%v, %v; want %v", f, err, c.want)
			}
			if unknown := errors.Is(err, ErrUnsupported); unknown != (c.want == ErrUnsupported) {
				t.Errorf("unknown to this version: %v, %v", unknown, err)
			}
		})
	}
	if _, err := Decode(make([]byte, MaxFrame+1)); !errors.Is(err, ErrFrame) {
		t.Error("a frame too large:", err)
	}
}

// TestFrameAliases: a frame shares memory with what it was read of, as it says.
func TestFrameAliases(t *testing.T) {
	b := Encode(Document{Item: []byte("item")})
	f, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] = 'M'
	if got := string(f.(Document).Item); got != "iteM" {
		t.Errorf("%q", got)
	}
}

func TestOpsFrames(t *testing.T) {
	scope := crdt.ScopeID{9}
	sizes := func(n, size int) (out [][]byte) {
		for range n {
			out = append(out, make([]byte, size))
		}
		return out
	}
	tests := map[string]struct {
		ops  [][]byte
		want []int // operations in each frame
	}{
		"none":            {nil, nil},
		"one":             {sizes(1, 300), []int{1}},
		"many small ones": {sizes(2*MaxFrameOps+1, 200), []int{MaxFrameOps, MaxFrameOps, 1}},
		"large ones":      {sizes(5, 200<<10), []int{2, 2, 1}},
		"the largest":     {sizes(3, acl.MaxOpSize+64), []int{1, 1, 1}},
		"one large":       {append(sizes(2, 10), sizes(1, acl.MaxOpSize+64)...), []int{2, 1}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			var got []int
			var all [][]byte
			for _, f := range OpsFrames(scope, c.ops) {
				ops := f.(Ops)
				if _, err := Decode(Encode(ops)); err != nil || ops.Scope != scope {
					t.Fatal(ops.Scope, err)
				}
				got = append(got, len(ops.Ops))
				all = append(all, ops.Ops...)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("operations in each frame (-want +got):\n%s", diff)
			}
			if len(all) != len(c.ops) {
				t.Errorf("%d operations, want %d", len(all), len(c.ops))
			}
		})
	}
}

// roundTrip sends items through frames.
func roundTrip(t *testing.T, sets []*set.Set, cover *set.Cover) (Items, []Type) {
	t.Helper()
	frames, err := RunFrames(sets, cover)
	if err != nil {
		t.Fatal(err)
	}
	var types []Type
	var run, proof []byte
	var parts set.Assembler
	for _, f := range frames {
		f, err := Decode(Encode(f))
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, f.Type())
		switch f := f.(type) {
		case Run:
			run, proof = f.Run, f.Cover
		case Part:
			p, err := set.DecodePart(f.Part)
			if err != nil {
				t.Fatal(err)
			}
			if run, err = parts.Add(p); err != nil {
				t.Fatal(err)
			}
			proof = f.Cover
		}
	}
	items, err := DecodeItems(run, proof)
	if err != nil {
		t.Fatal(err)
	}
	return items, types
}

func TestRunFrames(t *testing.T) {
	w := newWard(t)
	short := w.a.run(4)
	long := w.a.writeText(string(noise(w.world, 1<<20)))
	after := w.a.write()
	tests := []struct {
		name  string
		sets  []*set.Set
		cover []*set.Set
		want  []Type
	}{
		{"one", short[:1], nil, []Type{TypeRun}},
		{"several", short, nil, []Type{TypeRun}},
		{"covered", []*set.Set{short[0], unsigned(short[1])}, short[2:3], []Type{TypeRun}},
		{"a long one", []*set.Set{long}, nil, []Type{TypePart, TypePart, TypePart}},
		{"a long one, covered", []*set.Set{unsigned(long)}, []*set.Set{after}, []Type{TypePart, TypePart, TypePart}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			in := covered(of(c.sets...), c.cover...)
			if c.cover == nil {
				in.Cover = nil
			}
			out, types := roundTrip(t, in.Sets, in.Cover)
			if diff := cmp.Diff(c.want, types); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
			if len(out.Sets) != len(c.sets) || (out.Cover != nil) != (c.cover != nil) {
				t.Fatalf("%d items, cover %v", len(out.Sets), out.Cover)
			}
			for i, s := range out.Sets {
				if !bytes.Equal(s.Encode(), c.sets[i].Encode()) {
					t.Errorf("item %d is another", i)
				}
			}
			if out.Cover != nil {
				if err := out.Cover.Verify(out.Sets[len(out.Sets)-1]); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestRunLimits: what a writer may send is what a reader takes.
func TestRunLimits(t *testing.T) {
	w := newWard(t)
	w.a.freeze()
	big := []*set.Set{w.a.writeText(string(noise(w.world, 300<<10))), w.a.writeText(string(noise(w.world, 300<<10)))}
	if n := CutRun(big); n != 1 {
		t.Fatalf("%d items in a run, want 1", n)
	}
	if n := CutRun(nil); n != 0 {
		t.Fatalf("%d items of none", n)
	}
	if _, err := RunFrames(big, nil); !errors.Is(err, ErrItems) {
		t.Error("a run of several items beyond a piece:", err)
	}
	run, err := set.EncodeRun(big)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeItems(run, nil); !errors.Is(err, ErrItems) {
		t.Error("the same, decoded:", err)
	}
	one, err := set.EncodeRun(big[:1])
	if err != nil {
		t.Fatal(err)
	}
	fat := w.headers(901, set.MaxDeps)
	fat[900].Sign(w.a.key)
	long := covered(of(fat[0]), fat[1:]...)
	cover, err := long.Cover.Encode()
	if err != nil || len(cover) <= MaxCoverBytes {
		t.Fatal(len(cover), err)
	}
	for name, c := range map[string]struct {
		run, cover []byte
		want       error
	}{
		"good":            {one, nil, nil},
		"no run":          {nil, nil, ErrItems},
		"not a run":       {[]byte{1}, nil, set.ErrMalformed},
		"not a cover":     {one, []byte{1}, set.ErrMalformed},
		"a cover too big": {one, cover, ErrItems},
	} {
		it, err := DecodeItems(c.run, c.cover)
		if !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, ErrItems) || (it.Sets == nil) != (c.want != nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		sets  []*set.Set
		cover *set.Cover
	}{
		"nothing":                  {nil, nil},
		"items that do not follow": {[]*set.Set{big[1], big[0]}, nil},
		"a cover of too much":      {long.Sets, long.Cover},
		"a cover too long":         {big[:1], &set.Cover{Items: make([]*set.Set, set.MaxCover+1)}},
	} {
		if _, err := RunFrames(c.sets, c.cover); !errors.Is(err, ErrItems) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// noise is text that does not compress.
func noise(w *world, n int) []byte {
	b := make([]byte, n)
	w.read(b)
	for i := range b {
		b[i] = 0x20 + b[i]%0x5e
	}
	return b
}
