package am

// #include "core.h"
// #cgo noescape pipes_put
// #cgo nocallback pipes_put
// #cgo noescape pipes_delete
// #cgo nocallback pipes_delete
// #cgo noescape pipes_increment
// #cgo nocallback pipes_increment
// #cgo noescape pipes_splice
// #cgo nocallback pipes_splice
import "C"

import (
	"fmt"
	"unicode/utf8"

	"github.com/pipes-sync/pipes/crdt"
)

// writer is the open transaction. The core has one without asking: its first
// operation begins it.
type writer struct{ reader }

// Begin implements [crdt.Engine].
func (d *Doc) Begin() (crdt.Writer, error) {
	if err := d.lockIdle(); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	d.objects.trim()
	w := &writer{reader{d: d}}
	w.tx, d.tx = w, w
	return w, nil
}

// Ops implements [crdt.Writer].
func (w *writer) Ops() (int, error) {
	if err := w.lock(); err != nil {
		return 0, err
	}
	defer w.d.mu.Unlock()
	return int(C.pipes_pending(w.d.c)), nil
}

// Commit implements [crdt.Writer].
func (w *writer) Commit(message string, seconds int64) (crdt.Change, error) {
	if !utf8.ValidString(message) {
		return crdt.Change{}, fmt.Errorf("%w: message", crdt.ErrUTF8)
	}
	if err := w.lock(); err != nil {
		return crdt.Change{}, err
	}
	defer w.d.mu.Unlock()
	w.d.tx = nil
	return w.d.commitLocked(message, seconds, false)
}

// Rollback implements [crdt.Writer].
func (w *writer) Rollback() error {
	if err := w.lock(); err != nil {
		return err
	}
	defer w.d.mu.Unlock()
	w.d.tx = nil
	C.pipes_rollback(w.d.c)
	w.d.objects.reset()
	return nil
}

func validKey(k string) bool { return k != "" && utf8.ValidString(k) }

// target resolves the object and the place of a write.
func (w *writer) target(id crdt.ObjID, p crdt.Prop) (*C.AMobjId, C.pipes_prop, error) {
	obj, kind, err := w.d.container(id, state{})
	if err != nil {
		return nil, C.pipes_prop{}, err
	}
	if nowhere(kind, p) {
		switch {
		case kind == crdt.KindList:
			err = fmt.Errorf("%w: %d", crdt.ErrRange, p.Index)
		case p.Key == "":
			err = crdt.ErrKey
		default:
			err = fmt.Errorf("%w: key", crdt.ErrUTF8)
		}
	}
	return obj, prop(kind, p), err
}

// outcome turns what a write answered into an error.
func (w *writer) outcome(got C.int, what string) error {
	switch got {
	case C.FAILED:
		return w.d.failure(what)
	case C.RANGE:
		return fmt.Errorf("%w: %s", crdt.ErrRange, what)
	case C.MISMATCH:
		return fmt.Errorf("%w: no counter", crdt.ErrType)
	}
	return nil
}

// Put implements [crdt.ObjectWriter].
func (w *writer) Put(id crdt.ObjID, p crdt.Prop, v crdt.Value) (crdt.ObjID, error) {
	if err := w.lock(); err != nil {
		return crdt.ObjID{}, err
	}
	defer w.d.mu.Unlock()
	return w.put(id, p, v, false)
}

// Insert implements [crdt.ObjectWriter].
func (w *writer) Insert(id crdt.ObjID, index int, v crdt.Value) (crdt.ObjID, error) {
	if err := w.lock(); err != nil {
		return crdt.ObjID{}, err
	}
	defer w.d.mu.Unlock()
	if _, err := w.d.of(id, state{}, crdt.KindList); err != nil {
		return crdt.ObjID{}, err
	}
	return w.put(id, crdt.Prop{Index: index}, v, true)
}

