//go:build cgo

package crdt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

func TestWriteJSON(t *testing.T) {
	d := newDoc(t, 1, example())
	check(t, d.Set(at("nan"), math.NaN()))
	check(t, d.Set(at("html"), "<&>\u2028\x00"))
	var b bytes.Buffer
	check(t, d.WriteJSON(&b, nil))
	want := `{"big":18446744073709551615,"color":"red","f":1.5,"html":"<&>\u2028\u0000","likes":2,` +
		`"list":[1,"two",{"three":3},[]],"map":{"0":"zero","a/b~c":1},"n":3,"nan":null,"no":null,` +
		`"raw":{"$bytes":"AQI="},"title":"hello","when":"2023-11-14T22:13:20.123Z","yes":true}`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
	b.Reset()
	check(t, d.WriteJSON(&b, at("list", 2)))
	equal(t, b.String(), `{"three":3}`)
	refused(t, d.WriteJSON(&b, at("nothing")), crdt.ErrNoPath)
	bad := errors.New("full")
	refused(t, d.WriteJSON(writerFunc(func([]byte) (int, error) { return 0, bad }), nil), bad)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestJSONRoundTrip: what a document prints can be set, and changes nothing.
func TestJSONRoundTrip(t *testing.T) {
	d := newDoc(t, 1, example())
	var b bytes.Buffer
	check(t, d.WriteJSON(&b, nil))
	v := ok[any](t)(crdt.ParseJSON(b.Bytes()))
	if n := d.ops(t, func() { check(t, d.Set(nil, v)) }); n != 0 {
		t.Errorf("took %d operations", n)
	}
}

func TestWriteJSONInPieces(t *testing.T) {
	big := make([]any, 10_000)
	for i := range big {
		big[i] = map[string]any{"i": int64(i)}
	}
	d := newDoc(t, 1, map[string]any{"big": big})
	var longest, total int
	var all bytes.Buffer
	check(t, d.WriteJSON(writerFunc(func(b []byte) (int, error) {
		longest, total = max(longest, len(b)), total+len(b)
		return all.Write(b)
	}), nil))
	if longest > 64<<10 || total < 100_000 || !json.Valid(all.Bytes()) {
		t.Errorf("longest piece %d of %d bytes", longest, total)
	}
}

func TestParseJSON(t *testing.T) {
	for in, want := range map[string]any{
		`"x"`: "x", `1`: int64(1), `-9223372036854775808`: int64(math.MinInt64),
		`18446744073709551615`: uint64(math.MaxUint64), `18446744073709551616`: 18446744073709551616.0,
		`1.0`: int64(1), `1e3`: int64(1000), `-0.0`: int64(0), `1.5`: 1.5, `1e300`: 1e300, `null`: nil, `true`: true,
		`{"$bytes":"AQI="}`:       []byte{1, 2},
		`{"$bytes":"AQI=","a":1}`: map[string]any{"$bytes": "AQI=", "a": int64(1)},
		`[1,{"a":[2]}]`:           []any{int64(1), map[string]any{"a": []any{int64(2)}}},
	} {
		equal(t, ok[any](t)(crdt.ParseJSON([]byte(in))), want)
	}
	for _, in := range []string{``, `{`, `1 2`, `1e999`, `[1e999]`, `{"a":1e999}`, `{"$bytes":"!"}`, strings.Repeat("[", 200) + strings.Repeat("]", 200)} {
		if _, err := crdt.ParseJSON([]byte(in)); err == nil || !strings.HasPrefix(err.Error(), "crdt: ") {
			t.Errorf("%.20q: %v", in, err)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,"x",{"$bytes":"AQI="}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := crdt.ParseJSON(b)
		if err != nil {
			return
		}
		d := newDoc(t, 1, nil)
		if err := d.Set(at("v"), v); err != nil {
			if !errors.Is(err, crdt.ErrKey) && !errors.Is(err, crdt.ErrDepth) {
				t.Fatal(err)
			}
			return
		}
		if n := d.ops(t, func() { check(t, d.Set(at("v"), v)) }); n != 0 {
			t.Fatalf("setting it again took %d operations", n)
		}
	})
}
