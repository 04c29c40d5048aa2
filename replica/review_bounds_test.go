package replica

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/storage"
)

// Runs that arrive in the wrong order are put in order, without trying each again
// for every other, and what never becomes complete is named.
func TestBundleInReverse(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"n": 0})
	const n = 300
	for i := range n {
		if err := p.db.Set(ctx, i, "n"); err != nil {
			t.Fatal(err)
		}
	}
	var sets []*set.Set
	for id := range graphOf(t, p.db).All() {
		if s := must(p.b.readSet(p.db.ID(), id))(t); s.Header.Device == p.b.Device() {
			sets = append(sets, s)
		}
	}
	first := sets[0]
	slices.Reverse(sets)
	f := &forger{t, p.db}
	report, err := p.a.ImportBundle(ctx, f.bundle(sets[:len(sets)-1]...), ImportOptions{})
	if !errors.Is(err, ErrWaiting) || report.Sets != 0 || len(report.Waiting) == 0 {
		t.Errorf("%+v, %v", report, err)
	}
	report = must(p.a.ImportBundle(ctx, f.bundle(sets...), ImportOptions{}))(t)
	if report.Sets != len(sets) || report.Known != 0 {
		t.Errorf("%+v, want %d sets", report, len(sets))
	}
	report = must(p.a.ImportBundle(ctx, f.bundle(first), ImportOptions{}))(t)
	if report.Known != 1 {
		t.Errorf("%+v", report)
	}
	if diff := cmp.Diff(must(p.db.Get())(t), must(p.da.Get())(t)); diff != "" {
		t.Error(diff)
	}
}

func graphOf(t testing.TB, d *Doc) (g *set.Graph) {
	t.Helper()
	if err := d.with(t.Context(), "test", func(st *docState) error { g = st.graph; return nil }); err != nil {
		t.Fatal(err)
	}
	return g
}

// Exporting keeps no payloads in memory.
func TestExportKeepsNoPayloads(t *testing.T) {
	p := newPair(t, acl.Writer, map[string]any{"n": 0})
	p.a.unloadBefore(farFuture)
	carry(t, p.a, p.b)
	p.da.mu.Lock()
	defer p.da.mu.Unlock()
	if n := len(p.da.mu.state.sets); n != 0 {
		t.Errorf("%d sets in memory", n)
	}
}

// A head record stays one however many heads somebody makes.
func TestHeadRecordIsBounded(t *testing.T) {
	h := headRecord{heads: make([]crdt.ChangeHash, 1<<15), bytes: 7, stale: true}
	got, err := decodeHead(h.encode())
	if err != nil || len(got.heads) != maxListedHeads || got.bytes != 7 || !got.stale {
		t.Errorf("%d heads, %d bytes, %v", len(got.heads), got.bytes, err)
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

// Whoever closes a replica may open it again, also if somebody else closed it too.
func TestCloseTwiceAtOnce(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	r := must(Open(ctx, dir, nil))(t)
	for i := range 20 {
		must(r.NewDoc(ctx, map[string]any{"i": i}))(t)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if _, err := r.store.Singleton(identityRecord); !errors.Is(err, storage.ErrClosed) {
				t.Errorf("the store after Close: %v", err)
			}
		})
	}
	wg.Wait()
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
