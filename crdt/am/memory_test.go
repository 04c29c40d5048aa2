//go:build cgo

package am_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
)

// rss is this process's resident memory in bytes.
func rss(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc")
	}
	return ok[int](t)(strconv.Atoi(string(bytes.Fields(b)[1]))) * os.Getpagesize()
}

// big is a save of a document with text, many keys and nested objects.
func big(t *testing.T) []byte {
	t.Helper()
	d := ok[crdt.Engine](t)(open(crdt.ActorID{1}))
	defer d.Close()
	w := ok[crdt.Writer](t)(d.Begin())
	tx := crdt.NewTx(w)
	check(t, tx.Set(crdt.At("text"), string(bytes.Repeat([]byte("0123456789"), 2000))))
	for i := range 150 {
		check(t, tx.Set(crdt.At(fmt.Sprint("key", i)), map[string]any{"n": i, "s": "some text", "l": []int{1, 2, 3}}))
	}
	ok[crdt.Change](t)(w.Commit("", 0))
	return ok[[]byte](t)(d.Save())
}

// TestMemory: a hundred big documents, one after the other, leave nothing.
func TestMemory(t *testing.T) {
	save := big(t)
	use := func() {
		d := ok[crdt.Engine](t)(load(save, crdt.ActorID{2}))
		r := ok[crdt.Reader](t)(d.At(nil))
		ok[any](t)(crdt.NewView(r).Value(nil))
		ok[[]byte](t)(d.Save())
		ok[[][]byte](t)(d.Since(nil))
		f := ok[crdt.Engine](t)(d.(crdt.Forker).Fork(nil, crdt.ActorID{3}))
		w := ok[crdt.Writer](t)(d.Begin())
		check(t, crdt.NewTx(w).Set(crdt.At("key7"), nil))
		check(t, w.Rollback())
		check(t, f.Close())
		check(t, d.Close())
	}
	for range 20 { // until heaps, and the race detector's shadow of them, have their size
		use()
	}
	am.Trim()
	debug.FreeOSMemory() // Go's own heap is not the question
	before := rss(t)
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		use()
	}
	am.Trim()
	debug.FreeOSMemory()
	if grown := rss(t) - before; grown > 20<<20 {
		t.Errorf("%d rounds took %d MB that did not come back", rounds, grown>>20)
	}
}

// TestHandles: more objects than handles, used in turn, by ids that outlive views.
func TestHandles(t *testing.T) {
	d := ok[crdt.Engine](t)(open(crdt.ActorID{1}))
	defer d.Close()
	const n = 1000
	ids := make([]crdt.ObjID, n)
	w := ok[crdt.Writer](t)(d.Begin())
	list := ok[crdt.ObjID](t)(w.Put(crdt.Root, crdt.Prop{Key: "list"}, crdt.Object(crdt.KindList)))
	for i := range ids {
		ids[i] = ok[crdt.ObjID](t)(w.Insert(list, 0, crdt.Object(crdt.KindMap))) // moves all others
	}
	for round := range 2 {
		for i, id := range ids {
			ok[crdt.ObjID](t)(w.Put(id, crdt.Prop{Key: "n"}, crdt.Int(int64(i+round))))
		}
	}
	ok[crdt.Change](t)(w.Commit("", 0))
	l := ok[crdt.Engine](t)(load(ok[[]byte](t)(d.Save()), crdt.ActorID{2}))
	defer l.Close()
	r := ok[crdt.Reader](t)(l.At(nil))
	for i, id := range ids { // ids of another Doc: it never saw these
		v, found, err := r.Get(id, crdt.Prop{Key: "n"})
		if check(t, err); !found || v.Int() != int64(i+1) {
			t.Fatalf("object %d: %v", i, v)
		}
	}
}

// TestConcurrent: documents at the same time, and one document by many.
func TestConcurrent(t *testing.T) {
	shared := ok[crdt.Engine](t)(open(crdt.ActorID{9}))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			d, err := open(crdt.ActorID{byte(g)})
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 50 {
				w, err := d.Begin()
				if err == nil {
					err = crdt.NewTx(w).Set(crdt.At("k"), map[string]any{"i": i})
				}
				if err == nil {
					_, err = w.Commit("", 0)
				}
				if err != nil {
					t.Error(err)
				}
				all, err := d.Since(nil)
				if err != nil {
					t.Error(err)
				}
				if err := shared.Apply(all, nil); err != nil && !errors.Is(err, crdt.ErrClosed) {
					t.Error(err)
				}
				r, err := shared.At(nil)
				if err == nil {
					_, err = crdt.NewView(r).Value(nil)
				}
				if err != nil && !errors.Is(err, crdt.ErrClosed) && !errors.Is(err, crdt.ErrNoObject) {
					t.Error(err)
				}
			}
			if g == 7 {
				shared.Close() // while others use it
			}
			d.Close()
		})
	}
	wg.Wait()
}

// TestLeaked: a forgotten document is reported, a closed one is not.
func TestLeaked(t *testing.T) {
	leaked := make(chan crdt.ActorID, 2)
	opts := &am.Options{Leaked: func(a crdt.ActorID) { leaked <- a }}
	func() {
		closed := ok[*am.Doc](t)(am.New(crdt.ActorID{1}, opts))
		check(t, closed.Close())
		ok[*am.Doc](t)(am.New(crdt.ActorID{2}, opts))
	}()
	deadline := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case a := <-leaked:
			if a != (crdt.ActorID{2}) {
				t.Errorf("leaked %s", a)
			}
			return
		case <-deadline:
			t.Fatal("nobody noticed")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func BenchmarkTrim(b *testing.B) {
	for b.Loop() {
		am.Trim()
	}
}
