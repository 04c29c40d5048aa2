package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pipes-sync/pipes/crdt"
)

// Ids for tests, by number.
func docID(n int) crdt.DocID     { return sha256.Sum256(fmt.Appendf(nil, "doc %d", n)) }
func scopeID(n int) crdt.ScopeID { return sha256.Sum256(fmt.Appendf(nil, "scope %d", n)) }
func opID(n int) crdt.AccessOpID { return sha256.Sum256(fmt.Appendf(nil, "op %d", n)) }
func setID(n int) crdt.ChangeSetID {
	return sha256.Sum256(fmt.Appendf(nil, "set %d", n))
}
func deviceID(n int) crdt.DeviceID { return sha256.Sum256(fmt.Appendf(nil, "device %d", n)) }

func initStore(t testing.TB, fs vfs.FS, dir string) *Store {
	t.Helper()
	s, err := Init(context.Background(), dir, &Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrStoreFailed) {
			t.Error(err)
		}
	})
	return s
}

func openStore(t testing.TB, fs vfs.FS, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), dir, &Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrStoreFailed) {
			t.Error(err)
		}
	})
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func commit(t testing.TB, s *Store, f func(b *Batch)) {
	t.Helper()
	b := s.Batch()
	f(b)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

// all collects an iteration that must not fail.
func all[T any](t testing.TB, seq func(func(T, error) bool)) (out []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestEverythingComesBack(t *testing.T) {
	for _, name := range []string{"open", "reopened", "read-only"} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s := initStore(t, fs, "r")
			doc, scope, dev := docID(1), scopeID(1), deviceID(1)
			chain := s.Chain(doc, dev, crdt.Incarnation{1})
			a := ChangeSet{Place{chain, 1}, setID(1), []byte("one")}
			b := ChangeSet{Place{chain, 2}, setID(2), []byte("two")}
			fork := ChangeSet{Place{chain, 2}, setID(3), []byte("other two")}
			commit(t, s, func(batch *Batch) {
				batch.NewDoc(doc)
				batch.PutMeta(doc, "genesis", []byte("g"))
				batch.PutHead(doc, []byte("h"))
				batch.PutChangeSet(doc, b)
				batch.PutChangeSet(doc, a)
				batch.PutChangeSet(doc, fork)
				batch.PutSnapshot(doc, 7, []byte("dropped"))
				batch.DropSnapshots(doc)
				batch.PutSnapshot(doc, 9, []byte("nine"))
				batch.PutSnapshot(doc, 8, nil)
				batch.Quarantine(doc, setID(9), []byte("bad"))
				batch.Quarantine(doc, setID(10), []byte("good after all"))
				batch.Unquarantine(doc, setID(10))
				batch.PutOp(scope, 2, opID(2), []byte("second"))
				batch.PutOp(scope, 1, opID(1), []byte("first"))
				batch.PutOp(scopeID(2), 1, opID(3), []byte("elsewhere"))
				batch.PutCursor(dev, scope, []byte("c"))
				batch.PutCursor(deviceID(2), scope, []byte("gone"))
				batch.DropCursors(deviceID(2))
				batch.PutSingleton("device key", []byte("k"))
				batch.PutSingleton("old", []byte("k"))
				batch.DeleteSingleton("old")
			})
			if name != "open" {
				closeStore(t, s)
				var err error
				if s, err = Open(context.Background(), "r", &Options{FS: fs, ReadOnly: name == "read-only"}); err != nil {
					t.Fatal(err)
				}
				defer closeStore(t, s)
			}
			sets := all(t, s.ChangeSets(doc, Place{}))
			forks := []ChangeSet{b, fork}
			if len(sets) == 3 && sets[1].ID == fork.ID {
				forks = []ChangeSet{fork, b}
			}
			same(t, "change sets", sets, append([]ChangeSet{a}, forks...))
			same(t, "from a place", all(t, s.ChangeSets(doc, Place{chain, 2})), forks)
			same(t, "of no document", all(t, s.ChangeSets(docID(2), Place{})), nil)
			same(t, "heads", all(t, s.Heads()), []Head{{doc, []byte("h")}})
			same(t, "docs", all(t, s.Docs()), []crdt.DocID{doc})
			same(t, "snapshots", all(t, s.Snapshots(doc)), []Snapshot{{8, nil}, {9, []byte("nine")}})
			same(t, "quarantine", all(t, s.Quarantine(doc)), []Item{{setID(9), []byte("bad")}})
			same(t, "operations", all(t, s.Ops(scope)), []Op{
				{scope, 1, opID(1), []byte("first")}, {scope, 2, opID(2), []byte("second")}})
			same(t, "cursors", all(t, s.Cursors(dev)), []Cursor{{scope, []byte("c")}})
			same(t, "dropped cursors", all(t, s.Cursors(deviceID(2))), nil)
			scopes := map[crdt.ScopeID]bool{}
			for _, id := range all(t, s.Scopes()) {
				scopes[id] = true
			}
			same(t, "scopes", scopes, map[crdt.ScopeID]bool{scope: true, scopeID(2): true})

			got, err := s.ChangeSet(doc, fork.ID)
			check(t, "change set", got, err, fork)
			op, err := s.Op(scope, opID(2))
			check(t, "operation", op, err, Op{scope, 2, opID(2), []byte("second")})
			v, err := s.Meta(doc, "genesis")
			check(t, "meta", string(v), err, "g")
			v, err = s.Head(doc)
			check(t, "head", string(v), err, "h")
			v, err = s.Snapshot(doc, 9)
			check(t, "snapshot", string(v), err, "nine")
			v, err = s.Quarantined(doc, setID(9))
			check(t, "quarantined", string(v), err, "bad")
			v, err = s.Cursor(dev, scope)
			check(t, "cursor", string(v), err, "c")
			v, err = s.Singleton("device key")
			check(t, "singleton", string(v), err, "k")
			has, err := s.HasChangeSet(doc, a.ID)
			check(t, "has", has, err, true)
			has, err = s.HasChangeSet(doc, setID(77))
			check(t, "has not", has, err, false)
			has, err = s.HasChangeSet(docID(77), setID(77))
			check(t, "has no document", has, err, false)
			for what, err := range map[string]error{
				"change set": second(s.ChangeSet(doc, setID(77))), "operation": second(s.Op(scope, opID(77))),
				"meta": second(s.Meta(doc, "x")), "head": second(s.Head(docID(2))), "snapshot": second(s.Snapshot(doc, 7)),
				"quarantined": second(s.Quarantined(doc, setID(10))), "cursor": second(s.Cursor(deviceID(2), scope)),
				"singleton": second(s.Singleton("old")),
			} {
				if !errors.Is(err, ErrNotFound) {
					t.Errorf("%s that is not there: %v", what, err)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func same[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func check[T any](t testing.TB, what string, got T, err error, want T) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// A document's key is made once, however many goroutines ask for it.
func TestNewDocAtOnce(t *testing.T) {
	fs := vfs.NewMem()
	s := initStore(t, fs, "r")
	var wg sync.WaitGroup
	const writers, docs = 8, 50
	for w := range writers {
		wg.Go(func() {
			for d := range docs {
				b := s.Batch()
				b.NewDoc(docID(d))
				b.PutMeta(docID(d), fmt.Sprint(w), []byte("v"))
				if err := b.Commit(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	closeStore(t, s)
	s = openStore(t, fs, "r")
	for d := range docs {
		for w := range writers {
			v, err := s.Meta(docID(d), fmt.Sprint(w))
			check(t, "meta", string(v), err, "v")
		}
	}
}
