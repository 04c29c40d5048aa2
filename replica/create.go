package replica

import (
	"context"
	"fmt"
	"time"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// NewDoc makes a document with a list of its own, whose one member is this
// replica's person: private until it is shared. initial is nil or a map with string
// keys, whose values are those that [crdt.Tx.Set] takes. The document is durable
// when NewDoc returns.
func (r *Replica) NewDoc(ctx context.Context, initial any) (*Doc, error) {
	if initial != nil {
		if err := rehearse(initial); err != nil {
			return nil, err
		}
	}
	d, err := r.create(ctx, set.About{})
	if err != nil || initial == nil {
		return d, err
	}
	return d, d.Change(ctx, func(tx *crdt.Tx) error { return tx.Set(nil, initial) })
}

// rehearse writes initial content where it leaves no trace, so that none is left of
// a document that cannot have it.
func rehearse(initial any) error {
	engine, err := newEngine(crdt.ActorID{})
	if err != nil {
		return err
	}
	defer engine.Close()
	w, err := engine.Begin()
	if err != nil {
		return err
	}
	return crdt.NewTx(w).Set(nil, initial)
}

// create makes an empty document: the genesis of its list, then its own.
func (r *Replica) create(ctx context.Context, about set.About) (*Doc, error) {
	if err := r.docs.enter(ctx); err != nil {
		return nil, err
	}
	defer r.docs.leave()
	scope, own, err := r.access.found(acl.KindList)
	if err != nil {
		return nil, err
	}
	g := set.Genesis{
		Scope: scope.ID(), Device: r.id.device, Path: own.path, Heads: own.heads,
		Nonce: nonce16(), Epoch: own.epoch,
	}
	if err := g.Seal(about, own.secret, nonce24()); err != nil {
		return nil, err
	}
	doc, err := set.NewDocument(g, r.id.sign)
	if err != nil {
		return nil, err
	}
	enc, err := scope.op.MarshalBinary()
	if err != nil {
		return nil, err
	}
	b := r.store.Batch()
	defer b.Discard()
	b.NewDoc(doc.ID())
	b.PutOp(scope.ID(), 1, scope.op.ID(), enc)
	r.putDocument(b, doc)
	if err := b.Commit(); err != nil {
		return nil, fmt.Errorf("replica: create document: %w", err)
	}
	if err := r.access.adopt(scope.op); err != nil {
		return nil, err
	}
	return r.doc(doc.ID()), nil
}

// newScope is a scope's genesis that is not in the state yet.
type newScope struct{ op *acl.Op }

func (n newScope) ID() crdt.ScopeID { return n.op.Scope }

// found makes a scope of this person's that nobody knows yet, and this device's
// standing in it. adopt takes it in once it is durable: so founding documents needs
// no lock around the disk.
func (a *access) found(kind acl.Kind) (newScope, *standing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.loadLocked(a.id.person); err != nil {
		return newScope{}, nil, err
	}
	op, err := a.mu.state.NewScope(a.id.author(), kind, nonce16(), 0, time.Now().UnixMilli())
	if err != nil {
		return newScope{}, nil, err
	}
	// The standing is worked out in a state of its own, which has the person's log
	// and the new scope.
	var state acl.State
	person, _ := a.mu.state.Log(a.id.person)
	state.Load(person.All())
	if _, err := state.Add(op); err != nil {
		return newScope{}, nil, err
	}
	st, err := standingIn(&state, a.mu.keys, a.id, op.Scope, acl.ActionWrite)
	return newScope{op}, st, err
}

// adopt takes in a scope whose genesis is stored.
func (a *access) adopt(op *acl.Op) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.loadLocked(a.id.person); err != nil {
		return err
	}
	a.mu.loaded[op.Scope] = true
	_, err := a.mu.state.Add(op)
	return err
}
