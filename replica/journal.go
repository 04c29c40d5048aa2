package replica

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
	"github.com/pipes-sync/pipes/storage"
)

// The Automerge core ends the process when something in it goes wrong, whatever
// the guard in front of it let pass. So before a change set is applied, its name is
// written to a journal, beside a mark that the core's abort sets (see am.Mark). A
// replica that finds a marked name at start quarantines the set and never applies it
// again: one poisonous change costs one restart.
//
// A name without the mark was there when something else ended the process: a kill,
// or a lack of memory. That is no fault of the set, most likely; it is remembered,
// and only a set that was there twice is quarantined.

// interruptedRecord names the sets that were being applied when a process ended,
// and have not been applied since.
const interruptedRecord = "interrupted"

// maxInterrupted bounds them; the oldest are forgotten.
const maxInterrupted = 64

// openJournal opens the journal and quarantines what is to blame.
func (r *Replica) openJournal() (err error) {
	var notes []storage.Note
	if r.journal, notes, err = r.store.OpenJournal(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.journal.Close())
		}
	}()
	before, err := r.interrupted()
	if err != nil || len(notes) == 0 {
		r.suspects.notes = before
		return err
	}
	batch := r.store.Batch()
	defer batch.Discard()
	var suspects [][]byte
	for _, note := range notes {
		doc, id, err := decodeNote(note.Text)
		if err != nil {
			r.log.Warn("journal entry is not readable", "error", err)
			continue
		}
		var reason string
		switch {
		case note.Marked:
			reason = "the engine ended the process while it was applied"
		case slices.ContainsFunc(before, func(n []byte) bool { return bytes.Equal(n, note.Text) }):
			reason = "the process ended twice while it was applied"
		default:
			r.log.Warn("the process ended while a change set was applied", "doc", doc.String(), "set", id.String())
			suspects = append(suspects, note.Text)
			continue
		}
		r.log.Error("change set quarantined", "doc", doc.String(), "set", id.String(), "reason", reason)
		batch.Quarantine(doc, id, encodeReason(reason))
		batch.DropSnapshots(doc)
	}
	suspects = append(suspects, before...)
	r.suspects.notes = suspects[:min(len(suspects), maxInterrupted)]
	batch.PutSingleton(interruptedRecord, slices.Concat(r.suspects.notes...))
	if err := batch.Commit(); err != nil {
		return fmt.Errorf("replica: quarantine: %w", err)
	}
	return r.journal.Clear()
}

// cleared takes a set off [interruptedRecord] once it was applied.
func (r *Replica) cleared(note []byte) error {
	r.suspects.Lock()
	defer r.suspects.Unlock()
	left := slices.DeleteFunc(r.suspects.notes, func(n []byte) bool { return bytes.Equal(n, note) })
	if len(left) == len(r.suspects.notes) {
		return nil
	}
	r.suspects.notes = left
	b := r.store.Batch()
	defer b.Discard()
	b.PutSingleton(interruptedRecord, slices.Concat(left...))
	return b.CommitUnsynced()
}

// interrupted reads the notes of [interruptedRecord], newest first.
func (r *Replica) interrupted() ([][]byte, error) {
	value, err := r.store.Singleton(interruptedRecord)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return slices.Collect(slices.Chunk(value, noteSize)), err
}

// errJournal is wrapped when the journal cannot be written: that says nothing about
// the change set.
var errJournal = errors.New("replica: journal")

// applying feeds a change set's changes to the engine, with the set's name in the
// journal.
func (r *Replica) applying(doc crdt.DocID, id crdt.ChangeSetID, engine crdt.Engine, changes [][]byte, want []crdt.ChangeHash) error {
	note := encodeNote(doc, id)
	slot, err := r.journal.Begin(note)
	if err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	marked, ok := engine.(interface {
		ApplyMarked([][]byte, []crdt.ChangeHash, am.Mark) error
	})
	if ok && slot.FD != storage.NoFile {
		err = marked.ApplyMarked(changes, want, am.Mark{FD: slot.FD, Offset: slot.Offset})
	} else {
		err = engine.Apply(changes, want)
	}
	if err != nil {
		return errors.Join(err, r.journal.End(slot))
	}
	if err := errors.Join(r.journal.End(slot), r.cleared(note)); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	return nil
}

// noteSize is the length of a note: an array of two ids.
const noteSize = 1 + 2*(2+32)

func encodeNote(doc crdt.DocID, id crdt.ChangeSetID) []byte {
	b := dagcbor.AppendArray(nil, 2)
	return dagcbor.AppendBytes(dagcbor.AppendBytes(b, doc[:]), id[:])
}

func decodeNote(b []byte) (doc crdt.DocID, id crdt.ChangeSetID, err error) {
	r := dagcbor.NewReader(b)
	r.Array(2, 2)
	r.Fixed(doc[:])
	r.Fixed(id[:])
	return doc, id, r.Done()
}

// maxReason bounds why an item is in quarantine, in bytes.
const maxReason = 1 << 10

// encodeReason is why an item is in quarantine. The text may quote what others
// wrote: it is cut, and made UTF-8.
func encodeReason(reason string) []byte {
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "?")
	b := dagcbor.AppendArray(nil, 2)
	return dagcbor.AppendText(dagcbor.AppendUint(b, 1), reason)
}

func decodeReason(b []byte) string {
	r := dagcbor.NewReader(b)
	r.Array(2, 2)
	r.Expect(1)
	reason := r.Text(maxReason)
	if r.Done() != nil {
		return "reason not readable"
	}
	return reason
}
