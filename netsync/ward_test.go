package netsync

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// ward is a list of Ann's with a document, where Bob may write and Cyd may read. Dan
// is nobody there.
type ward struct {
	*world
	s                  *acl.State // knows all
	ann, bob, cyd, dan *person
	list               crdt.ScopeID
	doc                *document
	a, b               *author // of Ann's and Bob's first devices
}

func newWard(tb testing.TB) *ward {
	w := &ward{world: newWorld(tb, 1), s: &acl.State{}}
	w.ann, w.bob, w.cyd, w.dan = w.person(w.s), w.person(w.s), w.person(w.s), w.person(w.s)
	d := w.ann.devices[0]
	w.list = d.scope(w.s, acl.KindList)
	w.doc = d.document(w.s, w.list)
	w.a = d.author(w.s, w.doc)
	d.grant(w.s, w.list, w.bob, acl.Writer)
	d.grant(w.s, w.list, w.cyd, acl.Reader)
	w.b = w.bob.devices[0].author(w.s, w.doc)
	return w
}

// node is a replica that knows all of w, and has admitted items.
func (w *ward) node(items ...*set.Set) *node {
	n := newNode(w.s, w.doc.Document)
	w.give(n, items...)
	return n
}

func (w *ward) give(n *node, items ...*set.Set) {
	w.tb.Helper()
	for _, s := range items {
		v, err := n.admit(Items{Sets: []*set.Set{copySet(s)}})
		if err != nil || v[0].Status != Admitted {
			w.tb.Fatal(describe(v), err)
		}
	}
}

// of puts items into a run.
func of(sets ...*set.Set) Items { return Items{Sets: copySets(sets)} }

// covered is a run with a cover of these headers.
func covered(it Items, cover ...*set.Set) Items {
	it.Cover = &set.Cover{}
	for i, s := range cover {
		s = s.Bare()
		if i < len(cover)-1 {
			s.Sig = nil
		}
		it.Cover.Items = append(it.Cover.Items, s)
	}
	return it
}

var kinds = []struct {
	name string
	err  error
}{
	{"document", ErrWrongDocument}, {"older heads", ErrOlderHeads}, {"incarnation", ErrIncarnation},
	{"payload", set.ErrPayload}, {"no payload", set.ErrNoPayload}, {"signature", set.ErrSignature},
	{"chain", set.ErrChain},
}

// describe names each verdict in a few words.
func describe(verdicts []Verdict) (out []string) {
	for _, v := range verdicts {
		var denied *acl.DeniedError
		var missing *MissingError
		words := []string{v.Status.String()}
		if v.Forked {
			words = append(words, "forked")
		}
		if v.Cover != nil {
			words = append(words, fmt.Sprintf("covered by %d", len(v.Cover.Items)))
		}
		for _, k := range kinds {
			if errors.Is(v.Err, k.err) {
				words = append(words, k.name)
			}
		}
		if errors.As(v.Err, &denied) {
			words = append(words, denied.Why.String())
		}
		if errors.As(v.Err, &missing) {
			words = append(words, fmt.Sprintf("%d sets, %d ops", len(missing.Sets), len(missing.Ops)))
		}
		out = append(out, strings.Join(words, ": "))
	}
	return out
}

// signAs answers the signature of another device on s.
func signAs(s *set.Set, d *device) []byte {
	id := s.ID()
	return ed25519.Sign(d.key, append([]byte("pipes change set v1\x00"), id[:]...))
}

// claimOf is the claim of whose device on other's grant.
func (w *ward) claimOf(whose, other *person) ([]crdt.AccessOpID, []set.Heads) {
	path, heads := other.devices[0].claim(w.s, w.list)
	mine, _ := whose.devices[0].claim(w.s, whose.id)
	row, err := w.s.Heads(whose.id)
	if err != nil {
		w.tb.Fatal(err)
	}
	for i, h := range heads {
		if h.Scope == other.id {
			heads[i] = set.Heads{Scope: row.Scope, Ops: row.Heads}
		}
	}
	return []crdt.AccessOpID{mine[0], path[1]}, sortHeads(heads)
}

// claimBy is the claim of a person's device by a group and the group's grant.
func (w *ward) claimBy(p *person, group crdt.ScopeID, grant crdt.AccessOpID) ([]crdt.AccessOpID, []set.Heads) {
	path, heads := p.devices[0].claim(w.s, group)
	row, err := w.s.Heads(w.list)
	if err != nil {
		w.tb.Fatal(err)
	}
	return append(path, grant), sortHeads(append(heads, set.Heads{Scope: row.Scope, Ops: row.Heads}))
}

// headsBefore replaces the heads of a scope by its genesis.
func (w *ward) headsBefore(heads []set.Heads, scope crdt.ScopeID) []set.Heads {
	heads = slices.Clone(heads)
	for i := range heads {
		if heads[i].Scope == scope {
			heads[i].Ops = []crdt.AccessOpID{crdt.AccessOpID(scope)}
		}
	}
	return heads
}

func sortHeads(heads []set.Heads) []set.Heads {
	slices.SortFunc(heads, func(a, b set.Heads) int { return bytes.Compare(a.Scope[:], b.Scope[:]) })
	return heads
}
