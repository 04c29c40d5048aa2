package replica

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/storage"
)

// dead is a replica's directory after the process died while it applied a set of
// another's, the engine's abort having set the mark or not.
func dead(t *testing.T, aborted bool) (dir string, doc crdt.DocID, suspect crdt.ChangeSetID) {
	t.Helper()
	ctx := context.Background()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	if err := p.db.Set(ctx, 1, "suspect"); err != nil {
		t.Fatal(err)
	}
	suspect, dir = tip(t, p.db), t.TempDir()
	c := must(Open(ctx, dir, nil))(t)
	carry(t, c, p.a)
	must(p.a.Share(ctx, p.da.ID(), c.Person(), acl.Writer))(t)
	carry(t, p.b, p.a)
	carry(t, p.a, c)
	die(t, c, p.da.ID(), suspect, aborted)
	return dir, p.da.ID(), suspect
}

// die closes a replica as if its process had ended while it applied a set.
func die(t *testing.T, r *Replica, doc crdt.DocID, set crdt.ChangeSetID, aborted bool) {
	t.Helper()
	slot := must(r.journal.Begin(encodeNote(doc, set)))(t)
	if aborted {
		f := must(os.OpenFile(filepath.Join(r.dir, "journal"), os.O_RDWR, 0))(t)
		if _, err := f.WriteAt([]byte{1}, slot.Offset); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// A change set on which the engine ended the process is named, left out, and costs
// one restart.
func TestPoisonCostsOneRestart(t *testing.T) {
	ctx := context.Background()
	dir, doc, poison := dead(t, true)
	for range 2 {
		c := must(Open(ctx, dir, nil))(t)
		d := must(c.Doc(ctx, doc))(t)
		if diff := cmp.Diff(map[string]any{"text": "hello"}, must(d.Get())(t)); diff != "" {
			t.Error(diff)
		}
		st := must(c.Status(ctx))(t)
		if len(st.Apart) != 1 || st.Apart[0].Set != poison || st.Apart[0].State != "quarantined" {
			t.Errorf("status names %+v", st.Apart)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A kill in the same moment is no fault of the set: it is applied at the next start,
// and forgotten. Only if the process ends on it a second time is it left out.
func TestKillWhileApplyingBlamesNobody(t *testing.T) {
	ctx := context.Background()
	all := map[string]any{"text": "hello", "suspect": int64(1)}
	dir, doc, suspect := dead(t, false)
	for range 3 { // each death is the first, since the set was applied in between
		c := must(Open(ctx, dir, nil))(t)
		if diff := cmp.Diff(all, must(must(c.Doc(ctx, doc))(t).Get())(t)); diff != "" {
			t.Error(diff)
		}
		die(t, c, doc, suspect, false)
	}
	c := must(Open(ctx, dir, nil))(t)
	die(t, c, doc, suspect, false) // nobody read the document: two deaths in a row
	c = must(Open(ctx, dir, nil))(t)
	defer c.Close()
	delete(all, "suspect")
	if diff := cmp.Diff(all, must(must(c.Doc(ctx, doc))(t).Get())(t)); diff != "" {
		t.Error(diff)
	}
}

// memOptions opens replicas on a file system in memory.
func memOptions(fsys vfs.FS) *Options {
	return &Options{Storage: storage.Options{FS: fsys, Reserve: -1}}
}

// A power cut at any moment loses nothing that was acknowledged.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	ctx := context.Background()
	total := int64(0)
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fsys := vfs.NewCrashableMem()
		r := must(Open(ctx, "r", memOptions(fsys)))(t)
		doc := must(r.NewDoc(ctx, map[string]any{}))(t)
		var acked atomic.Int64
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for w := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					if err := doc.Set(ctx, i, fmt.Sprintf("w%d", w)); err != nil {
						t.Error(err)
						return
					}
					if w == 0 {
						acked.Store(int64(i))
					}
				}
			})
		}
		time.Sleep(time.Duration(1+rng.IntN(40)) * time.Millisecond)
		least := acked.Load() // before the cut, so it must be there
		total += least
		cut := fsys.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		close(stop)
		wg.Wait()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}

		after := must(Open(ctx, "r", memOptions(cut)))(t)
		d := must(after.Doc(ctx, doc.ID()))(t)
		got, err := d.Get("w0")
		if least > 0 && (err != nil || got.(int64) < least) {
			t.Errorf("seed %d: w0 is %v (%v), acknowledged %d", seed, got, err, least)
		}
		if err := d.Set(ctx, true, "goes on"); err != nil {
			t.Error(err)
		}
		if report := must(after.Check(ctx, nil))(t); report.Damaged > 0 {
			t.Errorf("seed %d: %+v", seed, report)
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if total == 0 {
		t.Error("no cut came after a change was acknowledged")
	}
}

