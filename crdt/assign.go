package crdt

import (
	"encoding"
	"math"
	"reflect"
	"time"
)

// assignTo fills *dst from a value as View.Value gives it.
func assignTo(dst, val any, p Path) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return pathErr(p, ErrType, "cannot read into a %T, only into a pointer", dst)
	}
	return assign(v.Elem(), val, p)
}

func assign(dst reflect.Value, val any, p Path) error {
	if val == nil {
		dst.SetZero()
		return nil
	}
	if ok, err := assignNamed(dst, val, p); ok || err != nil {
		return err
	}
	switch dst.Kind() {
	case reflect.Interface:
		if dst.NumMethod() == 0 {
			dst.Set(reflect.ValueOf(val))
			return nil
		}
	case reflect.Pointer:
		elem := reflect.New(dst.Type().Elem())
		dst.Set(elem)
		return assign(elem.Elem(), val, p)
	case reflect.Struct:
		if m, ok := val.(map[string]any); ok {
			return assignStruct(dst, m, p)
		}
	case reflect.Map:
		if m, ok := val.(map[string]any); ok && dst.Type().Key().Kind() == reflect.String {
			return assignMap(dst, m, p)
		}
	case reflect.Slice:
		return assignSlice(dst, val, p)
	default:
		if assignBasic(dst, val) {
			return nil
		}
	}
	return misfit(dst, val, p)
}

func misfit(dst reflect.Value, val any, p Path) error {
	kind := KindMap
	switch v := val.(type) {
	case map[string]any:
	case []any:
		kind = KindList
	case string:
		kind = KindText
	default:
		s, _ := scalar(v)
		kind = s.Kind()
		if !kind.IsObject() && kind != KindBytes && kind != KindString {
			return pathErr(p, ErrType, "%v does not fit a %s", s, dst.Type())
		}
	}
	return pathErr(p, ErrType, "a %s does not fit a %s", kind, dst.Type())
}

// assignNamed fills the types that stand for a kind of their own.
func assignNamed(dst reflect.Value, val any, p Path) (bool, error) {
	if dst.Type() == timeType {
		t, ok := val.(time.Time)
		if ok {
			dst.Set(reflect.ValueOf(t))
		}
		return ok, nil
	}
	if dst.Kind() == reflect.Pointer || !dst.CanAddr() {
		return false, nil
	}
	u, ok := dst.Addr().Interface().(encoding.TextUnmarshaler)
	s, isStr := str(val)
	if !ok || !isStr {
		return false, nil
	}
	if err := u.UnmarshalText([]byte(s)); err != nil {
		return false, pathErr(p, ErrType, "%v", err)
	}
	return true, nil
}

func str(val any) (string, bool) {
	switch s := val.(type) {
	case string:
		return s, true
	case Scalar:
		return string(s), true
	}
	return "", false
}

func assignStruct(dst reflect.Value, m map[string]any, p Path) error {
	fields, err := fieldsOf(dst.Type())
	if err != nil {
		return pathErr(p, ErrType, "%v", err)
	}
	for _, f := range fields {
		if err := assign(dst.FieldByIndex(f.index), m[f.name], p.Join(Key(f.name))); err != nil {
			return err
		}
	}
	return nil
}

func assignMap(dst reflect.Value, m map[string]any, p Path) error {
	t := dst.Type()
	out := reflect.MakeMapWithSize(t, len(m))
	for k, val := range m {
		elem := reflect.New(t.Elem()).Elem()
		if err := assign(elem, val, p.Join(Key(k))); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(k).Convert(t.Key()), elem)
	}
	dst.Set(out)
	return nil
}

func assignSlice(dst reflect.Value, val any, p Path) error {
	if b, ok := val.([]byte); ok && dst.Type().ConvertibleTo(bytesType) {
		dst.SetBytes(b)
		return nil
	}
	list, ok := val.([]any)
	if !ok {
		return misfit(dst, val, p)
	}
	out := reflect.MakeSlice(dst.Type(), len(list), len(list))
	for i, item := range list {
		if err := assign(out.Index(i), item, p.Join(Index(i))); err != nil {
			return err
		}
	}
	dst.Set(out)
	return nil
}

// assignBasic fills strings, booleans and numbers, when nothing is lost.
func assignBasic(dst reflect.Value, val any) bool {
	switch dst.Kind() {
	case reflect.String:
		s, ok := str(val)
		dst.SetString(s)
		return ok
	case reflect.Bool:
		b, ok := val.(bool)
		dst.SetBool(b)
		return ok
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := toInt(val)
		ok = ok && !dst.OverflowInt(n)
		if ok {
			dst.SetInt(n)
		}
		return ok
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := toUint(val)
		ok = ok && !dst.OverflowUint(n)
		if ok {
			dst.SetUint(n)
		}
		return ok
	case reflect.Float32, reflect.Float64:
		f, ok := toFloat(val)
		if ok {
			dst.SetFloat(f)
		}
		return ok
	}
	return false
}

// toInt accepts any number without a fraction that an int64 can hold.
func toInt(val any) (int64, bool) {
	switch n := val.(type) {
	case int64:
		return n, true
	case Counter:
		return int64(n), true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case float64:
		return int64(n), n == math.Trunc(n) && n >= -1<<63 && n < 1<<63
	}
	return 0, false
}

func toUint(val any) (uint64, bool) {
	if n, ok := val.(uint64); ok {
		return n, true
	}
	n, ok := toInt(val)
	return uint64(n), ok && n >= 0
}

func toFloat(val any) (float64, bool) {
	switch n := val.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	}
	return 0, false
}
