package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
)

// A restored replica goes on in a new life: what it writes never contradicts what it
// wrote after the backup.
func TestRestoreBeginsANewIncarnation(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	backup, restored := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
	must(p.b.Backup(ctx, backup))(t)
	if err := p.db.Set(ctx, 1, "after the backup"); err != nil {
		t.Fatal(err)
	}
	carry(t, p.b, p.a)

	report := must(Restore(ctx, backup, restored, nil))(t)
	if report.Person != p.b.Person() || report.Device != p.b.Device() || report.Incarnation == p.b.Incarnation() {
		t.Errorf("%+v", report)
	}
	r := openAt(t, restored)
	d := must(r.Doc(ctx, p.db.ID()))(t)
	if err := d.Set(ctx, 2, "after the restore"); err != nil {
		t.Fatal(err)
	}
	carry(t, r, p.a)
	carry(t, p.a, r)
	want := map[string]any{"text": "hello", "after the backup": int64(1), "after the restore": int64(2)}
	for _, d := range []*Doc{p.da, d} {
		if diff := cmp.Diff(want, must(d.Get())(t)); diff != "" {
			t.Error(diff)
		}
	}
}

// A backup that is restored twice lives twice, and each life knows nothing of the
// other. What both write counts, and so does what they share with others.
func TestRestoredTwice(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Admin, map[string]any{"text": "hello"})
	backup := filepath.Join(t.TempDir(), "backup")
	must(p.b.Backup(ctx, backup))(t)
	if err := p.db.Set(ctx, "b", "after the backup"); err != nil {
		t.Fatal(err)
	}
	cy, eve := openAt(t, t.TempDir()), openAt(t, t.TempDir())
	guests := []*Replica{cy, eve}
	lives := []*Replica{p.b}
	want := map[string]any{"text": "hello", "after the backup": "b"}
	for i, guest := range guests {
		dir := filepath.Join(t.TempDir(), "restored")
		must(Restore(ctx, backup, dir, nil))(t)
		r := openAt(t, dir)
		d := must(r.Doc(ctx, p.da.ID()))(t)
		key := fmt.Sprintf("life %d", i)
		if err := d.Set(ctx, key, key); err != nil {
			t.Fatal(err)
		}
		want[key] = key
		carry(t, guest, r)
		must(r.Share(ctx, d.ID(), guest.Person(), acl.Writer))(t)
		carry(t, r, guest)
		if err := must(guest.Doc(ctx, d.ID()))(t).Set(ctx, key, "guest of "+key); err != nil {
			t.Fatal(err)
		}
		want["guest of "+key] = key
		lives = append(lives, r)
	}
	all := append([]*Replica{p.a}, append(lives, guests...)...)
	for round := range 2 {
		for i := range all { // each hears of the lives in another order
			for j := range all {
				from := all[j]
				if (i+round)%2 == 1 {
					from = all[len(all)-1-j]
				}
				if from != all[i] {
					carry(t, from, all[i])
				}
			}
		}
	}
	for i, r := range all {
		d := must(r.Doc(ctx, p.da.ID()))(t)
		if diff := cmp.Diff(want, must(d.Get())(t)); diff != "" {
			t.Errorf("replica %d: %s", i, diff)
		}
		if st := must(d.Status(ctx))(t); len(st.Apart) > 0 {
			t.Errorf("replica %d leaves out %+v", i, st.Apart)
		}
		if diff := cmp.Diff(must(p.a.ACL(ctx, d.ID()))(t), must(r.ACL(ctx, d.ID()))(t)); diff != "" {
			t.Errorf("replica %d: members: %s", i, diff)
		}
	}
}

// A directory that was copied and runs twice forks its own chain. Everybody else
// sees both branches, keeps one, the same one, and goes on.
func TestClonedDirectoryForks(t *testing.T) {
	ctx := context.Background()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	dir, clone := t.TempDir(), filepath.Join(t.TempDir(), "clone")
	c := must(Open(ctx, dir, nil))(t)
	carry(t, c, p.a)
	must(p.a.Share(ctx, p.da.ID(), c.Person(), acl.Writer))(t)
	carry(t, p.a, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(clone, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	var twins []*Replica
	for i, dir := range []string{dir, clone} {
		r := openAt(t, dir)
		twins = append(twins, r)
		d := must(r.Doc(ctx, p.da.ID()))(t)
		if err := d.Set(ctx, i, fmt.Sprintf("twin %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	carry(t, twins[0], p.a)
	carry(t, twins[1], p.a)
	carry(t, p.a, p.b)
	carry(t, twins[1], p.b) // in another order
	carry(t, twins[0], p.b)
	got := must(p.da.Get())(t).(map[string]any)
	if diff := cmp.Diff(got, must(p.db.Get())(t)); diff != "" {
		t.Error(diff)
	}
	if len(got) != 2 {
		t.Errorf("%v: want one twin's work, and not the other's", got)
	}
	if err := p.da.Set(ctx, true, "goes on"); err != nil {
		t.Fatal(err)
	}
	carry(t, p.a, p.b)
	if diff := cmp.Diff(must(p.da.Heads(ctx))(t), must(p.db.Heads(ctx))(t)); diff != "" {
		t.Error(diff)
	}
}

// A copied directory cannot write on once both lines meet: it would lose what it
// acknowledges.
func TestCloneLosesNothingItAcknowledges(t *testing.T) {
	ctx := context.Background()
	a := openAt(t, t.TempDir())
	dir, clone := t.TempDir(), filepath.Join(t.TempDir(), "clone")
	c := must(Open(ctx, dir, nil))(t)
	carry(t, c, a)
	var docs []crdt.DocID
	for range 6 { // which branch wins is chance
		d := must(a.NewDoc(ctx, map[string]any{"text": "hello"}))(t)
		must(a.Share(ctx, d.ID(), c.Person(), acl.Writer))(t)
		docs = append(docs, d.ID())
	}
	carry(t, a, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(clone, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for i, dir := range []string{dir, clone} {
		r := openAt(t, dir)
		for _, id := range docs {
			d := must(r.Doc(ctx, id))(t)
			for n := range 3 - 2*i {
				if err := d.Set(ctx, n, fmt.Sprintf("twin %d", i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		carry(t, r, a)
		carry(t, a, r)
		for _, id := range docs {
			d := must(r.Doc(ctx, id))(t)
			err := d.Set(ctx, true, "acknowledged")
			if i == 1 && !errors.Is(err, ErrCopied) {
				t.Errorf("twin 1 goes on: %v", err)
			}
			r.unloadBefore(farFuture)
			if _, lost := d.Get("acknowledged"); err == nil && lost != nil {
				t.Errorf("twin %d: acknowledged, and then %v", i, lost)
			}
		}
	}
}
