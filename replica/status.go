package replica

import (
	"context"

	"github.com/pipes-sync/pipes/crdt"
)

// Status is how a replica is. It never says "synced": only what is here and what is
// known to be missing.
type Status struct {
	Person      crdt.ScopeID     `json:"person"`
	Device      crdt.DeviceID    `json:"device"`
	Incarnation crdt.Incarnation `json:"incarnation"`
	Store       string           `json:"store"` // "ok", or why it cannot be written
	Used        uint64           `json:"used"`  // bytes of the store on disk
	Free        uint64           `json:"free"`  // bytes free, 0 if the file system does not tell
	Reserve     uint64           `json:"reserve"`
	Documents   int              `json:"documents"`
	Open        int              `json:"open"`    // in memory
	Queued      int              `json:"queued"`  // changes that are not durable yet
	Apart       []Apart          `json:"apart"`   // change sets that contribute nothing
	Damaged     []crdt.DocID     `json:"damaged"` // documents whose record cannot be read
}

// Apart is a change set that is here and contributes nothing.
type Apart struct {
	Doc    crdt.DocID       `json:"doc"`
	Set    crdt.ChangeSetID `json:"set"`
	State  string           `json:"state"` // "quarantined", "inert" or "no key yet"
	Reason string           `json:"reason"`
}

// Status looks at the replica. Inert items and such without a key are known of the
// documents in memory; quarantined ones of all.
func (r *Replica) Status(ctx context.Context) (Status, error) {
	if err := r.docs.enter(ctx); err != nil {
		return Status{}, err
	}
	defer r.docs.leave()
	s := Status{
		Person: r.id.person, Device: r.id.device, Incarnation: r.id.incarnation,
		Store: "ok", Apart: []Apart{}, Damaged: []crdt.DocID{},
	}
	if err := r.store.Err(); err != nil {
		s.Store = err.Error()
	}
	space, err := r.store.Space()
	if err != nil {
		return s, err
	}
	s.Used, s.Free, s.Reserve = space.Used, space.Free, space.Reserve
	for i, err := range r.Docs(ctx) {
		if err != nil {
			return s, err
		}
		s.Documents++
		if i.State == "damaged" {
			s.Damaged = append(s.Damaged, i.Doc)
		}
		for item, err := range r.store.Quarantine(i.Doc) {
			if err != nil {
				return s, docErr(i.Doc, "status", err)
			}
			s.Apart = append(s.Apart, Apart{i.Doc, item.ID, "quarantined", decodeReason(item.Value)})
		}
	}
	for _, d := range r.docs.all() {
		d.addTo(&s)
	}
	return s, nil
}

func (d *Doc) addTo(s *Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Queued += len(d.mu.queue)
	if d.mu.state == nil {
		return
	}
	s.Open++
	if c := d.mu.state.content; c != nil {
		s.Apart = append(s.Apart, c.leftOut(d.id)...)
	}
}

// DocStatus is how one document is.
type DocStatus struct {
	DocInfo
	Sets    int     `json:"sets"`    // change sets here
	Changes int     `json:"changes"` // Automerge changes they come to
	Queued  int     `json:"queued"`  // changes that are not durable yet
	Apart   []Apart `json:"apart"`   // change sets that contribute nothing
}

// Status opens the document and says how it is.
func (d *Doc) Status(ctx context.Context) (DocStatus, error) {
	s := DocStatus{Apart: []Apart{}}
	err := d.with(ctx, "status", func(st *docState) error {
		c, err := d.openLocked(st)
		if err != nil {
			return err
		}
		s.DocInfo = DocInfo{Doc: d.id, Scope: st.doc.Genesis.Scope, Heads: c.guard.Heads(), Bytes: int64(st.bytes), State: "open"}
		s.Sets, s.Changes, s.Queued = st.graph.Len(), c.guard.Len(), len(d.mu.queue)
		s.Apart = append(s.Apart, c.leftOut(d.id)...)
		for id, why := range c.quarantine {
			s.Apart = append(s.Apart, Apart{d.id, id, "quarantined", why.Error()})
		}
		return nil
	})
	return s, err
}

// leftOut lists what the content of a document leaves out, but for quarantine.
func (c *content) leftOut(doc crdt.DocID) (list []Apart) {
	for id, why := range c.inert {
		list = append(list, Apart{doc, id, "inert", why.Error()})
	}
	for id, why := range c.keyless {
		list = append(list, Apart{doc, id, "no key yet", why.Error()})
	}
	return list
}
