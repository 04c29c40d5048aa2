package storage

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

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
	var enough atomic.Bool
	done := make(chan struct{})
	go func() { // the commit in flight may wait for room inside Pebble
		defer close(done)
		for !enough.Load() {
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
	enough.Store(true)
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
