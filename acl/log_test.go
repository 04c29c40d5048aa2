package acl

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

// line writes operations of one life into a log, whose rules know no rights.
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
		Scope: l.scope, Device: l.author.Device, Incarnation: l.author.Incarnation, Seq: l.seq, Prev: l.prev,
		Path: []crdt.AccessOpID{crdt.AccessOpID(l.scope)},
		Body: &Grant{Principal: Principal{Kind: PersonPrincipal, ID: [32]byte{byte(l.seq), byte(l.seq >> 8)}}, Role: Reader},
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
	genesis, err := NewPerson(Author{Party{Device: id}, w.life(), SignWith(key)}, w.bytes16(), w.suite, 1)
	if err != nil {
		t.Fatal(err)
	}
	log, err := NewLog(genesis)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]*line, n)
	var by Author
	for i := range lines {
		if i%2 == 0 { // else another life of the device before
			id, key := w.key()
			by = Author{Party: Party{log.Scope(), id}, Sign: SignWith(key)}
		}
		by.Incarnation = w.life()
		lines[i] = &line{author: by, scope: log.Scope()}
	}
	return w, log, lines
}

// TestPast holds clocks against sets, over random graphs and every pair.
func TestPast(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, log, lines := newLines(t, rapid.IntRange(1, 6).Draw(rt, "lives"))
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

	broken, otherLife := *lines[2], *b
	broken.seq, broken.prev = 1, a1.ID()       // another device's operation as prev
	otherLife.seq, otherLife.prev = 1, a1.ID() // that of another life of the device
	otherLife.author.Incarnation = crdt.Incarnation{1}
	jump := *a
	jump.seq++ // seq 4 after 2
	elsewhere := line{author: a.author, scope: crdt.ScopeID{3}}
	forged := *a.next(t)
	forged.verified, forged.sig[0] = false, forged.sig[0]^1
	id, key := w.key()
	genesis, err := NewPerson(Author{Party{Device: id}, w.life(), SignWith(key)}, w.bytes16(), w.suite, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		op   *Op
		want error
	}{
		"prev of another":   {broken.next(t), ErrBrokenChain},
		"prev of its past":  {otherLife.next(t), ErrBrokenChain},
		"seq jumps":         {jump.next(t), ErrBrokenChain},
		"on a refused fork": {fork.next(t), ErrBrokenChain},
		"another scope":     {elsewhere.next(t, g), ErrWrongScope},
		"second genesis":    {genesis, ErrWrongScope},
		"forged signature":  {&forged, ErrBadSignature},
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
	other := &line{author: l.author, scope: l.scope}
	other.author.Incarnation[0]++
	if outcome, _, err := log.Add(other.next(t, log.Genesis().ID())); outcome != Added {
		t.Fatalf("another life of the device: %v", err)
	}
}
