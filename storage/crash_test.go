package storage

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

// writeUntilKilled writes from several goroutines and says on stdout what was
// acknowledged.
func writeUntilKilled(t *testing.T, dir string) {
	s, err := Open(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	base := len(all(t, s.Heads())) * 1_000_000 // numbers not used by an earlier life
	var mu sync.Mutex
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				n := base + w*100_000 + i
				if err := writeSet(s, docID(n), n, 5000); err != nil {
					panic(err)
				}
				mu.Lock()
				fmt.Printf("ack %d\n", n)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func TestKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	closeStore(t, must(Init(context.Background(), dir, nil)))
	var acked []int
	for life := range 4 {
		c := child(t, "write", dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(300+100*life)*time.Millisecond, func() { c.Process.Kill() })
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var n int
			if _, err := fmt.Sscanf(lines.Text(), "ack %d", &n); err == nil {
				acked = append(acked, n)
			}
		}
		c.Wait()
		s := openStore(t, vfs.Default, dir)
		for _, n := range acked {
			if cs, err := s.ChangeSet(docID(n), setID(n)); err != nil || len(cs.Value) != 5000 {
				t.Fatalf("life %d: acknowledged write %d lost: %v", life, n, err)
			}
			if _, err := s.Head(docID(n)); err != nil {
				t.Fatalf("life %d: half of a batch: %v", life, err)
			}
		}
		r, err := s.Check(context.Background())
		if err != nil || r.Damaged != 0 {
			t.Fatalf("life %d: check: %+v, %v", life, r, err)
		}
		closeStore(t, s)
	}
	if len(acked) < 100 {
		t.Errorf("only %d writes acknowledged", len(acked))
	}
	t.Logf("%d acknowledged writes, none lost", len(acked))
}

// Power cuts at random moments of concurrent writing: what was acknowledged is
// there, each batch whole or not at all.
func TestPowerCut(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	mem := vfs.NewCrashableMem()
	s := initStore(t, mem, "r")
	var mu sync.Mutex
	acked := map[int]bool{}
	var wg sync.WaitGroup
	const writers, each, sets = 4, 80, 3
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				n := w*each + i
				b := s.Batch()
				for k := range sets {
					b.NewDoc(docID(n*sets + k))
					b.PutHead(docID(n*sets+k), []byte("h"))
					b.PutChangeSet(docID(n*sets+k), ChangeSet{Place{Chain{9}, 1}, setID(n), make([]byte, 4000)})
				}
				if err := b.Commit(); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acked[n] = true
				mu.Unlock()
			}
		})
	}
	type cut struct {
		fs    *vfs.MemFS
		acked []int
	}
	var cuts []cut
	for range 12 {
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		mu.Lock()
		var now []int
		for n := range acked {
			now = append(now, n)
		}
		mu.Unlock()
		cuts = append(cuts, cut{mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}), now})
	}
	wg.Wait()
	closeStore(t, s)
	for i, c := range cuts {
		s := openStore(t, c.fs, "r")
		for _, n := range c.acked {
			if _, err := s.ChangeSet(docID(n*sets), setID(n)); err != nil {
				t.Fatalf("cut %d: acknowledged write lost: %v", i, err)
			}
		}
		for n := range writers * each {
			there := 0
			for k := range sets {
				if has, err := s.HasChangeSet(docID(n*sets+k), setID(n)); err != nil {
					t.Fatal(err)
				} else if has {
					there++
				}
			}
			if there != 0 && there != sets {
				t.Fatalf("cut %d: %d of %d parts of a batch", i, there, sets)
			}
		}
		closeStore(t, s)
	}
}

// model is what a store should hold, as plain maps.
type model struct {
	docs    map[int]bool
	records map[string]string
}

func (m model) clone() model {
	c := model{map[int]bool{}, map[string]string{}}
	for k, v := range m.docs {
		c.docs[k] = v
	}
	for k, v := range m.records {
		c.records[k] = v
	}
	return c
}

func (m model) dropPrefix(p string) {
	for k := range m.records {
		if strings.HasPrefix(k, p) {
			delete(m.records, k)
		}
	}
}

// random puts one random write into a batch and into the model.
func (m model) random(t *rapid.T, s *Store, b *Batch) {
	d := rapid.IntRange(0, 3).Draw(t, "doc")
	n := rapid.IntRange(0, 5).Draw(t, "n")
	v := rapid.StringN(0, 20, 40).Draw(t, "value")
	op := rapid.IntRange(0, 11).Draw(t, "op")
	if op < 7 && !m.docs[d] {
		b.NewDoc(docID(d))
		m.docs[d] = true
	}
	dev := deviceID(d)
	switch op {
	case 0:
		b.PutMeta(docID(d), fmt.Sprint(n), []byte(v))
		m.records[fmt.Sprintf("meta %d %d", d, n)] = v
	case 1:
		b.PutHead(docID(d), []byte(v))
		m.records[fmt.Sprintf("head %d", d)] = v
	case 2:
		at := Place{s.Chain(docID(d), dev, crdt.Incarnation{}), uint64(n / 2)} // forks too
		b.PutChangeSet(docID(d), ChangeSet{at, setID(n), []byte(v)})
		m.records[fmt.Sprintf("set %d %d", d, n)] = v
	case 3:
		b.PutSnapshot(docID(d), uint64(n), []byte(v))
		m.records[fmt.Sprintf("snap %d %d", d, n)] = v
	case 4:
		b.DropSnapshots(docID(d))
		m.dropPrefix(fmt.Sprintf("snap %d ", d))
	case 5:
		b.Quarantine(docID(d), setID(n), []byte(v))
		m.records[fmt.Sprintf("quar %d %d", d, n)] = v
	case 6:
		b.Unquarantine(docID(d), setID(n))
		delete(m.records, fmt.Sprintf("quar %d %d", d, n))
	case 7:
		b.PutOp(scopeID(d), uint64(n), opID(n), []byte(v))
		m.records[fmt.Sprintf("op %d %d", d, n)] = v
	case 8:
		b.PutCursor(dev, scopeID(n), []byte(v))
		m.records[fmt.Sprintf("cursor %d %d", d, n)] = v
	case 9:
		b.DropCursors(dev)
		m.dropPrefix(fmt.Sprintf("cursor %d ", d))
	case 10:
		b.PutSingleton(fmt.Sprint(n), []byte(v))
		m.records[fmt.Sprintf("one %d", n)] = v
	case 11:
		b.DeleteSingleton(fmt.Sprint(n))
		delete(m.records, fmt.Sprintf("one %d", n))
	}
}

