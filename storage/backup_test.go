package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/pipes-sync/pipes/crdt"
)

// A backup taken under load holds every batch acknowledged before, none in
// part, and can be restored and written to.
func TestBackupAndRestore(t *testing.T) {
	for _, name := range []string{"memory", "disk"} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			fs, dir := vfs.FS(vfs.NewMem()), "base"
			if name == "disk" {
				fs, dir = vfs.Default, t.TempDir()
			}
			opt := &Options{FS: fs}
			at := func(n string) string { return fs.PathJoin(dir, n) }
			s := initStore(t, fs, at("r"))
			inc := s.Incarnation()
			stop := make(chan struct{})
			var wg sync.WaitGroup
			started := make(chan int, 1000)
			for w := range 4 {
				wg.Go(func() {
					for i := 0; i < 200; i++ {
						select {
						case <-stop:
							return
						default:
						}
						n := w*1000 + i
						if err := writeSet(s, docID(n), n, 300); err != nil {
							t.Error(err)
							return
						}
						started <- n
					}
				})
			}
			var before []int
			for range 50 {
				before = append(before, <-started)
			}
			r, err := s.Backup(ctx, at("b"))
			close(stop)
			wg.Wait()
			if err != nil {
				t.Fatal(err)
			}
			if r.Dir != at("b") || !slices.Equal(r.Data, []string{"data", "replica"}) || !slices.Equal(r.Keys, []string{"keys", "root.key"}) {
				t.Errorf("report %+v", r)
			}
			if _, err := s.Backup(ctx, at("b")); err == nil {
				t.Error("backed up over a backup")
			}
			if _, err := s.Backup(ctx, fs.PathJoin(at("r"), "b")); err == nil {
				t.Error("backed up into the replica")
			}
			if err := writeSet(s, docID(9999), 9999, 10); err != nil {
				t.Fatal(err)
			}

			if err := Restore(ctx, at("b"), at("r"), opt); !errors.Is(err, ErrLocked) {
				t.Errorf("restore over an open replica: %v", err)
			}
			closeStore(t, s)
			if err := Restore(ctx, at("b"), at("r"), opt); !errors.Is(err, ErrReplicaExists) {
				t.Errorf("restore over a replica: %v", err)
			}
			if err := Restore(ctx, at("nothing"), at("n"), opt); !errors.Is(err, ErrNoReplica) {
				t.Errorf("restore of nothing: %v", err)
			}
			for i := range 2 { // the backup is only read
				to := at(fmt.Sprint("restored", i))
				if err := Restore(ctx, at("b"), to, opt); err != nil {
					t.Fatal(err)
				}
				s := openStore(t, fs, to)
				if s.Incarnation() == inc || s.Incarnation() == (crdt.Incarnation{}) {
					t.Error("restored with its old incarnation")
				}
				for _, n := range before {
					if _, err := s.ChangeSet(docID(n), setID(n)); err != nil {
						t.Errorf("acknowledged before the backup: %v", err)
					}
				}
				if _, err := s.Head(docID(9999)); !errors.Is(err, ErrNotFound) {
					t.Errorf("written after the backup: %v", err)
				}
				if rep, err := s.Check(ctx); err != nil || rep.Damaged != 0 {
					t.Errorf("check: %+v, %v", rep, err)
				}
				if err := writeSet(s, docID(8888), 8888, 10); err != nil {
					t.Error(err)
				}
				closeStore(t, s)
			}
			// Without its keys the data is noise, and says so.
			if err := fs.RemoveAll(fs.PathJoin(at("b"), keysDir)); err != nil {
				t.Fatal(err)
			}
			if err := Restore(ctx, at("b"), at("n"), opt); !errors.Is(err, ErrDamaged) {
				t.Errorf("restore without keys: %v", err)
			}
			if _, err := Open(ctx, at("n"), opt); !errors.Is(err, ErrNoReplica) {
				t.Errorf("left by a restore that failed: %v", err)
			}
		})
	}
}

// A backup to a disk that refuses writes fails, and nothing else does.
func TestBackupFails(t *testing.T) {
	mem := vfs.NewMem()
	fault := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasPrefix(op.Path, "b/") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.EIO
		}
		return nil
	})
	s := initStore(t, errorfs.Wrap(mem, fault), "r")
	if _, err := s.Backup(context.Background(), "b"); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrStoreFailed) {
		t.Errorf("backup: %v", err)
	}
	if err := writeSet(s, docID(1), 1, 10); err != nil {
		t.Error(err)
	}
}

