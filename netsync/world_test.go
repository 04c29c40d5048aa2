package netsync

import (
	"crypto/ed25519"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/set"
)

// world makes persons, lists and documents from one seed. Every builder adds the
// operation it signs to the state it is given.
type world struct {
	tb  testing.TB
	rnd *rand.ChaCha8
	now int64
}

type person struct {
	id       crdt.ScopeID
	recovery acl.Author
	devices  []*device
}

type device struct {
	w   *world
	key ed25519.PrivateKey
	acl.Author
}

func newWorld(tb testing.TB, seed byte) *world {
	return &world{tb: tb, rnd: rand.NewChaCha8([32]byte{seed}), now: 1_790_000_000_000}
}

func (w *world) tick() int64 { w.now += 1000; return w.now }

func (w *world) read(p []byte) { w.rnd.Read(p) }

func (w *world) nonce16() (b [16]byte) { w.read(b[:]); return b }

func (w *world) life() (inc crdt.Incarnation) { w.read(inc[:]); return inc }

func (w *world) nonce24() (b [24]byte) { w.read(b[:]); return b }

func (w *world) bytes32() (b [32]byte) { w.read(b[:]); return b }

func (w *world) key() (crdt.DeviceID, ed25519.PrivateKey) {
	seed := w.bytes32()
	key := ed25519.NewKeyFromSeed(seed[:])
	return crdt.DeviceID(key.Public().(ed25519.PublicKey)), key
}

// add adds what a builder answered and expects it to count.
func (w *world) add(s *acl.State, o *acl.Op, err error) *acl.Op {
	w.tb.Helper()
	if err != nil {
		w.tb.Fatal(err)
	}
	if res, err := s.Add(o); err != nil || res.Outcome != acl.Added {
		w.tb.Fatalf("add %s: %v %v", o.Type(), res.Outcome, err)
	}
	return o
}

// person makes a person with one device.
func (w *world) person(s *acl.State) *person {
	w.tb.Helper()
	rec, key := w.key()
	p := &person{recovery: acl.Author{Party: acl.Party{Device: rec}, Incarnation: w.life(), Sign: acl.SignWith(key)}}
	o, err := acl.NewPerson(p.recovery, w.nonce16(), acl.SuiteX25519, w.tick())
	p.id = w.add(s, o, err).Scope
	p.recovery.Person = p.id
	p.link(w, s, acl.Admin)
	return p
}

// link takes another device in.
func (p *person) link(w *world, s *acl.State, role acl.Role) *device {
	w.tb.Helper()
	id, key := w.key()
	seed := w.bytes32()
	priv, err := acl.SuiteX25519.KEM().DeriveKeyPair(seed[:])
	if err != nil {
		w.tb.Fatal(err)
	}
	d := &device{w: w, key: key, Author: acl.Author{Party: acl.Party{Person: p.id, Device: id}, Incarnation: w.life(), Sign: acl.SignWith(key)}}
	hpkeKey := priv.PublicKey().Bytes()
	join, err := acl.NewJoin(d.Sign, p.id, hpkeKey, w.nonce16())
	if err != nil {
		w.tb.Fatal(err)
	}
	o, err := s.GrantDevice(p.recovery, acl.NewDevice{Device: id, HPKEKey: hpkeKey, Join: join, Role: role}, nil, w.tick())
	w.add(s, o, err)
	o, err = s.NewIncarnation(d.Author, nil, w.tick())
	w.add(s, o, err)
	p.devices = append(p.devices, d)
	return d
}

func (d *device) scope(s *acl.State, kind acl.Kind) crdt.ScopeID {
	d.w.tb.Helper()
	o, err := s.NewScope(d.Author, kind, d.w.nonce16(), 0, d.w.tick())
	return d.w.add(s, o, err).Scope
}

func (d *device) grant(s *acl.State, scope crdt.ScopeID, to *person, role acl.Role) *acl.Op {
	d.w.tb.Helper()
	o, err := s.GrantTo(d.Author, scope, acl.PersonPrincipal, to.id, role, nil, d.w.tick())
	return d.w.add(s, o, err)
}

func (d *device) grantGroup(s *acl.State, scope, group crdt.ScopeID, role acl.Role) *acl.Op {
	d.w.tb.Helper()
	o, err := s.GrantTo(d.Author, scope, acl.GroupPrincipal, group, role, nil, d.w.tick())
	return d.w.add(s, o, err)
}

// live announces a new incarnation, for items; heads are of other scopes than the
// person's, whose row is left out. Operations stay in the life that link announced.
func (d *device) live(s *acl.State, heads []acl.Row) crdt.Incarnation {
	d.w.tb.Helper()
	by := d.Author
	by.Incarnation = d.w.life()
	heads = slices.DeleteFunc(slices.Clone(heads), func(r acl.Row) bool { return r.Scope == d.Person })
	o, err := s.NewIncarnation(by, heads, d.w.tick())
	d.w.add(s, o, err)
	return by.Incarnation
}

// claim is the path and heads of an item that d writes now.
func (d *device) claim(s *acl.State, scope crdt.ScopeID) ([]crdt.AccessOpID, []set.Heads) {
	d.w.tb.Helper()
	path, _, err := s.Path(d.Party, scope)
	if err != nil {
		d.w.tb.Fatal(err)
	}
	rows, err := s.ItemHeads(d.Author, scope, path)
	if err != nil {
		d.w.tb.Fatal(err)
	}
	heads := make([]set.Heads, len(rows))
	for i, r := range rows {
		heads[i] = set.Heads{Scope: r.Scope, Ops: r.Heads}
	}
	return path, heads
}

