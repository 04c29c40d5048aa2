package am

// #include "core.h"
// #cgo noescape pipes_handle
// #cgo nocallback pipes_handle
import "C"

import (
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
)

// The core finds an object by a handle, which it gives only to who reads or makes
// the object, and which takes 1.1 KB. So a Doc remembers where it saw an object
// (a hint), and keeps handles of those that it used last.

const (
	// maxHandles bounds the handles of one Doc, and so their memory to 300 KB.
	maxHandles = 256
	// maxHints bounds the hints, 150 bytes each: more are dropped when the next
	// view or transaction begins. An object without a hint is searched for.
	maxHints = 1 << 16
)

// hint is where an object was seen last.
type hint struct {
	parent crdt.ObjID
	prop   crdt.Prop
	kind   crdt.Kind
}

type handle struct {
	own *C.AMresult // keeps id alive; nil for the root
	id  *C.AMobjId
}

type objects struct {
	hints   map[crdt.ObjID]hint
	handles map[crdt.ObjID]handle
	ring    []crdt.ObjID // the handles' objects; next is the oldest
	next    int
	actors  map[string]string // so that equal actors share their bytes
}

func newObjects() objects {
	return objects{
		hints:   map[crdt.ObjID]hint{},
		handles: map[crdt.ObjID]handle{},
		actors:  map[string]string{},
	}
}

// reset forgets all objects. After a rollback ids may come to mean others.
func (o *objects) reset() {
	for _, h := range o.handles {
		C.AMresultFree(h.own)
	}
	*o = newObjects()
}

// trim drops hints when there are too many.
func (o *objects) trim() {
	if len(o.hints) > maxHints {
		clear(o.hints)
	}
}

func (o *objects) actor(b []byte) string {
	a, ok := o.actors[string(b)]
	if !ok {
		a = string(b)
		o.actors[a] = a
	}
	return a
}

// saw remembers where the object v is.
func (o *objects) saw(v crdt.Value, parent crdt.ObjID, p crdt.Prop) {
	o.hints[v.ID] = hint{parent, p, v.Kind()}
}

// add keeps a handle and frees the oldest.
func (o *objects) add(id crdt.ObjID, h handle) {
	if len(o.ring) < maxHandles {
		o.ring = append(o.ring, id)
	} else {
		C.AMresultFree(o.handles[o.ring[o.next]].own)
		delete(o.handles, o.ring[o.next])
		o.ring[o.next] = id
		o.next = (o.next + 1) % maxHandles
	}
	o.handles[id] = h
}

// object gives the handle and the kind of an object. The handle is valid until
// the next call of object.
func (d *Doc) object(id crdt.ObjID, at state) (*C.AMobjId, crdt.Kind, error) {
	if id == crdt.Root {
		return nil, crdt.KindMap, nil
	}
	o := &d.objects
	hint, known := o.hints[id]
	if h, ok := o.handles[id]; ok && known {
		return h.id, hint.kind, nil
	}
	if !known || !d.follow(id, hint, at) {
		// It moved in its list, was dropped from the hints, or was never seen.
		if err := d.search(id, hint.parent, at); err != nil {
			return nil, 0, err
		}
		if !d.follow(id, o.hints[id], at) {
			return nil, 0, fmt.Errorf("%w: %s", crdt.ErrNoObject, id)
		}
	}
	return o.handles[id].id, o.hints[id].kind, nil
}

// of is object for one that has to be of kind k.
func (d *Doc) of(id crdt.ObjID, at state, k crdt.Kind) (*C.AMobjId, error) {
	obj, kind, err := d.object(id, at)
	if err == nil && kind != k {
		err = fmt.Errorf("%w: %s is a %s, not a %s", crdt.ErrType, id, kind, k)
	}
	return obj, err
}

// follow gets a handle from where the hint says the object is.
func (d *Doc) follow(id crdt.ObjID, h hint, at state) bool {
	if _, ok := d.objects.handles[id]; ok {
		return true
	}
	parent, kind, err := d.object(h.parent, at)
	if err != nil || kind != crdt.KindMap && kind != crdt.KindList {
		return false
	}
	var got handle
	got.own = C.pipes_handle(d.c, parent, prop(kind, h.prop), at.at(),
		C.uint64_t(id.Counter), strPtr(id.Actor), C.size_t(len(id.Actor)), &got.id)
	if got.own == nil {
		return false
	}
	d.objects.add(id, got)
	return true
}

// search walks the document until it saw the object, and first what is in near.
func (d *Doc) search(id, near crdt.ObjID, at state) error {
	delete(d.objects.hints, id)
	todo := []crdt.ObjID{crdt.Root, near}
	for len(todo) > 0 {
		obj := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for e, err := range d.entries(obj, at) {
			if errors.Is(err, crdt.ErrNoObject) {
				break // near is gone
			}
			if err != nil {
				return err
			}
			if e.Value.ID == id && e.Value.Kind().IsObject() {
				return nil
			}
			if k := e.Value.Kind(); k == crdt.KindMap || k == crdt.KindList {
				todo = append(todo, e.Value.ID)
			}
		}
	}
	return fmt.Errorf("%w: %s", crdt.ErrNoObject, id)
}

// prop is a place in an object of kind k for C.
func prop(k crdt.Kind, p crdt.Prop) C.pipes_prop {
	if k == crdt.KindMap {
		return C.pipes_prop{key: strPtr(p.Key), key_len: C.size_t(len(p.Key)), is_key: true}
	}
	return C.pipes_prop{index: C.size_t(p.Index)}
}
