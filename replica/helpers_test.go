package replica

import (
	"testing"
	"time"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

var farFuture = time.Now().AddDate(100, 0, 0)

// badSecond is a change that follows good correctly and breaks a rule of the guard:
// it overwrites an operation that nobody made.
func badSecond(t testing.TB, d *Doc, good crdt.Change) []byte {
	t.Helper()
	first, err := change.Decode(good.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var ops []change.Op
	for op := range first.Ops() {
		ops = append(ops, *op)
	}
	bad := ops[0]
	bad.Pred = []change.OpID{{Ctr: 1, Actor: 0}}
	h := first.Header
	h.Deps = []crdt.ChangeHash{first.Hash}
	h.Seq++
	h.StartOp += uint64(first.NumOps())
	c, err := change.Build(h, first.Actors, []change.Op{bad}, "")
	if err != nil {
		t.Fatal(err)
	}
	return c.Encode()
}
