package crdt

import (
	"iter"
)

// View reads one state of a document through paths. Make one of what
// [Engine.At] returns; a [Tx] is a View of its own writes.
type View struct{ r Reader }

// NewView reads through r.
func NewView(r Reader) View { return View{r} }

// Reader is what the view reads through.
func (v View) Reader() Reader { return v.r }

// Get gives the value at p: a scalar, or the kind and id of an object. Nothing
// there is [ErrNoPath]; a path through something that is neither map nor list,
// or with a key for a list, is [ErrType].
func (v View) Get(p Path) (Value, error) {
	cur := ObjectAt(KindMap, Root)
	for i := range p {
		next, err := v.step(cur, p[:i+1])
		if err != nil {
			return Value{}, err
		}
		cur = next
	}
	return cur, nil
}

// step goes from cur, the value at all but p's last element, to p.
func (v View) step(cur Value, p Path) (Value, error) {
	prop, err := lastProp(cur, p)
	if err != nil {
		return Value{}, err
	}
	next, ok, err := v.r.Get(cur.ID, prop)
	if err != nil {
		return Value{}, &PathError{Path: p, Err: err}
	}
	if !ok {
		return Value{}, &PathError{Path: p, Err: ErrNoPath}
	}
	return next, nil
}

// lastProp is the place that p's last element selects in cur.
func lastProp(cur Value, p Path) (Prop, error) {
	prop, ok := p[len(p)-1].prop(cur.Kind())
	if !ok {
		return prop, pathErr(p, ErrType, "%q is a %s", clip(p[:len(p)-1].String()), cur.Kind())
	}
	return prop, nil
}

// object gives the object at p, which must be of kind k.
func (v View) object(p Path, k Kind) (ObjID, error) {
	cur, err := v.Get(p)
	if err != nil {
		return ObjID{}, err
	}
	if cur.Kind() != k {
		return ObjID{}, pathErr(p, ErrType, "it is a %s, not a %s", cur.Kind(), k)
	}
	return cur.ID, nil
}

// parent gives the object that p's last element is applied to, and the place in
// it. The root has none: that is [ErrType].
func (v View) parent(p Path) (Value, Prop, error) {
	if len(p) == 0 {
		return Value{}, Prop{}, pathErr(p, ErrType, "the root is not in anything")
	}
	cur, err := v.Get(p[:len(p)-1])
	if err != nil {
		return Value{}, Prop{}, err
	}
	prop, err := lastProp(cur, p)
	return cur, prop, err
}

// Keys gives the keys of the map at p in byte order.
func (v View) Keys(p Path) ([]string, error) {
	id, err := v.object(p, KindMap)
	if err != nil {
		return nil, err
	}
	var keys []string
	for e, err := range v.r.Entries(id) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, e.Key)
	}
	return keys, nil
}

// Len gives the number of keys, items or code points of the object at p.
func (v View) Len(p Path) (int, error) {
	cur, err := v.Get(p)
	if err != nil {
		return 0, err
	}
	if !cur.Kind().IsObject() {
		return 0, pathErr(p, ErrType, "a %s has no length", cur.Kind())
	}
	info, err := v.r.Info(cur.ID)
	return info.Len, err
}

// Text gives the text, or the immutable string, at p.
func (v View) Text(p Path) (string, error) {
	cur, err := v.Get(p)
	if err != nil {
		return "", err
	}
	switch cur.Kind() {
	case KindText:
		return v.r.Text(cur.ID)
	case KindString:
		return cur.Str(), nil
	}
	return "", pathErr(p, ErrType, "it is a %s, not a text", cur.Kind())
}

// Marks gives the marks of the text at p by start, end and name.
func (v View) Marks(p Path) ([]Mark, error) {
	id, err := v.object(p, KindText)
	if err != nil {
		return nil, err
	}
	return v.r.Marks(id)
}

// Conflicts gives all values at p that were written concurrently: the one that
// [View.Get] gives first, then by falling id. One value is no conflict.
func (v View) Conflicts(p Path) ([]Value, error) {
	cur, prop, err := v.parent(p)
	if err != nil {
		return nil, err
	}
	vals, err := v.r.Conflicts(cur.ID, prop)
	if err == nil && len(vals) == 0 {
		err = &PathError{Path: p, Err: ErrNoPath}
	}
	return vals, err
}

// Entries gives what is in the map or list at p, by key in byte order or by
// index. An error ends it. The document must not be written to meanwhile.
func (v View) Entries(p Path) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		cur, err := v.Get(p)
		if err == nil && cur.Kind() != KindMap && cur.Kind() != KindList {
			err = pathErr(p, ErrType, "a %s has no entries", cur.Kind())
		}
		if err != nil {
			yield(Entry{}, err)
			return
		}
		v.r.Entries(cur.ID)(yield)
	}
}

// Value gives everything at p as Go values: map[string]any, []any, string for a
// text, and scalars as [Value.Go] gives them.
func (v View) Value(p Path) (any, error) {
	cur, err := v.Get(p)
	if err != nil {
		return nil, err
	}
	return v.Load(cur)
}

// Load gives everything in val, which this view returned, as [View.Value] does.
func (v View) Load(val Value) (any, error) {
	switch val.Kind() {
	case KindText:
		return v.r.Text(val.ID)
	case KindMap:
		m := map[string]any{}
		for e, err := range v.r.Entries(val.ID) {
			if err != nil {
				return nil, err
			}
			if m[e.Key], err = v.Load(e.Value); err != nil {
				return nil, err
			}
		}
		return m, nil
	case KindList:
		list := []any{}
		for e, err := range v.r.Entries(val.ID) {
			if err != nil {
				return nil, err
			}
			item, err := v.Load(e.Value)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		return list, nil
	}
	return val.Go(), nil
}

// Read fills the value that dst points to from p; see [Struct mapping] in the
// package documentation. Fields that the document lacks become zero. A value
// that does not fit its field is a *[PathError] that wraps [ErrType].
func (v View) Read(p Path, dst any) error {
	val, err := v.Value(p)
	if err != nil {
		return err
	}
	return assignTo(dst, val, p)
}
