package change

import "testing"

// typing is a change of n letters, one after another.
func typing(t testing.TB, n int) *Change {
	ops := []Op{{Key: "text", Action: MakeText}}
	for i := range n {
		o := Op{Obj: OpID{Ctr: 1}, Insert: true, Action: Set, Value: Value{String, "x"}}
		if i > 0 {
			o.Elem.Ctr = uint32(i) + 1
		}
		ops = append(ops, o)
	}
	return build(t, ops...)
}

func BenchmarkDecode(b *testing.B) {
	chunk := typing(b, 100).Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(chunk); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseHeader(b *testing.B) {
	chunk := typing(b, 100).Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseHeader(chunk); err != nil {
			b.Fatal(err)
		}
	}
}
