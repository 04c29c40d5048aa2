package netsync

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pipes-sync/pipes/acl"
)

func TestBundleWriter(t *testing.T) {
	var out bytes.Buffer
	w, err := NewBundleWriter(&out, Begin{})
	if err != nil {
		t.Fatal(err)
	}
	doc := Document{Item: []byte{1}}
	for name, c := range map[string]struct {
		f    Frame
		want error
	}{
		"begin":             {Begin{}, ErrOrder},
		"end":               {End{}, ErrOrder},
		"no operations":     {Ops{}, ErrFrame},
		"an empty document": {Document{}, ErrFrame},
		"too large":         {Document{Item: make([]byte, MaxFrame)}, ErrFrame},
		"too many ops":      {Ops{Ops: smallOps(MaxFrameOps + 1)}, ErrFrame},
		"a large operation": {Ops{Ops: [][]byte{make([]byte, acl.MaxOpSize+64)}}, nil},
	} {
		if err := w.Write(c.f); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, f := range []Frame{doc, Run{Run: []byte{1}}, Part{Part: []byte{1}}, Run{Run: []byte{2}}} {
		if err := w.Write(f); err != nil {
			t.Fatal(f.Type(), err)
		}
	}
	if err := w.Write(doc); !errors.Is(err, ErrOrder) {
		t.Error("a document after a run:", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, ErrClosed) {
		t.Error("closed twice:", err)
	}
	if err := w.Write(Run{Run: []byte{1}}); !errors.Is(err, ErrClosed) {
		t.Error("written after the end:", err)
	}
	if _, err := VerifyBundle(&out); err != nil {
		t.Error("what was refused spoilt the bundle:", err)
	}
}

// shortWriter takes n bytes.
type shortWriter struct{ n int }

var errFull = errors.New("disk full")

func (w *shortWriter) Write(p []byte) (int, error) {
	if len(p) > w.n {
		n := w.n
		w.n = 0
		return n, errFull
	}
	w.n -= len(p)
	return len(p), nil
}

// TestBundleWriteErrors: a bundle that is not on the disk is never reported so.
func TestBundleWriteErrors(t *testing.T) {
	run := Run{Run: make([]byte, 100<<10)}
	for n := 0; n < 330<<10; n += 9 << 10 {
		w, err := NewBundleWriter(&shortWriter{n}, Begin{})
		for range 3 {
			if err == nil {
				err = w.Write(run)
			}
		}
		if err == nil {
			err = w.Close()
		}
		if big := n >= 3*100<<10+200; big != (err == nil) || !big && !errors.Is(err, errFull) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if err != nil && !errors.Is(w.Close(), errFull) {
			t.Fatalf("%d bytes: closed again: %v", n, w.Close())
		}
	}
}
