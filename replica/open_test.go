package replica

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/storage"
)

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

func TestCloseDoesNotWaitForCallsThatWereCancelled(t *testing.T) {
	r := must(Open(t.Context(), t.TempDir(), nil))(t)
	doc := must(r.NewDoc(t.Context(), nil))(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"NewDoc":        func() error { _, err := r.NewDoc(ctx, nil); return err },
		"Doc":           func() error { _, err := r.Doc(ctx, doc.ID()); return err },
		"Share":         func() error { _, err := r.Share(ctx, doc.ID(), r.Person(), acl.Reader); return err },
		"ACL":           func() error { _, err := r.ACL(ctx, doc.ID()); return err },
		"Explain":       func() error { _, err := r.Explain(ctx, doc.ID(), r.Person(), acl.ActionRead); return err },
		"Persons":       func() error { _, err := r.Persons(ctx); return err },
		"Status":        func() error { _, err := r.Status(ctx); return err },
		"Check":         func() error { _, err := r.Check(ctx, nil); return err },
		"Backup":        func() error { _, err := r.Backup(ctx, filepath.Join(t.TempDir(), "backup")); return err },
		"ExportBundle":  func() error { _, err := r.ExportBundle(ctx, io.Discard, ExportOptions{}); return err },
		"ImportBundle":  func() error { _, err := r.ImportBundle(ctx, new(bytes.Reader), ImportOptions{}); return err },
		"ChangeMessage": func() error { return doc.Set(ctx, 1, "n") },
		"Flush":         func() error { return doc.Flush(ctx) },
		"Heads":         func() error { _, err := doc.Heads(ctx); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for a call that has returned")
	}
}
