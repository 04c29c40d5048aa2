package acl

import (
	"bytes"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Member is one party of a scope with the strongest role it has there: a device
// of a person (or its recovery key), a person of a group or list. Persons who are
// in only through a group are members too.
type Member struct {
	Principal PrincipalKind // DevicePrincipal or PersonPrincipal
	ID        [32]byte
	Role      Role
	Depth     int             // of Grant
	Grant     crdt.AccessOpID // in the scope asked about; its genesis for the owner
	By        crdt.ScopeID    // the person who granted; an owner's own scope
	Since     int64           // Unix milliseconds, as the granter claimed
	Via       []crdt.ScopeID  // the groups between, from the scope inwards
}

// Device is m's id as a device.
func (m Member) Device() crdt.DeviceID { return crdt.DeviceID(m.ID) }

// Person is m's id as a person.
func (m Member) Person() crdt.ScopeID { return crdt.ScopeID(m.ID) }

// better orders the ways into a scope: strongest role, fewest groups, nearest to
// the owner, lowest id; never by who claims to have been first.
func (m Member) better(o Member) bool {
	switch {
	case m.Role != o.Role:
		return m.Role > o.Role
	case len(m.Via) != len(o.Via):
		return len(m.Via) < len(o.Via)
	case m.Depth != o.Depth:
		return m.Depth < o.Depth
	case m.Grant != o.Grant:
		return compareIDs(m.Grant, o.Grant) < 0
	}
	return slices.CompareFunc(m.Via, o.Via, compareIDs) < 0
}

// Members are the members of scope, strongest first, then by id. Of a group whose
// log is not known nobody is seen. Errors are [*PendingError].
func (s *State) Members(scope crdt.ScopeID) ([]Member, error) {
	sc := s.scopes[scope]
	if sc == nil {
		return nil, &PendingError{[]Ref{genesisRef(scope)}}
	}
	found := s.members(sc, nil, everybody)
	list := make([]Member, 0, len(found))
	for _, m := range found {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Member) int {
		if a.Role != b.Role {
			return int(b.Role) - int(a.Role)
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	return list, nil
}

// everybody is the id of no party.
var everybody [32]byte

// members finds the strongest place of each party of sc. outer are the scopes gone
// through from the one asked about, so that circles end; they are at most four, as
// paths are. only is the party looked for, or everybody.
func (s *State) members(sc *scope, outer []crdt.ScopeID, only [32]byte) map[[32]byte]Member {
	found := map[[32]byte]Member{}
	groups := map[crdt.ScopeID]Member{} // by the strongest grant: a group granted often is looked into once
	keep := func(m Member) {
		if old, ok := found[m.ID]; !ok || m.better(old) {
			found[m.ID] = m
		}
	}
	if only == everybody || only == sc.body.Owner {
		keep(s.member(sc, 0))
	}
	for _, n := range sc.grants {
		l := link(sc, n)
		if only != everybody && only != l.id && l.kind != GroupPrincipal {
			continue
		}
		m := s.member(sc, n)
		if of := s.scopes[m.ID]; m.Principal == PersonPrincipal && of != nil && of.body.Kind != KindPerson {
			continue // nobody acts as a person who is none
		}
		if m.Principal != GroupPrincipal {
			keep(m)
		} else if old, ok := groups[m.ID]; !ok || m.better(old) {
			groups[m.ID] = m
		}
	}
	for group, m := range groups {
		inner := s.scopes[group]
		if inner == nil || inner.body.Kind != KindGroup || slices.Contains(outer, group) || len(outer) >= MaxPath-2 {
			continue
		}
		for _, in := range s.members(inner, append(slices.Clone(outer), sc.log.id), only) {
			through := m
			through.Principal, through.ID = in.Principal, in.ID
			through.Role = min(m.Role, in.Role)
			through.Via = append([]crdt.ScopeID{group}, in.Via...)
			keep(through)
		}
	}
	return found
}

// member is the place that node n of sc gives.
func (s *State) member(sc *scope, n int32) Member {
	o, l := sc.log.nodes[n].op, link(sc, n)
	return Member{
		Principal: l.kind, ID: l.id, Role: l.role, Depth: int(sc.depths[n]),
		Grant: o.id, By: s.author(o), Since: o.Time,
	}
}

// author is the person as whom an admitted operation was written.
func (s *State) author(o *Op) crdt.ScopeID {
	at := o.Scope
	path := o.Path
	if g, ok := o.Body.(*Genesis); ok && g.Kind != KindPerson {
		return g.Owner
	}
	for i := len(path) - 1; i > 0; i-- {
		sc := s.scopes[at]
		n, _ := sc.log.find(path[i])
		at = link(sc, n).id
	}
	return at
}
