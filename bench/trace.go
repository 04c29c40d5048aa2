package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am/bare"
)

// paperTrace is where the trace lies, from the root of the module.
const paperTrace = "testdata/traces/automerge-paper.json.gz"

// trace is a text as it was typed: see testdata/traces/README.md.
type trace struct {
	edits []edit
	end   string // the text after the last edit
}

// edit deletes del code points at pos and inserts text there.
type edit struct {
	pos, del int
	text     string
}

// UnmarshalJSON reads [position, deleted, inserted].
func (e *edit) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&e.pos, &e.del, &e.text})
}

func readTrace(name string) (*trace, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("bench runs from the root of the module: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var in struct {
		EndContent string
		Txns       []struct{ Patches []edit }
	}
	if err := json.NewDecoder(z).Decode(&in); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t := &trace{end: in.EndContent}
	for _, txn := range in.Txns {
		t.edits = append(t.edits, txn.Patches...)
	}
	return t, nil
}

// flat is the trace as the loop in C reads it.
func (t *trace) flat() (b bare.Edits) {
	for _, e := range t.edits {
		b.Pos, b.Del = append(b.Pos, uint32(e.pos)), append(b.Del, uint32(e.del))
		b.Len, b.Text = append(b.Len, uint32(len(e.text))), append(b.Text, e.text...)
	}
	return b
}

// textKey is where the text is in every document of the paper section.
const textKey = "text"

// typing answers transactions of group edits each, in order.
func (t *trace) typing(group int) func(yield func(func(*crdt.Tx) error) bool) {
	path := crdt.At(textKey)
	return func(yield func(func(*crdt.Tx) error) bool) {
		for start := 0; start < len(t.edits); start += group {
			part := t.edits[start:min(start+group, len(t.edits))]
			more := yield(func(tx *crdt.Tx) error {
				for _, e := range part {
					if err := tx.Splice(path, e.pos, e.del, e.text); err != nil {
						return err
					}
				}
				return nil
			})
			if !more {
				return
			}
		}
	}
}

// ends holds a text against the trace's.
func (t *trace) ends(got string) error {
	if got != t.end {
		return fmt.Errorf("the text has %d bytes and is not the trace's of %d", len(got), len(t.end))
	}
	return nil
}
