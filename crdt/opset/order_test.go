package opset

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"pgregory.net/rapid"
)

// story is a random history: concurrent changes of some actors, among them
// invalid ones, which may refer to operations that their authors cannot know.
type story struct {
	m       *model
	changes []*change.Change
	errs    map[crdt.ChangeHash]error
	ids     []gid // of every operation of every change
	ops     map[gid]gop
	last    map[change.Actor]*change.Change // the last valid one
}

var storyActors = []change.Actor{"alice", "bob", "carol", "dave"}

func drawStory(t *rapid.T) *story {
	s := &story{m: newModel(), errs: map[crdt.ChangeHash]error{}, ops: map[gid]gop{}, last: map[change.Actor]*change.Change{}}
	for range rapid.IntRange(1, 40).Draw(t, "changes") {
		h := s.drawHeader(t)
		var ops []gop
		for range rapid.IntRange(0, 6).Draw(t, "ops") {
			o := s.drawOp(t)
			id := gid{uint32(h.StartOp) + uint32(len(ops)), h.Actor}
			ops = append(ops, o)
			if _, twice := s.ops[id]; !twice {
				s.ids, s.ops[id] = append(s.ids, id), o
			}
		}
		c, err := encode(h, ops)
		if err != nil || c.Canonical() != nil || s.m.known[c.Hash] != nil {
			continue
		}
		err = s.m.judge(c, ops)
		if _, twice := s.errs[c.Hash]; twice {
			continue
		}
		s.changes, s.errs[c.Hash] = append(s.changes, c), err
		if err == nil {
			s.last[c.Actor] = c
		}
	}
	return s
}

// drawHeader follows the author's last valid change, so that no two valid changes
// have one (actor, seq); now and then it is wrong.
func (s *story) drawHeader(t *rapid.T) change.Header {
	h := change.Header{Actor: rapid.SampledFrom(storyActors).Draw(t, "actor"), Seq: 1, StartOp: 1}
	if l := s.last[h.Actor]; l != nil && rapid.IntRange(0, 9).Draw(t, "forget own") > 0 {
		h.Deps = append(h.Deps, l.Hash)
	}
	if l := s.last[h.Actor]; l != nil {
		h.Seq = l.Seq + 1
	}
	for range rapid.IntRange(0, 2).Draw(t, "deps") {
		if len(s.changes) > 0 {
			c := rapid.SampledFrom(s.changes).Draw(t, "dep")
			// Rarely on something invalid.
			if s.errs[c.Hash] == nil || rapid.IntRange(0, 5).Draw(t, "on invalid") == 0 {
				h.Deps = append(h.Deps, c.Hash)
			}
		}
	}
	for _, c := range s.changes {
		if slices.Contains(h.Deps, c.Hash) {
			h.StartOp = max(h.StartOp, c.MaxOp()+1)
		}
	}
	switch rapid.IntRange(0, 19).Draw(t, "header") {
	case 0:
		h.Seq++
	case 1:
		h.StartOp += uint64(rapid.SampledFrom([]int{1, 5, MaxJump, MaxJump + 1}).Draw(t, "jump"))
	case 2:
		h.StartOp = max(1, h.StartOp-1)
	}
	return h
}

func (s *story) drawID(t *rapid.T) gid {
	if len(s.ids) == 0 {
		return gid{}
	}
	i := rapid.IntRange(0, min(len(s.ids), 12)-1).Draw(t, "back")
	return s.ids[len(s.ids)-1-i]
}

