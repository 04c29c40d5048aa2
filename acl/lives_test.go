package acl

import (
	"errors"
	"slices"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

// replay is a State that knows ops, taken in in their order.
func replay(t testing.TB, ops []*Op) *State {
	t.Helper()
	s := &State{}
	for _, o := range ops {
		if _, err := s.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// restoredTwice has two copies of a's replica, each as old as the other, announce a
// life of their own and grant somebody a role in list; then both are known.
func (w *world) restoredTwice(a *testDevice, list crdt.ScopeID) (lives []Author) {
	w.t.Helper()
	backup := slices.Clone(w.ops)
	for i := range 2 {
		old := replay(w.t, backup)
		by := a.Author
		by.Incarnation = w.life()
		announced, err := old.NewIncarnation(by, nil, w.tick())
		w.add(announced, err)
		if _, err := old.Add(announced); err != nil {
			w.t.Fatal(err)
		}
		w.add(old.GrantTo(by, list, PersonPrincipal, crdt.ScopeID{0xee, byte(i)}, Reader, nil, w.tick()))
		lives = append(lives, by)
	}
	return lives
}

// TestRestoredTwice: two lives begun from the same old state both count, and all that
// they write, whichever is heard of first and whatever was written after the backup.
func TestRestoredTwice(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann := w.person(1)
	a := ann.devices[0]
	list := a.scope(KindList)
	start := len(w.ops)
	lives := w.restoredTwice(a, list)
	w.add(w.s.GrantTo(a.Author, list, PersonPrincipal, crdt.ScopeID{0xdd}, Writer, nil, w.tick())) // not lost after all
	for _, by := range lives {                                                                     // each learns of the other and goes on
		w.add(w.s.GrantTo(by, list, PersonPrincipal, crdt.ScopeID{0xdd}, Admin, nil, w.tick()))
	}
	known, late := w.ops[:start], w.ops[start:]
	for range 50 {
		order := slices.Clone(late)
		for i := range order {
			j := int(w.bytes16()[0]) % (i + 1)
			order[i], order[j] = order[j], order[i]
		}
		s := replay(t, append(slices.Clone(known), order...))
		for _, o := range w.ops {
			if got := s.Status(o.Ref()); got != Effective {
				t.Fatalf("%s of life %s is %s", o.Type(), o.Incarnation, got)
			}
		}
		for scope := range w.s.Scopes() {
			want, _ := w.s.Log(scope)
			got, _ := s.Log(scope)
			if !slices.Equal(got.Heads(), want.Heads()) || got.Forks() != nil {
				t.Fatalf("log of %s: heads %v, forks %v", scope, got.Heads(), got.Forks())
			}
		}
	}
}

// TestWordsOnTwoReplicas: who uses the recovery key on two replicas forks nothing,
// and announces nothing.
func TestWordsOnTwoReplicas(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann := w.person(1)
	backup := slices.Clone(w.ops)
	for range 2 {
		by := ann.recovery
		by.Incarnation = w.life()
		_, nd := ann.newDevice(Admin)
		w.add(replay(t, backup).GrantDevice(by, nd, nil, w.tick()))
	}
	log, _ := w.s.Log(ann.id)
	if len(log.Heads()) != 2 || log.Forks() != nil {
		t.Fatal(log.Heads(), log.Forks())
	}
	// A device's rules are not escaped by the key: it has no life to announce.
	if err := w.s.Announced(ann.id, ann.recovery.Device, ann.recovery.Incarnation, nil); !errors.Is(err, ErrIncarnation) {
		t.Fatal(err)
	}
}

// badLives are signed operations that contradict the rules of lives. Of a's lives the
// last two were begun from the same old state.
func (w *world) badLives(a, b *testDevice, list crdt.ScopeID, lives []Author) (bad []vectorBad) {
	w.t.Helper()
	sign := func(name, want string, by Author, like *Op, f func(o *Op)) {
		w.t.Helper()
		o := bend(w.t, like)
		o.Device, o.Incarnation = by.Device, by.Incarnation
		f(o)
		if err := o.Sign(by.Sign); err != nil {
			w.t.Fatal(name, err)
		}
		bad = append(bad, vectorBad{name, want, opVector(o)})
	}
	of := func(by Author, scope crdt.ScopeID) (last *Op) {
		log, _ := w.s.Log(scope)
		for o := range log.All() {
			if o.life() == (life{by.Device, by.Incarnation}) {
				last = o
			}
		}
		return last
	}
	life1, grant1, grant2 := of(lives[0], a.Person), of(lives[0], list), of(lives[1], list)
	silent, foreign := a.Author, b.Author
	silent.Incarnation, foreign.Incarnation = crdt.Incarnation{1}, lives[0].Incarnation
	same := func(*Op) {}
	late := lives[0]
	late.Incarnation = crdt.Incarnation{2}
	row, _ := w.s.Heads(list)
	w.add(w.s.NewIncarnation(late, []Row{row}, w.tick()))

	sign("a life that nobody announced", "incarnation", silent, grant1, same)
	sign("a device begins with a grant in its person's log", "incarnation", silent, grant1, func(o *Op) {
		o.Scope, o.Path, o.Heads, o.Deps = a.Person, o.Path[:1], nil, []crdt.AccessOpID{life1.ID()}
	})
	sign("announced, but not in the past of the heads", "incarnation", late, grant1, same)
	sign("a group's genesis in a life not announced", "incarnation", silent, grant1, func(o *Op) {
		o.Path, o.Deps, o.Time = o.Path[:1], nil, o.Time+1
		o.Body = &Genesis{Kind: KindGroup, Owner: a.Person, Suite: w.suite}
	})
	sign("another device's life", "denied", foreign, grant1, same)
	sign("another device announces", "denied", foreign, life1, same)
	sign("a second announcement of one life", "fork", lives[0], life1, func(o *Op) { o.Time++ })
	sign("a chain goes on from that of another life", "chain", lives[0], grant1, func(o *Op) {
		o.Seq, o.Prev, o.Deps = 2, grant2.ID(), nil
	})
	sign("older than what the life announced", "heads", late, grant1, func(o *Op) {
		o.Heads = []Row{{a.Person, []crdt.AccessOpID{of(late, a.Person).ID()}}}
	})
	return bad
}

// TestBadLives: each is refused wherever it arrives, its announcement known or not.
func TestBadLives(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob := w.person(1), w.person(1)
	a, b := ann.devices[0], bob.devices[0]
	list := a.scope(KindList)
	a.grant(list, bob, Admin)
	bad := w.badLives(a, b, list, w.restoredTwice(a, list))
	for _, v := range bad {
		o, err := DecodeParts(v.Encoding, v.Sig)
		if err != nil {
			t.Fatal(err)
		}
		var refused *RefusedError
		if _, err := w.s.Add(o); !errors.As(err, &refused) || w.s.Status(o.Ref()) != Unknown {
			t.Errorf("%s: %v", v.Name, err)
		}
		if o.Type() == TypeIncarnation {
			continue
		}
		// Before anything else is known it waits, and is refused once it can be judged.
		s := &State{}
		if _, err := s.Add(o); err != nil {
			t.Fatal(v.Name, err)
		}
		told := false
		for _, known := range w.ops {
			res, err := s.Add(known)
			if err != nil {
				t.Fatal(v.Name, err)
			}
			for _, c := range res.Changes {
				told = told || c.Op == o && c.Err != nil
			}
		}
		if !told {
			t.Errorf("%s: waits for ever, or counts", v.Name)
		}
	}
}

// TestPendingLife: heads that are not known make an operation wait, be its life
// announced or not.
func TestPendingLife(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann := w.person(1)
	a := ann.devices[0]
	list := a.scope(KindList)
	before := len(w.ops)
	w.restoredTwice(a, list)
	s := replay(t, w.ops[:before])
	announced, grant := w.ops[before], w.ops[before+1]
	if res, err := s.Add(grant); err != nil || res.Outcome != Pending {
		t.Fatal(res, err)
	}
	if err := s.Announced(ann.id, a.Device, announced.Incarnation, grant.Heads); !errors.Is(err, ErrPending) {
		t.Fatal(err)
	}
	if res, err := s.Add(announced); err != nil || len(res.Changes) != 2 || s.Status(grant.Ref()) != Effective {
		t.Fatal(res, err)
	}
	if err := s.Announced(ann.id, a.Device, announced.Incarnation, grant.Heads); err != nil {
		t.Fatal(err)
	}
	if err := s.Announced(ann.id, a.Device, announced.Incarnation, nil); !errors.Is(err, ErrIncarnation) {
		t.Fatal("heads without the person's log:", err)
	}
}

// TestLivesInARow: a device that knows of 64 lives begins no other; lives that do not
// know of each other are not counted together, or replicas would differ by which came
// first.
func TestLivesInARow(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann := w.person(1)
	backup := slices.Clone(w.ops)
	by := ann.devices[0].Author
	next := func(s *State) (*Op, error) {
		by.Incarnation = w.life()
		return s.NewIncarnation(by, nil, w.tick())
	}
	for range MaxIncarnations - 1 {
		w.add(next(w.s))
	}
	if _, err := next(w.s); !errors.Is(err, ErrTooMany) {
		t.Fatal(err)
	}
	for range MaxIncarnations {
		w.add(next(replay(t, backup)))
	}
}

// TestFloodOfOneLife: a life that used up its operations stops no other life.
func TestFloodOfOneLife(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann := w.person(1)
	a := ann.devices[0]
	list := a.scope(KindList)
	grant := func(by Author) (*Op, error) {
		return w.s.GrantTo(by, list, PersonPrincipal, crdt.ScopeID{1}, Reader, nil, w.tick())
	}
	for range MaxOpsPerGrant {
		w.add(grant(a.Author))
	}
	if _, err := grant(a.Author); !errors.Is(err, ErrTooMany) {
		t.Fatal(err)
	}
	again := a.Author
	again.Incarnation = w.life()
	w.add(w.s.NewIncarnation(again, nil, w.tick()))
	w.add(grant(again))
}
