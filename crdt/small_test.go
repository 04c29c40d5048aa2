package crdt

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParsePath(t *testing.T) {
	for in, want := range map[string]Path{
		"":                        {},
		"a":                       {{"a", -1, true}},
		"a/0/é":                   {{"a", -1, true}, {"0", 0, true}, {"é", -1, true}},
		"~0~1/01":                 {{"~/", -1, true}, {"01", -1, true}},
		"/":                       {{"", -1, true}, {"", -1, true}},
		"99999999999999999999/-1": {{"99999999999999999999", -1, true}, {"-1", -1, true}},
	} {
		got, err := ParsePath(in)
		if d := cmp.Diff(want, got, cmp.AllowUnexported(Elem{})); d != "" || err != nil {
			t.Errorf("%q: %v\n%s", in, err, d)
		}
		if got.String() != in {
			t.Errorf("%q prints as %q", in, got)
		}
	}
	for _, in := range []string{"~", "a/~2", "~~0", "x~"} {
		if p, err := ParsePath(in); err == nil {
			t.Errorf("%q: %v", in, p)
		}
	}
	if _, err := ParsePath(strings.Repeat("a/", MaxDepth)); !errors.Is(err, ErrDepth) {
		t.Error(err)
	}
	if got := At("a/b", 3, Key("c")).String(); got != "a~1b/3/c" {
		t.Error(got)
	}
	defer func() {
		if recover() == nil {
			t.Error("At took a float")
		}
	}()
	At(1.5)
}

func FuzzParsePath(f *testing.F) {
	f.Add("a/~0/0")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err == nil && p.String() != s {
			t.Errorf("%q prints as %q", s, p)
		}
	})
}

func TestObjID(t *testing.T) {
	for _, id := range []ObjID{Root, {1, "\x01"}, {math.MaxUint64, strings.Repeat("\xff", 16)}} {
		b, err := id.MarshalText()
		var got ObjID
		if err == nil {
			err = got.UnmarshalText(b)
		}
		if got != id || err != nil {
			t.Errorf("%s: %s, %v", id, got, err)
		}
	}
	for _, s := range []string{"", "1", "1@", "0@01", "01@01", "1@0", "1@0G", "1@AB", "-1@01", "18446744073709551616@01", "_Root"} {
		if id, err := ParseObjID(s); err == nil && s != "1@" {
			t.Errorf("%q: %v", s, id)
		} else if err != nil && !errors.Is(err, ErrBadID) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		v    Value
		goes any
		text string
	}{
		{Null(), nil, "null"}, {Bool(true), true, "bool true"}, {Bool(false), false, "bool false"},
		{Int(-3), int64(-3), "int -3"}, {Uint(3), uint64(3), "uint 3"}, {Float(1.5), 1.5, "float 1.5"},
		{String("a"), Scalar("a"), `string "a"`}, {Bytes([]byte{1}), []byte{1}, `bytes "\x01"`},
		{CounterAt(4), Counter(4), "counter 4"}, {UnknownValue(11, []byte("x")), Unknown{11, "x"}, "unknown {11 x}"},
		{Object(KindMap), nil, "map _root"}, {ObjectAt(KindText, ObjID{2, "\x01"}), nil, "text 2@01"},
		{Millis(1), Millis(1).Time(), "1970-01-01T00:00:00.001Z"},
	} {
		if d := cmp.Diff(c.goes, c.v.Go()); d != "" || c.v.String() != c.text {
			t.Errorf("%s, want %s\n%s", c.v, c.text, d)
		}
	}
	if !Float(math.NaN()).Same(Float(math.NaN())) || Int(1).Same(Uint(1)) || Kind(99).String() != "kind(99)" {
		t.Error("values compare wrongly")
	}
	a, b := Int(1), Int(1)
	a.ID = ObjID{1, "a"}
	if !a.Same(b) || ObjectAt(KindMap, a.ID).Same(Object(KindMap)) {
		t.Error("ids compare wrongly")
	}
}

