package replica

import (
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/storage"
)

// cover gathers the headers that prove an item without a signature of its own: the
// cover that was kept with it, or the items after it in its chain, up to one that is
// signed or has such a cover. It is nil for an item that is signed.
func (r *Replica) cover(doc crdt.DocID, item *set.Set) (*set.Cover, error) {
	if item.Sig != nil {
		return nil, nil
	}
	if kept, err := r.keptCover(doc, item); kept != nil || err != nil {
		return kept, err
	}
	cover := &set.Cover{}
	from := r.placeOf(doc, &item.Header)
	from.Seq++
	before := item.ID()
	for stored, err := range r.store.ChangeSets(doc, from) {
		if err != nil {
			return nil, err
		}
		if stored.Chain != from.Chain || len(cover.Items) >= set.MaxCover {
			break
		}
		s, err := set.DecodeSet(stored.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: change set %s: %w", ErrDamaged, stored.ID, err)
		}
		if s.Header.Prev != before {
			continue // another branch of a fork
		}
		cover.Items = append(cover.Items, s.Bare())
		if s.Sig != nil {
			return cover, nil
		}
		kept, err := r.keptCover(doc, s)
		if err != nil {
			return nil, err
		}
		if kept != nil {
			cover.Items = append(cover.Items, kept.Items...)
			return cover, nil
		}
		before = s.ID()
	}
	return nil, fmt.Errorf("%w: nothing covers change set %s", ErrDamaged, item.ID())
}

// keptCover is the cover that was kept with an item, nil if none was.
func (r *Replica) keptCover(doc crdt.DocID, item *set.Set) (*set.Cover, error) {
	if item.Sig != nil {
		return nil, nil
	}
	enc, err := r.store.Meta(doc, coverRecord(item.ID()))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return set.DecodeCover(enc)
}

// checkCovers verifies every item of a document: a signature of its own, or the
// cover of one that has none and is the last of its branch.
func (r *Replica) checkCovers(st *docState) error {
	doc := st.doc.ID()
	followed := map[crdt.ChangeSetID]bool{} // by an item of their chain
	var unsigned []crdt.ChangeSetID
	for id := range st.graph.All() {
		s, err := r.readSet(doc, id)
		if err != nil {
			return err
		}
		if err := s.CheckPayload(); err != nil {
			return fmt.Errorf("change set %s: %w", id, err)
		}
		followed[s.Header.Prev] = true
		if s.Sig == nil {
			unsigned = append(unsigned, id)
		} else if err := s.Verify(); err != nil {
			return fmt.Errorf("change set %s: %w", id, err)
		}
	}
	for _, id := range unsigned {
		if followed[id] {
			continue // vouched for by what follows, which is in the same state
		}
		s, err := r.readSet(doc, id)
		if err != nil {
			return err
		}
		cover, err := r.cover(doc, s)
		if err != nil {
			return err
		}
		if err := cover.Verify(s); err != nil {
			return fmt.Errorf("change set %s: %w", id, err)
		}
	}
	return nil
}
