package replica

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
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
