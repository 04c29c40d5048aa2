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

// quotaFS is a disk of limited size: writes of tables and logs take from it.
type quotaFS struct {
	vfs.FS
	free  atomic.Int64
	other atomic.Bool // somebody else eats the disk while it is not looked at
}

func (q *quotaFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: uint64(max(q.free.Load(), 0)), TotalBytes: 1 << 40}, nil
}

func (q *quotaFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := q.FS.Create(name, c)
	return &quotaFile{f, q, name}, err
}

type quotaFile struct {
	vfs.File
	q    *quotaFS
	name string
}

func (f *quotaFile) Write(p []byte) (int, error) {
	if f.q.other.Load() && (isTable(f.name) || filepath.Base(f.name) == probeFile) {
		return 0, syscall.ENOSPC
	}
	if f.q.free.Add(-int64(len(p))) < 0 {
		f.q.free.Add(int64(len(p)))
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func TestDiskFull(t *testing.T) {
	q := &quotaFS{FS: vfs.NewMem()}
	q.free.Store(50 << 20)
	s, err := Init(context.Background(), "r", &Options{FS: q, Reserve: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	fill := func() (n int, err error) {
		for n = 0; n < 100_000; n++ {
			if err := writeSet(s, docID(0), n, 50_000); err != nil {
				return n, err
			}
		}
		return n, nil
	}
	n, err := fill()
	var full *DiskFullError
	if !errors.As(err, &full) || errors.Is(err, ErrStoreFailed) || full.Reserve != 32<<20 || full.Free > 33<<20 {
		t.Fatalf("after %d writes: %v", n, err)
	}
	q.free.Store(31 << 20)
	if !errors.Is(s.Err(), ErrDiskFull) {
		t.Errorf("Err: %v", s.Err())
	}
	if _, err := s.ChangeSet(docID(0), setID(n-1)); err != nil {
		t.Errorf("read on a full disk: %v", err)
	}
	if _, err := s.ChangeSet(docID(0), setID(n)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the refused write: %v", err)
	}
	q.free.Store(200 << 20)
	if err := writeSet(s, docID(0), n, 100); err != nil {
		t.Errorf("write after room was made: %v", err)
	}
	if sp, err := s.Space(); err != nil || !sp.Known || sp.Free > 200<<20 || sp.Used == 0 {
		t.Errorf("space: %+v, %v", sp, err)
	}
	closeStore(t, s)
}

// Flushes that fail for lack of space must not fail the store, nor spin.
func TestDiskFullInTheBackground(t *testing.T) {
	q := &quotaFS{FS: vfs.NewMem()}
	q.free.Store(1 << 30)
	s, err := Init(context.Background(), "r", &Options{FS: q})
	if err != nil {
		t.Fatal(err)
	}
	q.other.Store(true)
	var refused error
	stored := 0
	done := make(chan struct{})
	go func() { // the commit in flight may wait for room inside Pebble
		defer close(done)
		for stored < 10_000 {
			if refused = writeSet(s, docID(0), stored, 50_000); refused != nil {
				return
			}
			stored++
		}
	}()
	deadline := time.Now().Add(10 * time.Second)
	for s.Err() == nil {
		if time.Now().After(deadline) {
			t.Fatal("the store did not notice the full disk")
		}
		time.Sleep(time.Millisecond)
	}
	if err := writeSet(s, docID(1), 1, 1); !errors.Is(err, ErrDiskFull) || errors.Is(err, ErrStoreFailed) {
		t.Errorf("write on a full disk: %v", err)
	}
	before := s.health.full.Load()
	q.other.Store(false)
	within(t, 10*time.Second, "recovery", func() {
		<-done
		for s.Err() != nil {
			time.Sleep(time.Millisecond)
		}
	})
	if !before || stored == 0 || refused != nil && !errors.Is(refused, ErrDiskFull) {
		t.Errorf("noticed %v, stored %d, then %v", before, stored, refused)
	}
	if err := writeSet(s, docID(1), 1, 1); err != nil {
		t.Errorf("write after room was made: %v", err)
	}
	closeStore(t, s)
	s = openStore(t, q, "r")
	for i := range stored {
		if _, err := s.ChangeSet(docID(0), setID(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// A table that is not tried again must not keep the store full for ever.
func TestRoomAgainWithoutATable(t *testing.T) {
	mem := vfs.NewMem()
	s := initStore(t, mem, "r")
	s.health.full.Store(true)
	if err := writeSet(s, docID(0), 1, 1000); err != nil {
		t.Error(err)
	}
	if there, _ := exists(mem, "r", probeFile); there || s.health.full.Load() {
		t.Error("the probe left something")
	}
}

// A full disk must not keep the store from closing.
func TestCloseOnAFullDisk(t *testing.T) {
	q := &quotaFS{FS: vfs.NewMem()}
	q.free.Store(1 << 30)
	s, err := Init(context.Background(), "r", &Options{FS: q})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeSet(s, docID(0), 1, 1000); err != nil {
		t.Fatal(err)
	}
	q.other.Store(true)
	if _, err := s.data.AsyncFlush(); err != nil {
		t.Fatal(err)
	}
	for s.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	within(t, 10*time.Second, "close", func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	q.other.Store(false)
	s = openStore(t, q, "r")
	if _, err := s.ChangeSet(docID(0), setID(1)); err != nil {
		t.Error(err)
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
