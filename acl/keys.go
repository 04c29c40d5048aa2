package acl

import (
	"bytes"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Keys says under which epoch a scope's content is sealed now.
type Keys struct {
	// Current is the epoch to seal under; zero if none is usable, which is
	// rotation debt: a writer owes the scope an epoch.
	Current crdt.EpochID
	// Uncovered are readers, ascending, whom Latest leaves out though they can
	// be reached: devices of a person, else persons.
	Uncovered [][32]byte
	// Keyless are persons who are readers and have shown no key yet: their log
	// is not known, or has no epoch. They do not hold up the others.
	Keyless []crdt.ScopeID
	// Latest is the newest epoch, usable or not; zero if there is none.
	Latest crdt.EpochID
}

// Debt reports whether a writer owes the scope a new epoch.
func (k Keys) Debt() bool { return k.Current == crdt.EpochID{} }

// Keys works out a scope's current epoch. An epoch is usable iff it reaches the
// readers and nobody else: its recipients, and those to whom a later grant sealed
// it, are readers, and every reader who has a key is among them. Of the usable
// epochs those count that no other usable one follows, and of these the lowest id.
//
// The implicit first epoch of a group or list reaches its owner. Errors are
// [*PendingError].
func (s *State) Keys(scope crdt.ScopeID) (Keys, error) {
	sc := s.scopes[scope]
	if sc == nil {
		return Keys{}, &PendingError{[]Ref{genesisRef(scope)}}
	}
	return s.keys(sc, sc.log.Known()), nil
}

// readers maps each reader to whether it has a key that can be sealed to.
type readers map[[32]byte]bool

// readersOf are the devices of a person within past, or the persons of a group or
// list, all that is known.
func (s *State) readersOf(sc *scope, past Past) readers {
	rs := readers{}
	if sc.body.Kind == KindPerson {
		for _, n := range sc.grants {
			if g := sc.log.nodes[n].op.Body.(*Grant); g.Role >= Reader && past.has(n) {
				rs[g.Principal.ID] = true
			}
		}
		return rs
	}
	for id, m := range s.members(sc, nil, everybody) {
		if m.Principal == PersonPrincipal && m.Role >= Reader {
			_, _, ok := s.personKey(id)
			rs[id] = ok
		}
	}
	return rs
}

func (s *State) keys(sc *scope, past Past) Keys {
	var k Keys
	rs := s.readersOf(sc, past)
	reached := s.reached(sc, past)
	var usable, all []int32
	for n, ids := range reached {
		all = append(all, n)
		if rs.usable(ids) {
			usable = append(usable, n)
		}
	}
	k.Current, k.Latest = sc.last(usable), sc.last(all)
	if n, ok := sc.log.find(crdt.AccessOpID(k.Latest)); ok {
		for id, key := range rs {
			if key && !slices.Contains(reached[n], id) {
				k.Uncovered = append(k.Uncovered, id)
			}
		}
	}
	for id, key := range rs {
		if !key {
			k.Keyless = append(k.Keyless, id)
		} else if k.Latest == (crdt.EpochID{}) {
			k.Uncovered = append(k.Uncovered, id)
		}
	}
	slices.SortFunc(k.Uncovered, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	slices.SortFunc(k.Keyless, compareIDs)
	return k
}

// usable reports whether ids are readers, and among them all that have keys.
func (rs readers) usable(ids [][32]byte) bool {
	covered := 0
	seen := make(map[[32]byte]bool, len(ids))
	for _, id := range ids {
		key, reader := rs[id]
		if !reader {
			return false
		}
		if key && !seen[id] {
			covered++
		}
		seen[id] = true
	}
	for _, key := range rs {
		if key {
			covered--
		}
	}
	return covered == 0
}

// reached maps each epoch of sc within past to those it was sealed to. Node 0
// stands for the implicit first epoch.
func (s *State) reached(sc *scope, past Past) map[int32][][32]byte {
	m := map[int32][][32]byte{}
	if _, _, ok := s.ownerEpoch(sc); ok {
		m[0] = [][32]byte{sc.body.Owner}
	}
	for _, n := range sc.epochs {
		if !past.has(n) {
			continue
		}
		e := sc.log.nodes[n].op.Body.(*Epoch)
		ids := make([][32]byte, len(e.Recipients))
		for i, r := range e.Recipients {
			ids[i] = r.ID
		}
		m[n] = ids
	}
	for _, n := range sc.grants {
		g := sc.log.nodes[n].op.Body.(*Grant)
		if g.Seal == nil || !past.has(n) {
			continue
		}
		e, _ := sc.log.find(crdt.AccessOpID(g.Seal.Epoch))
		if ids, ok := m[e]; ok {
			m[e] = append(ids, g.Principal.ID)
		}
	}
	return m
}

// last answers, of epochs, the lowest id among those no other follows.
func (sc *scope) last(epochs []int32) (id crdt.EpochID) {
	for _, e := range epochs {
		follows := func(f int32) bool { return f != e && sc.log.reaches(f, e) }
		if slices.ContainsFunc(epochs, follows) {
			continue
		}
		if this := crdt.EpochID(sc.log.nodes[e].op.id); id == (crdt.EpochID{}) || compareIDs(this, id) < 0 {
			id = this
		}
	}
	return id
}

// ownerEpoch is the epoch of the owner from which the implicit first epoch of a
// group or list derives: the one current at the heads its genesis names. It can
// never change.
func (s *State) ownerEpoch(sc *scope) (person *scope, epoch crdt.EpochID, ok bool) {
	if sc.body.Kind == KindPerson {
		return nil, epoch, false
	}
	row := sc.log.nodes[0].op.Heads[0]
	person = s.scopes[row.Scope]
	past, _ := person.log.Past(row.Heads)
	epoch = s.keys(person, past).Current
	return person, epoch, epoch != crdt.EpochID{}
}

// personKey is the HPKE key to which one seals for a person now: that of the
// current epoch, else of the latest.
func (s *State) personKey(person crdt.ScopeID) (crdt.EpochID, []byte, bool) {
	sc := s.scopes[person]
	if sc == nil || sc.body.Kind != KindPerson {
		return crdt.EpochID{}, nil, false
	}
	k := s.keys(sc, sc.log.Known())
	id := k.Current
	if k.Debt() {
		id = k.Latest
	}
	e, ok := sc.epoch(id)
	if !ok {
		return id, nil, false
	}
	return id, e.HPKEKey, true
}

func (sc *scope) epoch(id crdt.EpochID) (*Epoch, bool) {
	n, ok := sc.log.find(crdt.AccessOpID(id))
	if !ok {
		return nil, false
	}
	e, ok := sc.log.nodes[n].op.Body.(*Epoch)
	return e, ok
}
