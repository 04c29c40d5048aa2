package netsync

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// node is a replica with nothing but what this package decides: a state of access,
// the graph of one document, and what it keeps.
type node struct {
	access acl.State
	doc    *set.Document
	graph  *set.Graph
	items  map[crdt.ChangeSetID]*set.Set
	after  map[crdt.ChangeSetID][]*set.Set // by prev
	covers map[crdt.ChangeSetID]*set.Cover
	held   []Items // what waits
}

func (n *node) open(doc *set.Document) {
	n.doc, n.graph = doc, set.NewGraph(doc.ID())
	n.items = map[crdt.ChangeSetID]*set.Set{}
	n.after = map[crdt.ChangeSetID][]*set.Set{}
	n.covers = map[crdt.ChangeSetID]*set.Cover{}
}

// newNode knows all that s knows, and the document.
func newNode(s *acl.State, doc *set.Document) *node {
	n := &node{}
	n.learn(s)
	n.open(doc)
	return n
}

// learn takes in every operation of s.
func (n *node) learn(s *acl.State) {
	for scope := range s.Scopes() {
		log, _ := s.Log(scope)
		n.access.Load(log.All())
	}
}

func (n *node) context() *Context {
	return &Context{
		Document: n.doc, Graph: n.graph, Access: &n.access,
		Header: func(id crdt.ChangeSetID) (*set.Header, error) {
			if s, ok := n.items[id]; ok {
				return &s.Header, nil
			}
			return nil, fmt.Errorf("no item %s", id)
		},
		Admitted: func(s *set.Set) {
			n.items[s.ID()] = s
			n.after[s.Header.Prev] = append(n.after[s.Header.Prev], s)
		},
	}
}

// admit decides on items and keeps what is admitted, and what waits.
func (n *node) admit(items Items) ([]Verdict, error) {
	verdicts, err := Admit(n.context(), items)
	if err != nil {
		return nil, err
	}
	waits := false
	for _, v := range verdicts {
		waits = waits || v.Status == Pending
		if v.Cover != nil {
			n.covers[v.Set.ID()] = v.Cover
		}
	}
	if waits {
		n.held = append(n.held, items)
	}
	return verdicts, nil
}

// retry offers what waits again while that helps, and answers all verdicts.
func (n *node) retry() (all []Verdict, err error) {
	for {
		before, held := n.graph.Len(), n.held
		n.held = nil
		for _, items := range held {
			verdicts, err := n.admit(items)
			if err != nil {
				return nil, err
			}
			all = append(all, verdicts...)
		}
		if n.graph.Len() == before {
			return all, nil
		}
	}
}

// check says whether what is kept is whole: exactly the items of the graph are kept,
// a signature that is kept is right, and every item has a cover that fits a frame.
func (n *node) check() error {
	if n.graph.Len() != len(n.items) {
		return fmt.Errorf("%d items in the graph, %d kept", n.graph.Len(), len(n.items))
	}
	for id := range n.graph.All() {
		s, ok := n.items[id]
		switch {
		case !ok:
			return fmt.Errorf("%s is in the graph and not kept", id)
		case s.CheckPayload() != nil:
			return fmt.Errorf("%s: %w", id, s.CheckPayload())
		case s.Sig != nil && s.Verify() != nil:
			return fmt.Errorf("%s carries a wrong signature", id)
		}
		cover, err := n.cover(s)
		if err != nil {
			return err
		}
		if cover == nil {
			continue
		}
		if err := cover.Verify(s); err != nil {
			return fmt.Errorf("cover of %s: %w", id, err)
		}
		if enc, err := cover.Encode(); err != nil || len(enc) > MaxCoverBytes {
			return fmt.Errorf("cover of %s: %d bytes, %w", id, len(enc), err)
		}
	}
	return nil
}

var errNoCover = errors.New("no cover")

// cover gathers the headers after an item up to a signed one, or up to one that a
// cover is kept of; nil if the item is signed.
func (n *node) cover(s *set.Set) (*set.Cover, error) {
	if s.Sig != nil {
		return nil, nil
	}
	if c := n.covers[s.ID()]; c != nil {
		return c, nil
	}
	for _, next := range n.after[s.ID()] {
		if c, err := n.cover(next); err == nil {
			rest := []*set.Set{next.Bare()}
			if c != nil {
				rest = append(rest, c.Items...)
			}
			return &set.Cover{Items: rest}, nil
		}
	}
	return nil, fmt.Errorf("%w for %s", errNoCover, s.ID())
}

// runs are all items, each after what it names, as runs with their covers: cut by
// CutRun, after an item with a cover of its own, and where the caller wants.
func (n *node) runs(cut func() bool) (out []Items, err error) {
	var run []*set.Set
	flush := func() error {
		for len(run) > 0 {
			k := CutRun(run)
			cover, err := n.cover(run[k-1])
			if err != nil {
				return err
			}
			out = append(out, Items{Sets: slices.Clone(run[:k]), Cover: cover})
			run = run[k:]
		}
		return nil
	}
	for id := range n.graph.All() {
		s := n.items[id]
		if len(run) > 0 {
			last := run[len(run)-1]
			if s.Header.Prev != last.ID() || s.Header.Chain() != last.Header.Chain() || n.covers[last.ID()] != nil || cut() {
				if err := flush(); err != nil {
					return nil, err
				}
			}
		}
		run = append(run, s)
	}
	return out, flush()
}
