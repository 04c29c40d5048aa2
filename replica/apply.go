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
// errRebuild asks for the content to be made anew without it; with any error the
// content is not to be used any more.
func (d *Doc) apply(st *docState, c *content, s *set.Set) error {
	id := s.ID()
	if c.apart(&s.Header, id) {
		return nil
	}
	if _, bad := c.quarantine[id]; bad {
		return nil
	}
	opened, checked, err := d.unseal(st, c, s)
	switch {
	case isKeyless(err):
		c.keyless[id] = err
		c.epochs[s.Header.Epoch] = struct{}{}
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
		return nil
	}
	if len(fresh) > 0 {
		err = d.r.applying(d.id, id, c.engine, fresh, c.guard.Heads())
		if errors.Is(err, errJournal) {
			return err
		}
		if err != nil {
			return d.rebuildWithout(id, fmt.Errorf("the engine did not take it: %w", err))
		}
	}
	index := c.note(&s.Header, id, checked.Seq)
	for _, hash := range checked.Hashes {
		c.carry(st.graph, hash, index)
	}
	c.unsaved += len(fresh)
	return nil
}

// apart notes an item that contributes nothing because of where it stands, and
// answers whether it is one: it lost where its device wrote two, it has such an item
// in its past, or one without a key. The items it names were looked at before it.
//
// What rests on an item without a key waits for it, whatever it says itself: so that
// what is applied is the same whether the key comes first or last.
func (c *content) apart(h *set.Header, id crdt.ChangeSetID) bool {
	if c.lost[id] {
		c.inert[id] = errForkLoser
		return true
	}
	for _, before := range append([]crdt.ChangeSetID{h.Prev}, h.Deps...) {
		if c.inert[before] == errForkLoser {
			c.inert[id] = errForkLoser
			return true
		}
		if _, ok := c.keyless[before]; ok {
			c.keyless[id] = errKeylessPast
			return true
		}
	}
	return false
}

var (
	errForkLoser   = errors.New("its device wrote two items in one place, and this branch lost")
	errKeylessPast = errors.New("it rests on a change set that has no key here")
)

// isKeyless reports whether an item cannot be read yet: that is no fault of its.
func isKeyless(err error) bool {
	return errors.Is(err, acl.ErrNoKey) || errors.Is(err, acl.ErrPending) ||
		errors.Is(err, acl.ErrBadEpoch) || errors.Is(err, set.ErrNoPayload)
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

// admit runs the changes of a set through the guard, which takes them all or none,
// and answers those that are new.
func (c *content) admit(changes [][]byte) (fresh [][]byte, err error) {
	decoded := make([]*change.Change, len(changes))
	for i, chunk := range changes {
		if decoded[i], err = change.Decode(chunk); err != nil {
			return nil, err
		}
	}
	outcomes, ok := c.guard.AddAll(decoded)
	if !ok {
		switch last := outcomes[len(outcomes)-1]; last.Status {
		case opset.Invalid, opset.Equivocates:
			return nil, last.Err
		default:
			return nil, fmt.Errorf("it rests on a change that contributes nothing (%s)", last.Status)
		}
	}
	for i, out := range outcomes {
		if out.Status != opset.Applied {
			continue
		}
		fresh = append(fresh, changes[i])
		if decoded[i].Actor == c.own {
			c.ownLast = decoded[i].Hash
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
