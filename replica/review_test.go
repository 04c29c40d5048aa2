package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/storage"
)

// A journal that cannot be written stops the application of change sets. It says
// nothing about them.
func TestJournalFailureBlamesNoSet(t *testing.T) {
	p := newPair(t, acl.Writer, map[string]any{"n": 1})
	if err := p.b.journal.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err := p.db.Get(); err == nil {
		t.Errorf("read %v without a journal", v)
	}
	for item, err := range p.b.store.Quarantine(p.db.ID()) {
		t.Errorf("quarantined: %v, %v", decodeReason(item.Value), err)
	}
	var err error
	if p.b.journal, _, err = p.b.store.OpenJournal(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"n": int64(1)}, must(p.db.Get())(t)); diff != "" {
		t.Error(diff)
	}
}

// A callback that panics leaves the document usable: whoever serves requests
// recovers from panics and goes on.
func TestPanicInCallback(t *testing.T) {
	ctx := t.Context()
	r := openAt(t, t.TempDir())
	d := must(r.NewDoc(ctx, map[string]any{"n": 1}))(t)
	func() {
		defer func() { _ = recover() }()
		_ = d.Change(ctx, func(tx *crdt.Tx) error {
			_ = tx.Set(crdt.At("n"), 2)
			panic("boom")
		})
	}()
	if got := must(d.Get("n"))(t); got != int64(1) {
		t.Errorf("n = %v", got)
	}
	if err := d.Set(ctx, 3, "n"); err != nil {
		t.Fatal(err)
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

// A name that cannot be kept is refused, not kept.
func TestNameIsText(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	if r, err := Init(ctx, dir, &Options{Name: "\xff"}); err == nil {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := Open(ctx, dir, nil)
		t.Fatalf("a name that is no UTF-8 was taken; then: %v", err)
	}
	openAt(t, dir)
}

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

// An operation that did not reach the disk is forgotten, and everything works once
// there is room.
func TestFailedShareLeavesNoTrace(t *testing.T) {
	ctx := t.Context()
	fsys := &fullFS{FS: vfs.NewMem()}
	fsys.free.Store(1 << 40)
	r := must(Open(ctx, "r", &Options{Storage: storage.Options{FS: fsys, Reserve: 1 << 20}}))(t)
	defer r.Close()
	doc := must(r.NewDoc(ctx, nil))(t)
	other := openAt(t, t.TempDir())
	carry(t, other, r)
	fsys.free.Store(1 << 10)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err := doc.Set(ctx, time.Now().UnixNano(), "n"); errors.Is(err, ErrDiskFull) {
			break
		}
	}
	if _, err := r.Share(ctx, doc.ID(), other.Person(), acl.Writer); !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	if m := must(r.ACL(ctx, doc.ID()))(t); len(m) != 1 {
		t.Errorf("%+v", m)
	}
	if _, err := r.Share(ctx, doc.ID(), other.Person(), acl.Writer); !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	fsys.free.Store(1 << 40)
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err = r.NewDoc(ctx, nil); !errors.Is(err, ErrDiskFull) {
			break
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// Open makes a replica where there is none, also when somebody else does just that.
func TestOpenRaces(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r, err := Open(context.Background(), dir, &Options{LockWait: 20 * time.Second})
			if err == nil {
				err = r.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A process that ends between making a directory and its person has made nothing:
// the next one goes on.
func TestCreationCutShort(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	s := must(storage.Init(ctx, dir, &storage.Options{}))(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := must(Open(ctx, dir, &Options{Name: "bob"}))(t)
	if r.Name() != "bob" {
		t.Errorf("name %q", r.Name())
	}
	must(r.NewDoc(ctx, nil))(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
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

// A call that waits for the disk ends with its context.
func TestWaitingEndsWithTheContext(t *testing.T) {
	r := openAt(t, t.TempDir())
	d := must(r.NewDoc(t.Context(), nil))(t)
	d.mu.Lock()
	d.mu.paused++ // somebody holds the queue
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- d.Set(ctx, 1, "n") }()
	var err error
	select {
	case err = <-done:
	case <-time.After(2 * time.Second):
		t.Error("still waiting")
	}
	d.mu.Lock()
	d.resumeLocked()
	d.mu.Unlock()
	if err == nil {
		err = <-done
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// A document whose first content cannot be written is not left behind.
func TestNewDocOfNoDocument(t *testing.T) {
	ctx := t.Context()
	r := openAt(t, t.TempDir())
	if _, err := r.NewDoc(ctx, map[string]any{"f": func() {}}); err == nil {
		t.Fatal("a function is no value")
	}
	for i, err := range r.Docs(ctx) {
		t.Error(i, err)
	}
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
