package dagcbor

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// AppendUint appends n, which must be at most 2^63-1.
func AppendUint(b []byte, n uint64) []byte {
	if n > math.MaxInt64 {
		panic("dagcbor: integer beyond 64 bits signed")
	}
	return appendHead(b, majorUint, n)
}

// AppendInt appends n.
func AppendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, majorNeg, uint64(^n))
	}
	return appendHead(b, majorUint, uint64(n))
}

// AppendBytes appends a byte string.
func AppendBytes(b, s []byte) []byte {
	return append(appendHead(b, majorBytes, uint64(len(s))), s...)
}

// AppendText appends s, which must be UTF-8.
func AppendText(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		panic("dagcbor: text is not UTF-8")
	}
	return append(appendHead(b, majorText, uint64(len(s))), s...)
}

// AppendArray opens an array of n items; the caller appends them next.
func AppendArray(b []byte, n int) []byte {
	if n < 0 || n > MaxArray {
		panic("dagcbor: too many items in an array")
	}
	return appendHead(b, majorArray, uint64(n))
}

// AppendID appends a 32-byte id, the empty byte string if it is all zero.
func AppendID(b []byte, id [32]byte) []byte {
	if id == [32]byte{} {
		return append(b, majorBytes<<5)
	}
	return AppendBytes(b, id[:])
}

func appendHead(b []byte, major byte, n uint64) []byte {
	m := major << 5
	switch {
	case n < 24:
		return append(b, m|byte(n))
	case n <= math.MaxUint8:
		return append(b, m|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, m|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, m|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, m|27), n)
}

// Reader reads items one after the other with no reflection and no copy. The
// first error sticks: later reads answer zero values, so a decoder checks once,
// at [Reader.Done]. Loops must be bounded by what [Reader.Array] answers.
//
// Code that reads every item of an array, and bounds nesting by its own shape,
// accepts only the one encoding of what it read.
type Reader struct {
	b   []byte
	off int
	err error
}

// NewReader reads b, which must not change while results are in use.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err is the first error: it wraps [ErrMalformed] or [ErrShape].
func (r *Reader) Err() error { return r.err }

// Fail makes the reader fail with err unless it already has.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Done answers the first error, and ErrMalformed if input is left.
func (r *Reader) Done() error {
	if r.err == nil && r.off != len(r.b) {
		r.err = &SyntaxError{r.off, "bytes after the item"}
	}
	return r.err
}

// item reads a head of the wanted major type.
func (r *Reader) item(want byte) uint64 {
	if r.err != nil {
		return 0
	}
	major, arg, next, err := head(r.b, r.off)
	if err != nil {
		r.err = err
		return 0
	}
	if major != want {
		r.err = fmt.Errorf("%w: major type %d at byte %d, want %d", ErrShape, major, r.off, want)
		return 0
	}
	r.off = next
	return arg
}

// Array opens an array of lo to hi items and answers how many.
func (r *Reader) Array(lo, hi int) int {
	n := int(r.item(majorArray))
	if r.err == nil && (n < lo || n > hi) {
		r.err = fmt.Errorf("%w: array of %d items, want %d to %d", ErrShape, n, lo, hi)
	}
	if r.err != nil {
		return 0
	}
	return n
}

// Uint reads an integer from 0 to hi.
func (r *Reader) Uint(hi uint64) uint64 {
	n := r.item(majorUint)
	if n > hi {
		r.Fail(fmt.Errorf("%w: integer %d, at most %d", ErrShape, n, hi))
		return 0
	}
	return n
}

// Int reads an integer.
func (r *Reader) Int() int64 {
	if r.err == nil && r.off < len(r.b) && r.b[r.off]>>5 == majorNeg {
		return ^int64(r.item(majorNeg))
	}
	return int64(r.item(majorUint))
}

// Bytes reads a byte string of lo to hi bytes. The result aliases the input.
func (r *Reader) Bytes(lo, hi int) []byte { return r.str(majorBytes, lo, hi) }

func (r *Reader) str(major byte, lo, hi int) []byte {
	n := int(r.item(major))
	if r.err == nil && (n < lo || n > hi) {
		r.err = fmt.Errorf("%w: string of %d bytes, want %d to %d", ErrShape, n, lo, hi)
	}
	if r.err != nil {
		return nil
	}
	s := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return s
}

// Fixed reads a byte string of exactly len(dst) bytes into dst.
func (r *Reader) Fixed(dst []byte) { copy(dst, r.Bytes(len(dst), len(dst))) }

// ID reads a 32-byte id, zero for the empty byte string.
func (r *Reader) ID() (id [32]byte) {
	b := r.Bytes(0, len(id))
	switch {
	case len(b) == 0:
		return id
	case len(b) != len(id):
		r.Fail(fmt.Errorf("%w: id of %d bytes", ErrShape, len(b)))
		return id
	}
	copy(id[:], b)
	if id == [32]byte{} {
		r.Fail(fmt.Errorf("%w: an absent id is written the empty byte string", ErrShape))
	}
	return id
}

// Text reads a text of at most hi bytes.
func (r *Reader) Text(hi int) string {
	start := r.off
	s := r.str(majorText, 0, hi)
	if !utf8.Valid(s) {
		r.Fail(&SyntaxError{start, "text is not UTF-8"})
		return ""
	}
	return string(s)
}

// Expect reads an integer and fails unless it is want.
func (r *Reader) Expect(want uint64) {
	if n := r.item(majorUint); r.err == nil && n != want {
		r.err = fmt.Errorf("%w: integer %d, want %d", ErrShape, n, want)
	}
}

// ExpectText reads a text and fails unless it is want.
func (r *Reader) ExpectText(want string) {
	if s := r.str(majorText, 0, len(want)); r.err == nil && string(s) != want {
		r.err = fmt.Errorf("%w: text %q, want %q", ErrShape, s, want)
	}
}
