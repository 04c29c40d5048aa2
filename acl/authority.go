package acl

import (
	"github.com/pipes-sync/pipes/crdt"
)

// Authority is what a path of grants gives its last device in one scope.
type Authority struct {
	Scope  crdt.ScopeID
	Device crdt.DeviceID
	Person crdt.ScopeID    // whose device acts; never the device alone
	Role   Role            // the lowest on the path
	Depth  int             // of Grant: 0 for the owner
	Grant  crdt.AccessOpID // the last of the path: the grant in Scope, or its genesis
}

// Authorize answers what an item's author may do: an item of a document in scope,
// by device, under path, whose author knew heads (one row for each scope on the
// path, scope included). Errors are [*PendingError] if heads name what is not
// known, which is never the item's fault, and [*DeniedError].
//
// Every grant of the path must be in the past of the heads and stand; items are the
// work of devices, never of a recovery key. The caller
// compares Role with what the item needs, and holds heads against those of the
// item before: see [State.NotOlder].
func (s *State) Authorize(scope crdt.ScopeID, device crdt.DeviceID, path []crdt.AccessOpID, heads []Row) (Authority, error) {
	if err := checkRows(heads, MaxPath); err != nil {
		return Authority{}, err
	}
	past, missing := s.pastOf(heads)
	if missing != nil {
		return Authority{}, &PendingError{missing}
	}
	a, err := s.resolve(scope, device, path, past)
	if err == nil && path[0] == crdt.AccessOpID(a.Person) {
		return Authority{}, &DeniedError{Scope: a.Person, Grant: path[0], Why: DeniedPathShape} // the recovery key writes no items
	}
	return a, err
}

// NotOlder reports whether an author who knew heads knew all that was known at
// before, in every scope that both name: the rule for an item's heads and those of
// the item before it. Errors are [*PendingError].
func (s *State) NotOlder(heads, before []Row) (bool, error) {
	past, missing := s.pastOf(heads)
	_, more := s.pastOf(before)
	if missing = append(missing, more...); missing != nil {
		return false, &PendingError{missing}
	}
	for _, row := range before {
		if p, ok := past.of(row.Scope); ok && !p.hasAll(row.Heads) {
			return false, nil
		}
	}
	return true, nil
}

// pasts are the pasts an author named, one for each scope; at most MaxPath.
type pasts []Past

func (ps pasts) of(scope crdt.ScopeID) (Past, bool) {
	for _, p := range ps {
		if p.log.id == scope {
			return p, true
		}
	}
	return Past{}, false
}

func (s *State) pastOf(rows []Row) (ps pasts, missing []Ref) {
	ps = make(pasts, 0, len(rows)+1)
	for _, row := range rows {
		sc := s.scopes[row.Scope]
		if sc == nil {
			missing = append(missing, genesisRef(row.Scope))
			continue
		}
		p, unknown := sc.log.Past(row.Heads)
		for _, id := range unknown {
			missing = append(missing, Ref{row.Scope, id})
		}
		ps = append(ps, p)
	}
	return ps, missing
}

// resolve walks path from scope inwards to the device. Each link must be in the
// past the author named, and for the party that the link before it is; the rows
// of past are exactly those of the scopes passed.
func (s *State) resolve(scope crdt.ScopeID, device crdt.DeviceID, path []crdt.AccessOpID, past pasts) (Authority, error) {
	a := Authority{Scope: scope, Device: device, Role: Owner}
	if len(path) == 0 || len(path) > MaxPath {
		return a, &DeniedError{Scope: scope, Why: DeniedPathShape}
	}
	if len(past) != len(path) {
		return a, &DeniedError{Scope: scope, Why: DeniedHeads}
	}
	a.Grant = path[len(path)-1]
	at, want := scope, Kind(0)
	var passed [MaxPath]crdt.ScopeID
	for i := len(path) - 1; i >= 0; i-- {
		deny := func(why Denial) (Authority, error) {
			return a, &DeniedError{Scope: at, Grant: path[i], Why: why}
		}
		for _, p := range passed[i+1 : len(path)] {
			if p == at {
				return deny(DeniedPathShape)
			}
		}
		passed[i] = at
		p, ok := past.of(at)
		if !ok {
			return deny(DeniedHeads)
		}
		sc := s.scopes[at]
		n, ok := sc.log.find(path[i])
		if !ok || !p.has(n) {
			return deny(DeniedNotInPast)
		}
		if want != 0 && sc.body.Kind != want {
			return deny(DeniedOtherParty)
		}
		if i == len(path)-1 {
			a.Depth = int(sc.depths[n])
		}
		l := link(sc, n)
		switch {
		case l.role == 0:
			return deny(DeniedNotAGrant)
		case l.kind == DevicePrincipal && (i != 0 || l.viaGenesis && len(path) > 1):
			return deny(DeniedPathShape)
		case l.kind == DevicePrincipal && l.id != device:
			return deny(DeniedOtherParty)
		case l.kind == DevicePrincipal:
			a.Person = at
			a.Role = min(a.Role, voice(l.role, len(path)))
			return a, nil
		case l.kind == PersonPrincipal:
			want = KindPerson
		default:
			want = KindGroup
		}
		a.Role = min(a.Role, l.role)
		at = l.id
	}
	return a, &DeniedError{Scope: scope, Grant: path[0], Why: DeniedPathShape}
}

// voice is the role with which a device speaks for its person. In the person's own
// log it is that of its grant. Elsewhere a device that administers the person
// speaks with all the person's weight, owner included; a lesser device has at most
// its own role.
func voice(role Role, path int) Role {
	if path > 1 && role >= Admin {
		return Owner
	}
	return role
}

// place is what one link of a path gives: a role, to a device or a scope.
type place struct {
	role       Role // zero if the operation is no link
	kind       PrincipalKind
	id         [32]byte
	viaGenesis bool
}

func link(sc *scope, n int32) place {
	switch b := sc.log.nodes[n].op.Body.(type) {
	case *Genesis:
		kind := PersonPrincipal
		if b.Kind == KindPerson {
			kind = DevicePrincipal
		}
		return place{Owner, kind, b.Owner, true}
	case *Grant:
		return place{b.Role, b.Principal.Kind, b.Principal.ID, false}
	}
	return place{}
}