func TestCheckErased(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	opt := &Options{FS: fs}
	s := initStore(t, fs, "r")
	if err := writeSet(s, docID(1), 1, 10); err != nil {
		t.Fatal(err)
	}
	head := headKey(s.name.doc(docID(1)))
	if err := s.data.Flush(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	found, err := CheckErased(ctx, "r", head, opt)
	if err != nil || len(found) == 0 || !strings.HasPrefix(found[0].File, "r/data/") {
		t.Errorf("what is there: %v, %v", found, err)
	}
	// No plaintext, id or name is on the disk.
	for _, text := range [][]byte{bytes32(docID(1)), bytes32(setID(1)), []byte("head 1")} {
		if found, err := CheckErased(ctx, "r", text, opt); err != nil || len(found) != 0 {
			t.Errorf("plaintext %q: %v, %v", text, found, err)
		}
	}
	// Across the pieces in which files are read, overlapping itself.
	big := make([]byte, 3<<20)
	marker := []byte("aXaXa")
	for _, at := range []int{0, 1<<20 - 2, 1<<20 + 3, 2 << 20, len(big) - len(marker)} {
		copy(big[at:], marker)
	}
	copy(big[100:], "aXaXaXa")
	rewrite(t, fs, "r/data/big", big)
	found, err = CheckErased(ctx, "r", marker, opt)
	var at []int64
	for _, f := range found {
		at = append(at, f.Offset)
	}
	slices.Sort(at)
	same(t, "offsets", at, []int64{0, 100, 102, 1<<20 - 2, 1<<20 + 3, 2 << 20, int64(len(big) - len(marker))})
	if err != nil {
		t.Error(err)
	}
	if _, err := CheckErased(ctx, "r", nil, opt); err == nil {
		t.Error("an empty marker")
	}
	if _, err := CheckErased(ctx, "nowhere", marker, opt); err == nil {
		t.Error("no directory")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := CheckErased(cancelled, "r", marker, opt); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Logs must not be recycled: a new log over an old one keeps its tail, and a
// purge would not erase it. This fails if a Pebble to come recycles again.
func TestLogsAreNotRecycled(t *testing.T) {
	for _, keep := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "r")
		s := must(Init(context.Background(), dir, nil))
		var found []Finding
		for i := range 6 { // enough for a recycled log to come into use
			// Straight to Pebble, so that it comes to the disk unsealed.
			key, marker := headKey(alias{byte(i)}), recycleMarker(i)
			if err := s.data.Set(key, bytes.Repeat(marker, 5000), pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if found, _ = CheckErased(context.Background(), dir, marker, nil); len(found) == 0 {
				t.Fatal("the marker does not reach the disk as it is: the test would find nothing")
			}
			if keep {
				continue
			}
			if err := errors.Join(s.data.Delete(key, pebble.Sync), s.data.Flush(),
				s.data.Compact(context.Background(), []byte("a"), []byte("z"), false), s.data.Flush()); err != nil {
				t.Fatal(err)
			}
			if n := s.data.Metrics().WAL.ObsoleteFiles; n != 0 {
				t.Errorf("round %d: %d logs are kept for recycling", i, n)
			}
		}
		closeStore(t, s)
		for i := range 6 {
			var names []string
			found, err := CheckErased(context.Background(), dir, recycleMarker(i), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				names = slices.Compact(append(names, filepath.Base(f.File)))
			}
			if keep != (len(names) > 0) {
				t.Errorf("deleted %v: marker %d is in %v", !keep, i, names)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, dataDir, "archive")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("obsolete files are archived: %v", err)
		}
	}
}

func recycleMarker(i int) []byte { return fmt.Appendf(nil, "purge me number %d", i) }

func TestStats(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Init(context.Background(), "r", &Options{FS: fs, Lean: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := writeSet(s, docID(i), i, 1000); err != nil {
			t.Fatal(err)
		}
	}
	before, err := s.Stats()
	if err != nil || before.LogBytes < 100_000 || before.MemoryBytes == 0 {
		t.Errorf("%+v, %v", before, err)
	}
	if err := s.data.Flush(); err != nil {
		t.Fatal(err)
	}
	st, err := s.Stats()
	if err != nil || st.Tables == 0 || st.TableBytes < 100_000 || st.Flushes != before.Flushes+1 {
		t.Errorf("%+v, %v", st, err)
	}
	sp, err := s.Space()
	if err != nil || sp.Known || sp.Used < 100_000 || sp.Reserve != defaultReserveLean {
		t.Errorf("%+v, %v", sp, err)
	}
	closeStore(t, s)
}
