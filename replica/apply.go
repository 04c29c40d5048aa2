package replica

import (
	"errors"
	"fmt"
	"sync"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/opset"
	"github.com/pipes-sync/pipes/crdt/set"
)

// coders keeps the compressors' memory between calls.
var coders = sync.Pool{New: func() any { return new(set.Coder) }}

// apply opens an item that the graph holds and feeds its changes to the guard and
// the engine. An item that fails on the way is noted as inert and is no error.
// errRebuild asks for the content to be made anew without it.
func (d *Doc) apply(st *docState, c *content, s *set.Set) error {
	id := s.ID()
	opened, checked, err := d.unseal(st, c, s)
	switch {
	case errors.Is(err, acl.ErrNoKey), errors.Is(err, acl.ErrPending), errors.Is(err, acl.ErrBadEpoch), errors.Is(err, set.ErrNoPayload):
		c.keyless[id] = err
		return nil
	case isInert(err):
		c.inert[id] = err
		return nil
	case err != nil:
		return err
	}
	fresh, err := c.admit(opened.Changes)
	if err != nil {
		c.inert[id] = err
		if len(fresh) == 0 {
			return nil
		}
		return d.rebuildWithout(id, err) // the guard has taken the changes before
	}
	if len(fresh) > 0 {
		err = d.r.applying(d.id, id, func() error { return c.engine.Apply(fresh, c.guard.Heads()) })
		if err != nil {
			return d.rebuildWithout(id, fmt.Errorf("the engine did not take it: %w", err))
		}
	}
	index := c.note(&s.Header, id, checked.Seq)
	for _, hash := range checked.Hashes {
		c.carry(hash, index)
	}
	c.unsaved += len(fresh)
	return nil
}

// unseal opens an item and holds its content against the rules that bind changes
// to their set.
func (d *Doc) unseal(st *docState, c *content, s *set.Set) (set.Content, set.Checked, error) {
	h := &s.Header
	secret, err := d.r.access.secret(h.Scope, h.Epoch)
	if err != nil {
		return set.Content{}, set.Checked{}, err
	}
	coder := coders.Get().(*set.Coder)
	defer coders.Put(coder)
	opened, err := coder.Open(s, set.ContentKey(secret, d.id))
	if err != nil {
		return opened, set.Checked{}, err
	}
	checked, err := set.CheckContent(h, opened, c.chainSeq[h.Chain()], c.inPast(st.graph, h))
	return opened, checked, err
}

func isInert(err error) bool {
	var inert *set.InertError
	return errors.As(err, &inert)
}

// admit runs changes through the guard and answers those that are new. With an
// error, the ones before the change at fault are answered, and in the guard.
func (c *content) admit(changes [][]byte) (fresh [][]byte, err error) {
	for _, chunk := range changes {
		decoded, err := change.Decode(chunk)
		if err != nil {
			return fresh, err
		}
		switch out := c.add(decoded); out.Status {
		case opset.Applied:
			fresh = append(fresh, chunk)
		case opset.Known:
		case opset.Invalid, opset.Equivocates:
			return fresh, out.Err
		default:
			c.guard.Forget()
			return fresh, fmt.Errorf("it rests on a change that contributes nothing (%s)", out.Status)
		}
	}
	return fresh, nil
}

// rebuildWithout puts an item into quarantine, so that the next build leaves it out.
func (d *Doc) rebuildWithout(id crdt.ChangeSetID, why error) error {
	d.r.log.Warn("change set is inert", "doc", d.id.String(), "set", id.String(), "reason", why)
	b := d.r.store.Batch()
	defer b.Discard()
	b.Quarantine(d.id, id, encodeReason(why.Error()))
	b.DropSnapshots(d.id)
	if err := b.Commit(); err != nil {
		return err
	}
	return errRebuild
}
