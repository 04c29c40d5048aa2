package netsync

import (
	"bytes"
	"testing"

	"github.com/pipes-sync/pipes/crdt/set"
)

// BenchmarkAdmit is a run of 256 items that arrives: one is signed, or all are; all
// are new, or all known.
func BenchmarkAdmit(b *testing.B) {
	const items = 256
	w := newWard(b)
	w.a.freeze()
	signed := w.a.run(items)
	last := make([]*set.Set, items)
	for i, s := range signed {
		last[i] = unsigned(s)
	}
	last[items-1] = signed[items-1]
	report := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*items), "ns/item")
	}
	for name, run := range map[string][]*set.Set{"signed=last": last, "signed=all": signed} {
		b.Run("new/"+name, func(b *testing.B) {
			b.ReportAllocs()
			n := newNode(w.s, w.doc.Document)
			for b.Loop() {
				b.StopTimer()
				n.open(w.doc.Document)
				in := of(run...)
				b.StartTimer()
				v, err := n.admit(in)
				if err != nil || v[items-1].Status != Admitted {
					b.Fatal(v, err)
				}
			}
			report(b)
		})
	}
	b.Run("known", func(b *testing.B) {
		n := w.node(signed...)
		for b.Loop() {
			v, err := n.admit(of(signed...))
			if err != nil || v[items-1].Status != Known {
				b.Fatal(v, err)
			}
		}
		report(b)
	})
	b.Run("one by one", func(b *testing.B) {
		n := newNode(w.s, w.doc.Document)
		for b.Loop() {
			b.StopTimer()
			n.open(w.doc.Document)
			in := copySets(signed)
			b.StartTimer()
			for _, s := range in {
				if v, err := n.admit(Items{Sets: []*set.Set{s}}); err != nil || v[0].Status != Admitted {
					b.Fatal(v, err)
				}
			}
		}
		report(b)
	})
	b.Run("forged", func(b *testing.B) { // the dearest run: every signature is wrong
		var run []*set.Set
		for _, s := range signed {
			run = append(run, forged(s))
		}
		n := newNode(w.s, w.doc.Document)
		for b.Loop() {
			v, err := n.admit(of(run...))
			if err != nil || v[0].Status != Refused {
				b.Fatal(v, err)
			}
		}
		report(b)
	})
}

// BenchmarkBundle is how fast a bundle of 16 MiB is written, and read through.
func BenchmarkBundle(b *testing.B) {
	for name, size := range map[string]int{"run=512KiB": pieceSize, "run=4KiB": 4 << 10} {
		run := Run{Run: make([]byte, size)}
		write := func(out *bytes.Buffer) {
			w, err := NewBundleWriter(out, Begin{})
			for n := 0; err == nil && n < 16<<20; n += size {
				err = w.Write(run)
			}
			if err == nil {
				err = w.Close()
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		var out bytes.Buffer
		write(&out)
		bundle := bytes.Clone(out.Bytes())
		b.Run("write/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(bundle)))
			b.ReportAllocs()
			for b.Loop() {
				out.Reset()
				write(&out)
			}
		})
		b.Run("verify/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(bundle)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := VerifyBundle(bytes.NewReader(bundle)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
