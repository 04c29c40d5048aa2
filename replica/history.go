package replica

import (
	"context"
	"iter"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// Heads are the changes that no other change of the document follows, sorted.
func (d *Doc) Heads(ctx context.Context) ([]crdt.ChangeHash, error) {
	heads := []crdt.ChangeHash{}
	err := d.opened(ctx, "read", func(c *content) error {
		heads = append(heads, c.guard.Heads()...)
		return nil
	})
	return heads, err
}

// LogRow is one change of a document.
type LogRow struct {
	Hash    crdt.ChangeHash `json:"hash"`
	Actor   crdt.ActorID    `json:"actor"`
	Device  crdt.DeviceID   `json:"device"` // who signed the set that carried it
	Person  crdt.ScopeID    `json:"person"` // whose device acted
	Seq     uint64          `json:"seq"`
	Time    int64           `json:"time"` // Unix seconds, as the author claims
	Message string          `json:"message"`
	Ops     int             `json:"ops"`
}

// logPage is how many changes are read under one hold of the document's lock.
const logPage = 256

// Log lists the document's changes, each after those it follows.
func (d *Doc) Log(ctx context.Context) iter.Seq2[LogRow, error] {
	return func(yield func(LogRow, error) bool) {
		for at := 0; ; {
			var page []LogRow
			err := d.with(ctx, "log", func(st *docState) (err error) {
				c, err := d.openLocked(st)
				if err != nil {
					return err
				}
				page, err = d.logPage(st, c, at)
				return err
			})
			if err != nil {
				yield(LogRow{}, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			if at += len(page); len(page) < logPage {
				return
			}
		}
	}
}

// logPage reads changes from the guard's place at on.
func (d *Doc) logPage(st *docState, c *content, at int) (page []LogRow, err error) {
	for ; at < c.guard.Len() && len(page) < logPage; at++ {
		row := LogRow{Hash: c.guard.Hash(at)}
		chunk, err := c.engine.Change(row.Hash)
		if err != nil {
			return nil, err
		}
		decoded, err := change.Decode(chunk)
		if err != nil {
			return nil, err
		}
		h := &decoded.Header
		copy(row.Actor[:], h.Actor)
		row.Seq, row.Time, row.Message, row.Ops = h.Seq, h.Time, h.Message, decoded.NumOps()
		row.Device, row.Person = d.r.id.device, d.r.id.person // unless somebody else's set carried it
		if at < len(c.carrier) && c.carrier[at] != inQueue {
			if row.Device, row.Person, err = d.author(st, c.sets[c.carrier[at]]); err != nil {
				return nil, err
			}
		}
		page = append(page, row)
	}
	return page, nil
}
