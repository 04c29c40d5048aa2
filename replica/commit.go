package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/opset"
	"github.com/pipes-sync/pipes/crdt/set"
)

// local is a change of this replica on its way to the disk.
type local struct {
	chunk []byte
	hash  crdt.ChangeHash
	heads []crdt.ChangeHash  // of the document after it
	own   bool               // by this replica's actor, not a schema change
	joins []crdt.ChangeSetID // the deps of a set of its own; see joinTipsLocked
	done  chan struct{}      // closed when it is durable, or lost
	err   error              // why it was lost; read after done
}

// Pending is a change that was made and may not be durable yet.
type Pending struct {
	// Heads are the document's heads after the change, sorted.
	Heads []crdt.ChangeHash
	// Changed is false if the callback wrote nothing.
	Changed bool

	change *local // nil if there is nothing to wait for
}

// Wait waits until the change is durable. An error means that it is lost, or, for
// a context's, that it is not known.
func (p *Pending) Wait(ctx context.Context) error {
	if p.change == nil {
		return nil
	}
	select {
	case <-p.change.done:
		return p.change.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Change runs fn in a transaction and makes what it wrote durable: one Automerge
// change, however many edits. An error of fn undoes them all. fn must not call
// methods of d.
func (d *Doc) Change(ctx context.Context, fn func(*crdt.Tx) error) error {
	_, err := d.ChangeMessage(ctx, "", fn)
	return err
}

// ChangeMessage is Change with a message for the log; it answers the heads after
// the change.
func (d *Doc) ChangeMessage(ctx context.Context, message string, fn func(*crdt.Tx) error) ([]crdt.ChangeHash, error) {
	p, err := d.Begin(ctx, message, fn)
	if err != nil {
		return nil, err
	}
	return p.Heads, docErr(d.id, "change", p.Wait(ctx))
}

// Begin is Change without the wait: when it returns, the change is in memory and
// on its way; [Pending.Wait] or [Doc.Flush] wait for the disk. Changes begun while
// a commit is in flight share the next one. If a commit fails, all changes that
// were not durable are lost together, and their Pendings say so.
func (d *Doc) Begin(ctx context.Context, message string, fn func(*crdt.Tx) error) (*Pending, error) {
	if len(message) > change.MaxMessage {
		return nil, docErr(d.id, "change", fmt.Errorf("%w: message of %d bytes, at most %d", ErrTooLarge, len(message), change.MaxMessage))
	}
	p := &Pending{}
	err := d.opened(ctx, "change", func(*content) error {
		c, err := d.turnLocked(ctx) // waiting may have unloaded the content
		if err != nil {
			return err
		}
		if err := d.standLocked(c); err != nil {
			return err
		}
		if c, err = d.joinTipsLocked(c); err != nil {
			return err
		}
		if err := d.joinHeadsLocked(c); err != nil {
			return err
		}
		return d.writeLocked(c, p, message, fn)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// turnLocked waits until there is room in the queue and nobody holds it, and
// answers the content.
func (d *Doc) turnLocked(ctx context.Context) (*content, error) {
	defer context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.mu.changed.Broadcast()
	})()
	for d.mu.paused > 0 || len(d.mu.queue) >= maxQueued {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d.mu.changed.Wait()
	}
	st, err := d.loadLocked()
	if err != nil {
		return nil, err
	}
	return d.openLocked(st)
}

// standLocked finds this device's standing as a writer. What is queued is written
// under the last one that there was.
func (d *Doc) standLocked(c *content) error {
	if err := d.continuesLocked(c); err != nil {
		return err
	}
	st, err := d.r.access.standing(d.mu.state.doc.Genesis.Scope, acl.ActionWrite, d.mu.standing)
	if err == nil {
		d.mu.standing = st
	}
	return err
}

// continuesLocked answers ErrCopied if this replica cannot go on from its last set:
// there are two of them, or the last is left out here and nowhere else. What it
// wrote would contradict what others have of it, and contribute nothing there.
func (d *Doc) continuesLocked(c *content) error {
	tips := d.mu.state.graph.ChainTips(d.r.chain())
	if len(tips) > 1 {
		return fmt.Errorf("%w: this replica's directory was copied, and both write as the same device", ErrCopied)
	}
	for _, tip := range tips {
		why := c.quarantine[tip.ID]
		if why == nil {
			why = c.keyless[tip.ID]
		}
		if why != nil {
			return fmt.Errorf("%w: change set %s is left out here: %w", ErrCopied, tip.ID, why)
		}
	}
	return nil
}

// writeLocked runs the transaction and queues its change.
func (d *Doc) writeLocked(c *content, p *Pending, message string, fn func(*crdt.Tx) error) error {
	w, err := c.engine.Begin()
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended { // fn panicked, and somebody may recover
			err := w.Rollback()
			d.r.log.Error("change undone after a panic", "doc", d.id.String(), "error", err)
		}
	}()
	tx := crdt.NewTx(w)
	err = fn(tx)
	ended = true
	if err != nil {
		return errors.Join(err, w.Rollback())
	}
	if n, err := tx.Ops(); err != nil || n > change.MaxOps {
		if err == nil {
			err = fmt.Errorf("%w: %d operations, at most %d", ErrTooLarge, n, change.MaxOps)
		}
		return errors.Join(err, w.Rollback())
	}
	written, err := w.Commit(message, time.Now().Unix())
	if err != nil {
		return errors.Join(err, w.Rollback())
	}
	if written.Bytes == nil {
		p.Heads = c.guard.Heads()
		if n := len(d.mu.queue); n > 0 {
			p.change = d.mu.queue[n-1]
		}
		return nil
	}
	if err := d.guardOwn(c, written); err != nil {
		return d.undoLocked(err)
	}
	p.Heads, p.Changed = c.guard.Heads(), true
	p.change = &local{chunk: written.Bytes, hash: written.Hash, heads: p.Heads, own: true, done: make(chan struct{})}
	d.enqueueLocked(p.change)
	return nil
}

// guardOwn holds a change of ours against the rules that others will hold it
// against, so that nothing leaves that they would refuse.
func (d *Doc) guardOwn(c *content, written crdt.Change) error {
	if len(written.Bytes) > set.MaxContent-64 {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(written.Bytes), set.MaxContent-64)
	}
	decoded, err := change.Decode(written.Bytes)
	if err != nil {
		return err
	}
	if out := c.add(decoded); out.Status != opset.Applied {
		return fmt.Errorf("replica: own change is %s: %w", out.Status, out.Err)
	}
	return nil
}

// undoLocked takes back a change that the engine has and that must not be: what is
// queued is made durable, and the content is read again.
func (d *Doc) undoLocked(why error) error {
	if st := d.mu.state; st != nil && st.content != nil {
		st.content.spoiled = true // whoever gets the lock first must not build on it
	}
	err := d.settleLocked()
	d.dropLocked()
	d.resumeLocked()
	return errors.Join(why, err)
}

// enqueueLocked puts a change in line and sees that somebody writes the line.
func (d *Doc) enqueueLocked(l *local) {
	d.mu.queue = append(d.mu.queue, l)
	if !d.mu.flushing {
		d.mu.flushing = true
		d.r.working.Go(d.flush)
	}
}

// settleLocked waits until the queue is empty and keeps it so until resumeLocked.
// It lets go of the lock while it waits.
func (d *Doc) settleLocked() error {
	var last *local
	if n := len(d.mu.queue); n > 0 {
		last = d.mu.queue[n-1]
	}
	d.mu.paused++
	for d.mu.flushing {
		d.mu.changed.Wait()
	}
	if last != nil {
		<-last.done
		return last.err
	}
	return nil
}

func (d *Doc) resumeLocked() {
	d.mu.paused--
	d.mu.changed.Broadcast()
}

// Flush waits until every change begun before is durable.
func (d *Doc) Flush(ctx context.Context) error {
	if err := d.r.docs.enter(ctx); err != nil {
		return err
	}
	defer d.r.docs.leave()
	d.mu.Lock()
	var p Pending
	if n := len(d.mu.queue); n > 0 {
		p.change = d.mu.queue[n-1]
	}
	d.mu.Unlock()
	return docErr(d.id, "flush", p.Wait(ctx))
}

// flush writes the queue, set by set, until it is empty.
func (d *Doc) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.mu.queue) > 0 {
		batch := d.batchLocked()
		h, key := d.headerLocked(batch[0].joins)
		before := d.mu.state.bytes
		d.mu.Unlock()
		s, err := d.write(h, key, batch, before)
		d.mu.Lock()
		d.wroteLocked(s, batch, err)
		d.mu.changed.Broadcast()
	}
	d.mu.flushing = false
	d.mu.changed.Broadcast()
}

