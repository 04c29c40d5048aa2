package replica

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/opset"
	"github.com/pipes-sync/pipes/crdt/set"
)

// content is what a document's change sets say: the engine that holds the values,
// the guard in front of it, and which set carried which change.
type content struct {
	engine crdt.Engine
	guard  *opset.State

	sets     []crdt.ChangeSetID            // those applied, in order
	applied  map[crdt.ChangeSetID]struct{} // the same
	carrier  []int32                       // by the guard's places: index in sets, or local
	again    map[crdt.ChangeHash][]int32   // schema changes that more than one set carries
	chainSeq map[set.Chain]uint64          // Automerge seq of each chain's last change
	tips     map[crdt.ChangeSetID]struct{} // applied, and named by nothing applied

	own     change.Actor    // this replica's
	ownLast crdt.ChangeHash // the last change by own, zero if there is none

	// What contributes nothing, and why: what broke a rule, what has no key here,
	// and what the store says must not be applied.
	inert, keyless, quarantine map[crdt.ChangeSetID]error
	lost                       map[crdt.ChangeSetID]bool // see losers

	epochs     map[crdt.EpochID]struct{} // that keyless items were sealed under
	generation uint64                    // of the access state when these were tried last

	unsaved int  // changes since the last snapshot
	spoiled bool // the engine has a change that must not be: see undoLocked
}

// inQueue marks a change whose set is not written yet.
const inQueue = -1

// errRebuild means that the engine did not take a set that the guard had taken: it
// is in quarantine now, and the content must be built anew.
var errRebuild = errors.New("replica: content must be rebuilt")

func newContent(engine crdt.Engine, guard *opset.State, own crdt.ActorID) *content {
	return &content{
		engine: engine, guard: guard, own: change.Actor(own[:]),
		applied:  map[crdt.ChangeSetID]struct{}{},
		chainSeq: map[set.Chain]uint64{},
		tips:     map[crdt.ChangeSetID]struct{}{},
		inert:    map[crdt.ChangeSetID]error{},
		keyless:  map[crdt.ChangeSetID]error{},
		epochs:   map[crdt.EpochID]struct{}{},
	}
}

// openLocked answers the document's content, from a snapshot or from the change
// sets. Whatever a change set holds, it opens: bad ones are left out.
func (d *Doc) openLocked(st *docState) (*content, error) {
	if c := st.content; c != nil && len(d.mu.queue) == 0 && (c.spoiled || d.keyCame(c, st)) {
		st.close(d.r.log)
	}
	if st.content != nil {
		return st.content, nil
	}
	c, err := d.read(st, true)
	if err != nil {
		return nil, err
	}
	st.content, st.sets = c, nil
	if err := d.freshHeadLocked(st); err != nil { // it can wait for room on the disk
		d.r.log.Warn("head record not written", "doc", d.id.String(), "error", err)
	}
	return c, nil
}

// read makes the content, from a snapshot if it may. Each round but the last leaves
// out one more set.
func (d *Doc) read(st *docState, snapshot bool) (*content, error) {
	for range st.graph.Len() + 2 {
		bad, err := d.quarantined()
		if err != nil {
			return nil, err
		}
		c, err := d.build(st, bad, snapshot)
		if !errors.Is(err, errRebuild) {
			return c, err
		}
		snapshot = false
	}
	return nil, fmt.Errorf("%w: it does not come to rest", ErrDamaged)
}

// keyCame reports whether an item that could not be read can be now.
func (d *Doc) keyCame(c *content, st *docState) bool {
	if len(c.epochs) == 0 {
		return false
	}
	now := d.r.access.now()
	if c.generation == now {
		return false
	}
	c.generation = now
	for epoch := range c.epochs {
		if _, err := d.r.access.secret(st.doc.Genesis.Scope, epoch); !isKeyless(err) {
			return true
		}
	}
	return false
}

// quarantined lists the document's items that are not to be applied, and why.
func (d *Doc) quarantined() (map[crdt.ChangeSetID]error, error) {
	bad := map[crdt.ChangeSetID]error{}
	for item, err := range d.r.store.Quarantine(d.id) {
		if err != nil {
			return nil, err
		}
		bad[item.ID] = errors.New(decodeReason(item.Value))
	}
	return bad, nil
}

