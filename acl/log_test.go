package acl

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

// line writes operations of one device into a log, whose rules know no rights.
type line struct {
	author Author
	scope  crdt.ScopeID
	seq    uint64
	prev   crdt.AccessOpID
}

func (l *line) next(t testing.TB, deps ...crdt.AccessOpID) *Op {
	t.Helper()
	l.seq++
	o := &Op{
		Scope: l.scope, Device: l.author.Device, Path: []crdt.AccessOpID{crdt.AccessOpID(l.scope)}, Seq: l.seq, Prev: l.prev,
		Body: &Incarnation{Device: l.author.Device, Incarnation: crdt.Incarnation{byte(l.seq), byte(l.seq >> 8)}},
	}
	deps = slices.DeleteFunc(slices.Clone(deps), func(id crdt.AccessOpID) bool { return id == l.prev })
	slices.SortFunc(deps, compareIDs)
	o.Deps = slices.Compact(deps)
	if err := o.Sign(l.author.Sign); err != nil {
		t.Fatal(err)
	}
	l.prev = o.ID()
	return o
}

func newLines(t testing.TB, n int) (*world, *Log, []*line) {
	t.Helper()
	w := newWorld(t, SuiteX25519)
	id, key := w.key()
	genesis, err := NewPerson(id, SignWith(key), w.bytes16(), w.suite, 1)
	if err != nil {
		t.Fatal(err)
	}
	log, err := NewLog(genesis)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]*line, n)
	for i := range lines {
		id, key := w.key()
		lines[i] = &line{author: Author{Party{log.Scope(), id}, SignWith(key)}, scope: log.Scope()}
	}
	return w, log, lines
}

// TestPast holds clocks against sets, over random graphs and every pair.
func TestPast(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, log, lines := newLines(t, rapid.IntRange(1, 6).Draw(rt, "devices"))
		past := map[crdt.AccessOpID]map[crdt.AccessOpID]bool{log.Genesis().ID(): {log.Genesis().ID(): true}}
		ids := []crdt.AccessOpID{log.Genesis().ID()}
		for range rapid.IntRange(1, 30).Draw(rt, "ops") {
			l := lines[rapid.IntRange(0, len(lines)-1).Draw(rt, "line")]
			var deps []crdt.AccessOpID
			for range rapid.IntRange(0, 3).Draw(rt, "deps") {
				deps = append(deps, ids[rapid.IntRange(0, len(ids)-1).Draw(rt, "dep")])
			}
			if l.seq == 0 && len(deps) == 0 {
				deps = ids[:1]
			}
			o := l.next(t, deps...)
			if outcome, _, err := log.Add(o); outcome != Added {
				rt.Fatal(outcome, err)
			}
			set := map[crdt.AccessOpID]bool{o.ID(): true}
			for _, id := range before(o) {
				for in := range past[id] {
					set[in] = true
				}
			}
			past[o.ID()], ids = set, append(ids, o.ID())
		}
		for _, tip := range ids {
			p, unknown := log.Past([]crdt.AccessOpID{tip})
			if unknown != nil {
				rt.Fatal("unknown", unknown)
			}
			for _, id := range ids {
				if p.Has(id) != past[tip][id] {
					rt.Fatalf("%s in the past of %s: %v", id, tip, p.Has(id))
				}
			}
			var missing, want []crdt.AccessOpID
			for o := range log.Missing([]crdt.AccessOpID{tip, {1}}) {
				missing = append(missing, o.ID())
			}
			for _, id := range ids {
				if !past[tip][id] {
					want = append(want, id)
				}
			}
			if diff := cmp.Diff(want, missing); diff != "" {
				rt.Fatal(diff)
			}
			checkPick(rt, log, past, tip)
		}
	})
}

// checkPick: few heads are taken whole, of many those that reach what must be.
func checkPick(rt *rapid.T, log *Log, past map[crdt.AccessOpID]map[crdt.AccessOpID]bool, must crdt.AccessOpID) {
	limit := rapid.IntRange(1, 4).Draw(rt, "limit")
	heads := log.pick(limit, []crdt.AccessOpID{must}, crdt.AccessOpID{})
	if want := min(limit, len(log.Heads())); len(heads) != want || !ascending(heads) {
		rt.Fatalf("%d heads, want %d", len(heads), want)
	}
	if !slices.ContainsFunc(heads, func(h crdt.AccessOpID) bool { return past[h][must] }) {
		rt.Fatalf("no head of %d reaches what must be", len(heads))
	}
}

func TestLogRefuses(t *testing.T) {
	w, log, lines := newLines(t, 3)
	g := log.Genesis().ID()
	a, b := lines[0], lines[1]
	a1 := a.next(t, g)
	fork := *a
	fork.seq, fork.prev = 0, crdt.AccessOpID{}
	b1 := b.next(t, a1.ID())
	a1x := fork.next(t, g, b1.ID())
	a2 := a.next(t)

	if outcome, missing, err := log.Add(a2); outcome != Pending || err != nil || !cmp.Equal(missing, []crdt.AccessOpID{a1.ID()}) {
		t.Fatalf("without prev: %v %v %v", outcome, missing, err)
	}
	for _, o := range []*Op{a1, b1, a2} {
		if outcome, _, err := log.Add(o); outcome != Added {
			t.Fatal(outcome, err)
		}
	}
	if outcome, _, err := log.Add(a1); outcome != Duplicate || err != nil {
		t.Fatal(outcome, err)
	}

	var forked *ForkError
	if _, _, err := log.Add(a1x); !errors.Is(err, ErrFork) || !errors.As(err, &forked) || forked.Kept != a1 || forked.Refused != a1x {
		t.Fatalf("a fork: %v", err)
	}
	if f := log.Forks(); len(f) != 1 || f[0] != forked {
		t.Fatalf("evidence: %v", f)
	}

	broken := *lines[2]
	broken.seq, broken.prev = 1, a1.ID() // another device's operation as prev
	jump := *a
	jump.seq++ // seq 4 after 2
	elsewhere := line{author: a.author, scope: crdt.ScopeID{3}}
	forged := *a.next(t)
	forged.verified, forged.sig[0] = false, forged.sig[0]^1
	id, key := w.key()
	genesis, err := NewPerson(id, SignWith(key), w.bytes16(), w.suite, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		op   *Op
		want error
	}{
		"prev of another":  {broken.next(t), ErrBrokenChain},
		"seq jumps":        {jump.next(t), ErrBrokenChain},
		"another scope":    {elsewhere.next(t, g), ErrWrongScope},
		"second genesis":   {genesis, ErrWrongScope},
		"forged signature": {&forged, ErrBadSignature},
	} {
		var refused *RefusedError
		if _, _, err := log.Add(c.op); !errors.Is(err, c.want) || !errors.As(err, &refused) || refused.Op != c.op.Ref() {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if log.Len() != 4 {
		t.Fatalf("%d operations", log.Len())
	}
	if _, err := NewLog(a1); !errors.Is(err, ErrWrongScope) {
		t.Fatalf("a log begun with %s: %v", a1.Type(), err)
	}
}

func TestTooManyUnderOneGrant(t *testing.T) {
	_, log, lines := newLines(t, 1)
	l := lines[0]
	for range MaxOpsPerGrant {
		if outcome, _, err := log.Add(l.next(t, log.Genesis().ID())); outcome != Added {
			t.Fatal(outcome, err)
		}
	}
	if _, _, err := log.Add(l.next(t)); !errors.Is(err, ErrTooMany) {
		t.Fatalf("one more: %v", err)
	}
}
