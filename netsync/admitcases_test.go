package netsync

import (
	"bytes"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// admitCases go through the order of checks. Each answers a replica and the items
// that arrive there.
var admitCases = []struct {
	name string
	give func(w *ward) (*node, Items)
	want []string
}{
	{"nothing", func(w *ward) (*node, Items) { return w.node(), Items{} }, nil},
	{"a first item", func(w *ward) (*node, Items) { return w.node(), of(w.a.write()) }, []string{"admitted"}},
	{"a run", func(w *ward) (*node, Items) { return w.node(), of(w.a.run(3)...) },
		[]string{"admitted", "admitted", "admitted"}},
	{"another writer's", func(w *ward) (*node, Items) {
		x := w.a.write()
		return w.node(x), of(w.b.write(x.ID()))
	}, []string{"admitted"}},

	// Known before anything else, even with a payload or signature that is wrong.
	{"known", func(w *ward) (*node, Items) {
		x := w.a.write()
		return w.node(x), of(x)
	}, []string{"known"}},
	{"known, in a spoilt copy", func(w *ward) (*node, Items) {
		x := w.a.write()
		return w.node(x), of(forged(x.Bare()))
	}, []string{"known"}},
	{"known, then new", func(w *ward) (*node, Items) {
		r := w.a.run(4)
		return w.node(r[:2]...), of(r...)
	}, []string{"known", "known", "admitted", "admitted"}},

	// Document and scope.
	{"another document's", func(w *ward) (*node, Items) {
		other := w.ann.devices[0].document(w.s, w.list)
		return w.node(), of(w.ann.devices[0].author(w.s, other).write())
	}, []string{"refused: document"}},
	{"of another scope of the author's", func(w *ward) (*node, Items) {
		own := w.bob.devices[0].scope(w.s, acl.KindList) // where Bob may do anything
		w.b.next.Scope = own
		return w.node(), of(w.b.write())
	}, []string{"refused: document"}},

	// Payload.
	{"a payload with a bit changed", func(w *ward) (*node, Items) {
		x := copySet(w.a.write())
		x.Payload = bytes.Clone(x.Payload)
		x.Payload[9] ^= 4
		return w.node(), of(x)
	}, []string{"refused: payload"}},
	{"no payload", func(w *ward) (*node, Items) { return w.node(), of(w.a.write().Bare()) },
		[]string{"refused: no payload"}},
	{"no payload in the middle of a run", func(w *ward) (*node, Items) {
		r := w.a.run(4)
		return w.node(), of(r[0], r[1], r[2].Bare(), r[3])
	}, []string{"admitted", "admitted", "refused: no payload", "pending: 1 sets, 0 ops"}},

	// Chain.
	{"prev missing", func(w *ward) (*node, Items) { return w.node(), of(w.a.run(3)[1:]...) },
		[]string{"pending: 1 sets, 0 ops", "pending: 1 sets, 0 ops"}},
	{"deps missing", func(w *ward) (*node, Items) {
		r := w.a.run(2)
		return w.node(), of(w.b.write(r[0].ID(), r[1].ID()))
	}, []string{"pending: 2 sets, 0 ops"}},
	{"prev and dep missing", func(w *ward) (*node, Items) {
		x := w.a.write()
		w.b.write()
		return w.node(), of(w.b.write(x.ID()))
	}, []string{"pending: 2 sets, 0 ops"}},
	{"a dep missing in the middle of a run", func(w *ward) (*node, Items) {
		x := w.a.write()
		w.b.freeze()
		return w.node(), of(w.b.write(), w.b.write(x.ID()), w.b.write())
	}, []string{"admitted", "pending: 1 sets, 0 ops", "pending: 1 sets, 0 ops"}},
	{"the document among the deps", func(w *ward) (*node, Items) {
		return w.node(), of(w.a.write(crdt.ChangeSetID(w.doc.ID())), w.a.write())
	}, []string{"refused: chain", "pending: 1 sets, 0 ops"}},
	{"prev is another chain's", func(w *ward) (*node, Items) {
		x := w.a.write()
		w.b.next.Seq, w.b.next.Prev = 2, x.ID()
		return w.node(x), of(w.b.run(2)...)
	}, []string{"refused: chain", "pending: 1 sets, 0 ops"}},
	{"prev is of the device's life before", func(w *ward) (*node, Items) {
		x := w.b.write()
		again := w.bob.devices[0].author(w.s, w.doc)
		again.next.Seq, again.next.Prev = 2, x.ID()
		return w.node(x), of(again.write())
	}, []string{"refused: chain"}},
	{"a seq left out", func(w *ward) (*node, Items) {
		x := w.a.write()
		w.a.next.Seq++
		return w.node(x), of(w.a.write())
	}, []string{"refused: chain"}},

	// Cover.
	{"a wrong signature", func(w *ward) (*node, Items) { return w.node(), of(forged(w.a.write())) },
		[]string{"refused: signature"}},
	{"no signature", func(w *ward) (*node, Items) { return w.node(), of(unsigned(w.a.write())) },
		[]string{"refused: signature"}},
	{"another device's signature", func(w *ward) (*node, Items) {
		x, y := w.a.write(), unsigned(w.a.write())
		y.Sig = signAs(y, w.b.device)
		return w.node(x), of(x, y)
	}, []string{"known", "refused: signature"}},
	{"signed by a later item of the run", func(w *ward) (*node, Items) {
		r := w.a.run(3)
		return w.node(), of(unsigned(r[0]), unsigned(r[1]), r[2])
	}, []string{"admitted", "admitted", "admitted"}},
	{"wrong signatures before a right one", func(w *ward) (*node, Items) {
		r := w.a.run(3)
		return w.node(), of(forged(r[0]), forged(r[1]), r[2])
	}, []string{"admitted", "admitted", "admitted"}},
	{"a right signature before wrong ones", func(w *ward) (*node, Items) {
		r := w.a.run(4)
		return w.node(), of(r[0], r[1], forged(r[2]), forged(r[3]))
	}, []string{"admitted", "admitted", "refused: signature", "refused: signature"}},
	{"a right signature before none", func(w *ward) (*node, Items) {
		r := w.a.run(2)
		return w.node(), of(r[0], unsigned(r[1]))
	}, []string{"admitted", "refused: signature"}},
	{"a right signature on a known item only", func(w *ward) (*node, Items) {
		r := w.a.run(2)
		return w.node(r[0]), of(r[0], unsigned(r[1]))
	}, []string{"known", "refused: signature"}},
	{"covered by an item that waits", func(w *ward) (*node, Items) {
		x := w.a.write()
		w.b.freeze()
		r := []*set.Set{unsigned(w.b.write()), w.b.write(x.ID()), w.b.write()}
		return w.node(), of(r...)
	}, []string{"admitted: covered by 1", "pending: 1 sets, 0 ops", "pending: 1 sets, 0 ops"}},
	{"covered by the second item that waits", func(w *ward) (*node, Items) {
		x := w.a.write()
		w.b.freeze()
		r := []*set.Set{unsigned(w.b.write()), forged(w.b.write(x.ID())), w.b.write()}
		return w.node(), of(r...)
	}, []string{"admitted: covered by 2", "pending: 1 sets, 0 ops", "pending: 1 sets, 0 ops"}},
	{"covered by an item that came without payload", func(w *ward) (*node, Items) {
		r := w.a.run(2)
		return w.node(), of(unsigned(r[0]), r[1].Bare())
	}, []string{"admitted: covered by 1", "refused: no payload"}},
	{"a cover along", func(w *ward) (*node, Items) {
		r := w.a.run(5)
		return w.node(), covered(of(unsigned(r[0]), unsigned(r[1])), r[2:]...)
	}, []string{"admitted", "admitted: covered by 3"}},
	{"a cover along, of other claims", func(w *ward) (*node, Items) {
		x := unsigned(w.a.write())
		w.ann.devices[0].grant(w.s, w.list, w.dan, acl.Reader)
		return w.node(), covered(of(x), w.a.write(), w.a.write())
	}, []string{"admitted: covered by 2"}},
	{"a cover along, behind a signature", func(w *ward) (*node, Items) {
		r := w.a.run(4)
		return w.node(), covered(of(r[0], unsigned(r[1]), unsigned(r[2])), r[3])
	}, []string{"admitted", "admitted", "admitted: covered by 1"}},
	{"a cover along that is not needed", func(w *ward) (*node, Items) {
		r := w.a.run(3)
		return w.node(), covered(of(r[:2]...), forged(r[2]))
	}, []string{"admitted", "admitted"}},
	{"a cover along with a wrong signature", func(w *ward) (*node, Items) {
		r := w.a.run(3)
		return w.node(), covered(of(unsigned(r[0]), unsigned(r[1])), forged(r[2]))
	}, []string{"refused: signature", "refused: signature"}},
	{"a cover of another chain", func(w *ward) (*node, Items) {
		r := w.a.run(2)
		w.b.next.Seq, w.b.next.Prev = 3, r[1].ID() // Bob signs that he knows Ann's
		return w.node(), covered(of(unsigned(r[0]), unsigned(r[1])), w.b.write())
	}, []string{"refused: signature", "refused: signature"}},
	{"a cover with a gap", func(w *ward) (*node, Items) {
		r := w.a.run(3)
		return w.node(), covered(of(unsigned(r[0])), r[2])
	}, []string{"refused: signature"}},

	// Grants.
	{"heads unknown", func(w *ward) (*node, Items) {
		n := w.node()
		w.ann.devices[0].grant(w.s, w.list, w.dan, acl.Reader)
		return n, of(w.a.run(2)...)
	}, []string{"pending: 0 sets, 1 ops", "pending: 0 sets, 1 ops"}},
	{"scope unknown", func(w *ward) (*node, Items) {
		n := &node{}
		n.open(w.doc.Document)
		return n, of(w.a.write())
	}, []string{"pending: 0 sets, 2 ops"}},
	{"not granted", func(w *ward) (*node, Items) {
		d := w.dan.devices[0].author(w.s, w.doc)
		d.next.Path, d.next.Heads = w.bob.devices[0].claim(w.s, w.list)
		d.frozen = true
		return w.node(), of(d.write())
	}, []string{"refused: the grant is for somebody else"}},
	{"under a grant to another person", func(w *ward) (*node, Items) {
		d := w.dan.devices[0].author(w.s, w.doc)
		d.next.Path, d.next.Heads = w.claimOf(w.dan, w.bob)
		d.frozen = true
		return w.node(), of(d.write())
	}, []string{"refused: the heads are not those of the scopes on the path"}},
	{"the grant is not in the past of the heads", func(w *ward) (*node, Items) {
		w.b.freeze()
		w.b.next.Heads = w.headsBefore(w.b.next.Heads, w.list)
		return w.node(), of(w.b.write())
	}, []string{"refused: the grant is not in the past the author names"}},
	{"the heads of a scope too many", func(w *ward) (*node, Items) {
		w.b.freeze()
		row, err := w.s.Heads(w.ann.id)
		if err != nil {
			w.tb.Fatal(err)
		}
		w.b.next.Heads = sortHeads(append(w.b.next.Heads, set.Heads{Scope: row.Scope, Ops: row.Heads}))
		return w.node(), of(w.b.write())
	}, []string{"refused: the heads are not those of the scopes on the path"}},
	{"a reader writes", func(w *ward) (*node, Items) {
		c := w.cyd.devices[0].author(w.s, w.doc)
		return w.node(), of(c.run(2)...)
	}, []string{"refused: the role is too low", "refused: the role is too low"}},
	{"a reader's device writes for a writer", func(w *ward) (*node, Items) {
		d := w.bob.link(w.world, w.s, acl.Reader)
		inc := d.w.nonce16()
		x := d.authorOf(w.s, w.doc, crdt.Incarnation(inc[:8]))
		return w.node(), of(x.write())
	}, []string{"refused: the role is too low"}},
	{"a writer by a group", func(w *ward) (*node, Items) {
		group := w.ann.devices[0].scope(w.s, acl.KindGroup)
		w.ann.devices[0].grant(w.s, group, w.dan, acl.Writer)
		w.ann.devices[0].grantGroup(w.s, w.list, group, acl.Writer)
		d := w.dan.devices[0].author(w.s, w.doc)
		return w.node(), of(d.run(2)...)
	}, []string{"admitted", "admitted"}},

	// Incarnation.
	{"an incarnation not announced", func(w *ward) (*node, Items) {
		return w.node(), of(w.bob.devices[0].authorOf(w.s, w.doc, crdt.Incarnation{7}).run(2)...)
	}, []string{"refused: incarnation", "refused: incarnation"}},
	{"an incarnation of another device", func(w *ward) (*node, Items) {
		d := w.bob.link(w.world, w.s, acl.Admin)
		return w.node(), of(d.authorOf(w.s, w.doc, w.b.next.Incarnation).write())
	}, []string{"refused: incarnation"}},
	{"announced after the heads", func(w *ward) (*node, Items) {
		x := w.bob.devices[0].authorOf(w.s, w.doc, crdt.Incarnation{}).freeze()
		x.next.Incarnation = w.bob.devices[0].live(w.s, nil)
		return w.node(), of(x.write())
	}, []string{"refused: incarnation"}},
	{"heads older than the announcement's", func(w *ward) (*node, Items) {
		d := w.bob.devices[0]
		x := d.authorOf(w.s, w.doc, crdt.Incarnation{}).freeze()
		w.ann.devices[0].grant(w.s, w.list, w.dan, acl.Reader)
		_, now := d.claim(w.s, w.list)
		x.next.Incarnation = d.live(w.s, Rows(now))
		_, now = d.claim(w.s, w.list) // the announcement, and in the list what was known before
		for i := range now {
			if now[i].Scope == w.list {
				now[i] = x.next.Heads[i]
			}
		}
		x.next.Heads = now
		return w.node(), of(x.write())
	}, []string{"refused: older heads"}},
	{"announced with heads of a scope nobody here knows", func(w *ward) (*node, Items) {
		d := w.bob.devices[0]
		_, now := d.claim(w.s, w.list)
		other := acl.Row{Scope: crdt.ScopeID{1}, Heads: []crdt.AccessOpID{{2}}}
		all := append(Rows(now), other)
		slices.SortFunc(all, func(a, b acl.Row) int { return bytes.Compare(a.Scope[:], b.Scope[:]) })
		x := d.authorOf(w.s, w.doc, d.live(w.s, all))
		return w.node(), of(x.write())
	}, []string{"admitted"}},
	{"announced with heads that nobody here knows", func(w *ward) (*node, Items) {
		d := w.bob.devices[0]
		row := acl.Row{Scope: w.list, Heads: []crdt.AccessOpID{{2}}}
		x := d.authorOf(w.s, w.doc, d.live(w.s, []acl.Row{row}))
		return w.node(), of(x.write())
	}, []string{"refused: older heads"}},

	// Heads of the item before.
	{"heads older than those of the item before", func(w *ward) (*node, Items) {
		old := w.b.fork().freeze()
		w.ann.devices[0].grant(w.s, w.list, w.dan, acl.Reader)
		x := w.b.write()
		old.next.Seq, old.next.Prev = w.b.next.Seq, w.b.next.Prev
		return w.node(x), of(old.run(2)...)
	}, []string{"refused: older heads", "refused: older heads"}},
	{"another path than the item before", func(w *ward) (*node, Items) {
		d := w.ann.devices[0]
		group := d.scope(w.s, acl.KindGroup)
		d.grant(w.s, group, w.bob, acl.Writer)
		grant := d.grantGroup(w.s, w.list, group, acl.Writer)
		direct := w.b.fork()
		w.b.next.Path, w.b.next.Heads = w.claimBy(w.bob, group, grant.ID())
		w.b.frozen = true
		x := w.b.write()
		direct.next.Seq, direct.next.Prev = w.b.next.Seq, w.b.next.Prev
		return w.node(x), of(direct.write())
	}, []string{"admitted"}},

	// Forks.
	{"a second branch", func(w *ward) (*node, Items) {
		x := w.a.write()
		y := w.a.fork()
		return w.node(x, w.a.write()), of(y.run(2)...)
	}, []string{"admitted: forked", "admitted"}},
	{"a second beginning", func(w *ward) (*node, Items) {
		y := w.a.fork()
		return w.node(w.a.write()), of(y.run(2)...)
	}, []string{"admitted: forked", "admitted"}},
	{"a cover on another branch", func(w *ward) (*node, Items) {
		x := w.a.write()
		y := w.a.fork()
		own := unsigned(w.a.write())
		y.write()
		return w.node(x), covered(of(own), y.write())
	}, []string{"refused: signature"}},
}
