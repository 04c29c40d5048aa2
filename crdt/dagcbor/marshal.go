package dagcbor

import (
	"bytes"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// The modes are immutable once built.
var (
	encMode = must(cbor.EncOptions{
		NilContainers:   cbor.NilContainerAsEmpty,
		BinaryMarshaler: cbor.BinaryMarshalerNone,
		TagsMd:          cbor.TagsForbidden,
		IndefLength:     cbor.IndefLengthForbidden,
	}.EncMode())
	decMode = must(cbor.DecOptions{
		MaxNestedLevels:   MaxDepth + 1, // counted from 1 there, from 0 here
		MaxArrayElements:  MaxArray,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		BinaryUnmarshaler: cbor.BinaryUnmarshalerNone,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("dagcbor: " + err.Error()) // a wrong constant above
	}
	return v
}

// Marshal encodes v: structs tagged `cbor:",toarray"`, integers, strings, []byte,
// [N]byte, slices of these, [Raw], [ID] and [Optional]. A nil slice is empty, not
// null.
//
// It panics if v leaves the profile (a map, a bool, a float, a pointer that is
// nil, a struct without toarray, text that is not UTF-8, an integer beyond
// int64): check what a user supplies first.
func Marshal(v any) []byte {
	b, err := encMode.Marshal(v)
	if err == nil {
		err = Check(b)
	}
	if err != nil {
		panic(fmt.Sprintf("dagcbor: marshal of %T: %v", v, err))
	}
	return b
}

// Unmarshal decodes b, at most limit bytes, into the value v points to. Byte
// slices in v are copies. It refuses whatever is not the one encoding of the
// resulting value: errors wrap [ErrTooLong], [ErrMalformed] or [ErrShape], and
// leave *v undefined.
func Unmarshal(b []byte, v any, limit int) error {
	if len(b) > limit {
		return fmt.Errorf("%w: %d bytes, limit %d", ErrTooLong, len(b), limit)
	}
	if err := Check(b); err != nil {
		return err
	}
	return decode(b, v)
}

// decode fits an item that passed Check into v.
func decode(b []byte, v any) error {
	if err := decMode.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %v", ErrShape, err)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrShape, err)
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("%w: not the encoding of the decoded value", ErrShape)
	}
	return nil
}
