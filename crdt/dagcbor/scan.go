package dagcbor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

var (
	// ErrMalformed is wrapped when bytes are not exactly one item of the profile.
	ErrMalformed = errors.New("dagcbor: malformed")
	// ErrShape is wrapped when an item of the profile does not fit what the
	// caller expects: wrong kind, wrong count, wrong size.
	ErrShape = errors.New("dagcbor: unexpected shape")
)

// SyntaxError says where bytes leave the profile. It wraps [ErrMalformed].
type SyntaxError struct {
	Offset int // of the item at fault, in bytes from the start
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("dagcbor: malformed at byte %d: %s", e.Offset, e.Reason)
}

func (e *SyntaxError) Unwrap() error { return ErrMalformed }

// Major types of RFC 8949 §3.1.
const (
	majorUint  = 0
	majorNeg   = 1
	majorBytes = 2
	majorText  = 3
	majorArray = 4
)

// head reads the initial bytes of the item at off: its major type, its argument,
// and where its content starts. It accepts the shortest form only, and checks
// that a string's or an array's claim fits what is left of b.
func head(b []byte, off int) (major byte, arg uint64, next int, err error) {
	fail := func(reason string) (byte, uint64, int, error) {
		return 0, 0, off, &SyntaxError{off, reason}
	}
	if off >= len(b) {
		return fail("input ends")
	}
	major, info := b[off]>>5, b[off]&0x1f
	if major > majorArray {
		return fail("maps, tags, floats and simple values are not in the profile")
	}
	next = off + 1
	switch {
	case info < 24:
		arg = uint64(info)
	case info > 27:
		return fail("indefinite or reserved length")
	default:
		size := 1 << (info - 24)
		if len(b)-next < size {
			return fail("input ends in a length")
		}
		var wide [8]byte
		copy(wide[8-size:], b[next:next+size])
		arg = binary.BigEndian.Uint64(wide[:])
		next += size
		if size == 1 && arg < 24 || size > 1 && arg>>(size*4) == 0 {
			return fail("not the shortest form")
		}
	}
	switch {
	case major <= majorNeg && arg > math.MaxInt64:
		return fail("integer beyond 64 bits signed")
	case major >= majorBytes && arg > uint64(len(b)-next):
		return fail("length beyond the input")
	case major == majorArray && arg > MaxArray:
		return fail("too many items in an array")
	}
	return major, arg, next, nil
}

// scan checks the item at off and answers where the next one starts.
func scan(b []byte, off, depth int) (int, error) {
	major, arg, next, err := head(b, off)
	if err != nil {
		return off, err
	}
	switch major {
	case majorBytes:
		return next + int(arg), nil
	case majorText:
		end := next + int(arg)
		if !utf8.Valid(b[next:end]) {
			return off, &SyntaxError{off, "text is not UTF-8"}
		}
		return end, nil
	case majorArray:
		if depth == MaxDepth {
			return off, &SyntaxError{off, "arrays nest too deep"}
		}
		for range arg {
			if next, err = scan(b, next, depth+1); err != nil {
				return next, err
			}
		}
	}
	return next, nil
}

// Check reports whether b is exactly one item of the profile, in its one
// encoding. The error wraps [ErrMalformed].
func Check(b []byte) error {
	end, err := scan(b, 0, 0)
	if err != nil {
		return err
	}
	if end != len(b) {
		return &SyntaxError{end, "bytes after the item"}
	}
	return nil
}
