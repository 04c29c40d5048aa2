package crdt

import (
	"bytes"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"
)

// place is a key of a map or an index of a list.
type place struct {
	obj  ObjID
	prop Prop
}

// reconcile makes pl, where val is (if ok), read as next, which is normalized.
func (t *Tx) reconcile(pl place, val Value, ok bool, next any) error {
	if !ok {
		return t.create(pl, next, false)
	}
	_, isScalar := scalar(next)
	if isScalar && val.Kind().IsObject() {
		return t.create(pl, next, false) // what is replaced as a whole need not be read
	}
	old, err := t.Load(val)
	if err != nil {
		return err
	}
	return t.update(pl, val, old, next)
}

// update turns what is at pl from old into next. val is what is there now; where
// old is another, what is there is replaced.
func (t *Tx) update(pl place, val Value, old, next any) error {
	next = adopt(val.Kind(), old, next)
	if same(old, next) {
		return nil
	}
	switch next := next.(type) {
	case map[string]any:
		if old, ok := old.(map[string]any); ok && val.Kind() == KindMap {
			return t.updateMap(val.ID, old, next)
		}
	case []any:
		if old, ok := old.([]any); ok && val.Kind() == KindList {
			return t.updateListAt(val, old, next)
		}
	case string:
		if val.Kind() == KindText {
			return t.updateText(val.ID, next)
		}
	case Counter:
		if val.Kind() == KindCounter {
			return t.w.Increment(pl.obj, pl.prop, int64(next)-val.Int())
		}
	}
	return t.create(pl, next, false)
}

// updateMap writes the keys that differ between old and next.
func (t *Tx) updateMap(id ObjID, old, next map[string]any) error {
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if _, ok := next[k]; !ok {
			if err := t.w.Delete(id, Prop{Key: k}); err != nil {
				return err
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(next)) {
		was, had := old[k]
		if had && same(was, next[k]) {
			continue
		}
		pl := place{id, Prop{Key: k}}
		val, ok, err := t.r.Get(id, pl.prop)
		if err != nil {
			return err
		}
		if ok && had {
			err = t.update(pl, val, was, next[k])
		} else {
			err = t.reconcile(pl, val, ok, next[k])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// updateListAt makes sure that old, which may be what a struct showed of the
// list, has its items.
func (t *Tx) updateListAt(val Value, old, next []any) error {
	info, err := t.r.Info(val.ID)
	if err != nil {
		return err
	}
	if info.Len != len(old) {
		now, err := t.Load(val)
		if err != nil {
			return err
		}
		old = now.([]any)
	}
	return t.updateList(val.ID, old, next)
}

// updateList keeps the items that old and next have in common. Of the others,
// one that takes another's place is updated, and the rest deleted or inserted.
func (t *Tx) updateList(id ObjID, old, next []any) error {
	hunks := script(len(old), len(next), func(i, j int) bool { return same(old[i], adopt(kindOf(old[i]), old[i], next[j])) })
	for _, h := range slices.Backward(hunks) { // positions before h stay true
		for h.del > h.to-h.from {
			h.del--
			if err := t.w.Delete(id, Prop{Index: h.pos + h.del}); err != nil {
				return err
			}
		}
		for i := range h.to - h.from {
			pl := place{id, Prop{Index: h.pos + i}}
			if i >= h.del {
				if err := t.create(pl, next[h.from+i], true); err != nil {
					return err
				}
				continue
			}
			val, ok, err := t.r.Get(id, pl.prop)
			if err != nil {
				return err
			}
			if !ok {
				return ErrRange
			}
			if err := t.update(pl, val, old[h.pos+i], next[h.from+i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// updateText splices the differences between a text and next.
func (t *Tx) updateText(id ObjID, next string) error {
	text, err := t.r.Text(id)
	if err != nil {
		return err
	}
	old, now := []rune(text), []rune(next)
	hunks := script(len(old), len(now), func(i, j int) bool { return old[i] == now[j] })
	for _, h := range slices.Backward(hunks) {
		if err := t.w.Splice(id, h.pos, h.del, string(now[h.from:h.to])); err != nil {
			return err
		}
	}
	return nil
}

// create writes v, and everything in it, at pl: before what is there in a list
// when insert is set, else over it.
func (t *Tx) create(pl place, v any, insert bool) error {
	val, ok := scalar(v)
	if !ok {
		val = Object(kindOf(v))
	}
	var id ObjID
	var err error
	if insert {
		id, err = t.w.Insert(pl.obj, pl.prop.Index, val)
	} else {
		id, err = t.w.Put(pl.obj, pl.prop, val)
	}
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := t.create(place{id, Prop{Key: k}}, v[k], false); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range v {
			if err := t.create(place{id, Prop{Index: i}}, item, true); err != nil {
				return err
			}
		}
	case string:
		if v != "" {
			return t.w.Splice(id, 0, 0, v)
		}
	}
	return nil
}

// kindOf is the kind that a normalized value is written as.
func kindOf(v any) Kind {
	switch v.(type) {
	case map[string]any:
		return KindMap
	case []any:
		return KindList
	case string:
		return KindText
	}
	s, _ := scalar(v)
	return s.Kind()
}

// adopt reads next as what is already there where plain Go and JSON values have
// no way to say so: a number for a counter, a string for a time or for an
// immutable string.
func adopt(was Kind, old, next any) any {
	switch was {
	case KindCounter:
		if n, ok := next.(int64); ok {
			return Counter(n)
		}
	case KindTime:
		if s, ok := next.(string); ok {
			if ts, err := time.Parse(time.RFC3339Nano, s); err == nil {
				return time.UnixMilli(ts.UnixMilli()).UTC()
			}
		}
	case KindString:
		if s, ok := next.(string); ok && old == Scalar(s) {
			return Scalar(s)
		}
	}
	return next
}

// same reports whether two normalized values read alike. Numbers compare by
// value: rewriting 3 as 3.0 would only make a conflict.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, same)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case float64:
		if f, ok := b.(float64); ok {
			return a == f || math.IsNaN(a) && math.IsNaN(f)
		}
		return sameNumber(a, b)
	}
	return a == b || sameNumber(a, b)
}

// sameNumber compares numbers of different types, counters excepted.
func sameNumber(a, b any) bool {
	if kindOf(a) == KindCounter || kindOf(b) == KindCounter {
		return false
	}
	if x, ok := toInt(a); ok {
		y, ok := toInt(b)
		return ok && x == y
	}
	x, ok1 := toUint(a)
	y, ok2 := toUint(b)
	return ok1 && ok2 && x == y
}

// writeDiff is [Tx.WriteDiff].
func (t *Tx) writeDiff(p Path, old, next any) error {
	if reflect.TypeOf(old) != reflect.TypeOf(next) {
		return pathErr(p, ErrType, "the difference between a %T and a %T", old, next)
	}
	was, err := normalize(old, p)
	if err != nil {
		return err
	}
	now, err := normalize(next, p)
	if err != nil || same(was, now) {
		return err
	}
	val, err := t.Get(p)
	if err != nil {
		return err
	}
	if len(p) > 0 {
		parent, prop, err := t.parent(p)
		if err != nil {
			return err
		}
		return t.at(p, t.update(place{parent.ID, prop}, val, was, now))
	}
	wasMap, ok1 := was.(map[string]any)
	nowMap, ok2 := now.(map[string]any)
	if !ok1 || !ok2 {
		return pathErr(p, ErrType, "the root is a map and stays one")
	}
	return t.at(p, t.updateMap(Root, wasMap, nowMap))
}