// fullFS is a disk whose room a test sets.
type fullFS struct {
	vfs.FS
	free atomic.Uint64
}

func (f *fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free.Load(), TotalBytes: 1 << 40}, nil
}

func (f *fullFS) Unwrap() vfs.FS { return f.FS }

// On a full disk a change fails as a whole; reading goes on, and so does writing once
// there is room.
func TestFullDisk(t *testing.T) {
	ctx := t.Context()
	fsys := &fullFS{FS: vfs.NewMem()}
	fsys.free.Store(1 << 40)
	r := must(Open(ctx, "r", &Options{Storage: storage.Options{FS: fsys, Reserve: 1 << 20}}))(t)
	doc := must(r.NewDoc(ctx, map[string]any{"n": 1}))(t)
	fsys.free.Store(1 << 10)
	var full error
	for deadline := time.Now().Add(10 * time.Second); full == nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		full = doc.Set(ctx, 2, "m") // the free space is looked at now and then, not at each commit
		if full == nil {
			if err := doc.Remove(ctx, "m"); err != nil {
				full = err
			}
		}
	}
	if !errors.Is(full, ErrDiskFull) {
		t.Fatal(full)
	}
	if got := must(doc.Get("n"))(t); got != int64(1) {
		t.Errorf("n = %v", got)
	}
	fsys.free.Store(1 << 40)
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = doc.Set(ctx, 3, "n"); err == nil {
			break
		}
	}
	if got := must(doc.Get("n"))(t); got != int64(3) || err != nil {
		t.Errorf("n = %v, %v", got, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// Idle documents leave memory, and come back as they were. Time is the bubble's.
func TestIdleDocumentsLeaveMemory(t *testing.T) {
	fsys := vfs.NewMem()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		opt := memOptions(fsys)
		opt.MaxOpen = 2
		r := must(Open(ctx, "r", opt))(t)
		var docs []*Doc
		for i := range 5 {
			docs = append(docs, must(r.NewDoc(ctx, map[string]any{"i": i}))(t))
			time.Sleep(time.Millisecond)
		}
		open := func() int { return must(r.Status(ctx))(t).Open }
		if n := open(); n != 5 {
			t.Errorf("%d open at once", n)
		}
		time.Sleep(20 * time.Second)
		if n := open(); n != 2 {
			t.Errorf("%d open after a tick, want MaxOpen", n)
		}
		must(docs[4].Get())(t)
		time.Sleep(50 * time.Second)
		must(docs[4].Get())(t)
		time.Sleep(50 * time.Second)
		if n := open(); n != 1 {
			t.Errorf("%d open, want the one in use", n)
		}
		for i, d := range docs {
			if got := must(d.Get("i"))(t); got != int64(i) {
				t.Errorf("document %d reads %v", i, got)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := docs[0].Get(); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Many goroutines write, read, import and close at the same time.
func TestCloseAmidWork(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r := must(Open(ctx, dir, &Options{MaxOpen: 2, Idle: 5 * time.Millisecond}))(t)
	var docs []*Doc
	for range 6 {
		docs = append(docs, must(r.NewDoc(ctx, map[string]any{}))(t))
	}
	var acked [24]atomic.Int64
	var wg sync.WaitGroup
	for w := range acked {
		wg.Go(func() {
			for i := int64(1); ; i++ {
				d := docs[w%len(docs)]
				err := d.Set(ctx, i, fmt.Sprintf("w%d", w))
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				acked[w].Store(i)
				if _, err := d.Get(); err != nil && !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	r = openAt(t, dir)
	total := int64(0)
	for w := range acked {
		total += acked[w].Load()
		d := must(r.Doc(ctx, docs[w%len(docs)].ID()))(t)
		if got, err := d.Get(fmt.Sprintf("w%d", w)); acked[w].Load() > 0 && (err != nil || got.(int64) < acked[w].Load()) {
			t.Errorf("writer %d: %v (%v), acknowledged %d", w, got, err, acked[w].Load())
		}
	}
	if total == 0 {
		t.Error("nothing was acknowledged before Close")
	}
}

// A failed transaction leaves no trace, and the next one works.
func TestFailedChangeLeavesNoTrace(t *testing.T) {
	ctx := t.Context()
	r := openAt(t, t.TempDir())
	doc := must(r.NewDoc(ctx, map[string]any{"n": 1}))(t)
	heads := must(doc.Heads(ctx))(t)
	boom := errors.New("boom")
	err := doc.Change(ctx, func(tx *crdt.Tx) error { return errors.Join(tx.Set(crdt.At("n"), 2), boom) })
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(heads, must(doc.Heads(ctx))(t)); diff != "" {
		t.Error(diff)
	}
	if got := must(doc.Get("n"))(t); got != int64(1) {
		t.Errorf("n = %v", got)
	}
}
