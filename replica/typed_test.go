package replica

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
)

type note struct {
	Title string   `automerge:"title"`
	Tags  []string `automerge:"tags"`
	Likes int      `automerge:"likes,counter"`
}

func TestTypedDocumentsMerge(t *testing.T) {
	ctx := t.Context()
	a, b := openAt(t, t.TempDir()), openAt(t, t.TempDir())
	doc := must(Create(ctx, a, note{Title: "hi"}))(t)
	carry(t, b, a)
	must(a.Share(ctx, doc.ID(), b.Person(), acl.Writer))(t)
	carry(t, a, b)
	theirs := must(Find[note](ctx, b, doc.ID()))(t)
	if err := doc.Change(ctx, func(n *note) error { n.Tags = append(n.Tags, "x"); n.Likes++; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Change(ctx, func(n *note) error { n.Tags = append(n.Tags, "y"); n.Likes += 2; return nil }); err != nil {
		t.Fatal(err)
	}
	carry(t, a, b)
	carry(t, b, a)
	for _, d := range []*Of[note]{doc, theirs} {
		got := must(d.Value(ctx))(t)
		slices.Sort(got.Tags)
		if diff := cmp.Diff(note{"hi", []string{"x", "y"}, 3}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// Two devices that have a document without a field and begin to use it offline get
// one list, not two of which one is hidden.
func TestNewFieldsOfATypeMerge(t *testing.T) {
	ctx := t.Context()
	type v1 struct {
		Title string `automerge:"title"`
	}
	a, b := openAt(t, t.TempDir()), openAt(t, t.TempDir())
	old := must(Create(ctx, a, v1{Title: "hi"}))(t)
	carry(t, b, a)
	must(a.Share(ctx, old.ID(), b.Person(), acl.Writer))(t)
	carry(t, a, b)
	for _, r := range []*Replica{a, b} {
		d := must(Find[note](ctx, r, old.ID()))(t)
		tag := r.Person().String()
		if err := d.Change(ctx, func(n *note) error { n.Tags = append(n.Tags, tag); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	carry(t, a, b)
	carry(t, b, a)
	for _, r := range []*Replica{a, b} {
		got := must(must(Find[note](ctx, r, old.ID()))(t).Value(ctx))(t)
		if len(got.Tags) != 2 || got.Title != "hi" {
			t.Errorf("%+v", got)
		}
		if s := must(must(r.Doc(ctx, old.ID()))(t).Status(ctx))(t); len(s.Apart) > 0 {
			t.Errorf("left out: %+v", s.Apart)
		}
	}
}

func TestWatchSeesEveryChange(t *testing.T) {
	ctx := t.Context()
	r := openAt(t, t.TempDir())
	doc := must(Create(ctx, r, note{}))(t)
	likes := 0
	for s := range doc.Watch(ctx) {
		if s.Value.Likes != likes {
			t.Fatalf("likes %d, want %d", s.Value.Likes, likes)
		}
		if likes == 3 {
			break
		}
		likes++
		if err := doc.Change(ctx, func(n *note) error { n.Likes = likes; return nil }); err != nil {
			t.Fatal(err)
		}
	}
}
