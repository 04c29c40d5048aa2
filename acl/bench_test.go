package acl

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

// bigScope is a list with n operations by several admins' devices, each naming the
// others' last. Each device lives so often, and its lives take turns.
func bigScope(b *testing.B, n, lives int) (*world, *testDevice, crdt.ScopeID) {
	b.Helper()
	w := newWorld(b, SuiteX25519)
	ann := w.person(1)
	list := ann.devices[0].scope(KindList)
	devices := []*testDevice{ann.devices[0]}
	for range 9 {
		p := w.person(1)
		ann.devices[0].grant(list, p, Admin)
		devices = append(devices, p.devices[0])
	}
	var authors []Author
	for i := range lives {
		for _, d := range devices {
			by := d.Author
			if i > 0 {
				by.Incarnation = w.life()
				w.add(w.s.NewIncarnation(by, nil, w.tick()))
			}
			authors = append(authors, by)
		}
	}
	log, _ := w.s.Log(list)
	for i := 0; log.Len() < n; i++ {
		by := authors[i%len(authors)]
		w.add(w.s.GrantTo(by, list, PersonPrincipal, crdt.ScopeID{1, byte(i), byte(i >> 8)}, Reader, nil, w.tick()))
	}
	return w, devices[3], list
}

func BenchmarkAddAtTail(b *testing.B) {
	w, d, list := bigScope(b, 10_000, 1)
	o, err := w.s.GrantTo(d.Author, list, PersonPrincipal, crdt.ScopeID{2}, Reader, nil, 1)
	if err != nil {
		b.Fatal(err)
	}
	sc := w.s.scopes[list]
	for _, verified := range []bool{true, false} {
		b.Run(fmt.Sprintf("verified=%v", verified), func(b *testing.B) {
			for b.Loop() {
				o.verified = verified
				if res, err := w.s.Add(o); err != nil || res.Outcome != Added {
					b.Fatal(res, err)
				}
				b.StopTimer()
				undo(sc, o)
				b.StartTimer()
			}
		})
	}
}

// undo takes the last operation out again.
func undo(sc *scope, o *Op) {
	l, n := sc.log, len(sc.log.nodes)-1
	c := &l.chains[l.nodes[n].chain]
	c.nodes = c.nodes[:len(c.nodes)-1]
	c.under[0].n--
	l.nodes, sc.depths, sc.grants = l.nodes[:n], sc.depths[:n], sc.grants[:len(sc.grants)-1]
	delete(l.index, o.id)
	l.heads = []int32{int32(n - 1)}
}

func BenchmarkAuthorize(b *testing.B) {
	w, d, list := bigScope(b, 10_000, 1)
	path, _, err := w.s.Path(d.Party, list)
	if err != nil {
		b.Fatal(err)
	}
	heads, err := w.s.ItemHeads(d.Author, list, path)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := w.s.Authorize(list, d.Device, path, heads); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad evaluates 10,000 stored operations of one scope, and reports what
// each costs in memory besides itself.
func BenchmarkLoad(b *testing.B) {
	for _, lives := range []int{1, MaxIncarnations} {
		b.Run(fmt.Sprintf("lives=%d", lives), func(b *testing.B) {
			w, _, _ := bigScope(b, 10_000, lives)
			heap := func() float64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return float64(m.HeapAlloc)
			}
			for b.Loop() {
				b.StopTimer()
				before := heap()
				b.StartTimer()
				s := &State{}
				if odd := s.Load(slices.Values(w.ops)); odd != nil {
					b.Fatal(odd)
				}
				b.StopTimer()
				b.ReportMetric((heap()-before)/float64(len(w.ops)), "B/access-op")
				b.StartTimer()
				runtime.KeepAlive(s)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.ops)), "ns/access-op")
		})
	}
}

// BenchmarkAnnounced asks for the last of 640 lives of ten devices of one person.
func BenchmarkAnnounced(b *testing.B) {
	w := newWorld(b, SuiteX25519)
	ann := w.person(10)
	by := ann.devices[0].Author
	for i := range 10 * (MaxIncarnations - 1) {
		by = ann.devices[i%10].Author
		by.Incarnation = w.life()
		w.add(w.s.NewIncarnation(by, nil, w.tick()))
	}
	row, _ := w.s.Heads(ann.id)
	heads := []Row{row}
	for b.Loop() {
		if err := w.s.Announced(ann.id, by.Device, by.Incarnation, heads); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPrivateLists opens 10,000 documents with lists of their own from their
// stored bytes, and reports what each costs in memory.
func BenchmarkPrivateLists(b *testing.B) {
	const lists = 10_000
	w := newWorld(b, SuiteHybrid)
	ann := w.person(2)
	known := slices.Clone(w.ops)
	stored := make([][]byte, lists)
	for i := range stored {
		stored[i], _ = w.add(w.s.NewScope(ann.devices[i%2].Author, KindList, w.bytes16(), 0, w.tick())).MarshalBinary()
	}
	for b.Loop() {
		s := &State{}
		s.Load(slices.Values(known))
		var before, after runtime.MemStats
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		for _, raw := range stored {
			o, err := DecodeVerified(raw)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.Add(o); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/lists, "B/list")
		b.StartTimer()
		runtime.KeepAlive(s)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lists, "ns/list")
}

func BenchmarkRotate(b *testing.B) {
	for _, suite := range []Suite{SuiteX25519, SuiteHybrid} {
		for _, persons := range []int{10, 250} {
			b.Run(fmt.Sprintf("%s/%d", suite, persons), func(b *testing.B) {
				w := newWorld(b, suite)
				ann := w.person(1)
				a := ann.devices[0]
				group := a.scope(KindGroup)
				for range persons - 1 {
					w.add(w.s.GrantTo(a.Author, group, PersonPrincipal, w.person(1).id, Writer, nil, w.tick()))
				}
				var size int
				for b.Loop() {
					o, _, err := w.s.NewEpoch(a.Author, group, a.sealing(), w.tick())
					if err != nil {
						b.Fatal(err)
					}
					size = o.Size()
				}
				b.ReportMetric(float64(size), "B/epoch")
			})
		}
	}
}

func BenchmarkKeys(b *testing.B) {
	for _, persons := range []int{1, 250} {
		b.Run(fmt.Sprint(persons), func(b *testing.B) {
			w := newWorld(b, SuiteX25519)
			a := w.person(1).devices[0]
			list := a.scope(KindList)
			for range persons - 1 {
				a.grant(list, w.person(1), Writer)
			}
			for b.Loop() {
				if k, err := w.s.Keys(list); err != nil || k.Debt() {
					b.Fatal(k, err)
				}
			}
		})
	}
}

// BenchmarkMembersNested: a hostile admin grants the same groups again and again.
func BenchmarkMembersNested(b *testing.B) {
	w := newWorld(b, SuiteX25519)
	a := w.person(1).devices[0]
	list, outer, inner := a.scope(KindList), a.scope(KindGroup), a.scope(KindGroup)
	for i := range 500 {
		a.grantGroup(list, outer, Writer)
		a.grantGroup(outer, inner, Writer)
		w.add(w.s.GrantTo(a.Author, inner, PersonPrincipal, crdt.ScopeID{1, byte(i), byte(i >> 8)}, Writer, nil, w.tick()))
	}
	for b.Loop() {
		if m, err := w.s.Members(list); err != nil || len(m) != 501 {
			b.Fatal(len(m), err)
		}
	}
}