// build makes the content, from a snapshot if there is a good one and it may.
func (d *Doc) build(st *docState, bad map[crdt.ChangeSetID]error, snapshot bool) (*content, error) {
	var c *content
	lost := losers(st.graph)
	if snapshot {
		c = d.loadSnapshot(st, lost)
	}
	if c == nil {
		engine, err := am.New(d.actor(), nil)
		if err != nil {
			return nil, err
		}
		c = newContent(engine, opset.New(opset.Options{}), d.actor())
	}
	c.quarantine, c.lost, c.generation = bad, lost, d.r.access.now()
	for id := range st.graph.All() {
		if c.has(id) {
			continue
		}
		s, err := d.take(st, id)
		if err == nil {
			err = d.apply(st, c, s)
		}
		if err != nil {
			return nil, errors.Join(err, c.engine.Close())
		}
	}
	return c, nil
}

// losers are the items that lost where a device wrote two in one place: all but
// the one with the lowest id.
func losers(g *set.Graph) map[crdt.ChangeSetID]bool {
	lost := map[crdt.ChangeSetID]bool{}
	for rivals := range g.Forks() {
		winner := rivals[0]
		for _, id := range rivals {
			lost[id] = true
			if crdt.CompareIDs(id, winner) < 0 {
				winner = id
			}
		}
		delete(lost, winner)
	}
	return lost
}

// actor is the Automerge actor under which this replica writes to the document.
func (d *Doc) actor() crdt.ActorID {
	return crdt.DeriveActor(d.id, d.r.id.device, d.r.id.incarnation)
}

// chain is this replica's chain in the document.
func (r *Replica) chain() set.Chain {
	return set.Chain{Device: r.id.device, Incarnation: r.id.incarnation}
}

// add offers a change to the guard, which takes it if it is valid and complete.
func (c *content) add(decoded *change.Change) opset.Outcome {
	out := c.guard.Add(decoded)[0]
	if out.Status == opset.Applied && decoded.Actor == c.own {
		c.ownLast = decoded.Hash
	}
	return out
}

// has reports whether a set is applied.
func (c *content) has(id crdt.ChangeSetID) bool {
	_, ok := c.applied[id]
	return ok
}

func (c *content) hasAny(ids iter.Seq[crdt.ChangeSetID]) bool {
	for id := range ids {
		if c.has(id) {
			return true
		}
	}
	return false
}

// note records an applied set, after which its chain stands at Automerge seq. It
// answers the set's index.
func (c *content) note(h *set.Header, id crdt.ChangeSetID, seq uint64) int32 {
	c.sets = append(c.sets, id)
	c.applied[id] = struct{}{}
	delete(c.tips, h.Prev)
	for _, dep := range h.Deps {
		delete(c.tips, dep)
	}
	c.tips[id] = struct{}{}
	c.chainSeq[h.Chain()] = seq
	return int32(len(c.sets) - 1)
}

// carry says that the set at index carried a change. A set that rests on another
// which carried it too says nothing new: see inPast.
func (c *content) carry(g *set.Graph, hash crdt.ChangeHash, index int32) {
	at, ok := c.guard.Index(hash)
	if !ok {
		return
	}
	for len(c.carrier) <= at {
		c.carrier = append(c.carrier, inQueue)
	}
	if c.carrier[at] == inQueue {
		c.carrier[at] = index
		return
	}
	covered := func(i int32) bool { return g.Covers(c.sets[index], c.sets[i]) }
	if covered(c.carrier[at]) || slices.ContainsFunc(c.again[hash], covered) {
		return
	}
	if c.again == nil {
		c.again = map[crdt.ChangeHash][]int32{}
	}
	c.again[hash] = append(c.again[hash], index)
}

// inPast answers, for an item with header h, whether a change is carried by an
// item in its past.
func (c *content) inPast(g *set.Graph, h *set.Header) func(crdt.ChangeHash) bool {
	return func(hash crdt.ChangeHash) bool {
		at, ok := c.guard.Index(hash)
		if !ok || at >= len(c.carrier) || c.carrier[at] == inQueue {
			return false
		}
		if g.InPast(h, c.sets[c.carrier[at]]) {
			return true
		}
		for _, i := range c.again[hash] {
			if g.InPast(h, c.sets[i]) {
				return true
			}
		}
		return false
	}
}

// tipList are the tips, in no order.
func (c *content) tipList() []crdt.ChangeSetID {
	ids := make([]crdt.ChangeSetID, 0, len(c.tips))
	for id := range c.tips {
		ids = append(ids, id)
	}
	return ids
}
