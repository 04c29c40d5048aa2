package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
	"github.com/pipes-sync/pipes/crdt/opset"
)

// A snapshot is a document's content as it was when it left memory: the engine's
// save, the guard's state and what binds changes to sets. It is a cache. It is
// written only after it was read back with equal heads, refused at the least doubt,
// and dropping it loses nothing.

const (
	snapshotNumber  = 1
	snapshotVersion = 1
)

// snapshotLocked writes a snapshot if enough has changed to be worth it.
func (d *Doc) snapshotLocked(c *content) {
	if c.unsaved < d.r.opt.snapshotEvery {
		return
	}
	value, err := d.encodeSnapshot(c)
	if err == nil {
		b := d.r.store.Batch()
		defer b.Discard()
		b.PutSnapshot(d.id, snapshotNumber, value)
		err = b.CommitUnsynced()
	}
	if err != nil {
		d.r.log.Warn("snapshot not written", "doc", d.id.String(), "error", err)
		return
	}
	c.unsaved = 0
}

func (d *Doc) encodeSnapshot(c *content) ([]byte, error) {
	save, err := c.engine.Save()
	if err != nil {
		return nil, err
	}
	if err := d.readsBack(save, c.guard.Heads()); err != nil {
		return nil, err
	}
	guard, err := c.guard.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	sets := make([]byte, 0, len(c.sets)*32)
	for _, id := range c.sets {
		sets = append(sets, id[:]...)
	}
	b := dagcbor.AppendArray(nil, 8)
	b = dagcbor.AppendUint(b, snapshotVersion)
	b = dagcbor.AppendUint(b, opset.Version)
	b = dagcbor.AppendBytes(b, save)
	b = dagcbor.AppendBytes(b, guard)
	b = dagcbor.AppendBytes(b, sets)
	b = dagcbor.AppendBytes(b, c.encodeCarriers())
	var tips []byte
	for id := range c.tips {
		tips = append(tips, id[:]...)
	}
	b = dagcbor.AppendBytes(b, tips)
	return dagcbor.AppendID(b, c.ownLast), nil
}

// encodeCarriers writes, for each of the guard's changes, how many sets carried it
// and which: their indexes.
func (c *content) encodeCarriers() []byte {
	var b []byte
	for at, index := range c.carrier {
		again := c.again[c.guard.Hash(at)]
		b = binary.AppendUvarint(b, uint64(1+len(again)))
		b = binary.AppendUvarint(b, uint64(index))
		for _, i := range again {
			b = binary.AppendUvarint(b, uint64(i))
		}
	}
	return b
}

// readsBack holds a save against the heads it must have.
func (d *Doc) readsBack(save []byte, want []crdt.ChangeHash) error {
	engine, err := am.Load(save, d.actor(), nil)
	if err != nil {
		return err
	}
	heads, err := engine.Heads()
	if err == nil && !slices.Equal(heads, want) {
		err = fmt.Errorf("a save reads back with heads %v, not %v", heads, want)
	}
	return errors.Join(err, engine.Close())
}

var errStale = errors.New("replica: snapshot is not of these change sets")

// loadSnapshot answers the content of the document's snapshot, or nil. It must not
// hold an item that has lost since: the arrival of a rival drops the snapshot.
func (d *Doc) loadSnapshot(st *docState, lost map[crdt.ChangeSetID]bool) *content {
	value, err := d.r.store.Snapshot(d.id, snapshotNumber)
	if err != nil {
		return nil
	}
	c, err := d.decodeSnapshot(st, value)
	if err == nil && c.hasAny(maps.Keys(lost)) {
		err = errors.Join(errStale, c.engine.Close())
	}
	if err != nil {
		d.r.log.Warn("snapshot not used", "doc", d.id.String(), "error", err)
		return nil
	}
	return c
}

func (d *Doc) decodeSnapshot(st *docState, value []byte) (*content, error) {
	r := dagcbor.NewReader(value)
	r.Array(8, 8)
	r.Expect(snapshotVersion)
	r.Expect(opset.Version)
	save, saved := r.Bytes(0, len(value)), r.Bytes(0, len(value))
	sets, carriers := r.Bytes(0, len(value)), r.Bytes(0, len(value))
	tips, ownLast := r.Bytes(0, len(value)), r.ID()
	if err := r.Done(); err != nil {
		return nil, err
	}
	guard, err := opset.Load(saved, opset.Options{})
	if err != nil {
		return nil, err
	}
	engine, err := am.Load(save, d.actor(), nil)
	if err != nil {
		return nil, err
	}
	c := newContent(engine, guard, d.actor())
	c.ownLast = ownLast
	heads, err := engine.Heads()
	if err == nil && !slices.Equal(heads, guard.Heads()) {
		err = errStale
	}
	if err == nil {
		err = c.restore(st, sets, carriers, tips)
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return c, nil
}

// restore reads which sets were applied, what they carried, and the tips.
func (c *content) restore(st *docState, sets, carriers, tips []byte) error {
	for ; len(sets) >= 32; sets = sets[32:] {
		id := crdt.ChangeSetID(sets[:32])
		if !st.graph.Has(id) {
			return errStale
		}
		c.sets = append(c.sets, id)
	}
	for at := range c.guard.Len() {
		n, w := binary.Uvarint(carriers)
		if w <= 0 || n == 0 || n > uint64(len(c.sets)) {
			return errStale
		}
		carriers = carriers[w:]
		for range n {
			i, w := binary.Uvarint(carriers)
			if w <= 0 || i >= uint64(len(c.sets)) {
				return errStale
			}
			carriers = carriers[w:]
			c.carry(st.graph, c.guard.Hash(at), int32(i))
		}
	}
	if len(sets) != 0 || len(carriers) != 0 {
		return errStale
	}
	for _, id := range c.sets {
		c.applied[id] = struct{}{}
		place, _ := st.graph.Place(id)
		actor := crdt.DeriveActor(st.doc.ID(), place.Chain.Device, place.Chain.Incarnation)
		c.chainSeq[place.Chain] = c.guard.Seq(change.Actor(actor[:]))
	}
	for ; len(tips) >= 32; tips = tips[32:] {
		id := crdt.ChangeSetID(tips[:32])
		if !c.has(id) {
			return errStale
		}
		c.tips[id] = struct{}{}
	}
	return nil
}
