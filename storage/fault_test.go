package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/pipes-sync/pipes/crdt"
)

// writeSet commits one change set of doc with number n.
func writeSet(s *Store, doc crdt.DocID, n int, size int) error {
	b := s.Batch()
	b.NewDoc(doc)
	b.PutHead(doc, fmt.Appendf(nil, "head %d", n))
	b.PutChangeSet(doc, ChangeSet{Place{Chain{1}, uint64(n)}, setID(n), make([]byte, size)})
	return b.Commit()
}

// within fails the test if f takes longer than any of it should.
func within(t testing.TB, d time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(d):
		t.Fatalf("%s did not end within %v", what, d)
	}
}

// faultFS injects err into writes of files whose base name matches.
type faultFS struct {
	on    atomic.Bool
	match func(errorfs.Op) bool
	err   error
	hits  atomic.Int64
}

func (f *faultFS) String() string { return "fault" }

func (f *faultFS) MaybeError(op errorfs.Op) error {
	if f.on.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && f.match(op) {
		f.hits.Add(1)
		return f.err
	}
	return nil
}

func TestFailedWriteFreezesTheStore(t *testing.T) {
	kinds := func(ks ...errorfs.OpKind) func(errorfs.OpKind) bool {
		return func(k errorfs.OpKind) bool {
			for _, want := range ks {
				if k == want {
					return true
				}
			}
			return false
		}
	}
	syncs := kinds(errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo)
	writes := kinds(errorfs.OpFileWrite)
	for _, tc := range []struct {
		name, file string
		kind       func(errorfs.OpKind) bool
	}{
		{"log write", "data/*.log", writes},
		{"log sync", "data/*.log", syncs},
		{"manifest write", "data/MANIFEST-*", writes},
		{"manifest sync", "data/MANIFEST-*", syncs},
		{"table write", "data/*.sst", writes},
		{"table sync", "data/*.sst", syncs},
		{"table create", "data/*.sst", kinds(errorfs.OpCreate)},
		{"log create", "data/*.log", kinds(errorfs.OpCreate)},
		{"key log write", "keys/*.log", writes},
		{"key log sync", "keys/*.log", syncs},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			fault := &faultFS{err: syscall.EIO, match: func(op errorfs.Op) bool {
				dir, base := filepath.Split(op.Path)
				ok, _ := filepath.Match(tc.file, filepath.Join(filepath.Base(dir), base))
				return ok && tc.kind(op.Kind)
			}}
			s := initStore(t, errorfs.Wrap(mem, fault), "r")

			const writers = 8
			var acked [writers][]int
			var wg sync.WaitGroup
			within(t, 30*time.Second, "writing into the fault", func() {
				for w := range writers {
					wg.Go(func() {
						for i := range 2000 {
							n := w*1_000_000 + i
							if w == 0 && i == 10 {
								fault.on.Store(true)
							}
							if w == 0 && i%10 == 0 {
								s.data.AsyncFlush() // so that tables and manifest are written
							}
							err := writeSet(s, docID(i*writers+w), n, 500)
							if err == nil {
								acked[w] = append(acked[w], i)
								continue
							}
							if !errors.Is(err, ErrStoreFailed) || !errors.Is(err, syscall.EIO) {
								t.Errorf("commit: %v", err)
							}
							return
						}
						t.Error("the fault did not show")
					})
				}
				wg.Wait()
			})
			if fault.hits.Load() == 0 {
				t.Fatal("the fault was not injected")
			}
			if _, err := s.Head(docID(1)); !errors.Is(err, ErrStoreFailed) {
				t.Errorf("read of a failed store: %v", err)
			}
			for _, err := range s.Heads() {
				if !errors.Is(err, ErrStoreFailed) {
					t.Errorf("scan of a failed store: %v", err)
				}
			}
			if err := s.Err(); !errors.Is(err, ErrStoreFailed) {
				t.Errorf("Err of a failed store: %v", err)
			}
			var failed *FailedError
			within(t, 10*time.Second, "close", func() {
				if err := s.Close(); !errors.As(err, &failed) {
					t.Errorf("close of a failed store: %v", err)
				}
			})
			if err := s.Close(); !errors.Is(err, ErrClosed) {
				t.Errorf("second close: %v", err)
			}

			fault.on.Store(false)
			for name, fs := range map[string]vfs.FS{"as left": mem, "after a power cut": mem.CrashClone(vfs.CrashCloneCfg{})} {
				s = openStore(t, fs, "r")
				for w := range writers {
					for _, i := range acked[w] {
						if _, err := s.ChangeSet(docID(i*writers+w), setID(w*1_000_000+i)); err != nil {
							t.Fatalf("%s: acknowledged write lost: %v", name, err)
						}
					}
				}
				closeStore(t, s)
			}
		})
	}
}

// What Pebble calls fatal ends neither the process nor, in a goroutine of
// Pebble's, anything but the store.
func TestPebbleFatal(t *testing.T) {
	mem := vfs.NewMem()
	s := initStore(t, mem, "r")
	if err := writeSet(s, docID(0), 1, 1000); err != nil {
		t.Fatal(err)
	}
	err := s.call(func() error {
		s.data.Close() // a bug: whoever comes next finds it closed
		pebbleLog{s.health}.Fatalf("invariant %d violated", 7)
		t.Error("Fatalf returned")
		return nil
	})
	if !errors.Is(err, ErrStoreFailed) || !strings.Contains(err.Error(), "invariant 7 violated") {
		t.Errorf("in a call: %v", err)
	}
	returned := make(chan struct{})
	go func() {
		pebbleLog{s.health}.Fatalf("again")
		close(returned)
	}()
	select {
	case <-returned:
		t.Error("Fatalf returned in a goroutine of Pebble's")
	case <-time.After(20 * time.Millisecond):
	}
	if err := writeSet(s, docID(0), 2, 1000); !errors.Is(err, ErrStoreFailed) {
		t.Errorf("write: %v", err)
	}
	within(t, 10*time.Second, "close", func() {
		if err := s.Close(); !errors.Is(err, ErrStoreFailed) {
			t.Errorf("close: %v", err)
		}
	})
	s = openStore(t, mem, "r")
	if _, err := s.ChangeSet(docID(0), setID(1)); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	mem := vfs.NewMem()
	s := initStore(t, mem, "r")
	if err := writeSet(s, docID(0), 1, 1000); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	writes := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite || op.Kind == errorfs.OpLock {
			return &os.PathError{Op: "write", Path: op.Path, Err: syscall.EROFS}
		}
		return nil
	})
	ro := errorfs.Wrap(mem, writes)
	if _, err := Open(context.Background(), "r", &Options{FS: ro}); !errors.Is(err, ErrReadOnly) || errors.Is(err, ErrLocked) {
		t.Errorf("open for writing: %v", err)
	}
	if _, err := Init(context.Background(), "new", &Options{FS: ro}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("init: %v", err)
	}
	s, err := Open(context.Background(), "r", &Options{FS: ro, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeSet(docID(0), setID(1)); err != nil {
		t.Error(err)
	}
	if err := writeSet(s, docID(0), 2, 1000); !errors.Is(err, ErrReadOnly) {
		t.Errorf("write: %v", err)
	}
	if err := s.Err(); !errors.Is(err, ErrReadOnly) {
		t.Errorf("Err: %v", err)
	}
	if r, err := s.Check(context.Background()); err != nil || r.Damaged != 0 || r.Records != 3 {
		t.Errorf("check: %+v, %v", r, err)
	}
	closeStore(t, s)
}

var _ pebble.Logger = pebbleLog{}
