package replica

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

// The Automerge core ends the process when something in it goes wrong, whatever
// the guard in front of it let pass. So before a change set from elsewhere is
// applied, its name is written to a journal, in a place of its own. A replica that
// finds a name there at start quarantines the set and never applies it again: one
// poisonous change costs one restart.

// openJournal opens the journal and quarantines what it names.
func (r *Replica) openJournal() (err error) {
	var notes [][]byte
	if r.journal, notes, err = r.store.OpenJournal(); err != nil {
		return err
	}
	batch := r.store.Batch()
	defer batch.Discard()
	for _, note := range notes {
		doc, id, err := decodeNote(note)
		if err != nil {
			r.log.Warn("journal entry is not readable", "error", err)
			continue
		}
		r.log.Error("change set quarantined: the process died while it was applied", "doc", doc.String(), "set", id.String())
		batch.Quarantine(doc, id, encodeReason("the process died while it was applied"))
		batch.DropSnapshots(doc)
	}
	if len(notes) == 0 {
		return nil
	}
	if err := batch.Commit(); err != nil {
		return fmt.Errorf("replica: quarantine: %w", err)
	}
	return r.journal.Clear()
}

// errJournal is wrapped when the journal cannot be written: that says nothing about
// the change set.
var errJournal = errors.New("replica: journal")

// applying runs f, which feeds a change set to the engine, with the set's name in
// the journal.
func (r *Replica) applying(doc crdt.DocID, id crdt.ChangeSetID, f func() error) error {
	slot, err := r.journal.Begin(encodeNote(doc, id))
	if err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	if err := f(); err != nil {
		return errors.Join(err, r.journal.End(slot))
	}
	if err := r.journal.End(slot); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	return nil
}

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
