package opset

import (
	"bytes"
	"os"
	"testing"

	"github.com/pipes-sync/pipes/crdt/change"
)

// jsChanges are the changes of the real histories in package change.
func jsChanges(f *testing.F) (cs []*change.Change) {
	b, err := os.ReadFile("../change/testdata/js350-types.bin")
	if err != nil {
		f.Fatal(err)
	}
	for chunk, err := range change.Chunks(b) {
		if err != nil {
			f.Fatal(err)
		}
		c, err := change.Decode(chunk)
		if err != nil {
			f.Fatal(err)
		}
		cs = append(cs, c)
	}
	return cs
}

// FuzzLoad: a snapshot is refused or comes back byte for byte, and a state that
// loads judges real changes without a panic.
func FuzzLoad(f *testing.F) {
	cs := jsChanges(f)
	s := New(Options{})
	for _, c := range cs {
		s.Add(c)
		b, _ := s.AppendBinary(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Load(b, Options{})
		if err != nil {
			return
		}
		if again, _ := s.AppendBinary(nil); !bytes.Equal(b, again) {
			t.Fatal("saved differently")
		}
		for _, c := range cs {
			s.Add(c)
		}
		again, _ := s.AppendBinary(nil)
		if _, err := Load(again, Options{}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzAdd plays a program of bytes: which of the real changes comes next, and
// what is wrong with it. Whatever happens, the state can be saved and loaded.
func FuzzAdd(f *testing.F) {
	cs := jsChanges(f)
	f.Add([]byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 1, 1, 3, 9, 5, 2, 8, 1})
	f.Fuzz(func(t *testing.T, program []byte) {
		s := New(Options{MaxPending: 8})
		applied := 0
		for ; len(program) >= 4; program = program[4:] {
			c := cs[int(program[0])%len(cs)]
			if program[1] != 0 {
				c = spoil(c, program[1], program[2], program[3])
			}
			if c == nil {
				continue
			}
			for _, o := range s.Add(c) {
				if (o.Err != nil) != (o.Status == Invalid || o.Status == Equivocates) {
					t.Fatalf("%v with error %v", o.Status, o.Err)
				}
				if o.Status == Applied {
					applied++
				}
			}
		}
		if s.Len() != applied || (len(s.Heads()) == 0) != (applied == 0) {
			t.Fatalf("%d applied, length %d", applied, s.Len())
		}
		b, _ := s.AppendBinary(nil)
		again, err := Load(b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if b2, _ := again.AppendBinary(nil); !bytes.Equal(b, b2) {
			t.Fatal("saved differently")
		}
	})
}

// spoil changes one thing about one operation, or answers nil if the result
// cannot be written.
func spoil(c *change.Change, what, at, by byte) *change.Change {
	var ops []change.Op
	for o := range c.Ops() {
		x := *o
		x.Pred = append([]change.OpID(nil), o.Pred...)
		ops = append(ops, x)
	}
	h := c.Header
	if len(ops) > 0 {
		o := &ops[int(at)%len(ops)]
		id := change.OpID{Ctr: uint32(by), Actor: uint32(int(by) % len(c.Actors))}
		switch what % 8 {
		case 1:
			o.Obj = id
		case 2:
			o.Elem = id
		case 3:
			o.Pred = append(o.Pred, id)
		case 4:
			o.Pred = nil
		case 5:
			o.Action = change.Action(by % 8)
		case 6:
			h.StartOp += uint64(by)
		case 7:
			h.Seq += uint64(by)
		}
	}
	out, err := change.Build(h, c.Actors, ops, c.Extra)
	if err != nil {
		return nil
	}
	return out
}
