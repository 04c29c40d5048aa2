package replica

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/netsync"
)

// ExportOptions says what goes into a bundle.
type ExportOptions struct {
	// For is the person the bundle is for: it gets what that person may read.
	// Zero exports all that is here, as for a replica of one's own.
	For crdt.ScopeID
	// Progress is told how many of how many bytes of payloads were written. It
	// may be nil.
	Progress func(done, total int64)
}

// ExportReport counts what a bundle holds.
type ExportReport struct {
	Persons int `json:"persons"`
	Ops     int `json:"ops"`
	Docs    int `json:"docs"`
	Sets    int `json:"sets"`
}

// exporter writes one bundle.
type exporter struct {
	r           *Replica
	w           *netsync.BundleWriter
	o           ExportOptions
	report      ExportReport
	done, total int64
}

// ExportBundle writes a bundle: the logs of the persons concerned, this replica's
// first; the logs of the scopes that the person it is for is a member of; their
// documents and change sets. With no documents to share it still introduces this
// person, which is what another needs to share with it.
func (r *Replica) ExportBundle(ctx context.Context, w io.Writer, o ExportOptions) (ExportReport, error) {
	if err := r.docs.enter(ctx); err != nil {
		return ExportReport{}, err
	}
	defer r.docs.leave()
	docs, scopes, persons, err := r.exported(ctx, o.For)
	if err != nil {
		return ExportReport{}, err
	}
	bw, err := netsync.NewBundleWriter(w, netsync.Begin{Device: r.id.device, Incarnation: r.id.incarnation})
	if err != nil {
		return ExportReport{}, err
	}
	e := &exporter{r: r, w: bw, o: o}
	for _, scope := range slices.Concat(persons, scopes) {
		if err := e.log(scope); err != nil {
			return e.report, err
		}
	}
	e.report.Persons = len(persons)
	for _, i := range docs {
		if err := e.document(i.Doc); err != nil {
			return e.report, err
		}
		e.total += i.Bytes
	}
	for _, i := range docs {
		if err := errors.Join(ctx.Err(), e.sets(i.Doc)); err != nil {
			return e.report, docErr(i.Doc, "export", err)
		}
	}
	return e.report, bw.Close()
}

// exported lists the documents for a person, their scopes, and the persons in them.
func (r *Replica) exported(ctx context.Context, person crdt.ScopeID) (docs []DocInfo, scopes, persons []crdt.ScopeID, err error) {
	in := map[crdt.ScopeID]bool{} // whether a scope is exported
	persons = []crdt.ScopeID{r.id.person}
	for i, err := range r.Docs(ctx) {
		if err != nil {
			return nil, nil, nil, err
		}
		if _, seen := in[i.Scope]; !seen {
			members, err := r.members(i.Scope)
			if err != nil {
				return nil, nil, nil, docErr(i.Doc, "export", err)
			}
			in[i.Scope] = person == (crdt.ScopeID{}) || slices.ContainsFunc(members, func(m acl.Member) bool { return m.Person() == person })
			if in[i.Scope] {
				scopes = append(scopes, i.Scope)
				for _, m := range members {
					if !slices.Contains(persons, m.Person()) {
						persons = append(persons, m.Person())
					}
				}
			}
		}
		if in[i.Scope] {
			docs = append(docs, i)
		}
	}
	return docs, scopes, persons, nil
}

func (r *Replica) members(scope crdt.ScopeID) (members []acl.Member, err error) {
	err = r.access.view(func(s *acl.State) error {
		members, err = s.Members(scope)
		return err
	}, scope)
	return members, err
}

// log writes the operations of a scope, if its log is here.
func (e *exporter) log(scope crdt.ScopeID) error {
	var ops [][]byte
	err := e.r.access.view(func(s *acl.State) error {
		log, ok := s.Log(scope)
		if !ok {
			return nil
		}
		for op := range log.All() {
			enc, err := op.MarshalBinary()
			if err != nil {
				return err
			}
			ops = append(ops, enc)
		}
		return nil
	}, scope)
	if err != nil {
		return err
	}
	e.report.Ops += len(ops)
	for _, f := range netsync.OpsFrames(scope, ops) {
		if err := e.w.Write(f); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) document(id crdt.DocID) error {
	enc, err := e.r.store.Meta(id, genesisRecord)
	if err != nil {
		return docErr(id, "export", err)
	}
	e.report.Docs++
	return e.w.Write(netsync.Document{Item: enc})
}

// sets writes a document's change sets, each after those it names.
func (e *exporter) sets(id crdt.DocID) error {
	d := e.r.doc(id)
	d.mu.Lock()
	var ids []crdt.ChangeSetID
	st, err := d.graphLocked()
	if err == nil {
		ids = slices.Collect(st.graph.All())
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	var run []*set.Set
	size := 0
	for _, setID := range ids {
		s, err := e.r.readSet(id, setID)
		if err != nil {
			return err
		}
		if len(run) > 0 && (size > maxSetBytes || !follows(run[len(run)-1], s)) {
			if err := e.run(id, run); err != nil {
				return err
			}
			run, size = nil, 0
		}
		run = append(run, s)
		size += len(s.Payload)
		kept, err := e.r.keptCover(id, s)
		if err != nil {
			return err
		}
		if kept != nil { // a receiver bounds what one cover proves: it ends here, as it came
			size = maxSetBytes + 1
		}
	}
	return e.run(id, run)
}

// follows reports whether two items may stand in one run.
func follows(a, b *set.Set) bool { return b.Header.Prev == a.ID() }

// run writes consecutive items, in as many runs as they need.
func (e *exporter) run(doc crdt.DocID, items []*set.Set) error {
	for len(items) > 0 {
		n := netsync.CutRun(items)
		cover, err := e.r.cover(doc, items[n-1])
		if err != nil {
			return err
		}
		frames, err := netsync.RunFrames(items[:n], cover)
		if err != nil {
			return err
		}
		for _, f := range frames {
			if err := e.w.Write(f); err != nil {
				return err
			}
		}
		for _, s := range items[:n] {
			e.done += int64(len(s.Payload))
		}
		e.report.Sets += n
		items = items[n:]
		if e.o.Progress != nil {
			e.o.Progress(e.done, max(e.total, e.done))
		}
	}
	return nil
}
