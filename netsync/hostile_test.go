package netsync

import (
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// misbehave: the hostile device signs what it may not sign, and sends that around
// with all it has. Its own replica does what a replica does.
func (m *sim) misbehave() {
	p := m.hostile()
	if p.role() < acl.Writer {
		return
	}
	if p.author == nil {
		m.live(p)
		m.own(p, p.author)
	}
	if m.pick.IntN(3) == 0 {
		m.fork(p)
		return
	}
	why, items := m.forge(p)
	if items.Sets == nil {
		return
	}
	for _, s := range items.Sets {
		if p.graph.Has(s.ID()) {
			m.tb.Fatal("a forgery that is none: " + why)
		}
		m.bad[s.ID()] = why
	}
	b, err := p.bundle(p.person.devices[0], m.one(3))
	if err != nil {
		m.tb.Fatal(err)
	}
	frames, err := RunFrames(items.Sets, items.Cover)
	if err != nil {
		m.tb.Fatal(err)
	}
	raw := split(m.tb, b)
	for _, f := range frames {
		raw = append(raw, Encode(f))
	}
	for _, q := range m.peers {
		m.mail = append(m.mail, message{to: q.name, from: p.name, b: spell(raw...)})
	}
	m.note("%d forges %s", p.name, why)
}

// fork contradicts itself: two items in one place, both authentic and granted.
func (m *sim) fork(p *peer) {
	one, two := p.author, p.author.fork()
	m.own(p, one)
	m.own(p, two)
	if m.pick.IntN(2) == 0 {
		p.author = two
	}
	m.note("%d forks", p.name)
}

// forge answers items that must never be admitted.
func (m *sim) forge(p *peer) (why string, items Items) {
	a := p.author.fork()
	switch m.pick.IntN(8) {
	case 0:
		b := p.person.devices[0].authorOf(&p.access, a.doc, crdt.Incarnation{0xbd})
		return "an unannounced incarnation", of(b.run(2)...)
	case 1:
		return "the document as a dep", of(a.write(crdt.ChangeSetID(p.doc.ID())), a.write())
	case 2:
		if other := m.anItem(p, func(s *set.Set) bool { return s.Header.Chain() != a.next.Chain() }); other != nil {
			a.next.Seq, a.next.Prev = other.Header.Seq+1, other.ID()
			return "another's chain", of(a.run(2)...)
		}
	case 3:
		if other := m.anItem(p, func(s *set.Set) bool { return s.Header.Device != a.Device }); other != nil {
			edited := m.resign(other, nil, func(h *set.Header) { h.Seq, h.Prev = h.Seq+1, other.ID(); h.Deps = nil })
			edited.Sig = signAs(edited, a.device)
			return "another's device", of(edited)
		}
	case 4:
		if other := m.anItem(p, func(s *set.Set) bool { return s.Header.Device != a.Device }); other != nil {
			a.next.Path, a.next.Heads, a.frozen = other.Header.Path, other.Header.Heads, true
			b := a.fork()
			b.next.Incarnation, b.next.Seq, b.next.Prev = crdt.Incarnation{0xbe}, 1, crdt.ChangeSetID(p.doc.ID())
			return "another's grant", of(b.run(2)...)
		}
	case 5:
		a.freeze()
		for i, row := range a.next.Heads {
			if row.Scope == p.person.id {
				// What it knew of its own log before it announced anything.
				a.next.Heads = slices.Clone(a.next.Heads)
				a.next.Heads[i].Ops = []crdt.AccessOpID{a.next.Path[0]}
			}
		}
		return "older heads", of(a.run(2)...)
	case 6:
		own := p.person.devices[0].scope(&p.access, acl.KindList)
		a.next.Scope = own
		return "a scope of its own", of(a.write())
	case 7:
		if other := m.anItem(p, func(s *set.Set) bool { return s.Header.Device != a.Device }); other != nil {
			// Another's item that never was, with a cover by this device.
			never := m.resign(other, nil, func(h *set.Header) { h.Seq, h.Prev, h.Deps = h.Seq+1, other.ID(), nil })
			a.next.Seq, a.next.Prev = never.Header.Seq+1, never.ID()
			return "a cover by another", covered(of(never), a.write())
		}
	}
	return "", Items{}
}

// anItem is a random one that p has and want wants.
func (m *sim) anItem(p *peer, want func(*set.Set) bool) *set.Set {
	var all []*set.Set
	for id := range p.graph.All() {
		if s := p.items[id]; want(s) {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[m.pick.IntN(len(all))]
}

// rewrite is what a hostile carrier makes of a bundle: frames left out or sent twice,
// signatures, payloads and covers withheld or spoilt; and a right hash.
func (m *sim) rewrite(b []byte) []byte {
	var out [][]byte
	for _, raw := range split(m.tb, b) {
		f, err := Decode(raw)
		if err != nil {
			m.tb.Fatal(err)
		}
		if f.Type() == TypeOps && m.pick.IntN(3) == 0 || f.Type() == TypeRun && m.pick.IntN(8) == 0 {
			continue
		}
		if run, ok := f.(Run); ok {
			raw = Encode(m.respell(run))
		}
		out = append(out, raw)
		if f.Type() != TypeBegin && m.pick.IntN(8) == 0 {
			out = append(out, raw)
		}
	}
	return spell(out...)
}

func (m *sim) respell(f Run) Run {
	items, err := DecodeItems(f.Run, f.Cover)
	if err != nil {
		m.tb.Fatal(err)
	}
	for i, s := range items.Sets {
		switch m.pick.IntN(8) {
		case 0, 1:
			items.Sets[i] = unsigned(s)
		case 2:
			items.Sets[i] = forged(s)
		case 3:
			items.Sets[i] = s.Bare()
		}
	}
	run, err := set.EncodeRun(items.Sets)
	if err != nil {
		m.tb.Fatal(err)
	}
	switch m.pick.IntN(6) {
	case 0:
		f.Cover = nil
	case 1:
		f.Cover = run
	case 2:
		run[len(run)/2] ^= 1
	}
	return Run{Run: run, Cover: f.Cover}
}
