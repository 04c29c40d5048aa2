package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
	"github.com/pipes-sync/pipes/storage"
)

// headRecord is what a list of all documents shows of one without opening it.
type headRecord struct {
	scope crdt.ScopeID
	heads []crdt.ChangeHash
	bytes uint64 // of payloads
	stale bool   // change sets arrived since heads were worked out
}

func (h *headRecord) encode() []byte {
	b := dagcbor.AppendArray(nil, 5)
	b = dagcbor.AppendUint(b, 1)
	b = dagcbor.AppendBytes(b, h.scope[:])
	b = dagcbor.AppendUint(b, h.bytes)
	b = dagcbor.AppendUint(b, map[bool]uint64{true: 1}[h.stale])
	heads := h.heads[:min(len(h.heads), maxListedHeads)]
	b = dagcbor.AppendArray(b, len(heads))
	for _, hash := range heads {
		b = dagcbor.AppendBytes(b, hash[:])
	}
	return b
}

func decodeHead(b []byte) (h headRecord, err error) {
	r := dagcbor.NewReader(b)
	r.Array(5, 5)
	r.Expect(1)
	r.Fixed(h.scope[:])
	h.bytes = r.Uint(1 << 62)
	h.stale = r.Uint(1) == 1
	for range r.Array(0, maxListedHeads) {
		var hash crdt.ChangeHash
		r.Fixed(hash[:])
		h.heads = append(h.heads, hash)
	}
	if err := r.Done(); err != nil {
		return h, fmt.Errorf("%w: head record: %w", ErrDamaged, err)
	}
	return h, nil
}

// DocInfo is a row in the list of documents.
type DocInfo struct {
	Doc   crdt.DocID        `json:"doc"`
	Scope crdt.ScopeID      `json:"scope"`
	Heads []crdt.ChangeHash `json:"heads"` // as of when it was last open, at most 1,024, the first 1,024
	Bytes int64             `json:"bytes"` // of sealed payloads
	State string            `json:"state"` // "open", "unopened" (something arrived since) or "damaged"
}

// Docs lists the documents that are here, in no meaningful but fixed order, in one
// scan that opens none of them. A document whose record is damaged is listed as
// such, without its scope; other errors end the list.
func (r *Replica) Docs(ctx context.Context) iter.Seq2[DocInfo, error] {
	return func(yield func(DocInfo, error) bool) {
		if err := r.docs.enter(ctx); err != nil {
			yield(DocInfo{}, err)
			return
		}
		defer r.docs.leave()
		for head, err := range r.store.Heads() {
			if errors.Is(err, ErrDamaged) && head.Doc != (crdt.DocID{}) {
				err = nil // its value is empty, which does not decode
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(DocInfo{}, err)
				return
			}
			if !yield(r.info(head), nil) {
				return
			}
		}
	}
}

func (r *Replica) info(head storage.Head) DocInfo {
	h, err := decodeHead(head.Value)
	i := DocInfo{Doc: head.Doc, Scope: h.scope, Heads: h.heads, Bytes: int64(h.bytes), State: "open"}
	switch {
	case err != nil:
		i.State = "damaged"
	case h.stale:
		i.State = "unopened"
	}
	if i.Heads == nil {
		i.Heads = []crdt.ChangeHash{}
	}
	return i
}

// freshHeadLocked writes the heads of an open document into its head record, which
// a list of documents shows, unless they are there.
func (d *Doc) freshHeadLocked(st *docState) error {
	head := headRecord{scope: st.doc.Genesis.Scope, heads: st.content.guard.Heads(), bytes: st.bytes}
	enc := head.encode()
	if old, err := d.r.store.Head(d.id); err == nil && bytes.Equal(old, enc) {
		return nil
	}
	b := d.r.store.Batch()
	defer b.Discard()
	b.PutHead(d.id, enc)
	return b.CommitUnsynced()
}