// batchLocked is the part of the queue that the next set carries.
func (d *Doc) batchLocked() []*local {
	n, size := 0, 0
	if d.mu.queue[0].joins != nil {
		return d.mu.queue[:1:1]
	}
	for n < len(d.mu.queue) && n < set.MaxCount && d.mu.queue[n].joins == nil {
		size += len(d.mu.queue[n].chunk)
		if n > 0 && size > maxSetBytes {
			break
		}
		n++
	}
	return d.mu.queue[:n:n]
}

// headerLocked is the header of this replica's next set, but for what sealing
// fills in, and the key to seal it under. It names joins, or all it rests on.
func (d *Doc) headerLocked(joins []crdt.ChangeSetID) (set.Header, set.Key) {
	st, own := d.mu.state, d.mu.standing
	h := set.Header{
		Suite: set.Suite1, Scope: st.doc.Genesis.Scope, Doc: d.id,
		Path: own.path, Heads: own.heads, Epoch: own.epoch,
		Device: d.r.id.device, Incarnation: d.r.id.incarnation, Seq: 1,
		Prev: crdt.ChangeSetID(d.id),
	}
	if tips := st.graph.ChainTips(d.r.chain()); len(tips) > 0 {
		h.Seq, h.Prev = tips[0].Seq+1, tips[0].ID
	}
	if h.Deps = joins; joins == nil {
		h.Deps = st.graph.Frontier(h.Prev, st.content.tipList())
	}
	return h, own.key(d.id)
}

