package replica

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/storage"
)

// docState is a document in memory: which change sets there are, and what they say
// once somebody asked.
type docState struct {
	doc     *set.Document
	graph   *set.Graph
	bytes   uint64                        // of sealed payloads
	sets    map[crdt.ChangeSetID]*set.Set // read for the graph, kept for the content
	content *content                      // nil until opened
}

const genesisRecord = "genesis"

// coverRecord names the record with an item's cover, where the items that follow it
// here do not cover it.
func coverRecord(id crdt.ChangeSetID) string { return "cover " + string(id[:]) }

// zeroPlace is before every place in a document.
var zeroPlace storage.Place

func (st *docState) close(log *slog.Logger) {
	if st.content == nil {
		return
	}
	if err := st.content.engine.Close(); err != nil {
		log.Warn("document not closed", "doc", st.doc.ID().String(), "error", err)
	}
	st.content = nil
}

// loadLocked answers the document's state, read from the store if need be.
func (d *Doc) loadLocked() (*docState, error) {
	d.mu.used = time.Now()
	if d.mu.state != nil {
		return d.mu.state, nil
	}
	st, err := d.r.readState(d.id)
	if err != nil {
		return nil, err
	}
	d.mu.state = st
	return st, nil
}

// graphLocked is loadLocked for who needs no content: nothing is kept for it.
func (d *Doc) graphLocked() (*docState, error) {
	st, err := d.loadLocked()
	if err == nil {
		st.sets = nil
	}
	return st, err
}

// readState builds the graph of the change sets in the store.
func (r *Replica) readState(id crdt.DocID) (*docState, error) {
	enc, err := r.store.Meta(id, genesisRecord)
	if err != nil {
		return nil, err
	}
	doc, err := set.DecodeDocument(enc)
	if err != nil {
		return nil, fmt.Errorf("%w: genesis: %w", ErrDamaged, err)
	}
	st := &docState{doc: doc, graph: set.NewGraph(id), sets: map[crdt.ChangeSetID]*set.Set{}}
	var later []*set.Set // what names items of a chain that is read after its own
	for stored, err := range r.store.ChangeSets(id, zeroPlace) {
		if err != nil {
			return nil, err
		}
		s, err := set.DecodeSet(stored.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: change set %s: %w", ErrDamaged, stored.ID, err)
		}
		if st.bytes += uint64(len(s.Payload)); st.bytes <= maxCached {
			st.sets[s.ID()] = s
		}
		ready, err := st.place(s)
		if err != nil {
			return nil, err
		}
		if !ready {
			later = append(later, s.Bare())
		}
	}
	return st, st.placeAll(later)
}

// place adds a stored item to the graph, unless it names what is not there yet.
func (st *docState) place(s *set.Set) (bool, error) {
	res, err := st.graph.Add(&s.Header, s.ID())
	if err != nil {
		return false, fmt.Errorf("%w: change set %s: %w", ErrDamaged, s.ID(), err)
	}
	return res.Status != set.Pending, nil
}

func (st *docState) placeAll(later []*set.Set) error {
	for len(later) > 0 {
		var still []*set.Set
		for _, s := range later {
			ready, err := st.place(s)
			if err != nil {
				return err
			}
			if !ready {
				still = append(still, s)
			}
		}
		if len(still) == len(later) {
			return fmt.Errorf("%w: %d change sets rest on some that are missing", ErrDamaged, len(still))
		}
		later = still
	}
	return nil
}

// header answers the header of an item in the store.
func (r *Replica) header(doc crdt.DocID, id crdt.ChangeSetID) (*set.Header, error) {
	s, err := r.readSet(doc, id)
	if err != nil {
		return nil, err
	}
	return &s.Header, nil
}

func (r *Replica) readSet(doc crdt.DocID, id crdt.ChangeSetID) (*set.Set, error) {
	stored, err := r.store.ChangeSet(doc, id)
	if err != nil {
		return nil, err
	}
	s, err := set.DecodeSet(stored.Value)
	if err != nil {
		return nil, fmt.Errorf("%w: change set %s: %w", ErrDamaged, id, err)
	}
	return s, nil
}

// take answers an item of the document, from what was kept or from the store.
func (d *Doc) take(st *docState, id crdt.ChangeSetID) (*set.Set, error) {
	if s, ok := st.sets[id]; ok {
		delete(st.sets, id)
		return s, nil
	}
	return d.r.readSet(d.id, id)
}

// put adds an item to a batch as it is stored.
func (r *Replica) put(b *storage.Batch, doc crdt.DocID, s *set.Set) {
	b.PutChangeSet(doc, storage.ChangeSet{Place: r.placeOf(doc, &s.Header), ID: s.ID(), Value: s.Encode()})
}

// placeOf is where an item is stored.
func (r *Replica) placeOf(doc crdt.DocID, h *set.Header) storage.Place {
	return storage.Place{Chain: r.store.Chain(doc, h.Device, h.Incarnation), Seq: h.Seq}
}

// putDocument adds a document's genesis to a batch, and its first head record.
func (r *Replica) putDocument(b *storage.Batch, doc *set.Document) {
	b.PutMeta(doc.ID(), genesisRecord, doc.Encode())
	head := headRecord{scope: doc.Genesis.Scope}
	b.PutHead(doc.ID(), head.encode())
}
