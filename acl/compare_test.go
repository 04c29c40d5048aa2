package acl

import (
	"errors"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

// compare holds a State that was given a history against the naive evaluator.
func (h *history) compare(s *State, n *naive, want map[crdt.AccessOpID]bool) {
	got := map[crdt.AccessOpID]bool{}
	for id := range s.Scopes() {
		sc := s.scopes[id]
		for i, node := range sc.log.nodes {
			got[node.op.ID()] = true
			gives := node.op.Type() == TypeGrant || node.op.Type() == TypeGenesis
			if want[node.op.ID()] && gives && int(sc.depths[i]) != n.depth(node.op) {
				h.Fatalf("depth %d, want %d", sc.depths[i], n.depth(node.op))
			}
		}
		h.compareMembers(s, n, id)
		if k, err := s.Keys(id); err != nil || k.Current != n.current(id, n.scopeOps(id)) {
			h.Fatalf("current epoch of %s: %s %v, naive says %s", id, k.Current, err, n.current(id, n.scopeOps(id)))
		}
	}
	if diff := cmp.Diff(slices.SortedFunc(maps.Keys(want), compareIDs), slices.SortedFunc(maps.Keys(got), compareIDs)); diff != "" {
		h.Fatalf("operations that count (-naive +state):\n%s", diff)
	}
	for _, o := range h.all {
		if n.forks(o) {
			continue // waits or is refused, by which came first
		}
		waiting := n.verdict(o.ID()) == waits
		if got := s.Status(o.Ref()) == Waiting; got != waiting {
			h.Fatalf("%s %s waits: %v, want %v", o.Type(), o.ID(), got, waiting)
		}
	}
}

func (h *history) compareMembers(s *State, n *naive, scope crdt.ScopeID) {
	members, err := s.Members(scope)
	if err != nil {
		h.Fatal(err)
	}
	want, got := n.roles(scope, 3), map[[32]byte]Role{}
	for _, m := range members {
		got[m.ID] = m.Role
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.Fatalf("members of %s (-naive +state):\n%s", scope, diff)
	}
	for _, m := range members {
		if m.Principal != PersonPrincipal {
			continue
		}
		e, err := s.Explain(Party{Person: m.Person()}, ActionCarry, scope)
		if err != nil || !e.Allowed || e.Role != m.Role {
			h.Fatalf("member as %s is explained as %+v, %v", m.Role, e, err)
		}
	}
}

// compareItems asks both for the authority of items, right and wrong.
func (h *history) compareItems(n *naive) {
	for range 10 {
		d := pickOne(h, h.devices)
		scope := pickOne(h, append(slices.Clone(h.scopes), d.Person))
		path, _, err := h.w.s.Path(d.Party, scope)
		if err != nil || h.flip(30) {
			path = h.bentPath(path)
		}
		heads, err := h.w.s.ItemHeads(d.Author, scope, path)
		if err != nil {
			heads = []Row{h.row(scope)}
		}
		for i := range heads {
			if h.flip(20) {
				heads[i] = h.row(heads[i].Scope)
			}
		}
		a, err := h.w.s.Authorize(scope, d.Device, path, heads)
		known, all := n.known(heads)
		want, ok := naiveRight{}, false
		if all {
			want, ok = n.walk(scope, d.Device, path, known)
		}
		if ok != (err == nil) {
			h.Fatalf("authorize: %v, naive says %v", err, ok)
		}
		if got := (naiveRight{a.Person, a.Role, a.Depth}); ok && got != want {
			h.Fatalf("authority %+v, want %+v", got, want)
		}
		inc := h.author(d, &Grant{}).Incarnation
		err = h.w.s.Announced(d.Person, d.Device, inc, heads)
		if ok := all && n.announced(d.Person, d.Device, inc, known); ok != (err == nil) || all == errors.Is(err, ErrPending) {
			h.Fatalf("announced: %v, naive says %v", err, ok)
		}
	}
}
