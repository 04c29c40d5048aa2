package crdt

import "slices"

// Tx writes through paths, in a transaction of an engine. It reads as a [View]
// does, and sees its own writes. Every method is one or more whole operations:
// one that fails may have written part of them, so roll back then.
//
// A Tx neither commits nor rolls back: who began the [Writer] does.
type Tx struct {
	View
	w Writer

	// The text spliced last: typing goes on where it was.
	path   Path // nil if there is none, or it may be elsewhere by now
	text   ObjID
	shared bool // the caller has w and may move texts behind our back
}

// NewTx writes through w.
func NewTx(w Writer) *Tx { return &Tx{View: View{w}, w: w} }

// Writer is what the transaction writes through.
func (t *Tx) Writer() Writer {
	t.shared = true
	return t.w
}

// textAt finds the text at p.
func (t *Tx) textAt(p Path) (ObjID, error) {
	if t.path != nil && !t.shared && slices.Equal(t.path, p) {
		return t.text, nil
	}
	id, err := t.object(p, KindText)
	if err == nil && !t.shared {
		t.path, t.text = slices.Clone(p), id
	}
	return id, err
}

// Ops counts the operations so far: split long runs of edits at a limit.
func (t *Tx) Ops() (int, error) { return t.w.Ops() }

// Set makes what is at p read as v, with the fewest operations that do:
//
//   - a string into a text is a splice, a map or list is compared with what is
//     there, and what does not differ is not written, so that concurrent edits
//     of it survive;
//   - an integer or a [Counter] into a counter increments it by the difference;
//   - a string that spells a time as RFC 3339 replaces a time by a time, and one
//     that equals an immutable string leaves it alone;
//   - anything else is replaced.
//
// The map or list that p ends in must exist ([ErrNoPath]); a list item must too
// ([ErrRange]; see [Tx.Insert]). v is what [View.Value] gives, or any Go value
// that [Struct mapping] covers.
func (t *Tx) Set(p Path, v any) error {
	t.path = nil
	next, err := normalize(v, p)
	if err != nil {
		return err
	}
	if len(p) == 0 {
		return t.setRoot(next)
	}
	cur, prop, err := t.parent(p)
	if err != nil {
		return err
	}
	val, ok, err := t.r.Get(cur.ID, prop)
	if err != nil {
		return &PathError{Path: p, Err: err}
	}
	if !ok && cur.Kind() == KindList {
		return t.pastEnd(cur.ID, prop.Index, p)
	}
	return t.at(p, t.reconcile(place{cur.ID, prop}, val, ok, next))
}

func (t *Tx) setRoot(next any) error {
	m, ok := next.(map[string]any)
	if !ok {
		return pathErr(nil, ErrType, "the root is a map and stays one")
	}
	old, err := t.Value(nil)
	if err != nil {
		return err
	}
	return t.updateMap(Root, old.(map[string]any), m)
}

// Insert puts vals into the list at p, before index, which may be its length.
func (t *Tx) Insert(p Path, index int, vals ...any) error {
	t.path = nil
	id, err := t.object(p, KindList)
	if err != nil {
		return err
	}
	if info, err := t.r.Info(id); err != nil {
		return err
	} else if index < 0 || index > info.Len {
		return t.pastEnd(id, index, p)
	}
	for i, v := range vals {
		v, err := normalize(v, p)
		if err != nil {
			return err
		}
		if err := t.create(place{id, Prop{Index: index + i}}, v, true); err != nil {
			return t.at(p, err)
		}
	}
	return nil
}

// Delete removes what is at p.
func (t *Tx) Delete(p Path) error {
	t.path = nil
	cur, prop, err := t.parent(p)
	if err != nil {
		return err
	}
	if _, err := t.step(cur, p); err != nil {
		return err
	}
	return t.at(p, t.w.Delete(cur.ID, prop))
}

// Splice deletes del code points of the text at p, from pos on, and inserts
// text there. Positions past the end are [ErrRange].
func (t *Tx) Splice(p Path, pos, del int, text string) error {
	id, err := t.textAt(p)
	if err != nil {
		return err
	}
	return t.at(p, t.w.Splice(id, pos, del, text))
}

// Increment adds n to the counter at p. On anything else it is [ErrType].
func (t *Tx) Increment(p Path, n int64) error {
	cur, prop, err := t.parent(p)
	if err != nil {
		return err
	}
	val, err := t.step(cur, p)
	if err != nil {
		return err
	}
	if val.Kind() != KindCounter {
		return pathErr(p, ErrType, "it is a %s, not a counter", val.Kind())
	}
	return t.at(p, t.w.Increment(cur.ID, prop, n))
}

// PutCounter makes what is at p a new counter that stands at n, even where there
// is one: concurrent increments of the old one are lost.
func (t *Tx) PutCounter(p Path, n int64) error {
	t.path = nil
	cur, prop, err := t.parent(p)
	if err != nil {
		return err
	}
	_, err = t.w.Put(cur.ID, prop, CounterAt(n))
	return t.at(p, err)
}

// Mark marks m.Start to m.End-1 of the text at p.
func (t *Tx) Mark(p Path, m Mark, x Expand) error {
	id, err := t.object(p, KindText)
	if err != nil {
		return err
	}
	return t.at(p, t.w.Mark(id, m, x))
}

// Unmark takes the marks called name away from start to end-1 of the text at p.
func (t *Tx) Unmark(p Path, start, end int, name string, x Expand) error {
	return t.Mark(p, Mark{Start: start, End: end, Name: name}, x)
}

// WriteDiff writes the difference between two values of one type at p, old being
// what [View.Read] read there: fields that are equal in both are not written,
// and what the type does not know is left alone. See [Struct mapping].
func (t *Tx) WriteDiff(p Path, old, new any) error {
	t.path = nil
	return t.writeDiff(p, old, new)
}

// at puts the path on an error.
func (t *Tx) at(p Path, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*PathError); ok {
		return err
	}
	return &PathError{Path: p, Err: err}
}

func (t *Tx) pastEnd(list ObjID, index int, p Path) error {
	info, err := t.r.Info(list)
	if err != nil {
		return err
	}
	return pathErr(p, ErrRange, "position %d in a list of %d", index, info.Len)
}
