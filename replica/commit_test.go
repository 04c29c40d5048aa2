package replica

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/storage"
)

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
