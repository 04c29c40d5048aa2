package replica

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
)

// Doc is a document of a replica. Its content is in memory while it is used; a Doc
// stays valid when it is not.
type Doc struct {
	r  *Replica
	id crdt.DocID

	mu struct {
		sync.Mutex
		changed sync.Cond // broadcast when queue, flushing or paused change

		state    *docState // nil while not in memory
		used     time.Time // when it was asked for last
		standing *standing // this device's place; see access.standing

		queue    []*local // changes that are not durable, oldest first
		flushing bool     // a goroutine writes the queue
		paused   int      // callers that want the queue empty and to stay so

		events chan struct{} // closed, and made anew, when the content changed
	}
}

// ID is the document's id.
func (d *Doc) ID() crdt.DocID { return d.id }

// registry holds the documents that were asked for.
type registry struct {
	mu      sync.Mutex
	closed  bool
	docs    map[crdt.DocID]*Doc
	running sync.WaitGroup // calls, added to under mu while not closed
}

func (g *registry) init() { g.docs = map[crdt.DocID]*Doc{} }

// enter begins a call; unless it answers an error, leave ends it.
func (g *registry) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	g.running.Add(1)
	return nil
}

func (g *registry) leave() { g.running.Done() }

// close lets no further call in and waits for those that run. It answers false if
// it was called before.
func (g *registry) close() bool {
	g.mu.Lock()
	first := !g.closed
	g.closed = true
	g.mu.Unlock()
	g.running.Wait()
	return first
}

// all are the documents there are handles of.
func (g *registry) all() []*Doc {
	g.mu.Lock()
	defer g.mu.Unlock()
	docs := make([]*Doc, 0, len(g.docs))
	for _, d := range g.docs {
		docs = append(docs, d)
	}
	return docs
}

// doc is the one handle of a document.
func (r *Replica) doc(id crdt.DocID) *Doc {
	r.docs.mu.Lock()
	defer r.docs.mu.Unlock()
	d := r.docs.docs[id]
	if d == nil {
		d = &Doc{r: r, id: id}
		d.mu.changed.L = &d.mu
		d.mu.events = make(chan struct{})
		r.docs.docs[id] = d
	}
	return d
}

// Doc finds a document that is here. It answers ErrNotFound.
func (r *Replica) Doc(ctx context.Context, id crdt.DocID) (*Doc, error) {
	if err := r.docs.enter(ctx); err != nil {
		return nil, err
	}
	defer r.docs.leave()
	if _, err := r.store.Head(id); err != nil {
		return nil, docErr(id, "find", err)
	}
	return r.doc(id), nil
}

// with runs f with the document's state in memory, under its lock. op names the
// call in errors.
func (d *Doc) with(ctx context.Context, op string, f func(st *docState) error) error {
	if err := d.r.docs.enter(ctx); err != nil {
		return err
	}
	defer d.r.docs.leave()
	d.mu.Lock()
	defer d.mu.Unlock()
	st, err := d.loadLocked()
	if err == nil {
		err = f(st)
	}
	return docErr(d.id, op, err)
}

// opened is with, and the content open.
func (d *Doc) opened(ctx context.Context, op string, f func(c *content) error) error {
	return d.with(ctx, op, func(st *docState) error {
		c, err := d.openLocked(st)
		if err != nil {
			return err
		}
		return f(c)
	})
}

// announceLocked tells watchers that the content changed.
func (d *Doc) announceLocked() {
	close(d.mu.events)
	d.mu.events = make(chan struct{})
}

// unloadIdle takes documents out of memory that were not used for a while, and the
// least used when there are too many. It runs until the replica closes.
func (r *Replica) unloadIdle() {
	tick := time.NewTicker(max(r.opt.Idle/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-r.closing:
			return
		case now := <-tick.C:
			r.unloadBefore(now.Add(-r.opt.Idle))
		}
	}
}

// unloadBefore takes out of memory what was not used since, and the oldest of what
// is beyond MaxOpen.
func (r *Replica) unloadBefore(since time.Time) {
	type loaded struct {
		d    *Doc
		used time.Time
	}
	var left []loaded
	for _, d := range r.docs.all() {
		d.mu.Lock()
		switch {
		case d.mu.state == nil:
		case d.mu.used.Before(since):
			d.unloadLocked()
		default:
			left = append(left, loaded{d, d.mu.used})
		}
		d.mu.Unlock()
	}
	for n := len(left) - r.opt.MaxOpen; n > 0; n-- {
		oldest := 0
		for i := range left {
			if left[i].used.Before(left[oldest].used) {
				oldest = i
			}
		}
		d := left[oldest].d
		left[oldest] = left[len(left)-1]
		left = left[:len(left)-1]
		d.mu.Lock()
		d.unloadLocked()
		d.mu.Unlock()
	}
}

// unloadLocked takes the document out of memory, unless changes of it are on their
// way to the disk.
func (d *Doc) unloadLocked() {
	if d.mu.state == nil || d.mu.flushing || len(d.mu.queue) > 0 {
		return
	}
	if c := d.mu.state.content; c != nil {
		d.snapshotLocked(c)
	}
	d.dropLocked()
}

// dropLocked forgets what is in memory, whatever it is worth.
func (d *Doc) dropLocked() {
	if d.mu.state == nil {
		return
	}
	d.mu.state.close(d.r.log)
	d.mu.state = nil
}

// closeDocs makes everything durable and takes every document out of memory, as many
// at a time as there are processors: snapshots are read back, which is work.
func (r *Replica) closeDocs() error {
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for _, d := range r.docs.all() {
		all.Go(func() error {
			d.mu.Lock()
			defer d.mu.Unlock()
			err := d.settleLocked()
			d.mu.paused-- // settleLocked holds the queue; nobody can add to it any more
			d.unloadLocked()
			d.mu.standing = nil // it holds a secret
			return err
		})
	}
	err := all.Wait()
	am.Trim()
	return err
}
