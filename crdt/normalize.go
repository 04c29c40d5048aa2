package crdt

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"time"
	"unicode/utf8"
)

// A Go value is written in two steps: normalize turns it into the few types that
// View.Value gives (map[string]any, []any, string, Scalar, int64, uint64,
// float64, bool, nil, []byte, time.Time, Counter), and update.go compares those.

var (
	timeType      = reflect.TypeFor[time.Time]()
	counterType   = reflect.TypeFor[Counter]()
	scalarType    = reflect.TypeFor[Scalar]()
	bytesType     = reflect.TypeFor[[]byte]()
	marshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

// normalize refuses what a document cannot hold.
func normalize(v any, p Path) (any, error) {
	return normalizeValue(reflect.ValueOf(v), shapeAuto, p)
}

func normalizeValue(v reflect.Value, s shape, p Path) (any, error) {
	if len(p) > MaxDepth {
		return nil, &PathError{Path: p, Err: ErrDepth}
	}
	if !v.IsValid() {
		return nil, nil
	}
	if out, ok, err := normalizeNamed(v, p); ok || err != nil {
		return out, err
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil, nil
		}
		return normalizeValue(v.Elem(), s, p)
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return nil, &PathError{Path: p, Err: ErrUTF8}
		}
		if s == shapeScalar {
			return Scalar(v.String()), nil
		}
		return v.String(), nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if s == shapeCounter {
			return Counter(v.Int()), nil
		}
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return normalizeUint(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return v.Float(), nil
	case reflect.Slice:
		return normalizeList(v, s, p)
	case reflect.Map:
		return normalizeMap(v, p)
	case reflect.Struct:
		return normalizeStruct(v, p)
	}
	return nil, pathErr(p, ErrType, "a document cannot hold a %s", v.Type())
}

// normalizeNamed handles the types that stand for a kind of their own.
func normalizeNamed(v reflect.Value, p Path) (any, bool, error) {
	switch v.Type() {
	case timeType:
		return time.UnixMilli(v.Interface().(time.Time).UnixMilli()).UTC(), true, nil
	case counterType:
		return Counter(v.Int()), true, nil
	case scalarType:
		if !utf8.ValidString(v.String()) {
			return nil, false, &PathError{Path: p, Err: ErrUTF8}
		}
		return Scalar(v.String()), true, nil
	}
	if v.Type().Implements(marshalerType) && (v.Kind() != reflect.Pointer || !v.IsNil()) {
		b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil || !utf8.Valid(b) {
			return nil, false, pathErr(p, ErrType, "%s as text: %v", v.Type(), err)
		}
		return Scalar(b), true, nil
	}
	return nil, false, nil
}

// normalizeUint gives an int64 where one can hold n, as every other peer writes.
func normalizeUint(n uint64) any {
	if n <= math.MaxInt64 {
		return int64(n)
	}
	return n
}

func normalizeList(v reflect.Value, s shape, p Path) (any, error) {
	if v.Type().ConvertibleTo(bytesType) && s != shapeList {
		return append([]byte{}, v.Bytes()...), nil
	}
	list := make([]any, v.Len())
	for i := range list {
		var err error
		if list[i], err = normalizeValue(v.Index(i), shapeAuto, p.Join(Index(i))); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func normalizeMap(v reflect.Value, p Path) (any, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, pathErr(p, ErrType, "a map's keys are strings, not %s", v.Type().Key())
	}
	m := make(map[string]any, v.Len())
	for it := v.MapRange(); it.Next(); {
		k := it.Key().String()
		if err := checkKey(k, p); err != nil {
			return nil, err
		}
		val, err := normalizeValue(it.Value(), shapeAuto, p.Join(Key(k)))
		if err != nil {
			return nil, err
		}
		m[k] = val
	}
	return m, nil
}

func normalizeStruct(v reflect.Value, p Path) (any, error) {
	fields, err := fieldsOf(v.Type())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrType, err)
	}
	m := make(map[string]any, len(fields))
	for _, f := range fields {
		fv := v.FieldByIndex(f.index)
		if f.omitEmpty && isEmpty(fv) {
			continue
		}
		if m[f.name], err = normalizeValue(fv, f.shape, p.Join(Key(f.name))); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

func checkKey(k string, p Path) error {
	if k == "" {
		return &PathError{Path: p, Err: ErrKey}
	}
	if !utf8.ValidString(k) {
		return &PathError{Path: p, Err: ErrUTF8}
	}
	return nil
}

// scalar is a normalized scalar as an engine writes it; ok is false for maps,
// lists and texts.
func scalar(v any) (_ Value, ok bool) {
	switch v := v.(type) {
	case nil:
		return Null(), true
	case Scalar:
		return String(string(v)), true
	case int64:
		return Int(v), true
	case uint64:
		return Uint(v), true
	case float64:
		return Float(v), true
	case bool:
		return Bool(v), true
	case []byte:
		return Bytes(v), true
	case time.Time:
		return Millis(v.UnixMilli()), true
	case Counter:
		return CounterAt(int64(v)), true
	case Unknown:
		return UnknownValue(v.Code, []byte(v.Data)), true
	}
	return Value{}, false
}
