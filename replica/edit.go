package replica

import (
	"context"

	"github.com/pipes-sync/pipes/crdt"
)

// Read runs fn on the document as it is, under its lock: for many reads that belong
// together. fn must not keep the view, nor call methods of d.
func (d *Doc) Read(ctx context.Context, fn func(crdt.View) error) error {
	return d.readAt(ctx, nil, fn)
}

// At runs fn on the document as it was at heads. Heads that are not here are
// [crdt.ErrNoChange].
func (d *Doc) At(ctx context.Context, heads []crdt.ChangeHash, fn func(crdt.View) error) error {
	if heads == nil {
		heads = []crdt.ChangeHash{}
	}
	return d.readAt(ctx, heads, fn)
}

func (d *Doc) readAt(ctx context.Context, heads []crdt.ChangeHash, fn func(crdt.View) error) error {
	return d.opened(ctx, "read", func(c *content) error {
		reader, err := c.engine.At(heads)
		if err != nil {
			return err
		}
		return fn(crdt.NewView(reader))
	})
}

// Get reads the value at a path of map keys (string) and list indexes (int), as
// [crdt.View.Value] gives it. With no path it is the whole document. Nothing there
// is [crdt.ErrNoPath].
func (d *Doc) Get(path ...any) (any, error) {
	var value any
	err := d.Read(context.Background(), func(v crdt.View) (err error) {
		value, err = v.Value(crdt.At(path...))
		return err
	})
	return value, err
}

// Set makes what is at path read as value, with the fewest operations: see
// [crdt.Tx.Set]. It is durable when Set returns, as with the methods below.
func (d *Doc) Set(ctx context.Context, value any, path ...any) error {
	return d.Change(ctx, func(tx *crdt.Tx) error { return tx.Set(crdt.At(path...), value) })
}

// Remove removes what is at path.
func (d *Doc) Remove(ctx context.Context, path ...any) error {
	return d.Change(ctx, func(tx *crdt.Tx) error { return tx.Delete(crdt.At(path...)) })
}

// Increment adds n to the counter at path.
func (d *Doc) Increment(ctx context.Context, n int64, path ...any) error {
	return d.Change(ctx, func(tx *crdt.Tx) error { return tx.Increment(crdt.At(path...), n) })
}

// Text is a text of a document.
type Text struct {
	d    *Doc
	path crdt.Path
}

// Text is the text at path. Whether there is one shows when it is used.
func (d *Doc) Text(path ...any) *Text { return &Text{d, crdt.At(path...)} }

// Get reads the text.
func (t *Text) Get() (string, error) {
	var s string
	err := t.d.Read(context.Background(), func(v crdt.View) (err error) {
		s, err = v.Text(t.path)
		return err
	})
	return s, err
}

// Splice deletes del code points at pos and inserts text there.
func (t *Text) Splice(ctx context.Context, pos, del int, text string) error {
	return t.d.Change(ctx, func(tx *crdt.Tx) error { return tx.Splice(t.path, pos, del, text) })
}
