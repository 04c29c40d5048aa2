//go:build cgo

package crdt_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
)

func newEngine(a crdt.ActorID) (crdt.Engine, error) { return am.New(a, nil) }

// doc is a document with an open transaction.
type doc struct {
	*crdt.Tx
	e crdt.Engine
}

func newDoc(t testing.TB, actor byte, root map[string]any) *doc {
	t.Helper()
	e := ok[crdt.Engine](t)(newEngine(crdt.ActorID{actor}))
	t.Cleanup(func() { e.Close() })
	d := &doc{e: e}
	d.begin(t)
	if root != nil {
		check(t, d.Set(nil, root))
		d.commit(t)
	}
	return d
}

func (d *doc) begin(t testing.TB) {
	t.Helper()
	d.Tx = crdt.NewTx(ok[crdt.Writer](t)(d.e.Begin()))
}

// commit ends the transaction and begins another.
func (d *doc) commit(t testing.TB) crdt.Change {
	t.Helper()
	c := ok[crdt.Change](t)(d.Writer().Commit("", 0))
	d.begin(t)
	return c
}

// ops counts the operations that f writes.
func (d *doc) ops(t testing.TB, f func()) int {
	t.Helper()
	before := ok[int](t)(d.Ops())
	f()
	return ok[int](t)(d.Ops()) - before
}

// merge gives both documents both histories.
func merge(t testing.TB, a, b *doc) {
	t.Helper()
	a.commit(t)
	b.commit(t)
	check(t, a.Writer().Rollback())
	check(t, b.Writer().Rollback())
	check(t, a.e.Apply(ok[[][]byte](t)(b.e.Since(nil)), nil))
	check(t, b.e.Apply(ok[[][]byte](t)(a.e.Since(nil)), ok[[]crdt.ChangeHash](t)(a.e.Heads())))
	a.begin(t)
	b.begin(t)
}

func ok[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.Comparer(crdt.Value.Same)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
