package replica

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/set"
)

// More devices write at the same time than a header can name: the next writer joins
// them in sets of its own.
func TestMoreConcurrentTipsThanAHeaderNames(t *testing.T) {
	ctx := t.Context()
	const writers = 2*set.MaxDeps + 3
	p := newPair(t, acl.Writer, map[string]any{})
	var others []*Replica
	for range writers {
		r := must(Open(ctx, "r", memOptions(vfs.NewMem())))(t)
		t.Cleanup(func() { r.Close() })
		carry(t, r, p.a)
		must(p.a.Share(ctx, p.da.ID(), r.Person(), acl.Writer))(t)
		others = append(others, r)
	}
	for i, r := range others {
		carry(t, p.a, r)
		d := must(r.Doc(ctx, p.da.ID()))(t)
		if err := d.Set(ctx, i, fmt.Sprintf("w%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range others {
		carry(t, r, p.a)
	}
	if err := p.da.Set(ctx, "joined", "by"); err != nil {
		t.Fatal(err)
	}
	if st := must(p.da.Status(ctx))(t); len(st.Apart) > 0 || len(st.Heads) != 1 {
		t.Errorf("%+v", st)
	}
	carry(t, p.a, p.b)
	if diff := cmp.Diff(must(p.da.Get())(t), must(p.db.Get())(t)); diff != "" {
		t.Error(diff)
	}
	if st := must(p.db.Status(ctx))(t); len(st.Apart) > 0 {
		t.Errorf("left out: %+v", st.Apart)
	}
}

// More tips than a header names are joined by a replica that has read the document
// from a snapshot, and by one that forgets it in between.
func TestJoinsFromASnapshot(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"n": 0})
	p.a.opt.snapshotEvery = 1
	var others []*Doc
	for range set.MaxDeps + 2 {
		r := must(Open(ctx, "r", memOptions(vfs.NewMem())))(t)
		t.Cleanup(func() { r.Close() })
		carry(t, r, p.a)
		must(p.a.Share(ctx, p.da.ID(), r.Person(), acl.Writer))(t)
		carry(t, p.a, r)
		others = append(others, must(r.Doc(ctx, p.da.ID()))(t))
	}
	for round := range 2 {
		for i, d := range others {
			if err := d.Set(ctx, round, fmt.Sprintf("w%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		for i, d := range others {
			carry(t, d.r, p.a)
			if i%7 == 3 {
				must(p.da.Get())(t)
				p.a.unloadBefore(farFuture) // writes a snapshot with some of the tips
			}
		}
		p.a.unloadBefore(farFuture)
		if err := p.da.Set(ctx, round, "joined"); err != nil {
			t.Fatal(err)
		}
		p.a.unloadBefore(farFuture)
		if err := p.da.Set(ctx, round, "after"); err != nil {
			t.Fatal(err)
		}
		for _, d := range append(others, p.db) {
			carry(t, p.a, d.r)
			if diff := cmp.Diff(must(p.da.Get())(t), must(d.Get())(t)); diff != "" {
				t.Fatal(diff)
			}
			if st := must(d.Status(ctx))(t); len(st.Apart) > 0 || len(st.Heads) != 1 {
				t.Errorf("round %d: %d heads, left out %+v", round, len(st.Heads), st.Apart)
			}
		}
	}
}

// A member who makes more heads than a change can follow stops nobody from writing.
func TestMoreHeadsThanAChangeFollows(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	f := &forger{t, p.db}
	h, secret := f.next()
	var sets []*set.Set
	for s := range change.MaxDeps/set.MaxCount + 1 {
		var roots [][]byte
		for i := range set.MaxCount {
			roots = append(roots, schemaChange(t, fmt.Sprintf("k%d-%d", s, i)))
		}
		x := f.seal(h, secret, roots...)
		sets = append(sets, x)
		h.Seq, h.Prev, h.Deps = h.Seq+1, x.ID(), nil
	}
	for _, r := range []*Replica{p.a, p.b} {
		must(r.ImportBundle(ctx, f.bundle(sets...), ImportOptions{}))(t)
	}
	for i, d := range []*Doc{p.da, p.db} { // ours with a change before, and theirs with none
		if err := d.Set(ctx, i, fmt.Sprint("n", i)); err != nil {
			t.Fatal(err)
		}
	}
	carry(t, p.a, p.b)
	carry(t, p.b, p.a)
	for _, d := range []*Doc{p.da, p.db} {
		d.r.unloadBefore(farFuture)
		if n := must(d.Get("n1"))(t); n != int64(1) {
			t.Errorf("n1 = %v", n)
		}
		if st := must(d.Status(ctx))(t); len(st.Heads) != 2 || len(st.Apart) > 0 {
			t.Errorf("%d heads, left out %+v", len(st.Heads), st.Apart)
		}
	}
}
