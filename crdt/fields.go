package crdt

import (
	"fmt"
	"reflect"
	"strings"
)

// shape is what a field's tag asks for.
type shape uint8

const (
	shapeAuto shape = iota
	shapeText
	shapeScalar
	shapeCounter
	shapeList
	shapeMap
)

// field is one mapped field of a struct.
type field struct {
	name      string
	index     []int
	typ       reflect.Type
	shape     shape
	omitEmpty bool
}

// fieldsOf reads the tags of a struct: automerge:"name,text|scalar|counter|list|map,omitempty".
func fieldsOf(t reflect.Type) ([]field, error) {
	var fields []field
	seen := map[string]bool{}
	for _, sf := range reflect.VisibleFields(t) {
		tag, tagged := sf.Tag.Lookup("automerge")
		if sf.Anonymous && !tagged && sf.Type.Kind() == reflect.Struct {
			continue // its fields are visible by themselves
		}
		if !sf.IsExported() || tag == "-" || !reachable(t, sf.Index) {
			continue
		}
		f := field{name: sf.Name, index: sf.Index, typ: sf.Type}
		if err := f.parse(tag); err != nil {
			return nil, fmt.Errorf("crdt: field %s of %s: %w", sf.Name, t, err)
		}
		if seen[f.name] {
			return nil, fmt.Errorf("crdt: two fields of %s are called %q", t, f.name)
		}
		seen[f.name] = true
		fields = append(fields, f)
	}
	return fields, nil
}

// reachable reports whether a promoted field's way leads through plain embedded
// structs: not through pointers, which may be nil, or named, tagged ones.
func reachable(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		sf := t.Field(i)
		if _, tagged := sf.Tag.Lookup("automerge"); tagged || sf.Type.Kind() != reflect.Struct {
			return false
		}
		t = sf.Type
	}
	return true
}

func (f *field) parse(tag string) error {
	name, rest, _ := strings.Cut(tag, ",")
	if name != "" {
		f.name = name
	}
	for opt := range strings.SplitSeq(rest, ",") {
		switch opt {
		case "":
		case "omitempty":
			f.omitEmpty = true
		case "text", "scalar", "counter", "list", "map":
			if f.shape != shapeAuto {
				return fmt.Errorf("a second shape, %q", opt)
			}
			f.shape = map[string]shape{"text": shapeText, "scalar": shapeScalar, "counter": shapeCounter, "list": shapeList, "map": shapeMap}[opt]
		default:
			return fmt.Errorf("unknown option %q", opt)
		}
	}
	if !f.shape.fits(f.typ) {
		return fmt.Errorf("a %s cannot have this shape", f.typ)
	}
	return nil
}

// fits reports whether a field of type t can have the shape.
func (s shape) fits(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer && s != shapeAuto {
		t = t.Elem()
	}
	switch s {
	case shapeText, shapeScalar:
		return t.Kind() == reflect.String
	case shapeCounter:
		return t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64
	case shapeList:
		return t.Kind() == reflect.Slice
	case shapeMap:
		return t.Kind() == reflect.Map || t.Kind() == reflect.Struct
	}
	return true
}
