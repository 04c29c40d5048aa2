package acl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

// TestSecretsDoNotPrint tries every way by which a value gets into text.
func TestSecretsDoNotPrint(t *testing.T) {
	raw := bytes.Repeat([]byte("k"), 32)
	secret, err := NewSecret(raw)
	if err != nil {
		t.Fatal(err)
	}
	ring := NewKeyring(Party{})
	ring.Put(crdt.EpochID{1}, secret)
	var out strings.Builder
	for _, v := range []any{secret, &secret, struct{ S Secret }{secret}, []Secret{secret}, struct{ s Secret }{secret}, struct{ s *Secret }{&secret}, ring, *ring, struct{ k Keyring }{*ring}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, _ := json.Marshal(v)
		out.Write(b)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
	}
	for _, leak := range []string{"kkk", "6b6b", "6B6B", "107 107", "153153", "a2tr"} {
		if i := strings.Index(out.String(), leak); i >= 0 {
			t.Errorf("%q shows: ...%.60s", leak, out.String()[i:])
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was printed at all")
	}
}

func TestSecretZero(t *testing.T) {
	secret, _ := NewSecret(bytes.Repeat([]byte{7}, 32))
	copied := secret
	ring := NewKeyring(Party{})
	ring.Put(crdt.EpochID{1}, secret)
	for id, kept := range ring.All() {
		if id != (crdt.EpochID{1}) || !kept.Equal(secret) {
			t.Fatal(id)
		}
	}
	ring.Zero()
	if !copied.IsZero() || !bytes.Equal(copied.Bytes(), make([]byte, 32)) {
		t.Fatal("a copy survives")
	}
	if _, ok := ring.Get(crdt.EpochID{1}); ok {
		t.Fatal("the keyring remembers")
	}
	var none Secret
	none.Zero()
	if !none.IsZero() || none.Bytes() != nil || none.Equal(secret) {
		t.Fatal("the zero secret")
	}
	if _, err := NewSecret(make([]byte, 31)); !errors.Is(err, ErrBadSecret) {
		t.Fatal(err)
	}
}

// TestBadEpochs: each lie in an epoch is found by whoever opens it, and named.
func TestBadEpochs(t *testing.T) {
	other, _ := NewSecret(bytes.Repeat([]byte{9}, 32))
	for name, c := range map[string]struct {
		bend func(w *world, e *Epoch, scope crdt.ScopeID, bobs []byte)
		why  string
	}{
		"commitment to another secret": {func(w *world, e *Epoch, scope crdt.ScopeID, _ []byte) {
			e.Commit = other.Commitment(scope)
		}, "the secret is not the one committed to"},
		"another secret for one reader": {func(w *world, e *Epoch, scope crdt.ScopeID, bobs []byte) {
			for i := range e.Recipients {
				r := &e.Recipients[i]
				r.Sealed, _ = seal(systemSealer{}, bobs, epochSealInfo(scope, e.Parents, r.ID), other)
			}
		}, "the secret is not the one committed to"},
		"sealed for another scope": {func(w *world, e *Epoch, _ crdt.ScopeID, bobs []byte) {
			for i := range e.Recipients {
				r := &e.Recipients[i]
				r.Sealed, _ = seal(systemSealer{}, bobs, epochSealInfo(crdt.ScopeID{1}, e.Parents, r.ID), other)
			}
		}, "the sealed secret does not open"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, SuiteX25519)
			ann, bob := w.person(1), w.person(1)
			a, b := ann.devices[0], bob.devices[0]
			list := a.scope(KindList)
			a.grant(list, bob, Writer)
			good, _, err := w.s.NewEpoch(a.Author, list, a.sealing(), w.tick())
			if err != nil {
				t.Fatal(err)
			}
			bad := bend(t, good)
			_, bobs, _ := w.s.personKey(bob.id)
			c.bend(w, bad.Body.(*Epoch), list, bobs)
			if err := bad.Sign(a.Sign); err != nil {
				t.Fatal(err)
			}
			w.add(bad, nil)
			_, err = b.ring.Open(w.s, list, crdt.EpochID(bad.ID()))
			var typed *BadEpochError
			if !errors.As(err, &typed) || !errors.Is(err, ErrBadEpoch) || typed.Op != bad.ID() || typed.Why != c.why {
				t.Fatalf("%v, want: %s", err, c.why)
			}
			if _, ok := b.ring.Get(crdt.EpochID(bad.ID())); ok {
				t.Fatal("a bad secret was kept")
			}
			// The remedy: the next epoch reaches everybody, and the old ones too.
			next := crdt.EpochID(b.rotate(list).ID())
			if k := w.keys(list); k.Current != next {
				t.Fatalf("%+v", k)
			}
			a.mustOpen(list, next)
			b.mustOpen(list, crdt.EpochID(list))
		})
	}
}

// TestBadPersonKey: a published key that does not derive from the secret is found.
func TestBadPersonKey(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann := w.person(1)
	a := ann.devices[0]
	good, _, err := w.s.NewEpoch(a.Author, ann.id, a.sealing(), w.tick())
	if err != nil {
		t.Fatal(err)
	}
	bad := bend(t, good)
	bad.Body.(*Epoch).HPKEKey = a.hpke.PublicKey().Bytes()
	if err := bad.Sign(a.Sign); err != nil {
		t.Fatal(err)
	}
	w.add(bad, nil)
	if _, err := a.ring.Open(w.s, ann.id, crdt.EpochID(bad.ID())); !errors.Is(err, ErrBadEpoch) {
		t.Fatal(err)
	}
}

// TestBadChain: a parent's secret that is not the parent's is not kept.
func TestBadChain(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob := w.person(1), w.person(1)
	a, b := ann.devices[0], bob.devices[0]
	list := a.scope(KindList)
	first := crdt.EpochID(a.rotate(list).ID())
	o, secret, err := w.s.NewEpoch(a.Author, list, a.sealing(), w.tick())
	if err != nil {
		t.Fatal(err)
	}
	bad := bend(t, o)
	other, _ := NewSecret(bytes.Repeat([]byte{9}, 32))
	bad.Body.(*Epoch).Chain[0], _ = secret.chainSeal(list, first, other, w.rnd)
	if err := bad.Sign(a.Sign); err != nil {
		t.Fatal(err)
	}
	w.add(bad, nil)
	a.ring.Put(crdt.EpochID(bad.ID()), secret)
	a.grant(list, bob, Reader)
	b.mustOpen(list, crdt.EpochID(bad.ID()))
	var typed *BadEpochError
	if _, err := b.ring.Open(w.s, list, first); !errors.As(err, &typed) || typed.Epoch != first || typed.Op != bad.ID() {
		t.Fatal(err)
	}
	if _, err := b.ring.Open(w.s, list, crdt.EpochID{4}); !errors.Is(err, ErrPending) {
		t.Fatalf("an epoch not known: %v", err)
	}
	if _, err := b.ring.Open(&State{}, list, first); !errors.Is(err, ErrPending) {
		t.Fatalf("a scope not known: %v", err)
	}
	if _, err := b.ring.Open(w.s, bob.id, crdt.EpochID(w.deviceGrant(b))); !errors.Is(err, ErrNoKey) {
		t.Fatalf("no epoch: %v", err)
	}
}