// drawOp refers to some operation, mostly in a way that makes sense.
func (s *story) drawOp(t *rapid.T) (o gop) {
	key := rapid.SampledFrom([]string{"a", "b", "c"})
	id := s.drawID(t)
	at, ok := s.ops[id]
	counter := change.Value{Type: change.Counter, Raw: "\x01"}
	if !ok || rapid.IntRange(0, 5).Draw(t, "new") == 0 {
		return gop{Op: change.Op{Key: key.Draw(t, "key"), Action: rapid.SampledFrom([]change.Action{change.MakeMap, change.Set, change.MakeList, change.MakeText}).Draw(t, "make")}}
	}
	o = gop{obj: at.obj, elem: at.elem, Op: change.Op{Key: at.Key}}
	if at.Insert {
		o.elem = id
	}
	defer func() {
		if len(o.pred) > 0 && rapid.IntRange(0, 9).Draw(t, "other pred") == 0 {
			o.pred[0] = s.drawID(t)
		}
	}()
	do := rapid.IntRange(0, 6).Draw(t, "do")
	if at.Action.Makes() && rapid.Bool().Draw(t, "inside") {
		do = 4
	}
	switch do {
	case 0:
		o.Action, o.pred = change.Delete, []gid{id}
	case 1:
		o.Action, o.pred, o.Value = change.Increment, []gid{id}, change.Value{Type: change.Int, Raw: "\x01"}
	case 2:
		o.Action, o.pred, o.Value = change.Set, []gid{id}, counter
	case 3:
		o.Action, o.Value = change.Set, counter
	case 4: // inside, which may be no object or of the other kind
		o = gop{obj: id, Op: change.Op{Action: change.Set}}
		if o.Insert = at.Action.IsList() || rapid.IntRange(0, 5).Draw(t, "as list") == 0; !o.Insert {
			o.Key = key.Draw(t, "key")
		}
	case 5:
		if o.Key == "" {
			o.Insert, o.Action = true, rapid.SampledFrom([]change.Action{change.Set, change.MakeMap, change.Mark}).Draw(t, "insert")
		}
	case 6:
		o.Action, o.elem = change.Set, s.drawID(t)
		if o.Key != "" {
			o.elem = gid{}
		}
	}
	return o
}

// deliver offers the changes in the given order to a new state, which it saves
// and loads once in the middle.
func (s *story) deliver(t *rapid.T, order []*change.Change, reload int) *State {
	st := New(Options{})
	for i, c := range order {
		if n, _ := st.Pending(); i == reload && n == 0 {
			b, err := st.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			if st, err = Load(b, Options{}); err != nil {
				t.Fatal(err)
			}
			if again, _ := st.AppendBinary(nil); !bytes.Equal(b, again) {
				t.Fatal("a loaded state is saved differently")
			}
		}
		before, _ := st.AppendBinary(nil)
		out := st.Add(c)
		if after, _ := st.AppendBinary(nil); out[0].Status != Applied && !bytes.Equal(before, after) {
			t.Fatalf("%v, and the state is another", out[0].Status)
		}
		for _, o := range out {
			want := s.errs[o.Change.Hash]
			switch o.Status {
			case Applied:
				if want != nil {
					t.Fatalf("applied, but the model says %v", want)
				}
			case Invalid:
				if want == nil || !errors.Is(o.Err, want) && !errors.Is(o.Err, ErrDep) {
					t.Fatalf("%v, but the model says %v", o.Err, want)
				}
			case Equivocates:
				if want == nil {
					t.Fatalf("%v, but the model takes it", o.Err)
				}
			}
		}
	}
	return st
}

// TestOrder: whatever the order, the verdicts are those of the model.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStory(t)
		a := s.deliver(t, s.changes, rapid.IntRange(0, 40).Draw(t, "reload"))
		b := s.deliver(t, rapid.Permutation(s.changes).Draw(t, "order"), rapid.IntRange(0, 40).Draw(t, "reload"))
		for _, c := range s.changes {
			if want := s.errs[c.Hash] == nil; a.Has(c.Hash) != want || b.Has(c.Hash) != want {
				t.Fatalf("%v %d: applied %v and %v; model: %v", c.Actor, c.Seq, a.Has(c.Hash), b.Has(c.Hash), s.errs[c.Hash])
			}
		}
		if diff := cmp.Diff(a.Heads(), b.Heads()); diff != "" {
			t.Fatalf("heads differ:\n%s", diff)
		}
		if a.MaxOp() != b.MaxOp() || a.Len() != b.Len() {
			t.Fatalf("max op %d and %d, length %d and %d", a.MaxOp(), b.MaxOp(), a.Len(), b.Len())
		}
		for id, n := range a.Actors() {
			if b.Seq(id) != n {
				t.Fatalf("%v: seq %d and %d", id, n, b.Seq(id))
			}
		}
	})
}

// TestStories: the stories hold what they are meant to.
func TestStories(t *testing.T) {
	seen := map[error]int{}
	stories := rapid.Custom(drawStory)
	for seed := range 500 {
		for _, err := range stories.Example(seed).errs {
			seen[err]++
		}
	}
	for _, err := range []error{nil, ErrSeq, ErrStart, ErrObject, ErrKind, ErrElem, ErrPred, ErrType, ErrTwice, ErrDep} {
		if seen[err] == 0 {
			t.Errorf("no story has %v", err)
		}
	}
	t.Log(seen)
}
