package replica

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
)

func openAt(t testing.TB, dir string) *Replica {
	t.Helper()
	r, err := Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// carry exports from one replica, for another's person, and imports there.
func carry(t testing.TB, from, to *Replica) ImportReport {
	t.Helper()
	var b bytes.Buffer
	if _, err := from.ExportBundle(t.Context(), &b, ExportOptions{For: to.Person()}); err != nil {
		t.Fatal(err)
	}
	report, err := to.ImportBundle(t.Context(), bytes.NewReader(b.Bytes()), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestTwoReplicasConvergeThroughBundles(t *testing.T) {
	ctx := t.Context()
	a, b := openAt(t, t.TempDir()), openAt(t, t.TempDir())
	doc := must(a.NewDoc(ctx, map[string]any{"title": "plan", "text": "hello"}))(t)
	carry(t, b, a) // introduces b
	must(a.Share(ctx, doc.ID(), b.Person(), acl.Writer))(t)
	carry(t, a, b)

	theirs := must(b.Doc(ctx, doc.ID()))(t)
	if diff := cmp.Diff(must(doc.Get())(t), must(theirs.Get())(t)); diff != "" {
		t.Fatal(diff)
	}
	if err := doc.Text("text").Splice(ctx, 5, 0, " world"); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Text("text").Splice(ctx, 0, 0, ">> "); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Set(ctx, "b was here", "note"); err != nil {
		t.Fatal(err)
	}
	carry(t, a, b)
	carry(t, b, a)
	want := map[string]any{"title": "plan", "text": ">> hello world", "note": "b was here"}
	for _, d := range []*Doc{doc, theirs} {
		if diff := cmp.Diff(want, must(d.Get())(t)); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(must(doc.Heads(ctx))(t), must(theirs.Heads(ctx))(t)); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentSurvivesReopen(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r := must(Open(ctx, dir, nil))(t)
	doc := must(r.NewDoc(ctx, map[string]any{"n": 0}))(t)
	for i := range 1200 { // beyond a snapshot
		if _, err := doc.Begin(ctx, "", func(tx *crdt.Tx) error { return tx.Set(crdt.At("n"), i) }); err != nil {
			t.Fatal(err)
		}
	}
	heads := must(doc.Heads(ctx))(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r = must(Open(ctx, dir, nil))(t)
		d := must(r.Doc(ctx, doc.ID()))(t)
		if got := must(d.Get("n"))(t); got != int64(1199) {
			t.Errorf("n = %v", got)
		}
		if diff := cmp.Diff(heads, must(d.Heads(ctx))(t)); diff != "" {
			t.Error(diff)
		}
		if err := d.Set(ctx, 1199, "again"); err != nil {
			t.Fatal(err)
		}
		heads = must(d.Heads(ctx))(t)
		if report := must(r.Check(ctx, nil))(t); report.Documents != 1 || len(report.Apart) > 0 {
			t.Errorf("check: %+v", report)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