func (w *writer) put(id crdt.ObjID, p crdt.Prop, v crdt.Value, insert bool) (crdt.ObjID, error) {
	cv, err := cValue(v)
	if err != nil {
		return crdt.ObjID{}, err
	}
	obj, at, err := w.target(id, p)
	if err != nil {
		return crdt.ObjID{}, err
	}
	if err := w.outcome(C.pipes_put(w.d.c, obj, at, C.bool(insert), cv), "put"); err != nil {
		return crdt.ObjID{}, err
	}
	if !v.Kind().IsObject() {
		return crdt.ObjID{}, nil
	}
	rec, _ := w.d.cut(w.d.answer())
	w.d.objects.saw(rec.Value, id, p)
	return rec.ID, nil
}

// cValue is a value for C. The kinds have the same numbers.
func cValue(v crdt.Value) (C.pipes_val, error) {
	s := v.Str()
	switch v.Kind() {
	case crdt.KindUnknown:
		return C.pipes_val{}, fmt.Errorf("%w: a value of an unknown type is never written", crdt.ErrType)
	case crdt.KindString:
		if !utf8.ValidString(s) {
			return C.pipes_val{}, fmt.Errorf("%w: string", crdt.ErrUTF8)
		}
	}
	return C.pipes_val{kind: C.uint32_t(v.Kind()), num: C.uint64_t(v.Uint()), str: strPtr(s), str_len: C.size_t(len(s))}, nil
}

// Delete implements [crdt.ObjectWriter].
func (w *writer) Delete(id crdt.ObjID, p crdt.Prop) error {
	if err := w.lock(); err != nil {
		return err
	}
	defer w.d.mu.Unlock()
	obj, at, err := w.target(id, p)
	if err != nil {
		return err
	}
	return w.outcome(C.pipes_delete(w.d.c, obj, at), "delete")
}

// Increment implements [crdt.ObjectWriter].
func (w *writer) Increment(id crdt.ObjID, p crdt.Prop, n int64) error {
	if err := w.lock(); err != nil {
		return err
	}
	defer w.d.mu.Unlock()
	obj, at, err := w.target(id, p)
	if err != nil {
		return err
	}
	return w.outcome(C.pipes_increment(w.d.c, obj, at, C.int64_t(n)), "increment")
}

// Splice implements [crdt.TextWriter].
func (w *writer) Splice(id crdt.ObjID, pos, del int, text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%w: text", crdt.ErrUTF8)
	}
	if pos < 0 || del < 0 {
		return fmt.Errorf("%w: splice at %d of %d", crdt.ErrRange, pos, del)
	}
	if err := w.lock(); err != nil {
		return err
	}
	defer w.d.mu.Unlock()
	obj, err := w.d.of(id, state{}, crdt.KindText)
	if err != nil {
		return err
	}
	return w.outcome(C.pipes_splice(w.d.c, obj, C.size_t(pos), C.size_t(del), strPtr(text), C.size_t(len(text))), "splice")
}

// expansions are the core's numbers for crdt.Expand.
var expansions = [...]C.uint8_t{crdt.ExpandAfter: 3, crdt.ExpandBefore: 2, crdt.ExpandBoth: 4, crdt.ExpandNone: 1}

// Mark implements [crdt.TextWriter].
func (w *writer) Mark(id crdt.ObjID, m crdt.Mark, x crdt.Expand) error {
	if !validKey(m.Name) {
		return fmt.Errorf("%w: mark name", crdt.ErrKey)
	}
	if int(x) >= len(expansions) || m.Value.Kind().IsObject() {
		return fmt.Errorf("%w: a mark's value is a scalar, its expansion one of four", crdt.ErrType)
	}
	if m.Start < 0 || m.End < 0 {
		return fmt.Errorf("%w: mark %d to %d", crdt.ErrRange, m.Start, m.End)
	}
	v, err := cValue(m.Value)
	if err != nil {
		return err
	}
	if err := w.lock(); err != nil {
		return err
	}
	defer w.d.mu.Unlock()
	obj, err := w.d.of(id, state{}, crdt.KindText)
	if err != nil {
		return err
	}
	return w.outcome(C.pipes_mark(w.d.c, obj, C.size_t(m.Start), C.size_t(m.End), expansions[x],
		strPtr(m.Name), C.size_t(len(m.Name)), v), "mark")
}
