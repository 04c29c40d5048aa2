package dagcbor

import (
	"bytes"
	"fmt"
)

// Raw is one item of the profile in its encoded form, for bodies whose shape
// depends on a field before them. Decoding copies the bytes; pass them to
// [Unmarshal] once the shape is known.
type Raw []byte

// MarshalCBOR returns r itself after checking it.
func (r Raw) MarshalCBOR() ([]byte, error) {
	if err := Check(r); err != nil {
		return nil, err
	}
	return r, nil
}

// UnmarshalCBOR copies b.
func (r *Raw) UnmarshalCBOR(b []byte) error {
	*r = bytes.Clone(b)
	return Check(b)
}

// ID is a 32-byte id that may be absent. The zero value means none and is encoded
// as the empty byte string; 32 zero bytes on the wire are refused.
type ID [32]byte

// MarshalCBOR encodes the zero id as the empty byte string.
func (id ID) MarshalCBOR() ([]byte, error) {
	if id == (ID{}) {
		return []byte{majorBytes << 5}, nil
	}
	return AppendBytes(nil, id[:]), nil
}

// UnmarshalCBOR accepts the empty byte string and 32 bytes that are not all zero.
func (id *ID) UnmarshalCBOR(b []byte) error {
	r := NewReader(b)
	*id = r.ID()
	return r.Done()
}

// Optional is an array that may be empty: [] when Value is nil, else the encoding
// of *Value, which must be an array of at least one item.
type Optional[T any] struct{ Value *T }

// Some returns an Optional that holds v.
func Some[T any](v T) Optional[T] { return Optional[T]{&v} }

var emptyArray = []byte{majorArray << 5}

// MarshalCBOR encodes nil as [].
func (o Optional[T]) MarshalCBOR() ([]byte, error) {
	if o.Value == nil {
		return emptyArray, nil
	}
	b, err := encMode.Marshal(o.Value)
	if err == nil && (b[0]>>5 != majorArray || b[0] == emptyArray[0]) {
		err = fmt.Errorf("%w: %T is not an array of at least one item", ErrShape, *o.Value)
	}
	return b, err
}

// UnmarshalCBOR decodes [] as nil.
func (o *Optional[T]) UnmarshalCBOR(b []byte) error {
	if bytes.Equal(b, emptyArray) {
		o.Value = nil
		return nil
	}
	if err := Check(b); err != nil {
		return err
	}
	o.Value = new(T)
	return decode(b, o.Value)
}
