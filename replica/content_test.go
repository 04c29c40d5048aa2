package replica

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// Whoever opens a document takes it off the list of those with news.
func TestOpeningFreshensTheHead(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"n": 1})
	must(p.db.Get())(t)
	for i := range p.b.Docs(ctx) {
		if diff := cmp.Diff(must(p.db.Heads(ctx))(t), i.Heads); diff != "" || i.State != "open" {
			t.Errorf("%+v %s", i, diff)
		}
	}
}

// Nothing is damaged in a document with a change set that breaks a rule in its
// second change, opened or not.
func TestCheckOfInertSets(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	f := &forger{t, p.db}
	h, secret := f.next()
	good := f.change(p.db.actor(), func(tx *crdt.Tx) error { return tx.Set(crdt.At("first"), 1) })
	s := f.seal(h, secret, good.Bytes, badSecond(t, p.db, good))
	p.a.unloadBefore(farFuture)
	must(p.a.ImportBundle(ctx, f.bundle(s), ImportOptions{}))(t)
	report, err := p.a.Check(ctx, nil)
	if err != nil || len(report.Apart) != 1 || report.Apart[0].Set != s.ID() {
		t.Errorf("%+v, %v", report, err)
	}
}

// A set under a key that nobody has costs those who receive it nothing.
func TestKeylessSetsAreCheap(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	must(p.da.Get())(t)
	f := &forger{t, p.db}
	h, secret := f.next()
	h.Epoch[0] ^= 1
	s := f.seal(h, secret, f.change(p.db.actor(), func(tx *crdt.Tx) error { return tx.Set(crdt.At("evil"), 1) }).Bytes)
	must(p.a.ImportBundle(ctx, f.bundle(s), ImportOptions{}))(t)
	content := func() (c *content) {
		if err := p.da.opened(ctx, "test", func(o *content) error { c = o; return nil }); err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := content()
	if len(before.keyless) != 1 {
		t.Fatalf("%v", before.keyless)
	}
	third := openAt(t, t.TempDir())
	carry(t, third, p.a)
	must(p.a.Share(ctx, p.da.ID(), third.Person(), acl.Writer))(t)
	carry(t, p.a, third)
	d := must(third.Doc(ctx, p.da.ID()))(t)
	if err := d.Set(ctx, 1, "n"); err != nil {
		t.Fatal(err)
	}
	carry(t, third, p.a)
	if content() != before {
		t.Error("the document was read anew")
	}
	for i := range snapshotEvery {
		if _, err := p.da.Begin(ctx, "", func(tx *crdt.Tx) error { return tx.Set(crdt.At("n"), i) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.da.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	p.a.unloadBefore(farFuture)
	if _, err := p.a.store.Snapshot(p.da.ID(), snapshotNumber); err != nil {
		t.Errorf("snapshot: %v", err)
	}
	if got := must(p.da.Get("n"))(t); got != int64(snapshotEvery-1) {
		t.Error(got)
	}
}

// What follows the branch of a fork that lost is inert, whether it arrives before or
// after the document was opened.
func TestFollowersOfLosers(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	f := &forger{t, p.db}
	h, secret := f.next()
	ch := f.change(p.db.actor(), func(tx *crdt.Tx) error { return tx.Set(crdt.At("x"), 1) })
	one, two := f.seal(h, secret, ch.Bytes), f.seal(h, secret, ch.Bytes)
	winner, loser := one, two
	if a, b := one.ID(), two.ID(); bytes.Compare(a[:], b[:]) > 0 {
		winner, loser = two, one
	}
	must(p.a.ImportBundle(ctx, f.bundle(winner, loser), ImportOptions{}))(t)
	must(p.da.Get())(t)
	h.Seq, h.Prev, h.Deps = 2, loser.ID(), []crdt.ChangeSetID{winner.ID()}
	schema := schemaChange(t, "roots")
	must(p.a.ImportBundle(ctx, f.bundle(f.seal(h, secret, schema)), ImportOptions{}))(t)
	live := must(p.da.Get())(t)
	p.a.unloadBefore(farFuture)
	if diff := cmp.Diff(live, must(p.da.Get())(t)); diff != "" {
		t.Error(diff)
	}
}

// schemaChange is a change that any set may carry: a text at a key.
func schemaChange(t testing.TB, key string) []byte {
	t.Helper()
	write := func(actor crdt.ActorID) []byte {
		e := must(newEngine(actor))(t)
		defer e.Close()
		w := must(e.Begin())(t)
		if err := crdt.NewTx(w).Set(crdt.At(key), ""); err != nil {
			t.Fatal(err)
		}
		return must(w.Commit("", 0))(t).Bytes
	}
	return must(set.SchemaChange(write(crdt.ActorID{})))(t)
}

// Two replicas make the same schema change without knowing of each other. What each
// wrote on top of it counts at the other, live and from a snapshot.
func TestSchemaChangeCarriedTwice(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"n": 1})
	p.a.opt.snapshotEvery, p.b.opt.snapshotEvery = 1, 1
	for round := range 2 {
		for i, d := range []*Doc{p.da, p.db} {
			o := &Of[simNote]{d}
			if err := errors.Join(o.seed(ctx, schemaRoots[simNote]), o.Flush(ctx)); err != nil {
				t.Fatal(err) // in a set of its own
			}
			tag := fmt.Sprint("tag", i, round)
			if err := o.Change(ctx, func(n *simNote) error { n.Tags = append(n.Tags, tag); return nil }); err != nil {
				t.Fatal(err)
			}
			if round == 0 {
				d.r.unloadBefore(farFuture)
			}
		}
		carry(t, p.a, p.b)
		carry(t, p.b, p.a)
		for _, d := range []*Doc{p.da, p.db} {
			if v := must((&Of[simNote]{d}).Value(ctx))(t); len(v.Tags) != 2*(round+1) {
				t.Errorf("round %d: %v", round, v.Tags)
			}
			if st := must(d.Status(ctx))(t); len(st.Apart) > 0 {
				t.Errorf("round %d: left out %+v", round, st.Apart)
			}
			d.r.unloadBefore(farFuture)
		}
	}
}