func TestUnknownJSON(t *testing.T) {
	got := string(appendJSONScalar(nil, UnknownValue(11, []byte("x"))))
	if got != `{"$unknown":"eA==","type":11}` {
		t.Error(got)
	}
}

func TestTextIndexes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := rapid.SliceOf(rapid.SampledFrom([]rune("aé🙂\n"))).Draw(t, "text")
		s := string(rs)
		n := rapid.IntRange(0, len(rs)).Draw(t, "n")
		units, bytes := len(utf16.Encode(rs[:n])), len(string(rs[:n]))
		for _, c := range []struct {
			f        func(string, int) (int, error)
			in, want int
		}{{RunesFromUTF16, units, n}, {UTF16FromRunes, n, units}, {RunesFromBytes, bytes, n}, {BytesFromRunes, n, bytes}} {
			if got, err := c.f(s, c.in); got != c.want || err != nil {
				t.Fatalf("%d in %q: %d, %v", c.in, s, got, err)
			}
		}
	})
	for name, err := range map[string]error{
		"in a surrogate pair": second(RunesFromUTF16("🙂", 1)), "past the end": second(RunesFromUTF16("a", 2)), "before": second(RunesFromUTF16("a", -1)),
		"runes past the end": second(UTF16FromRunes("a", 2)), "runes before": second(UTF16FromRunes("a", -1)), "in a rune": second(RunesFromBytes("é", 1)),
		"bytes past the end": second(RunesFromBytes("a", 2)), "bytes before": second(RunesFromBytes("a", -1)), "to bytes past the end": second(BytesFromRunes("a", 2)),
		"to bytes before": second(BytesFromRunes("a", -1)),
	} {
		if !errors.Is(err, ErrRange) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ int, err error) error { return err }

// lcs is the length of the longest common subsequence, by the textbook.
func lcs(a, b []byte) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// TestScript: the hunks turn one sequence into the other, and no shorter ones do.
func TestScript(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.SliceOfN(rapid.SampledFrom([]byte("abc")), 0, 30)
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		hunks := script(len(a), len(b), func(i, j int) bool { return a[i] == b[j] })
		got, cost := slices.Clone(a), 0
		for _, h := range slices.Backward(hunks) {
			got = slices.Replace(got, h.pos, h.pos+h.del, b[h.from:h.to]...)
			cost += h.del + h.to - h.from
		}
		if !slices.Equal(got, b) {
			t.Fatalf("got %s", got)
		}
		if want := len(a) + len(b) - 2*lcs(a, b); cost != want {
			t.Fatalf("%v cost %d, want %d", hunks, cost, want)
		}
	})
}

// TestScriptGivesUp: sequences with little in common are replaced between their ends.
func TestScriptGivesUp(t *testing.T) {
	n := 3 * maxScriptCost
	got := script(n, n, func(i, j int) bool { return i == j && (i == 0 || i == n-1) })
	if d := cmp.Diff([]hunk{{1, n - 2, 1, n - 1}}, got, cmp.AllowUnexported(hunk{})); d != "" {
		t.Error(d)
	}
}

func TestErrorsSayWhich(t *testing.T) {
	err := pathErr(At("a", 1), ErrType, "it is a %s", KindInt)
	if got := err.Error(); got != `crdt: wrong kind: "a/1": it is a int` {
		t.Error(got)
	}
	he := &HeadsError{Want: []ChangeHash{{1}}}
	if !errors.Is(he, ErrHeads) || !strings.Contains(he.Error(), "0100") {
		t.Error(he)
	}
}

// TestNoClock: time is imported for its type and its formats, never for the clock.
func TestNoClock(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, clock := range []string{"time.Now", "time.Since", "time.Until", "time.After", "time.Sleep", "time.New", "time.Tick", "time.Local"} {
			if strings.Contains(string(src), clock) {
				t.Errorf("%s uses %s", name, clock)
			}
		}
	}
}
