package crdt

import (
	"fmt"
	"reflect"
	"time"
)

// SchemaRoots gives the changes that make the initial shape of a document of
// type T: the maps, lists, texts and counters of its fields. Every device that
// asks gets the same bytes, so two that create a document offline have the same
// lists, and merge, instead of each hiding the other's.
//
// There is one change for each field of T, so a later T with more fields needs
// only the changes of those: it merges with documents that have the old ones,
// and v, when it is not the zero View, says which fields are there already. A
// field within a nested struct is not a field of T: what a nested struct gains
// in documents that have the struct is created by the first write.
//
// Fields with omitempty, scalars and pointers have no initial shape. Each change
// has no deps, sequence number 1, time 0, no message, and the actor
// [SchemaActor] gives. open makes an empty engine that writes as an actor.
func SchemaRoots[T any](open func(ActorID) (Engine, error), v View) ([]Change, error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return nil, fmt.Errorf("%w: the schema of a %s, which is no struct", ErrType, t)
	}
	fields, err := fieldsOf(t)
	if err != nil {
		return nil, err
	}
	var roots []Change
	for _, f := range fields {
		p := Path{Key(f.name)}
		if err := checkKey(f.name, p); err != nil {
			return nil, err
		}
		val, err := normalizeValue(reflect.Zero(f.typ), f.shape, p)
		if err != nil {
			return nil, err
		}
		val, ok := initial(val)
		if !ok || f.omitEmpty {
			continue
		}
		if v.r != nil {
			if _, there, err := v.r.Get(Root, Prop{Key: f.name}); err != nil {
				return nil, err
			} else if there {
				continue
			}
		}
		c, err := schemaRoot(open, f.name, val)
		if err != nil {
			return nil, err
		}
		roots = append(roots, c)
	}
	return roots, nil
}

// initial is what of a zero value two devices would have to create alike.
func initial(v any) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			if e, ok := initial(e); ok {
				m[k] = e
			}
		}
		return m, true
	case []any, string, Counter:
		return v, true
	}
	return nil, false
}

// schemaRoot writes the change twice: the first time to learn its actor.
func schemaRoot(open func(ActorID) (Engine, error), key string, val any) (Change, error) {
	zeroed, err := writeRoot(open, ActorID{}, key, val)
	if err != nil {
		return Change{}, err
	}
	return writeRoot(open, SchemaActor(zeroed.Bytes), key, val)
}

func writeRoot(open func(ActorID) (Engine, error), actor ActorID, key string, val any) (Change, error) {
	e, err := open(actor)
	if err != nil {
		return Change{}, err
	}
	defer e.Close()
	w, err := e.Begin()
	if err != nil {
		return Change{}, err
	}
	if err := NewTx(w).create(place{Root, Prop{Key: key}}, val, false); err != nil {
		return Change{}, err
	}
	return w.Commit("", 0)
}
