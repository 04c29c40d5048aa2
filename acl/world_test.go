package acl

import (
	"crypto/ed25519"
	"crypto/hpke"
	"math/rand/v2"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

// systemSealer is the one a replica passes.
type systemSealer struct{}

func (systemSealer) Seal(key hpke.PublicKey, info, plaintext []byte) ([]byte, error) {
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, plaintext)
}

// world is some persons with their devices and one State that knows all.
type world struct {
	t     testing.TB
	s     *State
	suite Suite
	rnd   *rand.ChaCha8
	now   int64
	ops   []*Op // every operation added, in order
}

type testPerson struct {
	w        *world
	id       crdt.ScopeID
	recovery Author
	devices  []*testDevice
}

type testDevice struct {
	w *world
	Author
	ring *Keyring
	hpke hpke.PrivateKey
}

func newWorld(t testing.TB, suite Suite) *world {
	return &world{t: t, s: &State{}, suite: suite, rnd: rand.NewChaCha8([32]byte{1}), now: 1_790_000_000_000}
}

func (w *world) tick() int64 { w.now += 1000; return w.now }

func (w *world) bytes16() (b [16]byte) { w.rnd.Read(b[:]); return b }

func (w *world) life() (inc crdt.Incarnation) { w.rnd.Read(inc[:]); return inc }

func (w *world) key() (crdt.DeviceID, ed25519.PrivateKey) {
	var seed [32]byte
	w.rnd.Read(seed[:])
	key := ed25519.NewKeyFromSeed(seed[:])
	return crdt.DeviceID(key.Public().(ed25519.PublicKey)), key
}

// add adds an operation that a builder answered and expects it to count.
func (w *world) add(o *Op, err error) *Op {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.s.Add(o)
	if err != nil || res.Outcome != Added {
		w.t.Fatalf("add %s: %v %v", o.Type(), res.Outcome, err)
	}
	w.ops = append(w.ops, o)
	return o
}

// person makes a person with devices, all admins, and its first epoch.
func (w *world) person(devices int) *testPerson {
	w.t.Helper()
	rec, key := w.key()
	p := &testPerson{w: w, recovery: Author{Party{Device: rec}, w.life(), SignWith(key)}}
	o := w.add(NewPerson(p.recovery, w.bytes16(), w.suite, w.tick()))
	p.id = o.Scope
	p.recovery.Person = p.id
	for i := range devices {
		d := p.link(Admin)
		if i == 0 {
			d.rotate(p.id)
		}
	}
	return p
}

// link takes a new device in, which announces its life: the first by the recovery
// key, others by the first.
func (p *testPerson) link(role Role) *testDevice {
	p.w.t.Helper()
	d, nd := p.newDevice(role)
	by, with := p.recovery, (*Sealing)(nil)
	if len(p.devices) > 0 {
		by, with = p.devices[0].Author, p.devices[0].sealing()
	}
	p.w.add(p.w.s.GrantDevice(by, nd, with, p.w.tick()))
	p.w.add(p.w.s.NewIncarnation(d.Author, nil, p.w.tick()))
	p.devices = append(p.devices, d)
	return d
}

func (p *testPerson) newDevice(role Role) (*testDevice, NewDevice) {
	w := p.w
	id, key := w.key()
	var seed [32]byte
	w.rnd.Read(seed[:])
	priv, err := w.suite.KEM().DeriveKeyPair(seed[:])
	if err != nil {
		w.t.Fatal(err)
	}
	d := &testDevice{w: w, Author: Author{Party{p.id, id}, w.life(), SignWith(key)}, hpke: priv}
	d.ring = NewKeyring(d.Party, priv)
	join, err := NewJoin(d.Sign, p.id, priv.PublicKey().Bytes(), w.bytes16())
	if err != nil {
		w.t.Fatal(err)
	}
	return d, NewDevice{Device: id, HPKEKey: priv.PublicKey().Bytes(), Join: join, Role: role}
}

func (d *testDevice) sealing() *Sealing { return &Sealing{d.ring, systemSealer{}, d.w.rnd} }

// rotate makes the next epoch of a scope.
func (d *testDevice) rotate(scope crdt.ScopeID) *Op {
	w := d.w
	w.t.Helper()
	o, secret, err := w.s.NewEpoch(d.Author, scope, d.sealing(), w.tick())
	w.add(o, err)
	d.ring.Put(crdt.EpochID(o.ID()), secret)
	return o
}

func (d *testDevice) scope(kind Kind) crdt.ScopeID {
	w := d.w
	w.t.Helper()
	return w.add(w.s.NewScope(d.Author, kind, w.bytes16(), 0, w.tick())).Scope
}

// grant gives a person a role, with the secret.
func (d *testDevice) grant(scope crdt.ScopeID, to *testPerson, role Role) *Op {
	w := d.w
	w.t.Helper()
	return w.add(w.s.GrantTo(d.Author, scope, PersonPrincipal, to.id, role, d.sealing(), w.tick()))
}

func (d *testDevice) grantGroup(scope, group crdt.ScopeID, role Role) *Op {
	w := d.w
	w.t.Helper()
	return w.add(w.s.GrantTo(d.Author, scope, GroupPrincipal, group, role, nil, w.tick()))
}

// authorize asks for an item that d would write now.
func (d *testDevice) authorize(scope crdt.ScopeID) (Authority, error) {
	path, _, err := d.w.s.Path(d.Party, scope)
	if err != nil {
		return Authority{}, err
	}
	heads, err := d.w.s.ItemHeads(d.Author, scope, path)
	if err != nil {
		return Authority{}, err
	}
	return d.w.s.Authorize(scope, d.Device, path, heads)
}