// write seals and signs a set and makes it durable. before is what the document's
// payloads came to without it.
func (d *Doc) write(h set.Header, key set.Key, batch []*local, before uint64) (*set.Set, error) {
	c := set.Content{Time: time.Now().UnixMilli(), Changes: make([][]byte, len(batch))}
	for i, l := range batch {
		c.Changes[i] = l.chunk
	}
	coder := coders.Get().(*set.Coder)
	s, err := coder.Seal(h, c, key, nonce24())
	coders.Put(coder)
	if err != nil {
		return nil, err
	}
	s.Sign(d.r.id.sign)
	b := d.r.store.Batch()
	defer b.Discard()
	d.r.put(b, d.id, s)
	head := headRecord{scope: h.Scope, heads: batch[len(batch)-1].heads, bytes: before + uint64(len(s.Payload))}
	b.PutHead(d.id, head.encode())
	return s, b.Commit()
}

// wroteLocked takes a batch off the queue. If it was not written, nothing that
// rests on it can be: all of the queue is lost, and the content is read again.
func (d *Doc) wroteLocked(s *set.Set, batch []*local, err error) {
	if err == nil {
		err = d.placeOwnLocked(s, batch)
	}
	if err != nil {
		d.r.log.Error("changes lost", "doc", d.id.String(), "changes", len(d.mu.queue), "error", err)
		batch = d.mu.queue
		d.dropLocked()
	}
	for _, l := range batch {
		l.err = err
		close(l.done)
	}
	d.mu.queue = d.mu.queue[len(batch):]
	if len(d.mu.queue) == 0 {
		d.mu.queue = nil
	}
	d.announceLocked()
}

// placeOwnLocked notes a set of ours that is durable.
func (d *Doc) placeOwnLocked(s *set.Set, batch []*local) error {
	st := d.mu.state
	if _, err := st.graph.Add(&s.Header, s.ID()); err != nil {
		return err
	}
	st.bytes += uint64(len(s.Payload))
	c := st.content
	seq := c.chainSeq[s.Header.Chain()]
	for _, l := range batch {
		if l.own {
			seq++
		}
	}
	index := c.note(&s.Header, s.ID(), seq)
	for _, l := range batch {
		c.carry(st.graph, l.hash, index)
	}
	c.unsaved += len(batch)
	return nil
}
