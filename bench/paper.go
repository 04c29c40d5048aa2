package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
	"github.com/pipes-sync/pipes/crdt/am/bare"
	"github.com/pipes-sync/pipes/replica"
)

// perChange is how many edits of a trace make one change.
const perChange = 100

const (
	rowBare      = "bare core, loop in C"
	rowEngine    = "crdt/am, document API"
	rowPipelined = "replica, Begin and Flush"
	rowBlocking  = "replica, Change by Change"
	rowClose     = "close: snapshot, read back"
	rowReopen    = "open again, read the text"
)

// paper types a paper of 259,778 edits.
func paper(_ context.Context, e *env) (*section, error) {
	flat, want := e.trace.flat(), int64(utf8.RuneCountInString(e.trace.end))
	round := func(ctx context.Context, s *section) error {
		err := s.clock(ctx, rowBare, 1, func() error {
			if got := bare.Replay(flat, perChange); got != want {
				return fmt.Errorf("a text of %d code points, want %d", got, want)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := s.typeEngine(ctx, e.trace); err != nil {
			return err
		}
		for _, name := range []string{rowPipelined, rowBlocking} {
			if err := s.typeReplica(ctx, name, e); err != nil {
				return err
			}
		}
		return nil
	}
	return &section{
		Title: fmt.Sprintf("A paper typed: %d edits, %d a change", len(e.trace.edits), perChange),
		Note: "Time from an empty document to the finished text; for the replica until it is on the disk, " +
			"signed, sealed and synced. The text is compared with the recorded one, after the replica has " +
			"been closed and opened again.",
		Rows: []*row{
			{Name: rowBare, Unit: "s"},
			{Name: rowEngine, Unit: "s", Base: rowBare, bound: bound{of: cpuRatioOf, limit: 1.2, unit: "x of CPU"}},
			{Name: rowPipelined, Unit: "s", Base: rowBare, bound: bound{of: ratioOf, limit: 1.5, unit: "x"}},
			{Name: rowBlocking, Unit: "s", Base: rowBare},
			{Name: rowClose, Unit: "s", Base: rowBare},
			{Name: rowReopen, Unit: "s", Base: rowBare},
		},
		round: round,
	}, nil
}

// typeEngine measures the engine through the document API.
func (s *section) typeEngine(ctx context.Context, t *trace) error {
	var d *am.Doc
	err := s.clock(ctx, rowEngine, 1, func() (err error) {
		d, err = typed(t)
		return err
	})
	if err != nil {
		return err
	}
	r, err := d.At(nil)
	if err != nil {
		return err
	}
	text, err := crdt.NewView(r).Text(crdt.At(textKey))
	return errors.Join(err, t.ends(text), d.Close())
}

// typed answers a document of the trace.
func typed(t *trace) (*am.Doc, error) {
	d, err := am.New(crdt.ActorID{1}, nil)
	if err != nil {
		return nil, err
	}
	err = transact(d, func(tx *crdt.Tx) error { return tx.Set(crdt.At(textKey), "") })
	for edits := range t.typing(perChange) {
		if err == nil {
			err = transact(d, edits)
		}
	}
	return d, err
}

// transact makes one change.
func transact(d crdt.Engine, f func(*crdt.Tx) error) error {
	w, err := d.Begin()
	if err != nil {
		return err
	}
	if err := f(crdt.NewTx(w)); err != nil {
		return errors.Join(err, w.Rollback())
	}
	_, err = w.Commit("", 0)
	return err
}

// typeReplica measures a replica with default options. With the first of its two
// rows it also measures what comes after.
func (s *section) typeReplica(ctx context.Context, name string, e *env) error {
	dir := filepath.Join(e.dir, "paper")
	defer os.RemoveAll(dir)
	r, err := replica.Open(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer r.Close() // for what fails; closing twice does nothing
	var doc *replica.Doc
	err = s.clock(ctx, name, 1, func() (err error) {
		if doc, err = r.NewDoc(ctx, map[string]any{textKey: ""}); err != nil {
			return err
		}
		for edits := range e.trace.typing(perChange) {
			if name == rowBlocking {
				err = doc.Change(ctx, edits)
			} else {
				_, err = doc.Begin(ctx, "", edits)
			}
			if err != nil {
				return err
			}
		}
		return doc.Flush(ctx)
	})
	if err != nil {
		return err
	}
	closed, err := timed(ctx, rowClose, r.Close)
	if err != nil {
		return err
	}
	reopened, err := timed(ctx, rowReopen, func() error { return readText(ctx, dir, doc.ID(), e.trace) })
	if err == nil && name == rowPipelined {
		s.putLapse(rowClose, closed, 1)
		s.putLapse(rowReopen, reopened, 1)
	}
	return err
}

// readText opens a replica, reads the text of a document and holds it against the
// trace's.
func readText(ctx context.Context, dir string, id crdt.DocID, t *trace) error {
	r, err := replica.Open(ctx, dir, nil)
	if err != nil {
		return err
	}
	doc, err := r.Doc(ctx, id)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	text, err := doc.Text(textKey).Get()
	return errors.Join(err, t.ends(text), r.Close())
}
