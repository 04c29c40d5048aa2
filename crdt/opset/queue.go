package opset

import (
	"slices"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// queue holds the changes that wait for their deps.
type queue struct {
	maxChanges, maxBytes int

	bytes   int
	waiting map[crdt.ChangeHash]*waiter
	needed  map[crdt.ChangeHash][]*waiter // by a dep that is not applied
}

type waiter struct {
	c       *change.Change
	missing int // deps that are not applied
}

func newQueue(o Options) queue {
	q := queue{maxChanges: o.MaxPending, maxBytes: o.MaxPendingBytes}
	if q.maxChanges == 0 {
		q.maxChanges = defaultPending
	}
	if q.maxBytes == 0 {
		q.maxBytes = defaultPendingBytes
	}
	q.clear()
	return q
}

func (q *queue) clear() {
	q.bytes = 0
	q.waiting = map[crdt.ChangeHash]*waiter{}
	q.needed = map[crdt.ChangeHash][]*waiter{}
}

func (q *queue) has(h crdt.ChangeHash) bool { return q.waiting[h] != nil }

// put queues a change, unless the queue is full.
func (q *queue) put(c *change.Change, missing []crdt.ChangeHash) bool {
	if len(q.waiting) >= q.maxChanges || q.bytes+c.Size() > q.maxBytes {
		return false
	}
	w := &waiter{c, len(missing)}
	q.waiting[c.Hash] = w
	q.bytes += c.Size()
	for _, h := range missing {
		q.needed[h] = append(q.needed[h], w)
	}
	return true
}

// release takes out the changes that waited for nothing but h, oldest first.
func (q *queue) release(h crdt.ChangeHash) (ready []*change.Change) {
	for _, w := range q.needed[h] {
		if w.missing--; w.missing == 0 {
			ready = append(ready, w.c)
			q.remove(w.c)
		}
	}
	delete(q.needed, h)
	return ready
}

// drop takes out the changes that wait for h, which will never be applied.
func (q *queue) drop(h crdt.ChangeHash) (dropped []*change.Change) {
	for _, w := range q.needed[h] {
		dropped = append(dropped, w.c)
		q.remove(w.c)
		for _, d := range w.c.Deps {
			if d == h {
				continue
			}
			if left := slices.DeleteFunc(q.needed[d], func(x *waiter) bool { return x == w }); len(left) > 0 {
				q.needed[d] = left
			} else {
				delete(q.needed, d)
			}
		}
	}
	delete(q.needed, h)
	return dropped
}

func (q *queue) remove(c *change.Change) {
	delete(q.waiting, c.Hash)
	q.bytes -= c.Size()
}

// Pending returns the number of queued changes and their size in bytes.
func (s *State) Pending() (changes, bytes int) { return len(s.queue.waiting), s.queue.bytes }

// Missing returns the hashes that queued changes wait for and that are neither
// applied nor queued, ascending.
func (s *State) Missing() (hs []crdt.ChangeHash) {
	for h := range s.queue.needed {
		if !s.queue.has(h) {
			hs = append(hs, h)
		}
	}
	slices.SortFunc(hs, crdt.CompareIDs)
	return hs
}

// Forget drops the queue.
func (s *State) Forget() { s.queue.clear() }
