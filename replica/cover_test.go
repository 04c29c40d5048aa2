package replica

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/netsync"
)

// A carrier took the signatures off a run and sent its proof as a cover. Who took it
// in can hand on every item, wherever a bundle cuts the run.
func TestExportCutsACoveredRun(t *testing.T) {
	ctx := t.Context()
	a, b := openAt(t, t.TempDir()), openAt(t, t.TempDir())
	doc := must(a.NewDoc(ctx, map[string]any{"title": "plan"}))(t)
	carry(t, b, a)
	must(a.Share(ctx, doc.ID(), b.Person(), acl.Writer))(t)
	carry(t, a, b)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		text := make([]byte, 200<<10)
		for i := range text {
			text[i] = byte(32 + rnd.IntN(90))
		}
		if err := doc.Set(ctx, string(text), "note"); err != nil {
			t.Fatal(err)
		}
	}
	theirs := b.doc(doc.ID())
	st := must(theirs.graphLocked())(t)
	var run []*set.Set
	for id := range must(a.doc(doc.ID()).graphLocked())(t).graph.All() {
		if !st.graph.Has(id) {
			run = append(run, must(a.readSet(doc.ID(), id))(t))
		}
	}
	last := run[len(run)-1].Bare()
	run = run[:len(run)-1]
	for _, s := range run {
		s.Sig = nil
	}
	for _, v := range must(theirs.receive([]netsync.Items{{Sets: run, Cover: &set.Cover{Items: []*set.Set{last}}}}))(t)[0] {
		if v.Status != netsync.Admitted {
			t.Fatal(v.Status, v.Err)
		}
	}
	var out bytes.Buffer
	if _, err := b.ExportBundle(ctx, &out, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := netsync.VerifyBundle(&out); err != nil {
		t.Fatal(err)
	}
}
