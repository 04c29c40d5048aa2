//go:build cgo

package am_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am/bare"
)

// patch is one edit of a trace.
type patch struct {
	pos, del int
	text     string
}

func (p *patch) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&p.pos, &p.del, &p.text})
}

// paper is the automerge-paper trace; see testdata/traces/README.md.
func paper(tb testing.TB) (edits []patch, end string) {
	tb.Helper()
	f, err := os.Open("../../testdata/traces/automerge-paper.json.gz")
	check(tb, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(tb, err)
	var trace struct {
		EndContent string
		Txns       []struct{ Patches []patch }
	}
	check(tb, json.NewDecoder(z).Decode(&trace))
	for _, t := range trace.Txns {
		edits = append(edits, t.Patches...)
	}
	return edits, trace.EndContent
}

// typed replays a trace, group edits a change.
func typed(tb testing.TB, edits []patch, group int) (crdt.Engine, crdt.ObjID) {
	tb.Helper()
	d := ok[crdt.Engine](tb)(open(crdt.ActorID{1}))
	var id crdt.ObjID
	for start := 0; start < len(edits); start += group {
		w := ok[crdt.Writer](tb)(d.Begin())
		if start == 0 {
			id = ok[crdt.ObjID](tb)(w.Put(crdt.Root, crdt.Prop{Key: "text"}, crdt.Object(crdt.KindText)))
		}
		for _, e := range edits[start:min(start+group, len(edits))] {
			check(tb, w.Splice(id, e.pos, e.del, e.text))
		}
		ok[crdt.Change](tb)(w.Commit("", 0))
	}
	return d, id
}

func TestPaper(t *testing.T) {
	edits, end := paper(t)
	d, id := typed(t, edits, 1000)
	defer d.Close()
	r := ok[crdt.Reader](t)(d.At(nil))
	if got := ok[string](t)(r.Text(id)); got != end {
		t.Errorf("%d bytes, want %d", len(got), len(end))
	}
	if got := bare.Replay(bareEdits(edits), 1000); got != int64(utf8.RuneCountInString(end)) {
		t.Errorf("bare core: %d code points, want %d", got, utf8.RuneCountInString(end))
	}
}

func bareEdits(edits []patch) (b bare.Edits) {
	for _, e := range edits {
		b.Pos, b.Del = append(b.Pos, uint32(e.pos)), append(b.Del, uint32(e.del))
		b.Len, b.Text = append(b.Len, uint32(len(e.text))), append(b.Text, e.text...)
	}
	return b
}

// BenchmarkPaper types automerge-paper at 100 edits a change: the bare core in a
// loop in C, this engine, and this engine through paths.
func BenchmarkPaper(b *testing.B) {
	edits, _ := paper(b)
	b.Run("bare", func(b *testing.B) {
		flat := bareEdits(edits)
		for b.Loop() {
			if bare.Replay(flat, 100) < 0 {
				b.Fatal("the core refused an edit")
			}
		}
	})
	b.Run("engine", func(b *testing.B) {
		for b.Loop() {
			d, _ := typed(b, edits, 100)
			check(b, d.Close())
		}
	})
	b.Run("tx", func(b *testing.B) {
		p := crdt.At("text")
		for b.Loop() {
			d := ok[crdt.Engine](b)(open(crdt.ActorID{1}))
			for start := 0; start < len(edits); start += 100 {
				w := ok[crdt.Writer](b)(d.Begin())
				tx := crdt.NewTx(w)
				if start == 0 {
					check(b, tx.Set(p, ""))
				}
				for _, e := range edits[start:min(start+100, len(edits))] {
					check(b, tx.Splice(p, e.pos, e.del, e.text))
				}
				ok[crdt.Change](b)(w.Commit("", 0))
			}
			check(b, d.Close())
		}
	})
}

// BenchmarkPaperStored measures a document of the paper, written at 100 edits a
// change.
func BenchmarkPaperStored(b *testing.B) {
	edits, _ := paper(b)
	d, id := typed(b, edits, 100)
	defer d.Close()
	save := ok[[]byte](b)(d.Save())
	changes := ok[[][]byte](b)(d.Since(nil))
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			ok[[]byte](b)(d.Save())
		}
		b.ReportMetric(float64(len(save)), "bytes")
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			check(b, ok[crdt.Engine](b)(load(save, crdt.ActorID{2})).Close())
		}
	})
	b.Run("apply", func(b *testing.B) {
		for b.Loop() {
			e := ok[crdt.Engine](b)(open(crdt.ActorID{2}))
			check(b, e.Apply(changes, nil))
			check(b, e.Close())
		}
	})
	b.Run("text", func(b *testing.B) {
		r := ok[crdt.Reader](b)(d.At(nil))
		for b.Loop() {
			ok[string](b)(r.Text(id))
		}
	})
}

// BenchmarkMap measures maps of 1 and 100,000 keys.
func BenchmarkMap(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		d := ok[crdt.Engine](b)(open(crdt.ActorID{1}))
		defer d.Close()
		keys := make([]string, n)
		w := ok[crdt.Writer](b)(d.Begin())
		for i := range keys {
			keys[i] = fmt.Sprintf("key-%06d", i)
			ok[crdt.ObjID](b)(w.Put(crdt.Root, crdt.Prop{Key: keys[i]}, crdt.Int(int64(i))))
		}
		ok[crdt.ObjID](b)(w.Put(crdt.Root, crdt.Prop{Key: "s"}, crdt.String(strings.Repeat("x", 32))))
		ok[crdt.Change](b)(w.Commit("", 0))
		r := ok[crdt.Reader](b)(d.At(nil))
		b.Run(fmt.Sprintf("keys=%d/get", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, found, err := r.Get(crdt.Root, crdt.Prop{Key: keys[i*7919%n]}); !found || err != nil {
					b.Fatal(found, err)
				}
			}
		})
		b.Run(fmt.Sprintf("keys=%d/path", n), func(b *testing.B) {
			v := crdt.NewView(r)
			p := crdt.At("s")
			for b.Loop() {
				ok[crdt.Value](b)(v.Get(p))
			}
		})
		b.Run(fmt.Sprintf("keys=%d/all", n), func(b *testing.B) {
			for b.Loop() {
				for _, err := range r.Entries(crdt.Root) {
					check(b, err)
				}
			}
		})
	}
}
