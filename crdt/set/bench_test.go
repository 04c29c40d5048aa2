package set

import (
	"fmt"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

// BenchmarkCodecs says what 10,000 edits of 100 letters weigh as content, coded
// in each way, in sets of different sizes.
func BenchmarkCodecs(b *testing.B) {
	const edits = 10_000
	a, r := newAuthor("a"), newRand()
	changes := make([][]byte, edits)
	for i := range changes {
		changes[i] = a.edit(b, text(r, 100))
	}
	var c Coder
	forms := map[string]func(Content) int{
		"raw":     func(x Content) int { return len(appendPlain(nil, x)) },
		"zstd":    func(x Content) int { return len(c.compress(appendPlain(nil, x))) },
		"compact": func(x Content) int { z, _ := appendCompact(nil, &a.header, x); return len(c.compress(z)) },
		"payload": func(x Content) int {
			_, coded, err := c.encode(&a.header, x)
			if err != nil {
				b.Fatal(err)
			}
			return sealedLen(len(coded))
		},
	}
	for _, per := range []int{1, 4, 16, 64, 256} {
		for _, form := range []string{"raw", "zstd", "compact", "payload"} {
			b.Run(fmt.Sprintf("per=%d/%s", per, form), func(b *testing.B) {
				total := 0
				for b.Loop() {
					total = 0
					for i := 0; i < edits; i += per {
						total += forms[form](Content{Time: 1700000000000, Changes: changes[i:min(i+per, edits)]})
					}
				}
				b.ReportMetric(float64(total)/1e6, "MB")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*edits), "ns/edit")
			})
		}
	}
}

// BenchmarkSeal is a local commit: code, seal, encode and sign one edit.
func BenchmarkSeal(b *testing.B) {
	a := newAuthor("a")
	content := Content{Time: 1700000000000, Changes: [][]byte{a.edit(b, text(newRand(), 100))}}
	key := ContentKey(testSecret, testDoc)
	b.Run("sign", func(b *testing.B) {
		s := a.set(b, content.Changes...)
		for b.Loop() {
			s.Sign(a.key)
		}
	})
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.coder.Seal(a.header, content, key, [24]byte{1}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("commit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, err := a.coder.Seal(a.header, content, key, [24]byte{1})
			if err != nil {
				b.Fatal(err)
			}
			s.Sign(a.key)
			if s.Encode() == nil {
				b.Fatal("nothing")
			}
		}
	})
}

// BenchmarkReceive is a remote commit of one edit.
func BenchmarkReceive(b *testing.B) {
	s := chain(b, "a", 1)[0]
	item := s.Encode()
	key := ContentKey(testSecret, testDoc)
	var c Coder
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeSet(item); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if err := s.Verify(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			content, err := c.Open(s, key)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := CheckContent(&s.Header, content, 0, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			s, err := DecodeSet(item)
			if err == nil {
				err = s.CheckPayload()
			}
			if err == nil {
				err = s.Verify()
			}
			if err == nil {
				_, err = c.Open(s, key)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRun says what an item costs in a run beside its payload.
func BenchmarkRun(b *testing.B) {
	items := chain(b, "a", MaxRun)
	payloads := 0
	for _, s := range items {
		payloads += len(s.Payload)
	}
	for i := range items[:len(items)-1] {
		items[i].Sig = nil
	}
	run, err := EncodeRun(items)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			if _, err := EncodeRun(items); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(items)), "ns/item")
		b.ReportMetric(float64(len(run)-payloads)/float64(len(items)), "B/item")
		b.ReportMetric(float64(len(items[1].Encode())-len(items[1].Payload)), "B/item-alone")
	})
	b.Run("decode+authenticate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			got, err := DecodeRun(run)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := Authenticate(got); n != len(items) || err != nil {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(items)), "ns/item")
	})
}

// BenchmarkGraph adds 10,000 items of 1, 2 and 100 devices, each item naming the
// tips of all that came before.
func BenchmarkGraph(b *testing.B) {
	for _, devices := range []int{1, 2, 100} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			headers, ids := weave(devices, 10_000)
			heap := heapOf(func() any {
				g := NewGraph(testDoc)
				for i := range headers {
					_, _ = g.Add(&headers[i], ids[i])
				}
				return g
			})
			b.ReportAllocs()
			for b.Loop() {
				g := NewGraph(testDoc)
				for i := range headers {
					if r, err := g.Add(&headers[i], ids[i]); r.Status != Added || err != nil {
						b.Fatal(r, err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ids)), "ns/item")
			b.ReportMetric(heap/float64(len(ids)), "heapB/item")
		})
	}
}

// weave makes headers of devices taking turns.
func weave(devices, n int) ([]Header, []crdt.ChangeSetID) {
	headers, ids := make([]Header, n), make([]crdt.ChangeSetID, n)
	type end struct {
		seq uint64
		id  crdt.ChangeSetID
	}
	ends := make([]end, devices)
	for i := range headers {
		d := i % devices
		h := &headers[i]
		h.Doc, h.Device = testDoc, hash32(fmt.Sprint("device", d))
		h.Seq, h.Prev = ends[d].seq+1, ends[d].id
		if h.Seq == 1 {
			h.Prev = crdt.ChangeSetID(testDoc)
		}
		if devices > 1 && i > 0 {
			h.Deps = []crdt.ChangeSetID{ids[i-1]}
		}
		ids[i] = hash32(fmt.Sprint("item", i))
		ends[d] = end{h.Seq, ids[i]}
	}
	return headers, ids
}