// document is a document with the secret of its scope's epoch.
type document struct {
	*set.Document
	secret [32]byte
}

func (d *device) document(s *acl.State, scope crdt.ScopeID) *document {
	w := d.w
	w.tb.Helper()
	path, heads := d.claim(s, scope)
	doc := &document{secret: w.bytes32()}
	g := set.Genesis{Scope: scope, Device: d.Device, Path: path, Heads: heads, Nonce: w.nonce16(), Epoch: crdt.EpochID(scope)}
	if err := g.Seal(set.About{Title: "Ward round"}, doc.secret, w.nonce24()); err != nil {
		w.tb.Fatal(err)
	}
	var err error
	if doc.Document, err = set.NewDocument(g, d.key); err != nil {
		w.tb.Fatal(err)
	}
	return doc
}

// author writes one chain, as its replica's state allows.
type author struct {
	*device
	access *acl.State
	doc    *document
	coder  set.Coder
	next   set.Header // but for path, heads and what sealing fills in
	last   crdt.ChangeHash
	frozen bool // keep path and heads of the header given
}

func (d *device) author(s *acl.State, doc *document) *author {
	return d.authorOf(s, doc, d.live(s, nil))
}

func (d *device) authorOf(s *acl.State, doc *document, inc crdt.Incarnation) *author {
	return &author{device: d, access: s, doc: doc, next: set.Header{
		Scope: doc.Genesis.Scope, Doc: doc.ID(), Device: d.Device, Incarnation: inc,
		Seq: 1, Prev: crdt.ChangeSetID(doc.ID()), Epoch: doc.Genesis.Epoch,
	}}
}

// fork is another author of the same chain from here on.
func (a *author) fork() *author {
	b := *a
	b.coder = set.Coder{}
	return &b
}

// write seals and signs the next item: one change that sets a key of the root.
func (a *author) write(deps ...crdt.ChangeSetID) *set.Set {
	a.w.tb.Helper()
	return a.writeText("mild fever since Tuesday", deps...)
}

func (a *author) writeText(text string, deps ...crdt.ChangeSetID) *set.Set {
	a.w.tb.Helper()
	h := a.next
	if !a.frozen {
		h.Path, h.Heads = a.claim(a.access, h.Scope)
	}
	h.Deps = slices.Clone(deps)
	slices.SortFunc(h.Deps, func(x, y crdt.ChangeSetID) int { return slices.Compare(x[:], y[:]) })
	content := set.Content{Time: a.w.tick(), Changes: [][]byte{a.change(text)}}
	s, err := a.coder.Seal(h, content, set.ContentKey(a.doc.secret, a.doc.ID()), a.w.nonce24())
	if err != nil {
		a.w.tb.Fatal(err)
	}
	s.Sign(a.key)
	a.next.Seq++
	a.next.Prev = s.ID()
	return s
}

// freeze keeps path and heads as they are now.
func (a *author) freeze() *author {
	a.next.Path, a.next.Heads = a.claim(a.access, a.next.Scope)
	a.frozen = true
	return a
}

func (a *author) change(text string) []byte {
	a.w.tb.Helper()
	actor := crdt.DeriveActor(a.next.Doc, a.next.Device, a.next.Incarnation)
	seq := a.next.Seq
	h := change.Header{Actor: change.Actor(actor[:]), Seq: seq, StartOp: seq, Time: a.w.now / 1000}
	op := change.Op{Key: "note", Action: change.Set, Value: change.Value{Type: change.String, Raw: text}}
	if seq > 1 {
		h.Deps = []crdt.ChangeHash{a.last}
		op.Pred = []change.OpID{{Ctr: uint32(seq - 1)}}
	}
	c, err := change.Build(h, []change.Actor{h.Actor}, []change.Op{op}, "")
	if err != nil {
		a.w.tb.Fatal(err)
	}
	a.last = c.Hash
	return c.Encode()
}

// run writes n items with equal claims.
func (a *author) run(n int) []*set.Set {
	a.w.tb.Helper()
	out := make([]*set.Set, n)
	for i := range out {
		out[i] = a.write()
	}
	return out
}

// resign is s with another header, signed by key.
func (w *world) resign(s *set.Set, key ed25519.PrivateKey, edit func(*set.Header)) *set.Set {
	w.tb.Helper()
	h := s.Header
	edit(&h)
	raw, err := h.Encode()
	if err != nil {
		w.tb.Fatal(err)
	}
	out, err := set.NewSet(raw, nil, s.Payload)
	if err != nil {
		w.tb.Fatal(err)
	}
	if key != nil {
		out.Sign(key)
	}
	return out
}

// copySet is s as it would come out of a file: what happens to one copy does not
// happen to another.
func copySet(s *set.Set) *set.Set {
	c := *s
	return &c
}

func copySets(sets []*set.Set) []*set.Set {
	out := make([]*set.Set, len(sets))
	for i, s := range sets {
		out[i] = copySet(s)
	}
	return out
}

func unsigned(s *set.Set) *set.Set { c := copySet(s); c.Sig = nil; return c }

// forged carries a signature of the right length that is wrong.
func forged(s *set.Set) *set.Set {
	c := copySet(s)
	c.Sig = slices.Clone(s.Sig)
	if c.Sig == nil {
		c.Sig = make([]byte, 64)
	}
	c.Sig[7] ^= 1
	return c
}
