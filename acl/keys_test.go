package acl

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

func (d *testDevice) mustOpen(scope crdt.ScopeID, epoch crdt.EpochID) Secret {
	d.w.t.Helper()
	secret, err := d.ring.Open(d.w.s, scope, epoch)
	if err != nil {
		d.w.t.Fatalf("open %s: %v", epoch, err)
	}
	return secret
}

func (w *world) keys(scope crdt.ScopeID) Keys {
	w.t.Helper()
	k, err := w.s.Keys(scope)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func bothSuites(t *testing.T, f func(t *testing.T, w *world)) {
	for _, suite := range []Suite{SuiteX25519, SuiteHybrid} {
		t.Run(suite.String(), func(t *testing.T) { f(t, newWorld(t, suite)) })
	}
}

// TestShare follows a private list from its implicit epoch to a newcomer, a second
// device, a rotation, and back through the chain.
func TestShare(t *testing.T) {
	bothSuites(t, func(t *testing.T, w *world) {
		ann, bob := w.person(1), w.person(1)
		a, b := ann.devices[0], bob.devices[0]
		list := a.scope(KindList)
		implicit := crdt.EpochID(list)
		if got := w.keys(list); got.Current != implicit {
			t.Fatalf("a private list's epoch is %v, want its own id", got)
		}
		first := a.mustOpen(list, implicit)

		if _, err := b.ring.Open(w.s, list, implicit); !errors.Is(err, ErrNoKey) {
			t.Fatalf("a stranger opens: %v", err)
		}
		a.grant(list, bob, Writer)
		if got := w.keys(list); got.Current != implicit {
			t.Fatalf("after a sealed grant: %+v", got)
		}
		if !b.mustOpen(list, implicit).Equal(first) {
			t.Fatal("bob opened another secret")
		}

		// A second device opens all through its person.
		a2 := ann.link(Admin)
		if !a2.mustOpen(list, implicit).Equal(first) {
			t.Fatal("the second device opened another secret")
		}

		// Bob, a writer, rotates; ann reads the new, cy reads the old through it.
		second := crdt.EpochID(b.rotate(list).ID())
		if got := w.keys(list); got.Current != second || got.Latest != second {
			t.Fatalf("after rotation: %+v", got)
		}
		if !a.mustOpen(list, second).Equal(b.mustOpen(list, second)) {
			t.Fatal("ann and bob differ")
		}
		cy := w.person(1)
		a.grant(list, cy, Reader)
		c := cy.devices[0]
		if !c.mustOpen(list, implicit).Equal(first) {
			t.Fatal("the chain led to another secret")
		}
		if _, ok := c.ring.Get(second); !ok {
			t.Fatal("the way down the chain was not kept")
		}
	})
}

// TestDebt: a reader whom no epoch reaches makes debt, one without keys does not.
func TestDebt(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob := w.person(1), w.person(1)
	a, b := ann.devices[0], bob.devices[0]
	list := a.scope(KindList)
	never := crdt.ScopeID{7}
	w.add(w.s.GrantTo(a.Author, list, PersonPrincipal, never, Reader, a.sealing(), w.tick()))
	if diff := cmp.Diff(Keys{Current: crdt.EpochID(list), Latest: crdt.EpochID(list), Keyless: []crdt.ScopeID{never}}, w.keys(list)); diff != "" {
		t.Fatal(diff)
	}
	w.add(w.s.GrantTo(a.Author, list, PersonPrincipal, bob.id, Reader, nil, w.tick()))
	want := Keys{Latest: crdt.EpochID(list), Keyless: []crdt.ScopeID{never}, Uncovered: [][32]byte{bob.id}}
	if diff := cmp.Diff(want, w.keys(list)); diff != "" {
		t.Fatal(diff)
	}
	if !w.keys(list).Debt() {
		t.Fatal("no debt")
	}
	if _, err := b.ring.Open(w.s, list, crdt.EpochID(list)); !errors.Is(err, ErrNoKey) {
		t.Fatalf("bob opens what was not sealed to him: %v", err)
	}
	second := crdt.EpochID(a.rotate(list).ID())
	if got := w.keys(list); got.Current != second || got.Uncovered != nil {
		t.Fatalf("%+v", got)
	}
	b.mustOpen(list, second)
	b.mustOpen(list, crdt.EpochID(list))

	// A person whose device has no secret is in debt too; relays need none.
	bob.link(Relay)
	if w.keys(bob.id).Debt() {
		t.Fatal("a relay device makes debt")
	}
	_, nd := bob.newDevice(Reader)
	w.add(w.s.GrantDevice(b.Author, nd, nil, w.tick()))
	if got := w.keys(bob.id); !got.Debt() || !cmp.Equal(got.Uncovered, [][32]byte{nd.Device}) {
		t.Fatalf("%+v", got)
	}
}