// read makes a model of what a store holds.
func read(t testing.TB, s *Store) map[string]string {
	out := map[string]string{}
	number := map[any]int{}
	for n := range 6 {
		number[docID(n)], number[setID(n)], number[opID(n)], number[scopeID(n)] = n, n, n, n
	}
	for _, h := range all(t, s.Heads()) {
		out[fmt.Sprintf("head %d", number[h.Doc])] = string(h.Value)
	}
	for _, id := range all(t, s.Docs()) {
		d := number[id]
		last := uint64(0)
		for _, cs := range all(t, s.ChangeSets(id, Place{})) {
			if cs.Seq < last || cs.Chain != s.Chain(id, deviceID(d), crdt.Incarnation{}) {
				t.Fatalf("change sets out of order, or of another chain")
			}
			last = cs.Seq
			out[fmt.Sprintf("set %d %d", d, number[cs.ID])] = string(cs.Value)
		}
		for _, x := range all(t, s.Snapshots(id)) {
			out[fmt.Sprintf("snap %d %d", d, x.N)] = string(x.Value)
		}
		for _, q := range all(t, s.Quarantine(id)) {
			out[fmt.Sprintf("quar %d %d", d, number[q.ID])] = string(q.Value)
		}
		for n := range 6 {
			if v, err := s.Meta(id, fmt.Sprint(n)); err == nil {
				out[fmt.Sprintf("meta %d %d", d, n)] = string(v)
			}
		}
	}
	for _, id := range all(t, s.Scopes()) {
		for _, op := range all(t, s.Ops(id)) {
			out[fmt.Sprintf("op %d %d", number[id], number[op.ID])] = string(op.Value)
		}
	}
	for n := range 6 {
		for _, c := range all(t, s.Cursors(deviceID(n))) {
			out[fmt.Sprintf("cursor %d %d", n, number[c.Scope])] = string(c.Value)
		}
		if v, err := s.Singleton(fmt.Sprint(n)); err == nil {
			out[fmt.Sprintf("one %d", n)] = string(v)
		}
	}
	return out
}

// Random batches, reopenings and power cuts, beside maps.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		fs := vfs.NewCrashableMem()
		s := initStore(t, fs, "r")
		durable := model{map[int]bool{}, map[string]string{}}
		for range rapid.IntRange(1, 8).Draw(r, "steps") {
			m := durable.clone()
			b := s.Batch()
			for range rapid.IntRange(0, 12).Draw(r, "writes") {
				m.random(r, s, b)
			}
			switch rapid.IntRange(0, 4).Draw(r, "end") {
			case 0: // never happened
				b.Discard()
			case 1: // a power cut after the commit
				if err := b.Commit(); err != nil {
					r.Fatal(err)
				}
				durable = m
				fs2 := fs.CrashClone(vfs.CrashCloneCfg{})
				closeStore(t, s)
				fs = fs2
				s = openStore(t, fs, "r")
			case 2: // an orderly end
				if err := b.Commit(); err != nil {
					r.Fatal(err)
				}
				durable = m
				closeStore(t, s)
				s = openStore(t, fs, "r")
			default:
				if err := b.Commit(); err != nil {
					r.Fatal(err)
				}
				durable = m
			}
			same(t, "store", read(t, s), durable.records)
		}
		rep, err := s.Check(context.Background())
		if err != nil {
			r.Fatal(err)
		}
		for _, p := range rep.Problems {
			if !strings.Contains(p.Error(), "no head record") && !strings.Contains(p.Error(), "has no records") {
				r.Fatal(p)
			}
		}
		closeStore(t, s)
		if t.Failed() {
			r.FailNow()
		}
	})
}

// A clock that goes backwards changes nothing but what the lock says.
func TestClockBackwards(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	s := must(Init(context.Background(), dir, nil))
	if err := writeSet(s, docID(1), 1, 10); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	future := time.Now().AddDate(30, 0, 0)
	err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(p, future, future)
	})
	if err != nil {
		t.Fatal(err)
	}
	note := fmt.Sprintf(`{"pid":1,"host":"h","since":%q,"command":"c"}`, future.Format(time.RFC3339))
	if err := os.WriteFile(filepath.Join(dir, holderFile), []byte(note), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, vfs.Default, dir)
	if err := writeSet(s, docID(1), 2, 10); err != nil {
		t.Error(err)
	}
	if n := len(all(t, s.ChangeSets(docID(1), Place{}))); n != 2 {
		t.Errorf("%d change sets", n)
	}
}
