package opset

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// trace is a recorded editing session; see testdata/traces/README.md.
type trace struct {
	Txns []struct {
		Parents []int
		Agent   int
		Patches [][3]any // position, deleted, inserted
	}
}

func readTrace(t testing.TB, name string) (tr trace) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "traces", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&tr); err != nil {
		t.Fatal(err)
	}
	return tr
}

// gapText is a text of operation ids with a gap where the last edit was.
type gapText struct{ before, after []uint32 } // after is reversed

func (g *gapText) seek(pos int) {
	for len(g.before) > pos {
		g.after = append(g.after, g.before[len(g.before)-1])
		g.before = g.before[:len(g.before)-1]
	}
	for len(g.before) < pos {
		g.before = append(g.before, g.after[len(g.after)-1])
		g.after = g.after[:len(g.after)-1]
	}
}

// oneAuthor turns the edits of a trace with one author into changes of per edits
// each, after a first change that makes the text.
func oneAuthor(t testing.TB, name string, per int) [][]byte {
	t.Helper()
	tr := readTrace(t, name)
	var g gapText
	var out [][]byte
	h := change.Header{Actor: "0123456789abcdef", StartOp: 1}
	ops := []change.Op{{Key: "text", Action: change.MakeText}}
	flush := func() {
		h.Seq++
		c, err := change.Build(h, []change.Actor{h.Actor}, ops, "")
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c.Encode())
		h.Deps, h.StartOp, ops = []crdt.ChangeHash{c.Hash}, c.MaxOp()+1, ops[:0]
	}
	flush()
	obj, edits := change.OpID{Ctr: 1}, 0
	next := func() uint32 { return uint32(h.StartOp) + uint32(len(ops)) }
	for _, txn := range tr.Txns {
		for _, p := range txn.Patches {
			g.seek(int(p[0].(float64)))
			for range int(p[1].(float64)) {
				id := change.OpID{Ctr: g.after[len(g.after)-1]}
				g.after = g.after[:len(g.after)-1]
				ops = append(ops, change.Op{Obj: obj, Elem: id, Action: change.Delete, Pred: []change.OpID{id}})
			}
			for _, r := range p[2].(string) {
				var after change.OpID
				if n := len(g.before); n > 0 {
					after.Ctr = g.before[n-1]
				}
				g.before = append(g.before, next())
				ops = append(ops, change.Op{Obj: obj, Elem: after, Insert: true, Action: change.Set,
					Value: change.Value{Type: change.String, Raw: string(r)}})
			}
			if edits++; edits%per == 0 {
				flush()
			}
		}
	}
	if len(ops) > 0 {
		flush()
	}
	return out
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkGuard is the price of a change between the network and an engine:
// strict decode, causal check and record, per operation.
func BenchmarkGuard(b *testing.B) {
	for _, per := range []int{100, 1} {
		b.Run("automerge-paper/edits="+map[int]string{100: "100", 1: "1"}[per], func(b *testing.B) {
			chunks := oneAuthor(b, "automerge-paper", per)
			var s *State
			before, ops := heap(), 0
			for b.Loop() {
				s, ops = New(Options{}), 0
				for _, chunk := range chunks {
					c, err := change.Decode(chunk)
					if err != nil {
						b.Fatal(err)
					}
					if o := s.Add(c)[0]; o.Status != Applied {
						b.Fatal(o.Err)
					}
					ops += c.NumOps()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(ops), "ns/op-of-change")
			b.ReportMetric(float64(heap()-before)/float64(ops), "retained-B/op-of-change")
			b.ReportMetric(float64(s.Bytes())/float64(ops), "estimated-B/op-of-change")
			runtime.KeepAlive(chunks)
		})
	}
}
