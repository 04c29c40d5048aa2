package replica

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
	"github.com/pipes-sync/pipes/crdt/set"
)

// Of is a document read and written as a Go struct: see the struct mapping of
// package crdt. It is a [Doc] besides.
type Of[T any] struct{ *Doc }

// Create makes a document of type T that holds v, private until it is shared.
func Create[T any](ctx context.Context, r *Replica, v T) (*Of[T], error) {
	if err := rehearse(v); err != nil {
		return nil, err
	}
	d, err := r.create(ctx, set.About{Schema: clipName(reflect.TypeFor[T]().Name())})
	if err != nil {
		return nil, err
	}
	o := &Of[T]{d}
	return o, o.Change(ctx, func(n *T) error { *n = v; return nil })
}

// clipName keeps a type's name within what a genesis holds.
func clipName(name string) string {
	if len(name) > set.MaxSchema {
		return ""
	}
	return name
}

// Find finds a document that is here, to be read and written as a T. Fields that T
// has and the document lacks read as zero.
func Find[T any](ctx context.Context, r *Replica, id crdt.DocID) (*Of[T], error) {
	d, err := r.Doc(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Of[T]{d}, nil
}

// Value reads the document.
func (o *Of[T]) Value(ctx context.Context) (v T, err error) {
	err = o.Read(ctx, func(view crdt.View) error { return view.Read(nil, &v) })
	return v, err
}

// Change hands the document to fn as a T and writes what fn changed in it, as the
// fewest operations: concurrent edits of the rest survive. It is durable when Change
// returns. An error of fn leaves everything as it was. fn must not keep the pointer,
// nor call methods of o.
func (o *Of[T]) Change(ctx context.Context, fn func(*T) error) error {
	if err := o.seed(ctx, schemaRoots[T]); err != nil {
		return err
	}
	return o.Doc.Change(ctx, func(tx *crdt.Tx) error {
		var before, after T
		if err := errors.Join(tx.Read(nil, &before), tx.Read(nil, &after)); err != nil {
			return err
		}
		if err := fn(&after); err != nil {
			return err
		}
		return tx.WriteDiff(nil, before, after)
	})
}

// State is a document of type T after something changed.
type State[T any] struct {
	Value   T
	By      []crdt.DeviceID // whose change sets it rests on last; empty while only this replica's wait
	Heads   []crdt.ChangeHash
	Pending int // changes of this replica that are not durable yet
}

// Watch yields the document as it is, and again whenever its heads have changed:
// see [Doc.Watch]. A document that does not read as a T ends it.
func (o *Of[T]) Watch(ctx context.Context) iter.Seq[State[T]] {
	return func(yield func(State[T]) bool) {
		var value T
		read := func(v crdt.View) error {
			value = *new(T)
			return v.Read(nil, &value)
		}
		for u := range o.Doc.watch(ctx, read) {
			if !yield(State[T]{Value: value, By: u.By, Heads: u.Heads, Pending: u.Pending}) {
				return
			}
		}
	}
}

func newEngine(actor crdt.ActorID) (crdt.Engine, error) { return am.New(actor, nil) }

func schemaRoots[T any](v crdt.View) ([]crdt.Change, error) {
	return crdt.SchemaRoots[T](newEngine, v)
}

// seed gives the document the initial shape of its type where it lacks some of it:
// changes that every device writes alike, so that devices which do this without
// knowing of each other share one list, not two.
func (d *Doc) seed(ctx context.Context, roots func(crdt.View) ([]crdt.Change, error)) error {
	return d.opened(ctx, "change", func(*content) error {
		c, err := d.turnLocked(ctx)
		if err != nil {
			return err
		}
		reader, err := c.engine.At(nil)
		if err != nil {
			return err
		}
		changes, err := roots(crdt.NewView(reader))
		if err != nil || len(changes) == 0 {
			return err
		}
		if err := d.standLocked(c); err != nil {
			return err
		}
		for _, ch := range changes {
			if err := d.seedLocked(c, ch); err != nil {
				return err
			}
		}
		return nil
	})
}

// seedLocked applies and queues one schema change, unless it is here already.
func (d *Doc) seedLocked(c *content, ch crdt.Change) error {
	if c.guard.Has(ch.Hash) {
		return nil
	}
	if err := d.guardOwn(c, ch); err != nil {
		return d.undoLocked(err)
	}
	if err := c.engine.Apply([][]byte{ch.Bytes}, c.guard.Heads()); err != nil {
		return d.undoLocked(fmt.Errorf("schema change: %w", err))
	}
	d.enqueueLocked(&local{chunk: ch.Bytes, hash: ch.Hash, heads: c.guard.Heads(), done: make(chan struct{})})
	return nil
}
