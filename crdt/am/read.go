package am

// #include "core.h"
// #cgo noescape pipes_get
// #cgo nocallback pipes_get
// #cgo noescape pipes_all
// #cgo nocallback pipes_all
import "C"

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"unsafe"

	"github.com/pipes-sync/pipes/crdt"
)

// window is how many items of a list are read at once: each takes 1.1 KB
// meanwhile, and each window costs a walk over the list.
const window = 1 << 13

// reader is a [crdt.Reader]: of a state, or of an open transaction.
type reader struct {
	d  *Doc
	at state
	tx *writer // nil unless it belongs to a transaction
}

// At implements [crdt.Engine].
func (d *Doc) At(heads []crdt.ChangeHash) (crdt.Reader, error) {
	if err := d.lock(); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	d.objects.trim()
	at, err := d.stateLocked(heads)
	if err != nil {
		return nil, err
	}
	return reader{d: d, at: at}, nil
}

// lock takes the document's lock for one call.
func (r reader) lock() error {
	if err := r.d.lock(); err != nil {
		return err
	}
	if r.tx != nil && r.d.tx != r.tx {
		r.d.mu.Unlock()
		return crdt.ErrDone
	}
	return nil
}

// Info implements [crdt.ObjectReader].
func (r reader) Info(id crdt.ObjID) (crdt.Info, error) {
	if err := r.lock(); err != nil {
		return crdt.Info{}, err
	}
	defer r.d.mu.Unlock()
	obj, kind, err := r.d.object(id, r.at)
	if err != nil {
		return crdt.Info{}, err
	}
	return crdt.Info{Kind: kind, Len: int(C.pipes_size(r.d.c, obj, r.at.at()))}, nil
}

// container resolves an object that has to be a map or a list.
func (d *Doc) container(id crdt.ObjID, at state) (*C.AMobjId, crdt.Kind, error) {
	obj, kind, err := d.object(id, at)
	if err == nil && kind == crdt.KindText {
		err = fmt.Errorf("%w: %s is a text", crdt.ErrType, id)
	}
	return obj, kind, err
}

// nowhere reports whether nothing can be at p.
func nowhere(k crdt.Kind, p crdt.Prop) bool {
	return k == crdt.KindMap && !validKey(p.Key) || k == crdt.KindList && p.Index < 0
}

// Get implements [crdt.ObjectReader].
func (r reader) Get(id crdt.ObjID, p crdt.Prop) (crdt.Value, bool, error) {
	if err := r.lock(); err != nil {
		return crdt.Value{}, false, err
	}
	defer r.d.mu.Unlock()
	obj, kind, err := r.d.container(id, r.at)
	if err != nil || nowhere(kind, p) {
		return crdt.Value{}, false, err
	}
	switch C.pipes_get(r.d.c, obj, prop(kind, p), r.at.at()) {
	case C.FAILED:
		return crdt.Value{}, false, r.d.failure("get")
	case C.NONE:
		return crdt.Value{}, false, nil
	}
	rec, _ := r.d.cut(r.d.answer())
	if rec.Value.Kind().IsObject() {
		r.d.objects.saw(rec.Value, id, p)
	}
	r.d.release()
	return rec.Value, true, nil
}

// Conflicts implements [crdt.ObjectReader].
func (r reader) Conflicts(id crdt.ObjID, p crdt.Prop) ([]crdt.Value, error) {
	if err := r.lock(); err != nil {
		return nil, err
	}
	defer r.d.mu.Unlock()
	obj, kind, err := r.d.container(id, r.at)
	if err != nil || nowhere(kind, p) {
		return nil, err
	}
	if C.pipes_all(r.d.c, obj, prop(kind, p), r.at.at()) == C.FAILED {
		return nil, r.d.failure("conflicts")
	}
	var vals []crdt.Value
	for b := r.d.answer(); len(b) > 0; {
		var rec record
		rec, b = r.d.cut(b)
		if rec.Value.Kind().IsObject() {
			r.d.objects.saw(rec.Value, id, p)
		}
		vals = append(vals, rec.Value)
	}
	r.d.release()
	slices.Reverse(vals)
	return vals, nil
}

