package crdt

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind says what a [Value] is. The zero Kind is KindNull.
type Kind uint8

// Map, list and text are objects: they have an [ObjID] and contents of their
// own. All others are scalars, replaced as a whole.
const (
	KindNull    Kind = iota
	KindMap          // string keys to values
	KindList         // a sequence of values
	KindText         // a sequence of Unicode code points
	KindString       // an immutable string; JavaScript calls it ImmutableString
	KindInt          // int64
	KindUint         // uint64
	KindFloat        // float64
	KindBool         //
	KindBytes        // an immutable byte string
	KindTime         // a time in milliseconds since 1970-01-01 UTC
	KindCounter      // an int64 that concurrent increments add to
	KindUnknown      // a type this version of the format does not name
)

var kindNames = [...]string{"null", "map", "list", "text", "string", "int", "uint", "float", "bool", "bytes", "time", "counter", "unknown"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// IsObject reports whether values of this kind have contents of their own.
func (k Kind) IsObject() bool { return k == KindMap || k == KindList || k == KindText }

// ObjID names the operation that made an object or wrote a value: the same on
// every replica, and for ever. The zero ObjID is the root map. Actor holds raw
// bytes: the 16 of an [ActorID], or any number in documents from elsewhere.
type ObjID struct {
	Counter uint64
	Actor   string
}

// Root is the map that every document has.
var Root ObjID

// String gives Automerge's text form: "_root" or "12@" and the actor in hex.
func (id ObjID) String() string {
	if id == Root {
		return "_root"
	}
	return strconv.FormatUint(id.Counter, 10) + "@" + hex.EncodeToString([]byte(id.Actor))
}

// ParseObjID reads the form that [ObjID.String] writes, and no other.
func ParseObjID(s string) (id ObjID, err error) {
	if s == "_root" {
		return Root, nil
	}
	num, actor, _ := strings.Cut(s, "@")
	raw, err := hex.DecodeString(actor)
	if err == nil {
		id.Actor = string(raw)
		id.Counter, err = strconv.ParseUint(num, 10, 64)
	}
	if err != nil || id.Counter == 0 || id.String() != s {
		return ObjID{}, fmt.Errorf("%w: %q is not counter@actor", ErrBadID, clip(s))
	}
	return id, nil
}

func (id ObjID) MarshalText() ([]byte, error)        { return []byte(id.String()), nil }
func (id *ObjID) UnmarshalText(b []byte) (err error) { *id, err = ParseObjID(string(b)); return }

// Value is one value as an engine holds it: a scalar, or the id of an object.
// Values are immutable and comparable; two that read alike differ when
// different operations wrote them. The zero Value is null.
type Value struct {
	// ID is the object's id, for a scalar that of the operation which wrote it.
	// It is zero in a value that was not read from a document.
	ID ObjID

	kind Kind
	code uint8  // type code of an unknown value
	num  uint64 // int, uint, bool, float bits, milliseconds, counter
	str  string // string, bytes, unknown
}

// Null, String, Int, ... make the values that an engine writes.

// Null is the null value.
func Null() Value { return Value{} }

// Object asks [ObjectWriter] for a new, empty object of kind k.
func Object(k Kind) Value { return Value{kind: k} }

// ObjectAt is the object id of kind k, as an engine reports it.
func ObjectAt(k Kind, id ObjID) Value { return Value{kind: k, ID: id} }

// String is an immutable string. See [KindText] for one that merges.
func String(s string) Value { return Value{kind: KindString, str: s} }

// Int is a signed integer.
func Int(n int64) Value { return Value{kind: KindInt, num: uint64(n)} }

// Uint is an unsigned integer.
func Uint(n uint64) Value { return Value{kind: KindUint, num: n} }

// Float is a floating-point number; NaN and infinities are allowed.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// Bool is true or false.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.num = 1
	}
	return v
}

// Bytes is a copy of b.
func Bytes(b []byte) Value { return Value{kind: KindBytes, str: string(b)} }

// Millis is a time, in milliseconds since 1970-01-01 UTC.
func Millis(ms int64) Value { return Value{kind: KindTime, num: uint64(ms)} }

// CounterAt is a counter that stands at n.
func CounterAt(n int64) Value { return Value{kind: KindCounter, num: uint64(n)} }

// UnknownValue is a scalar of a type that this version does not name.
func UnknownValue(code uint8, data []byte) Value {
	return Value{kind: KindUnknown, code: code, str: string(data)}
}

// Kind says which of the accessors below has the value.
func (v Value) Kind() Kind { return v.kind }

// Str is the content of a string, bytes or unknown value.
func (v Value) Str() string { return v.str }

// Bytes is a copy of the content of a string, bytes or unknown value.
func (v Value) Bytes() []byte { return []byte(v.str) }

// Int is the value of an int or a counter, or a time in milliseconds.
func (v Value) Int() int64 { return int64(v.num) }

// Uint is the value of a uint.
func (v Value) Uint() uint64 { return v.num }

// Float is the value of a float.
func (v Value) Float() float64 { return math.Float64frombits(v.num) }

// Bool is the value of a bool.
func (v Value) Bool() bool { return v.num != 0 }

// Time is the value of a time, in UTC.
func (v Value) Time() time.Time { return time.UnixMilli(int64(v.num)).UTC() }

// Code is the type code of an unknown value, 10 to 15.
func (v Value) Code() uint8 { return v.code }

// Same reports whether v and w read alike, whoever wrote them. Objects are the
// same when their ids are; a NaN is the same as itself.
func (v Value) Same(w Value) bool {
	if !v.kind.IsObject() {
		v.ID, w.ID = ObjID{}, ObjID{}
	}
	return v == w
}

// Go is a scalar as a Go value: nil, [Scalar], int64, uint64, float64, bool,
// []byte, time.Time in UTC, [Counter] or [Unknown]. For an object it is nil;
// [View.Value] reads whole objects.
func (v Value) Go() any {
	switch v.kind {
	case KindString:
		return Scalar(v.str)
	case KindInt:
		return v.Int()
	case KindUint:
		return v.Uint()
	case KindFloat:
		return v.Float()
	case KindBool:
		return v.Bool()
	case KindBytes:
		return v.Bytes()
	case KindTime:
		return v.Time()
	case KindCounter:
		return Counter(v.Int())
	case KindUnknown:
		return Unknown{v.code, v.str}
	}
	return nil
}

// String describes v for people.
func (v Value) String() string {
	switch v.kind {
	case KindNull:
		return "null"
	case KindMap, KindList, KindText:
		return v.kind.String() + " " + v.ID.String()
	case KindString, KindBytes:
		return fmt.Sprintf("%s %q", v.kind, clip(v.str))
	case KindTime:
		return v.Time().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%s %v", v.kind, v.Go())
}

// In Go values a string is a text, which merges character by character. These
// types stand for what plain Go has no type for.
type (
	// Scalar is an immutable string: of two concurrent writes one wins.
	Scalar string
	// Counter is an integer whose concurrent increments add up.
	Counter int64
	// Unknown is a scalar of a type that this version of the format does not
	// name. It is read and shown, never written.
	Unknown struct {
		Code uint8
		Data string
	}
)
