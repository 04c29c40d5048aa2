package acl

import (
	"maps"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// naive evaluates access from the bare set of operations: no logs, no order of
// arrival, no clocks, no cache but one. It walks paths from the device outwards
// where State walks them inwards, and reads the past off by following every link.
// It trusts signatures, which other tests check.
type naive struct {
	ops  map[crdt.AccessOpID]*Op
	memo map[crdt.AccessOpID]verdict
}

type verdict uint8

const (
	waits verdict = iota + 1 // something it rests on is missing or refused
	refused
	counts
)

func newNaive(ops []*Op) *naive {
	n := &naive{map[crdt.AccessOpID]*Op{}, map[crdt.AccessOpID]verdict{}}
	for _, o := range ops {
		n.ops[o.ID()] = o
	}
	return n
}

// closure is ids and everything before them within scope; false if any is not known
// to count.
func (n *naive) closure(scope crdt.ScopeID, ids []crdt.AccessOpID) (map[crdt.AccessOpID]bool, bool) {
	set := map[crdt.AccessOpID]bool{}
	for todo := slices.Clone(ids); len(todo) > 0; {
		id := todo[0]
		todo = todo[1:]
		if set[id] {
			continue
		}
		o := n.ops[id]
		if o == nil || o.Scope != scope || n.verdict(id) != counts {
			return nil, false
		}
		set[id] = true
		todo = append(todo, before(o)...)
	}
	return set, true
}

func before(o *Op) []crdt.AccessOpID {
	ids := slices.Clone(o.Deps)
	if o.Seq > 1 {
		ids = append(ids, o.Prev)
	}
	return ids
}

func (n *naive) verdict(id crdt.AccessOpID) verdict {
	if v, ok := n.memo[id]; ok {
		return v
	}
	v := n.judge(n.ops[id])
	n.memo[id] = v
	return v
}

func (n *naive) judge(o *Op) verdict {
	if o.Type() != TypeGenesis && (n.ops[crdt.AccessOpID(o.Scope)] == nil || n.verdict(crdt.AccessOpID(o.Scope)) != counts) {
		return waits
	}
	if prev := n.ops[o.Prev]; o.Seq > 1 && prev != nil && prev.Scope == o.Scope && n.verdict(o.Prev) == counts &&
		(prev.Device != o.Device || prev.Incarnation != o.Incarnation || prev.Seq+1 != o.Seq) {
		return refused
	}
	known := map[crdt.ScopeID]map[crdt.AccessOpID]bool{}
	for _, row := range o.Heads {
		set, ok := n.closure(row.Scope, row.Heads)
		if !ok {
			return waits
		}
		known[row.Scope] = set
	}
	if o.Type() != TypeGenesis {
		set, ok := n.closure(o.Scope, before(o))
		if !ok {
			return waits
		}
		known[o.Scope] = set
	}
	if n.allowed(o, known) {
		return counts
	}
	return refused
}

// naiveRight is what a path gives.
type naiveRight struct {
	person crdt.ScopeID
	role   Role
	depth  int
}

// walk follows path from the device outwards to scope.
func (n *naive) walk(scope crdt.ScopeID, device crdt.DeviceID, path []crdt.AccessOpID, known map[crdt.ScopeID]map[crdt.AccessOpID]bool) (naiveRight, bool) {
	no := naiveRight{}
	if len(path) == 0 || len(path) > 5 || len(known) != len(path) {
		return no, false
	}
	seen := map[crdt.ScopeID]bool{}
	var links []*Op
	for _, id := range path {
		o := n.ops[id]
		if o == nil || !known[o.Scope][id] || seen[o.Scope] {
			return no, false
		}
		seen[o.Scope] = true
		links = append(links, o)
	}
	if links[len(links)-1].Scope != scope || n.kind(links[0].Scope) != KindPerson {
		return no, false
	}
	r := naiveRight{person: links[0].Scope, role: Owner, depth: n.depth(links[len(links)-1])}
	partyKind, party := DevicePrincipal, [32]byte(device)
	for i, l := range links {
		var role Role
		switch b := l.Body.(type) {
		case *Grant:
			if b.Principal.Kind != partyKind || b.Principal.ID != party {
				return no, false
			}
			role = b.Role
		case *Genesis:
			ownerKind := PersonPrincipal
			if b.Kind == KindPerson {
				ownerKind = DevicePrincipal
				if len(links) != 1 {
					return no, false
				}
			}
			if ownerKind != partyKind || b.Owner != party {
				return no, false
			}
			role = Owner
		default:
			return no, false
		}
		fullVoice := i == 0 && len(links) > 1 && role == Admin
		if !fullVoice {
			r.role = min(r.role, role)
		}
		party = l.Scope
		if partyKind = GroupPrincipal; i == 0 {
			partyKind = PersonPrincipal
		}
	}
	return r, true
}

func (n *naive) kind(scope crdt.ScopeID) Kind {
	return n.ops[crdt.AccessOpID(scope)].Body.(*Genesis).Kind
}

// depth of the place an operation that counts gives.
func (n *naive) depth(o *Op) int {
	if o.Type() == TypeGenesis {
		return 0
	}
	by := n.ops[o.Path[len(o.Path)-1]]
	if n.kind(o.Scope) == KindPerson && by.Type() == TypeGrant {
		return n.depth(by)
	}
	return n.depth(by) + 1
}

func (n *naive) allowed(o *Op, known map[crdt.ScopeID]map[crdt.AccessOpID]bool) bool {
	if g, ok := o.Body.(*Genesis); ok {
		if g.Kind == KindPerson {
			return true
		}
		r, ok := n.walk(g.Owner, o.Device, o.Path, known)
		return ok && n.ops[o.Path[0]].Type() == TypeGrant && r.role >= Writer && n.announced(g.Owner, o.Device, o.Incarnation, known)
	}
	r, ok := n.walk(o.Scope, o.Device, o.Path, known)
	if !ok {
		return false
	}
	if byDevice := n.ops[o.Path[0]].Type() == TypeGrant; byDevice && o.Type() != TypeIncarnation {
		first := o.Scope == r.person && o.Seq == 1
		if first || !n.announced(r.person, o.Device, o.Incarnation, known) {
			return false
		}
	}
	inPerson := n.kind(o.Scope) == KindPerson
	epoch := func(id crdt.EpochID) *Epoch {
		if e := n.ops[crdt.AccessOpID(id)]; e != nil && known[o.Scope][e.ID()] && e.Type() == TypeEpoch {
			return e.Body.(*Epoch)
		}
		return nil
	}
	switch b := o.Body.(type) {
	case *Grant:
		if r.role < Admin || b.Role > r.role || b.Principal.ID == o.Scope || inPerson != (b.Principal.Kind == DevicePrincipal) {
			return false
		}
		if inPerson && b.Principal.ID == n.ops[crdt.AccessOpID(o.Scope)].Body.(*Genesis).Owner {
			return false
		}
		if b.Seal == nil || b.Seal.Epoch == crdt.EpochID(o.Scope) && !inPerson {
			return true
		}
		e := epoch(b.Seal.Epoch)
		return e != nil && e.Commit == b.Seal.Commit
	case *Epoch:
		for _, p := range b.Parents {
			if epoch(p) == nil && (inPerson || p != crdt.EpochID(o.Scope)) {
				return false
			}
		}
		return r.role >= Writer && inPerson == (b.HPKEKey != nil)
	case *Incarnation:
		return inPerson && n.ops[o.Path[0]].Type() == TypeGrant && len(n.lives(o.Device, known[o.Scope])) < MaxIncarnations
	}
	return false
}

// lives are the announcements of a device within set.
func (n *naive) lives(device crdt.DeviceID, set map[crdt.AccessOpID]bool) (lives []*Op) {
	for id := range set {
		if o := n.ops[id]; o.Type() == TypeIncarnation && o.Device == device {
			lives = append(lives, o)
		}
	}
	return lives
}

// announced looks through all that an author knew of its person's log.
func (n *naive) announced(person crdt.ScopeID, device crdt.DeviceID, inc crdt.Incarnation, known map[crdt.ScopeID]map[crdt.AccessOpID]bool) bool {
	for _, a := range n.lives(device, known[person]) {
		if a.Incarnation != inc {
			continue
		}
		for _, row := range a.Body.(*Incarnation).Heads {
			for _, id := range row.Heads {
				if set := known[row.Scope]; set != nil && !set[id] {
					return false
				}
			}
		}
		return true
	}
	return false
}

// counting are the ids of all operations that count.
func (n *naive) counting() map[crdt.AccessOpID]bool {
	set := map[crdt.AccessOpID]bool{}
	for id := range n.ops {
		if n.verdict(id) == counts {
			set[id] = true
		}
	}
	return set
}

// known are the closures of rows; false if something is not known to count.
func (n *naive) known(rows []Row) (map[crdt.ScopeID]map[crdt.AccessOpID]bool, bool) {
	known := map[crdt.ScopeID]map[crdt.AccessOpID]bool{}
	for _, row := range rows {
		set, ok := n.closure(row.Scope, row.Heads)
		if !ok {
			return nil, false
		}
		known[row.Scope] = set
	}
	return known, true
}

// roles is the strongest role of each person in a scope, by trying every grant and
// every way through groups.
func (n *naive) roles(scope crdt.ScopeID, levels int) map[[32]byte]Role {
	roles := map[[32]byte]Role{}
	put := func(id [32]byte, r Role) { roles[id] = max(roles[id], r) }
	for id := range n.counting() {
		o := n.ops[id]
		if o.Scope != scope {
			continue
		}
		switch b := o.Body.(type) {
		case *Genesis:
			put(b.Owner, Owner)
		case *Grant:
			group := crdt.ScopeID(b.Principal.ID)
			if g := n.ops[crdt.AccessOpID(group)]; b.Principal.Kind == PersonPrincipal && g != nil && n.verdict(g.ID()) == counts && n.kind(group) != KindPerson {
				continue
			}
			if b.Principal.Kind != GroupPrincipal {
				put(b.Principal.ID, b.Role)
			} else if g := n.ops[crdt.AccessOpID(group)]; g != nil && n.verdict(g.ID()) == counts && n.kind(group) == KindGroup && levels > 0 {
				for id, r := range maps.All(n.roles(group, levels-1)) {
					put(id, min(r, b.Role))
				}
			}
		}
	}
	return roles
}

// forks reports whether an operation that counts has the place of o.
func (n *naive) forks(o *Op) bool {
	for id := range n.counting() {
		if k := n.ops[id]; k.Scope == o.Scope && k.Device == o.Device && k.Incarnation == o.Incarnation && k.Prev == o.Prev && k != o {
			return true
		}
	}
	return false
}
