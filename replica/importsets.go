package replica

import (
	"errors"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/netsync"
	"github.com/pipes-sync/pipes/storage"
)

// run decodes a run and puts it with those of the same document.
func (im *importer) run(enc, cover []byte) error {
	items, err := netsync.DecodeItems(enc, cover)
	if err != nil {
		im.refuse("run of change sets", err)
		return nil
	}
	doc := items.Sets[0].Header.Doc
	if doc != im.doc || im.size > 4*maxSetBytes {
		if err := im.deliver(); err != nil {
			return err
		}
	}
	im.doc = doc
	im.runs = append(im.runs, items)
	im.size += len(enc)
	return nil
}

// deliver gives the runs collected to their document.
func (im *importer) deliver() error {
	runs := im.runs
	im.runs, im.size = nil, 0
	if len(runs) == 0 {
		return nil
	}
	if err := im.ctx.Err(); err != nil {
		return err
	}
	scope := runs[0].Sets[0].Header.Scope
	if _, err := im.r.store.Head(im.doc); errors.Is(err, storage.ErrNotFound) {
		foreign, err := im.foreign(scope)
		if err == nil && !foreign {
			im.refuse("change sets of document "+im.doc.String(), &acl.DeniedError{Scope: scope, Why: acl.DeniedNoGrant})
		}
		return err
	} else if err != nil {
		return err
	}
	verdicts, err := im.r.doc(im.doc).receive(runs)
	if err != nil {
		return docErr(im.doc, "import", err)
	}
	for i, run := range verdicts {
		im.judged(runs[i], run)
	}
	return nil
}

// judged counts the verdicts on a run, keeps it if some of it waits, and wakes what
// waited for it.
func (im *importer) judged(items netsync.Items, verdicts []netsync.Verdict) {
	pending := -1
	for i, v := range verdicts {
		switch v.Status {
		case netsync.Admitted:
			im.report.Sets++
			for _, w := range im.waiting[v.Set.ID()] {
				im.ready = append(im.ready, w.items)
				im.held -= w.size
			}
			delete(im.waiting, v.Set.ID())
		case netsync.Known:
			if !im.again {
				im.report.Known++ // or it was counted before
			}
		case netsync.Pending:
			if pending < 0 {
				pending = i
			}
		case netsync.Refused:
			im.refuse("change set "+v.Set.ID().String(), v.Err)
		}
	}
	if pending >= 0 {
		im.hold(items, verdicts[pending])
	}
}

// waitingRun is a run that waits, and the first of it that does.
type waitingRun struct {
	items netsync.Items
	first netsync.Verdict
	size  int
}

// heldItem is about what a decoded item takes in memory beside its payload.
const heldItem = 1 << 10

// hold keeps a run that waits for a change set, which may come later in the bundle.
// All operations have come already.
func (im *importer) hold(run netsync.Items, first netsync.Verdict) {
	w := waitingRun{run, first, len(run.Sets) * heldItem}
	for _, s := range run.Sets {
		w.size += len(s.Payload)
	}
	var missing *netsync.MissingError
	if !errors.As(first.Err, &missing) || len(missing.Sets) == 0 || im.held+w.size > maxBundleWaiting {
		im.wait("change set "+first.Set.ID().String(), first.Err)
		return
	}
	if im.waiting == nil {
		im.waiting = map[crdt.ChangeSetID][]waitingRun{}
	}
	im.held += w.size
	im.waiting[missing.Sets[0]] = append(im.waiting[missing.Sets[0]], w)
}

// retry delivers what waited and need not any more, and reports what still does.
func (im *importer) retry() error {
	im.again = true
	for len(im.ready) > 0 {
		next := im.ready[0]
		im.ready = im.ready[1:]
		im.doc, im.runs = next.Sets[0].Header.Doc, []netsync.Items{next}
		if err := im.deliver(); err != nil {
			return err
		}
	}
	for _, runs := range im.waiting {
		for _, w := range runs {
			im.wait("change set "+w.first.Set.ID().String(), w.first.Err)
		}
	}
	return nil
}

