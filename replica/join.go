package replica

import (
	"fmt"
	"slices"
	"time"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/set"
)

// joinTipsLocked keeps the tips that this replica's next set has to name within
// what a header holds. Where more devices wrote at the same time, it first makes
// changes of its own that do nothing but join some of them, each in a set of its
// own. It answers the content, which waiting may have replaced.
func (d *Doc) joinTipsLocked(c *content) (*content, error) {
	if len(c.tips) <= set.MaxDeps {
		return c, nil
	}
	err := d.settleLocked() // so that the graph has all that is ours
	d.resumeLocked()
	if err != nil {
		return nil, err
	}
	for {
		st, err := d.loadLocked()
		if err != nil {
			return nil, err
		}
		if c, err = d.openLocked(st); err != nil {
			return nil, err
		}
		prev := crdt.ChangeSetID(d.id)
		if tips := st.graph.ChainTips(d.r.chain()); len(tips) > 0 {
			prev = tips[0].ID
		}
		all := st.graph.Frontier(prev, c.tipList())
		if len(all) <= set.MaxDeps {
			return c, nil
		}
		l, err := d.joinLocked(c, all[:set.MaxDeps])
		if err != nil {
			return nil, err
		}
		for d.mu.flushing { // the next one builds on it
			d.mu.changed.Wait()
		}
		if <-l.done; l.err != nil {
			return nil, l.err
		}
	}
}

// joinLocked queues a change without operations, whose set names tips. The change
// itself follows our last one alone: the engine has nothing to join.
func (d *Doc) joinLocked(c *content, tips []crdt.ChangeSetID) (*local, error) {
	heads := []crdt.ChangeHash{}
	if c.ownLast != (crdt.ChangeHash{}) {
		heads = append(heads, c.ownLast)
	}
	return d.followLocked(c, heads, tips)
}

// joinHeadsLocked keeps the changes that this replica's next change has to follow
// within what a change names. Where there are more, changes of its own that do
// nothing else follow some of them first.
func (d *Doc) joinHeadsLocked(c *content) error {
	for {
		heads := c.guard.Heads()
		if len(heads) <= change.MaxDeps {
			return nil
		}
		some := heads[:change.MaxDeps-1]
		if c.ownLast != (crdt.ChangeHash{}) && !slices.Contains(some, c.ownLast) {
			some = append(slices.Clone(some), c.ownLast)
		}
		if _, err := d.followLocked(c, some, nil); err != nil {
			return err
		}
	}
}

// followLocked queues a change without operations that follows heads, our last
// change among them if there is one. Its set names tips, if these are given.
func (d *Doc) followLocked(c *content, heads []crdt.ChangeHash, tips []crdt.ChangeSetID) (*local, error) {
	forker, ok := c.engine.(crdt.Forker)
	if !ok {
		return nil, fmt.Errorf("replica: %d concurrent tips and %d heads, and the engine cannot join them", len(c.tips), len(c.guard.Heads()))
	}
	fork, err := forker.Fork(heads, d.actor())
	if err != nil {
		return nil, err
	}
	defer fork.Close()
	joined, err := fork.(crdt.Forker).EmptyChange("", time.Now().Unix())
	if err != nil {
		return nil, err
	}
	if err := d.guardOwn(c, joined); err != nil {
		return nil, d.undoLocked(err)
	}
	if err := c.engine.Apply([][]byte{joined.Bytes}, c.guard.Heads()); err != nil {
		return nil, d.undoLocked(err)
	}
	l := &local{chunk: joined.Bytes, hash: joined.Hash, heads: c.guard.Heads(), own: true, joins: tips, done: make(chan struct{})}
	d.enqueueLocked(l)
	return l, nil
}
