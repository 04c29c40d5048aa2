package replica

import (
	"context"
	"errors"
	"iter"

	"github.com/pipes-sync/pipes/crdt"
)

// editRun writes edits to a document, as few changes as the guard allows, without
// waiting for the disk between them.
type editRun struct {
	doc   *Doc
	limit int // operations in a change: maxChangeOps
	// begun, if not nil, hears of every change, in order.
	begun func(editChange)
	ops   int // lines that are edits and have been written
}

// editChange is one that was begun: applied, perhaps not durable yet.
type editChange struct {
	pending *Pending // nil if there was nothing to write
	line    int      // the last line that is whole in it or in one before
	ops     int      // edits up to there
}

// lineError says which line of an edit stream cannot be applied.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

// apply writes the edits as changes that carry message. The lines of ops do not
// fall; end is the line of the commit, which the last change acknowledges. An
// error leaves the changes begun before it.
func (e *editRun) apply(ctx context.Context, message string, ops iter.Seq[editOp], end int) error {
	q := newEditQueue(ops)
	defer q.stop()
	if !q.more {
		e.tell(editChange{line: end, ops: e.ops})
	}
	for q.more {
		p, err := e.doc.Begin(ctx, message, func(tx *crdt.Tx) error { return e.fill(tx, q) })
		if err != nil {
			return err
		}
		if !q.more {
			q.done = end
		}
		e.tell(editChange{p, q.done, e.ops})
	}
	return nil
}

func (e *editRun) tell(c editChange) {
	if e.begun != nil {
		e.begun(c)
	}
}

// fill writes edits to one change, until there are no more or it is full.
func (e *editRun) fill(tx *crdt.Tx, q *editQueue) error {
	for size, first := 0, true; q.more; first = false {
		q.expand(tx, e.limit)
		used, err := tx.Ops()
		if err != nil {
			return err
		}
		size += q.op.size
		if !first && (used+q.op.cost() > e.limit || size > maxChangeBytes) {
			return nil
		}
		if err := q.op.apply(tx); err != nil {
			return &lineError{q.op.line, err}
		}
		if q.next() {
			e.ops++
		}
	}
	return nil
}

// editQueue hands out edits cut into pieces.
type editQueue struct {
	op   editOp // the next one
	more bool   // whether there is one
	done int    // the last line that was handed out whole

	pieces []editOp // of op's line, after op
	pull   func() (editOp, bool)
	stop   func()
}

func newEditQueue(ops iter.Seq[editOp]) *editQueue {
	q := &editQueue{}
	q.pull, q.stop = iter.Pull(ops)
	q.op, q.more = q.pull()
	return q
}

// next goes to the next piece, and reports whether it is another line's.
func (q *editQueue) next() bool {
	if len(q.pieces) > 0 {
		q.op, q.pieces = q.pieces[0], q.pieces[1:]
		return false
	}
	q.done = q.op.line
	q.op, q.more = q.pull()
	return true
}

// expand cuts the next edit if no change could hold it.
func (q *editQueue) expand(tx *crdt.Tx, limit int) {
	if q.op = q.op.overText(tx, limit); q.op.cost() <= limit {
		return
	}
	whole, cut := q.op, []editOp{}
	for piece := range whole.pieces(limit) {
		piece.line = whole.line
		cut = append(cut, piece)
	}
	if len(cut) > 1 { // else there is no way to cut it, and the guard decides
		cut[0].size = whole.size
		q.op, q.pieces = cut[0], append(cut[1:], q.pieces...)
	}
}

// lineProblem says in which line an error was, if it was in one.
func lineProblem(err error) error {
	if le := (*lineError)(nil); errors.As(err, &le) {
		return ProblemOf(le.err).atLine(le.line)
	}
	return err
}
