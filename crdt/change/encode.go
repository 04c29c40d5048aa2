package change

import (
	"encoding/binary"
	"slices"
)

// Build makes a change of a header and operations, in the one encoding there
// is. The hash in h is ignored, and so are the ids of the operations, which
// count up from h.StartOp. actors begins with h.Actor. The result has passed
// [Decode]: Build fails where Decode would.
func Build(h Header, actors []Actor, ops []Op, extra string) (*Change, error) {
	if len(actors) == 0 || actors[0] != h.Actor {
		return nil, malformed("the first actor is not the author")
	}
	b := h.append(nil)
	b = binary.AppendUvarint(b, uint64(len(actors)-1))
	for _, a := range actors[1:] {
		b = appendStr(b, string(a))
	}
	var e encoder
	for i := range ops {
		e.op(&ops[i])
	}
	b = append(e.append(b), extra...)
	return Decode(frame(hashBody(b), b))
}

// encoder writes all columns abreast.
type encoder struct {
	objActor, objCtr     runWriter[uint64]
	keyActor             runWriter[uint64]
	keyCtr               deltaWriter
	keyStr               runWriter[string]
	insert               boolWriter
	action, meta         runWriter[uint64]
	raw                  []byte
	predCount, predActor runWriter[uint64]
	predCtr              deltaWriter
	expand               boolWriter
	markName             runWriter[string]
}

func (e *encoder) op(o *Op) {
	e.objActor.put(uint64(o.Obj.Actor), !o.Obj.IsZero())
	e.objCtr.put(uint64(o.Obj.Ctr), !o.Obj.IsZero())
	e.keyActor.put(uint64(o.Elem.Actor), o.Key == "" && !o.Elem.IsZero())
	e.keyCtr.put(int64(o.Elem.Ctr), o.Key == "")
	e.keyStr.put(o.Key, o.Key != "")
	e.insert.put(o.Insert)
	e.action.put(uint64(o.Action), true)
	e.meta.put(uint64(len(o.Value.Raw))<<4|uint64(o.Value.Type), true)
	e.raw = append(e.raw, o.Value.Raw...)
	e.predCount.put(uint64(len(o.Pred)), true)
	for _, p := range o.Pred {
		e.predActor.put(uint64(p.Actor), true)
		e.predCtr.put(int64(p.Ctr), true)
	}
	e.expand.put(o.Expand)
	e.markName.put(o.MarkName, o.HasName)
}

// append writes the table of the columns that are not empty, then their data.
func (e *encoder) append(b []byte) []byte {
	cols := [maxColumns][]byte{
		colObjActor:  e.objActor.finish(binary.AppendUvarint),
		colObjCtr:    e.objCtr.finish(binary.AppendUvarint),
		colKeyActor:  e.keyActor.finish(binary.AppendUvarint),
		colKeyCtr:    e.keyCtr.finish(appendSleb),
		colKeyStr:    e.keyStr.finish(appendStr),
		colInsert:    e.insert.finish(false),
		colAction:    e.action.finish(binary.AppendUvarint),
		colValueMeta: e.meta.finish(binary.AppendUvarint),
		colValue:     e.raw,
		colPredCount: e.predCount.finish(binary.AppendUvarint),
		colPredActor: e.predActor.finish(binary.AppendUvarint),
		colPredCtr:   e.predCtr.finish(appendSleb),
		colExpand:    e.expand.finish(true),
		colMarkName:  e.markName.finish(appendStr),
	}
	n := uint64(0)
	for _, c := range cols {
		if len(c) > 0 {
			n++
		}
	}
	b = binary.AppendUvarint(b, n)
	for i, c := range cols {
		if len(c) > 0 {
			b = binary.AppendUvarint(binary.AppendUvarint(b, colSpecs[i]), uint64(len(c)))
		}
	}
	return append(b, slices.Concat(cols[:]...)...)
}

// runWriter is the inverse of [runs]. It keeps the rows and writes them at the
// end: what is built here is an edit of a person, or a test.
type runWriter[T comparable] struct {
	vals []T
	set  []bool // false: null
}

func (w *runWriter[T]) put(v T, ok bool) {
	w.vals, w.set = append(w.vals, v), append(w.set, ok)
}

func (w *runWriter[T]) finish(put func([]byte, T) []byte) (b []byte) {
	if !slices.Contains(w.set, true) {
		return nil
	}
	same := func(i, j int) bool { return w.set[i] == w.set[j] && (!w.set[i] || w.vals[i] == w.vals[j]) }
	for i, j := 0, 0; i < len(w.vals); i = j {
		for j = i + 1; j < len(w.vals) && same(i, j); j++ {
		}
		switch {
		case !w.set[i]:
			b = binary.AppendUvarint(append(b, 0), uint64(j-i))
		case j-i > 1:
			b = put(appendSleb(b, int64(j-i)), w.vals[i])
		default:
			for j < len(w.vals) && w.set[j] && !(j+1 < len(w.vals) && same(j, j+1)) {
				j++
			}
			b = appendSleb(b, -int64(j-i))
			for _, v := range w.vals[i:j] {
				b = put(b, v)
			}
		}
	}
	return b
}

// deltaWriter is the inverse of [deltas].
type deltaWriter struct {
	runWriter[int64]
	last int64
}

func (w *deltaWriter) put(v int64, ok bool) {
	if !ok {
		w.runWriter.put(0, false)
		return
	}
	w.runWriter.put(v-w.last, true)
	w.last = v
}

// boolWriter is the inverse of [bools].
type boolWriter struct {
	b   []byte
	val bool
	any bool
	n   uint64
}

func (w *boolWriter) put(v bool) {
	if v != w.val {
		w.b = binary.AppendUvarint(w.b, w.n)
		w.n, w.val = 0, v
	}
	w.n++
	w.any = w.any || v
}

// finish ends the last run. With optional, a column of false is left out.
func (w *boolWriter) finish(optional bool) []byte {
	if w.n == 0 || optional && !w.any {
		return nil
	}
	return binary.AppendUvarint(w.b, w.n)
}
