package acl

import "github.com/pipes-sync/pipes/crdt"

type idSet map[crdt.AccessOpID]bool

// scopeOps are the operations of a scope that count.
func (n *naive) scopeOps(scope crdt.ScopeID) idSet {
	set := idSet{}
	for id := range n.counting() {
		if n.ops[id].Scope == scope {
			set[id] = true
		}
	}
	return set
}

// current is the epoch to seal under by the operations in set, all of scope.
func (n *naive) current(scope crdt.ScopeID, set idSet) crdt.EpochID {
	readers := map[[32]byte]bool{} // to whether they can be sealed to
	if n.kind(scope) == KindPerson {
		for id := range set {
			if g, ok := n.ops[id].Body.(*Grant); ok && g.Role >= Reader {
				readers[g.Principal.ID] = true
			}
		}
	} else {
		for id, role := range n.roles(scope, 3) {
			if role >= Reader {
				readers[id] = n.hasEpoch(id)
			}
		}
	}
	covered := map[crdt.EpochID]map[[32]byte]bool{}
	if genesis := n.ops[crdt.AccessOpID(scope)]; n.kind(scope) != KindPerson {
		row := genesis.Heads[0]
		past, _ := n.closure(row.Scope, row.Heads)
		if n.current(row.Scope, past) != (crdt.EpochID{}) {
			covered[crdt.EpochID(scope)] = map[[32]byte]bool{row.Scope: true}
		}
	}
	for id := range set {
		if e, ok := n.ops[id].Body.(*Epoch); ok {
			covered[crdt.EpochID(id)] = map[[32]byte]bool{}
			for _, r := range e.Recipients {
				covered[crdt.EpochID(id)][r.ID] = true
			}
		}
	}
	for id := range set {
		if g, ok := n.ops[id].Body.(*Grant); ok && g.Seal != nil && covered[g.Seal.Epoch] != nil {
			covered[g.Seal.Epoch][g.Principal.ID] = true
		}
	}
	var usable []crdt.EpochID
	for epoch, ids := range covered {
		ok := true
		for id := range ids {
			_, reader := readers[id]
			ok = ok && reader
		}
		for id, key := range readers {
			ok = ok && (!key || ids[id])
		}
		if ok {
			usable = append(usable, epoch)
		}
	}
	return n.lowestLast(scope, usable)
}

func (n *naive) lowestLast(scope crdt.ScopeID, epochs []crdt.EpochID) (lowest crdt.EpochID) {
	for _, e := range epochs {
		followed := false
		for _, f := range epochs {
			past, _ := n.closure(scope, []crdt.AccessOpID{crdt.AccessOpID(f)})
			followed = followed || f != e && past[crdt.AccessOpID(e)]
		}
		if !followed && (lowest == crdt.EpochID{} || compareIDs(e, lowest) < 0) {
			lowest = e
		}
	}
	return lowest
}

func (n *naive) hasEpoch(person crdt.ScopeID) bool {
	if g := n.ops[crdt.AccessOpID(person)]; g == nil || n.kind(person) != KindPerson {
		return false
	}
	for id := range n.scopeOps(person) {
		if n.ops[id].Type() == TypeEpoch {
			return true
		}
	}
	return false
}
