package opset

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

func mustEncode(t testing.TB, h change.Header, ops ...gop) *change.Change {
	t.Helper()
	c, err := encode(h, ops)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func set(key string, pred ...gid) gop {
	return gop{Op: change.Op{Key: key, Action: change.Set}, pred: pred}
}

// chain is n changes of one author, each after the one before.
func chain(t testing.TB, author change.Actor, n int) (cs []*change.Change) {
	h := change.Header{Actor: author, StartOp: 1}
	for range n {
		h.Seq++
		c := mustEncode(t, h, gop{Op: change.Op{Key: "k", Action: change.MakeList}})
		cs = append(cs, c)
		h.Deps, h.StartOp = []crdt.ChangeHash{c.Hash}, c.MaxOp()+1
	}
	return cs
}

func TestRealHistories(t *testing.T) {
	for _, name := range []string{"../change/testdata/js350-types.bin", "../change/testdata/js350-random.bin",
		"testdata/js350-mixed-conflicts.bin",
		"hostile/seeds/core2023-friends.bin", "hostile/seeds/core2023-paper.bin"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := guard(b)
		if err != nil || len(accepted) < 6 {
			t.Errorf("%s: %d changes, then %v", name, len(accepted), err)
		}
	}
	for _, name := range []string{"automerge-paper", "rustcode"} {
		accepted, err := guard(slices.Concat(oneAuthor(t, name, 100)...))
		if err != nil || len(accepted) < 400 {
			t.Errorf("%s: %d changes, then %v", name, len(accepted), err)
		}
	}
}

func TestQueue(t *testing.T) {
	cs := chain(t, "alice", 4)
	s := New(Options{MaxPending: 2})
	for _, i := range []int{3, 2} {
		o := s.Add(cs[i])
		if len(o) != 1 || o[0].Status != Pending || !cmp.Equal(o[0].Missing, cs[i].Deps) {
			t.Fatalf("change %d: %+v", i, o)
		}
	}
	if o := s.Add(cs[1]); o[0].Status != Full || !cmp.Equal(o[0].Missing, cs[1].Deps) {
		t.Errorf("a third one waits: %+v", o)
	}
	if o := s.Add(cs[3]); o[0].Status != Known {
		t.Errorf("queued twice: %v", o[0].Status)
	}
	if diff := cmp.Diff([]crdt.ChangeHash{cs[1].Hash}, s.Missing()); diff != "" {
		t.Errorf("missing:\n%s", diff)
	}
	if n, bytes := s.Pending(); n != 2 || bytes != cs[2].Size()+cs[3].Size() {
		t.Errorf("pending %d, %d bytes", n, bytes)
	}
	s.Add(cs[0])
	var order []crdt.ChangeHash
	for _, o := range s.Add(cs[1]) {
		if o.Status != Applied {
			t.Errorf("released: %v", o.Status)
		}
		order = append(order, o.Change.Hash)
	}
	if diff := cmp.Diff([]crdt.ChangeHash{cs[1].Hash, cs[2].Hash, cs[3].Hash}, order); diff != "" {
		t.Errorf("order of release:\n%s", diff)
	}
	if n, bytes := s.Pending(); n != 0 || bytes != 0 || len(s.queue.needed) != 0 {
		t.Errorf("the queue keeps %d changes, %d bytes", n, bytes)
	}
	if o := s.Add(cs[0]); o[0].Status != Known {
		t.Errorf("applied twice: %v", o[0].Status)
	}
	small := New(Options{MaxPendingBytes: 100})
	if o := small.Add(cs[3]); o[0].Status != Full {
		t.Errorf("larger than the quota: %v", o[0].Status)
	}
	s = New(Options{})
	s.Add(cs[3])
	s.Forget()
	if n, _ := s.Pending(); n != 0 || s.Missing() != nil {
		t.Error("Forget keeps something")
	}
}

// TestDrop: what waits for an invalid change goes with it, also what waits for
// something else besides.
func TestDrop(t *testing.T) {
	bad := mustEncode(t, change.Header{Actor: "alice", Seq: 2, StartOp: 1}, set("k"))
	other := chain(t, "bob", 1)[0]
	child := mustEncode(t, change.Header{Actor: "carol", Seq: 1, StartOp: 9, Deps: []crdt.ChangeHash{bad.Hash, other.Hash}})
	grandchild := mustEncode(t, change.Header{Actor: "carol", Seq: 2, StartOp: 9, Deps: []crdt.ChangeHash{child.Hash}})
	s := New(Options{})
	s.Add(child)
	s.Add(grandchild)
	out := s.Add(bad)
	if len(out) != 3 || !errors.Is(out[0].Err, ErrSeq) || !errors.Is(out[1].Err, ErrDep) || !errors.Is(out[2].Err, ErrDep) {
		t.Errorf("%+v", out)
	}
	if n, bytes := s.Pending(); n != 0 || bytes != 0 || len(s.queue.needed) != 0 {
		t.Errorf("the queue keeps %d changes, %d bytes, needs %d", n, bytes, len(s.queue.needed))
	}
	if o := s.Add(other); len(o) != 1 || o[0].Status != Applied {
		t.Errorf("%+v", o)
	}
}

func TestEquivocation(t *testing.T) {
	a := chain(t, "alice", 2)
	b := mustEncode(t, change.Header{Actor: "alice", Seq: 2, StartOp: 2, Deps: a[1].Deps}, set("other"))
	s := New(Options{})
	s.Add(a[0])
	s.Add(a[1])
	o := s.Add(b)[0]
	var e *EquivocationError
	if o.Status != Equivocates || !errors.As(o.Err, &e) || e.Applied != a[1].Hash || e.Offered != b.Hash || e.Seq != 2 {
		t.Errorf("%v: %v", o.Status, o.Err)
	}
	if s.Len() != 2 || s.Has(b.Hash) {
		t.Error("both are applied")
	}
}

func TestRules(t *testing.T) {
	h := change.Header{Actor: "alice", Seq: 1, StartOp: 1}
	id := func(n int) gid { return gid{uint32(n), "alice"} }
	deep := func(n int) (ops []gop) {
		for i := range n {
			ops = append(ops, gop{Op: change.Op{Key: "in", Action: change.MakeMap}})
			if i > 0 {
				ops[i].obj = id(i)
			}
		}
		return ops
	}
	count := func(n int) []gop {
		ops := []gop{{Op: change.Op{Key: "c", Action: change.Set, Value: change.Value{Type: change.Counter, Raw: "\x01"}}}}
		for range n {
			ops = append(ops, gop{Op: change.Op{Key: "c", Action: change.Increment, Value: change.Value{Type: change.Int, Raw: "\x01"}}, pred: []gid{id(1)}})
		}
		return ops
	}
	list := gop{Op: change.Op{Key: "l", Action: change.MakeList}}
	elem := func(o change.Op, at int, pred ...gid) gop {
		g := gop{Op: o, obj: id(1), pred: pred}
		if at > 0 {
			g.elem = id(at)
		}
		return g
	}
	insert := change.Op{Insert: true, Action: change.Set}
	mark := change.Op{Insert: true, Action: change.Mark}
	tests := []struct {
		name string
		want error
		ops  []gop
	}{
		{"deepest", nil, deep(MaxDepth)},
		{"too deep", ErrDepth, deep(MaxDepth + 1)},
		{"many increments", nil, count(11_000)},
		{"too many increments", ErrRepeat, count(12_000)},
		{"set, delete, set", nil, []gop{set("k"), {Op: change.Op{Key: "k", Action: change.Delete}, pred: []gid{id(1)}}, set("k")}},
		{"set twice", ErrTwice, []gop{set("k"), set("k")}},
		{"set an own element beside its value", ErrTwice, []gop{list, elem(insert, 0), elem(change.Op{Action: change.Set}, 2)}},
		{"set an own element", nil, []gop{list, elem(insert, 0), elem(change.Op{Action: change.Set}, 2, id(2)), elem(change.Op{Action: change.Set}, 2, id(3))}},
		{"insert after a mark", nil, []gop{list, elem(mark, 0), elem(insert, 2)}},
		{"set a mark", ErrElem, []gop{list, elem(mark, 0), elem(change.Op{Action: change.Set}, 2)}},
		{"overwrite a delete", ErrPred, []gop{set("k"), {Op: change.Op{Key: "k", Action: change.Delete}, pred: []gid{id(1)}}, set("k", id(2))}},
		{"overwrite in another place", ErrPred, []gop{set("k"), set("l", id(1))}},
		{"overwrite in another object", ErrPred, []gop{{Op: change.Op{Key: "m", Action: change.MakeMap}}, set("k"), {Op: change.Op{Key: "k", Action: change.Set}, obj: id(1), pred: []gid{id(2)}}}},
		{"overwrite another element", ErrPred, []gop{list, elem(insert, 0), elem(insert, 2), elem(change.Op{Action: change.Set}, 3, id(2))}},
		{"overwrite another element's second value", ErrPred, []gop{list, elem(insert, 0), elem(insert, 2), elem(change.Op{Action: change.Set}, 2, id(2)), elem(change.Op{Action: change.Set}, 3, id(4))}},
		{"key in a list", ErrKind, []gop{list, {Op: change.Op{Key: "k", Action: change.Set}, obj: id(1)}}},
		{"in a value", ErrObject, []gop{set("k"), {Op: change.Op{Key: "k", Action: change.Set}, obj: id(1)}}},
		{"after a key", ErrElem, []gop{list, set("k"), elem(insert, 2)}},
		{"increment of a string", ErrType, []gop{set("k"), {Op: change.Op{Key: "k", Action: change.Increment, Value: change.Value{Type: change.Int, Raw: "\x01"}}, pred: []gid{id(1)}}}},
	}
	for _, test := range tests {
		s := New(Options{})
		o := s.Add(mustEncode(t, h, test.ops...))[0]
		if test.want == nil && o.Status != Applied || !errors.Is(o.Err, test.want) {
			t.Errorf("%s: %v, %v", test.name, o.Status, o.Err)
		}
		if o.Status == Invalid && (s.Len() != 0 || len(s.keys) != 0 || len(s.keyOf) != 0 || len(s.actors) != 0 || len(s.objects) != 1) {
			t.Errorf("%s: an invalid change leaves something", test.name)
		}
	}
	odd := mustEncode(t, h, gop{Op: change.Op{Key: "k", Action: change.Delete}})
	if o := New(Options{}).Add(odd)[0]; !errors.Is(o.Err, change.ErrNotCanonical) {
		t.Errorf("not canonical: %v", o.Err)
	}
}

// TestClocks: many actors, long ways up and clocks that stand alone.
func TestClocks(t *testing.T) {
	s := New(Options{})
	var last *change.Change
	seqs := map[change.Actor]uint64{}
	for i := range 3000 {
		a := change.Actor([]byte{'a', byte(i % 7), byte(i % 300 / 100)})
		seqs[a]++
		h := change.Header{Actor: a, Seq: seqs[a], StartOp: uint64(i) + 1}
		if last != nil {
			h.Deps = []crdt.ChangeHash{last.Hash}
		}
		last = mustEncode(t, h, gop{Op: change.Op{Key: "k", Action: change.MakeMap}})
		if i%2 == 1 {
			s.work.clock.of = 0 // as after a change from elsewhere
		}
		if o := s.Add(last)[0]; o.Status != Applied {
			t.Fatalf("change %d: %v", i, o.Err)
		}
	}
	if n := len(s.news); n > 3*3000 {
		t.Errorf("%d clock entries for 3,000 changes in a row", n)
	}
	if i, ok := s.Index(last.Hash); !ok || i != 2999 || s.Hash(i) != last.Hash || s.MaxOp() != 3000 || s.Seq("nobody") != 0 {
		t.Errorf("index %d, %v, max op %d", i, ok, s.MaxOp())
	}
	if diff := cmp.Diff([]crdt.ChangeHash{last.Hash}, s.Heads()); diff != "" {
		t.Errorf("heads:\n%s", diff)
	}
	if b := s.Bytes(); b < 3000*80 || b > 3000*400 {
		t.Errorf("Bytes: %d for 3,000 changes", b)
	}
}

func TestLoadRefuses(t *testing.T) {
	s := New(Options{})
	for _, c := range chain(t, "alice", 3) {
		s.Add(c)
	}
	b, _ := s.AppendBinary(nil)
	for n := range b {
		if _, err := Load(b[:n], Options{}); !errors.Is(err, ErrSnapshot) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := Load(append(slices.Clone(b), 0), Options{}); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a byte more: %v", err)
	}
	b[0]++
	if _, err := Load(b, Options{}); !errors.Is(err, ErrSnapshot) {
		t.Errorf("another version: %v", err)
	}
}

func TestStatusString(t *testing.T) {
	if Applied.String() != "applied" || Equivocates.String() != "equivocates" || Status(99).String() != "unknown" {
		t.Error("names of statuses")
	}
}
