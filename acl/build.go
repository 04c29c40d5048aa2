package acl

import (
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Author writes operations: a device for its person, or a person's recovery key in
// the person's own log, where Device is the recovery public key. The builders of
// [State] find its path, name what the State knows, and sign; they answer the
// operation without adding it. An author must add each before it builds the next
// in the same scope, or it forks its own chain.
//
// Incarnation is the life of the replica that signs. A device announces each with
// [State.NewIncarnation] before it writes anything else.
type Author struct {
	Party
	Incarnation crdt.Incarnation
	Sign        Signer
}

// NewPerson begins a person, whose scope will be by's Person: the recovery key signs,
// and is the owner. Suite zero is [DefaultSuite]. nonce is random; time is in Unix
// milliseconds, here and below.
func NewPerson(by Author, nonce [16]byte, suite Suite, time int64) (*Op, error) {
	o := &Op{Device: by.Device, Incarnation: by.Incarnation, Seq: 1, Time: time, Body: &Genesis{
		Kind: KindPerson, Owner: by.Device, Suite: suite.orDefault(), Nonce: nonce,
	}}
	if err := o.Sign(by.Sign); err != nil {
		return nil, err
	}
	return o, nil
}

func (s Suite) orDefault() Suite {
	if s == 0 {
		return DefaultSuite
	}
	return s
}

// NewScope begins a group or a document's own list, owned by the author's person.
// Suite zero is that of the person.
func (s *State) NewScope(by Author, kind Kind, nonce [16]byte, suite Suite, time int64) (*Op, error) {
	path, _, err := s.Path(by.Party, by.Person)
	if err != nil {
		return nil, err
	}
	row, err := s.Heads(by.Person, append(s.lifeNeeds(by, by.Person), path...)...)
	if err != nil {
		return nil, err
	}
	if suite == 0 {
		suite = s.scopes[by.Person].body.Suite
	}
	o := &Op{Device: by.Device, Incarnation: by.Incarnation, Path: path, Heads: []Row{row}, Seq: 1, Time: time, Body: &Genesis{
		Kind: kind, Owner: by.Person, Suite: suite, Nonce: nonce,
	}}
	if err := o.Sign(by.Sign); err != nil {
		return nil, err
	}
	past, _ := s.pastOf(o.Heads)
	if _, err := s.judge(nil, o, past); err != nil {
		return nil, err
	}
	return o, nil
}

// NewDevice is what a person needs to know of a device to take it in.
type NewDevice struct {
	Device  crdt.DeviceID
	HPKEKey []byte // public, in the person's suite
	Join    Join   // see [NewJoin]
	Role    Role   // Admin: it speaks for the person without limit
}

// GrantDevice takes a device into the author's person. with seals the current
// epoch to it; nil seals nothing, as for the first device, which then makes the
// first epoch.
func (s *State) GrantDevice(by Author, d NewDevice, with *Sealing, time int64) (*Op, error) {
	g := &Grant{
		Principal: Principal{DevicePrincipal, d.Device, slices.Clone(d.HPKEKey)},
		Role:      d.Role,
		Join:      &d.Join,
	}
	if with != nil && d.Role >= Reader {
		var err error
		if g.Seal, err = s.newSeal(by.Person, d.Device, crdt.EpochID{}, d.HPKEKey, with); err != nil {
			return nil, err
		}
	}
	return s.build(by, by.Person, g, time)
}

// GrantTo gives a person or a group a role in a group or list. with seals the
// current epoch to a reader whose key is known; who has shown no key yet, or where
// no epoch is usable, gets the role now and the secret with the next epoch (see
// [State.Keys]).
func (s *State) GrantTo(by Author, scope crdt.ScopeID, kind PrincipalKind, id crdt.ScopeID, role Role, with *Sealing, time int64) (*Op, error) {
	g := &Grant{Principal: Principal{Kind: kind, ID: id}, Role: role}
	to, key, ok := s.personKey(id)
	if with != nil && kind == PersonPrincipal && role >= Reader && ok {
		var err error
		if g.Seal, err = s.newSeal(scope, id, to, key, with); err != nil {
			return nil, err
		}
	}
	return s.build(by, scope, g, time)
}

// NewIncarnation announces the author's life in its person's log: its device's first
// operation there. heads, of other scopes and ascending, are what nothing of this life
// may know less than; the person's log as it is known goes without saying.
func (s *State) NewIncarnation(by Author, heads []Row, time int64) (*Op, error) {
	return s.build(by, by.Person, &Incarnation{Heads: heads}, time)
}

// build signs an operation that names all s knows, and asks the rules themselves
// whether they will admit it.
func (s *State) build(by Author, scope crdt.ScopeID, body Body, time int64) (*Op, error) {
	path, _, err := s.Path(by.Party, scope)
	if err != nil {
		return nil, err
	}
	sc := s.scopes[scope]
	o := &Op{Scope: scope, Device: by.Device, Incarnation: by.Incarnation, Path: path, Seq: 1, Body: body, Time: time}
	if c := sc.log.chainOf(o.life()); c >= 0 {
		nodes := sc.log.chains[c].nodes
		o.Prev = sc.log.nodes[nodes[len(nodes)-1]].op.id
		o.Seq = uint64(len(nodes)) + 1
	}
	o.Deps = sc.log.pick(MaxDeps, append(bodyNeeds(path, body), s.lifeNeeds(by, scope)...), o.Prev)
	if o.Heads, err = s.rows(by, scope, path); err != nil {
		return nil, err
	}
	if err := o.Sign(by.Sign); err != nil {
		return nil, err
	}
	past, missing := s.pastOf(o.Heads)
	if missing != nil {
		return nil, &PendingError{missing}
	}
	if _, err := sc.log.check(o); err != nil {
		return nil, err
	}
	if _, err := s.judge(sc, o, past); err != nil {
		return nil, err
	}
	return o, nil
}

// bodyNeeds are the operations that must be in the past of one with this body.
func bodyNeeds(path []crdt.AccessOpID, body Body) []crdt.AccessOpID {
	must := slices.Clone(path[len(path)-1:])
	switch b := body.(type) {
	case *Grant:
		if b.Seal != nil {
			must = append(must, crdt.AccessOpID(b.Seal.Epoch))
		}
	case *Epoch:
		for _, p := range b.Parents {
			must = append(must, crdt.AccessOpID(p))
		}
	}
	return must
}

// rows names the heads of the other scopes that path passes.
func (s *State) rows(by Author, scope crdt.ScopeID, path []crdt.AccessOpID) ([]Row, error) {
	var rows []Row
	at := scope
	for i := len(path) - 1; i > 0; i-- {
		sc := s.scopes[at]
		n, ok := sc.log.find(path[i])
		if !ok {
			return nil, fmt.Errorf("acl: path %s is not in scope %s", path[i], at) // Path found it there
		}
		at = link(sc, n).id
		row, err := s.Heads(at, append(s.lifeNeeds(by, at), path[i-1])...)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Row) int { return compareIDs(a.Scope, b.Scope) })
	return rows, nil
}

// ItemHeads names, for an item the author writes in scope under path, what is
// known of each scope on the path, scope included: the heads of a change set's
// header or of a document's genesis.
func (s *State) ItemHeads(by Author, scope crdt.ScopeID, path []crdt.AccessOpID) ([]Row, error) {
	if len(path) == 0 {
		return nil, &DeniedError{Scope: scope, Why: DeniedPathShape}
	}
	rows, err := s.rows(by, scope, path)
	if err != nil {
		return nil, err
	}
	own, err := s.Heads(scope, append(s.lifeNeeds(by, scope), path[len(path)-1])...)
	if err != nil {
		return nil, err
	}
	rows = append(rows, own)
	slices.SortFunc(rows, func(a, b Row) int { return compareIDs(a.Scope, b.Scope) })
	return rows, nil
}