// Entries implements [crdt.ObjectReader].
func (r reader) Entries(id crdt.ObjID) iter.Seq2[crdt.Entry, error] {
	return func(yield func(crdt.Entry, error) bool) {
		for begin := 0; ; begin += window {
			page, more, err := r.page(id, begin)
			if err != nil {
				yield(crdt.Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

// page reads entries under the lock, which the caller's loop body must not hold.
func (r reader) page(id crdt.ObjID, begin int) ([]crdt.Entry, bool, error) {
	if err := r.lock(); err != nil {
		return nil, false, err
	}
	defer r.d.mu.Unlock()
	return r.d.page(id, begin, r.at)
}

// page reads a whole map, or window items of a list from begin on, and says
// whether there may be more.
func (d *Doc) page(id crdt.ObjID, begin int, at state) ([]crdt.Entry, bool, error) {
	obj, kind, err := d.container(id, at)
	if err != nil {
		return nil, false, err
	}
	end := C.size_t(begin + window)
	if C.pipes_items(d.c, obj, C.bool(kind == crdt.KindMap), C.size_t(begin), end, at.at()) == C.FAILED {
		return nil, false, d.failure("entries")
	}
	var page []crdt.Entry
	for b := d.answer(); len(b) > 0; {
		var rec record
		rec, b = d.cut(b)
		e := crdt.Entry{Prop: crdt.Prop{Key: rec.key}, Value: rec.Value}
		if kind == crdt.KindList {
			e.Index = begin + len(page)
		}
		if rec.Value.Kind().IsObject() {
			d.objects.saw(rec.Value, id, e.Prop)
		}
		page = append(page, e)
	}
	d.release()
	return page, kind == crdt.KindList && len(page) == window, nil
}

// entries is reader.Entries under the lock.
func (d *Doc) entries(id crdt.ObjID, at state) iter.Seq2[crdt.Entry, error] {
	return func(yield func(crdt.Entry, error) bool) {
		for begin, more := 0, true; more; begin += window {
			var page []crdt.Entry
			var err error
			if page, more, err = d.page(id, begin, at); err != nil {
				yield(crdt.Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Text implements [crdt.TextReader].
func (r reader) Text(id crdt.ObjID) (string, error) {
	if err := r.lock(); err != nil {
		return "", err
	}
	defer r.d.mu.Unlock()
	obj, err := r.d.of(id, r.at, crdt.KindText)
	if err != nil {
		return "", err
	}
	if C.pipes_text(r.d.c, obj, r.at.at()) == C.FAILED {
		return "", r.d.failure("text")
	}
	s := string(r.d.answer())
	r.d.release()
	return s, nil
}

// Marks implements [crdt.TextReader].
func (r reader) Marks(id crdt.ObjID) ([]crdt.Mark, error) {
	if err := r.lock(); err != nil {
		return nil, err
	}
	defer r.d.mu.Unlock()
	obj, err := r.d.of(id, r.at, crdt.KindText)
	if err != nil {
		return nil, err
	}
	if C.pipes_marks(r.d.c, obj, r.at.at()) == C.FAILED {
		return nil, r.d.failure("marks")
	}
	var marks []crdt.Mark
	for b := r.d.answer(); len(b) > 0; {
		var rec record
		rec, b = r.d.cut(b)
		if rec.Value.Kind() != crdt.KindNull {
			marks = append(marks, crdt.Mark{Start: rec.start, End: rec.end, Name: rec.key, Value: rec.Value})
		}
	}
	slices.SortFunc(marks, func(a, b crdt.Mark) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.Name, b.Name))
	})
	return marks, nil
}

// record is a pipes_rec as Go's own memory.
type record struct {
	crdt.Value
	key        string
	start, end int
}

// cut copies the first record of an answer.
func (d *Doc) cut(b []byte) (rec record, rest []byte) {
	c := (*C.pipes_rec)(unsafe.Pointer(unsafe.SliceData(b)))
	b = b[unsafe.Sizeof(*c):]
	actor, key, str := int(c.actor_len), int(c.key_len), int(c.str_len)
	rec.key = string(b[actor : actor+key])
	rec.start, rec.end = int(c.index), int(c.end)
	rec.Value = value(c, b[actor+key:actor+key+str])
	if c.counter > 0 {
		rec.Value.ID = crdt.ObjID{Counter: uint64(c.counter), Actor: d.objects.actor(b[:actor])}
	}
	return rec, b[(actor+key+str+7)&^7:]
}

func value(c *C.pipes_rec, str []byte) crdt.Value {
	num := uint64(c.num)
	switch k := crdt.Kind(c.kind); k {
	case crdt.KindMap, crdt.KindList, crdt.KindText:
		return crdt.Object(k)
	case crdt.KindString:
		return crdt.String(string(str))
	case crdt.KindInt:
		return crdt.Int(int64(num))
	case crdt.KindUint:
		return crdt.Uint(num)
	case crdt.KindFloat:
		return crdt.Float(math.Float64frombits(num))
	case crdt.KindBool:
		return crdt.Bool(num != 0)
	case crdt.KindBytes:
		return crdt.Bytes(str)
	case crdt.KindTime:
		return crdt.Millis(int64(num))
	case crdt.KindCounter:
		return crdt.CounterAt(int64(num))
	case crdt.KindUnknown:
		return crdt.UnknownValue(uint8(c.code), str)
	}
	return crdt.Null()
}