// receive decides on items that arrived for the document, makes durable what is
// admitted, and applies it if the content is in memory.
func (d *Doc) receive(runs []netsync.Items) ([][]netsync.Verdict, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.settleLocked() // what the head record says must be durable
	defer d.resumeLocked()
	if err != nil {
		return nil, err
	}
	st, err := d.graphLocked()
	if err != nil {
		return nil, err
	}
	verdicts, fresh, err := d.admitLocked(st, runs)
	if err == nil && len(fresh) > 0 {
		err = d.keepLocked(st, fresh)
	}
	if err != nil {
		d.dropLocked() // the graph may be ahead of the disk
		return nil, err
	}
	if len(fresh) > 0 {
		d.absorbLocked(st, fresh)
		d.announceLocked()
	}
	return verdicts, nil
}

// admitLocked runs the checks. Admitted items are in the graph then.
func (d *Doc) admitLocked(st *docState, runs []netsync.Items) (all [][]netsync.Verdict, fresh []netsync.Verdict, err error) {
	headers := map[crdt.ChangeSetID]*set.Header{}
	for _, run := range runs {
		var verdicts []netsync.Verdict
		err := d.r.access.view(func(s *acl.State) (err error) {
			verdicts, err = netsync.Admit(&netsync.Context{
				Document: st.doc, Graph: st.graph, Access: s,
				Header: func(id crdt.ChangeSetID) (*set.Header, error) {
					if h, ok := headers[id]; ok {
						return h, nil
					}
					return d.r.header(d.id, id)
				},
				Admitted: func(s *set.Set) { headers[s.ID()] = &s.Header },
			}, run)
			return err
		}, scopesIn(run.Sets[0].Header.Heads)...)
		if err != nil {
			return nil, nil, err
		}
		for _, v := range verdicts {
			if v.Status == netsync.Admitted {
				fresh = append(fresh, v)
			}
		}
		all = append(all, verdicts)
	}
	return all, fresh, nil
}

// keepLocked makes admitted items durable.
func (d *Doc) keepLocked(st *docState, fresh []netsync.Verdict) error {
	value, err := d.r.store.Head(d.id)
	if err != nil {
		return err
	}
	head, err := decodeHead(value)
	if err != nil {
		return err
	}
	b := d.r.store.Batch()
	defer b.Discard()
	for _, v := range fresh {
		d.r.put(b, d.id, v.Set)
		st.bytes += uint64(len(v.Set.Payload))
		if v.Forked {
			b.DropSnapshots(d.id)
		}
		if v.Cover != nil {
			enc, err := v.Cover.Encode()
			if err != nil {
				return err
			}
			b.PutMeta(d.id, coverRecord(v.Set.ID()), enc)
		}
	}
	head.stale, head.bytes = true, st.bytes
	b.PutHead(d.id, head.encode())
	return b.Commit()
}

// absorbLocked applies items that are durable, if the content is in memory. They are
// kept whatever happens here: if they cannot be applied, the content is read anew
// when somebody asks for it.
func (d *Doc) absorbLocked(st *docState, fresh []netsync.Verdict) {
	st.sets = nil // kept for a content that would not know the new ones
	c := st.content
	if c == nil {
		return
	}
	if c.spoiled || d.keyCame(c, st) || !c.keepsFork(st.graph, fresh) {
		st.close(d.r.log)
		return
	}
	for _, v := range fresh {
		if err := d.apply(st, c, v.Set); err != nil {
			if !errors.Is(err, errRebuild) {
				d.r.log.Warn("content dropped", "doc", d.id.String(), "error", err)
			}
			st.close(d.r.log)
			return
		}
	}
	if err := d.freshHeadLocked(st); err != nil {
		d.r.log.Warn("head record not written", "doc", d.id.String(), "error", err)
	}
}

// keepsFork notes which items lose where fresh ones made a fork, and reports whether
// none of those is in the content.
func (c *content) keepsFork(g *set.Graph, fresh []netsync.Verdict) bool {
	if !slices.ContainsFunc(fresh, func(v netsync.Verdict) bool { return v.Forked }) {
		return true
	}
	isNew := map[crdt.ChangeSetID]bool{}
	for _, v := range fresh {
		isNew[v.Set.ID()] = true
	}
	before := c.lost
	c.lost = losers(g)
	c.unsaved += c.guard.Len() // its snapshot is gone
	for id := range c.lost {
		if !before[id] && !isNew[id] {
			return false
		}
	}
	return true
}
