package replica

import (
	"context"
	"iter"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Update is a document after something changed.
type Update struct {
	Heads   []crdt.ChangeHash // sorted
	By      []crdt.DeviceID   // who signed the change sets that no other rests on
	Pending int               // changes of this replica that are not durable yet
}

// Watch yields the document as it is, and again whenever its heads have changed,
// until ctx ends, the replica closes, or the caller stops. Updates that come while
// the caller is busy are joined into one.
func (d *Doc) Watch(ctx context.Context) iter.Seq[Update] {
	return d.watch(ctx, func(crdt.View) error { return nil })
}

// watch is Watch, and runs read on the content of each update before it is yielded.
// An error of read ends it.
func (d *Doc) watch(ctx context.Context, read func(crdt.View) error) iter.Seq[Update] {
	return func(yield func(Update) bool) {
		var before []crdt.ChangeHash // nil: nothing was yielded
		for {
			var u Update
			var next chan struct{}
			err := d.opened(ctx, "watch", func(c *content) error {
				u = Update{Heads: c.guard.Heads(), By: d.byLocked(c), Pending: len(d.mu.queue)}
				next = d.mu.events
				if before != nil && slices.Equal(before, u.Heads) {
					return nil
				}
				reader, err := c.engine.At(nil)
				if err != nil {
					return err
				}
				return read(crdt.NewView(reader))
			})
			if err != nil {
				d.r.log.Debug("watch ended", "doc", d.id.String(), "error", err)
				return
			}
			if before == nil || !slices.Equal(before, u.Heads) {
				if before = u.Heads; !yield(u) {
					return
				}
			}
			select {
			case <-next:
			case <-ctx.Done():
				return
			case <-d.r.closing:
				return
			}
		}
	}
}

// byLocked lists the devices at the content's tips, each once, ascending.
func (d *Doc) byLocked(c *content) (by []crdt.DeviceID) {
	for id := range c.tips {
		place, _ := d.mu.state.graph.Place(id)
		by = append(by, place.Chain.Device)
	}
	slices.SortFunc(by, crdt.CompareIDs)
	return slices.Compact(by)
}
