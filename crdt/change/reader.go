package change

import (
	"encoding/binary"
	"unicode/utf8"
)

// reader takes numbers and strings off the front of s. The first fault sticks;
// after it every read returns zero.
type reader struct {
	s string
	f *fault
}

func (r *reader) stop(what string) {
	r.f.malformed(what)
	r.s = ""
}

// uleb reads an unsigned LEB128 of at most 64 bits in its shortest form.
func (r *reader) uleb() uint64 {
	if len(r.s) > 0 && r.s[0] < 0x80 {
		v := uint64(r.s[0])
		r.s = r.s[1:]
		return v
	}
	var v uint64
	for i := 0; i < len(r.s) && i < 10; i++ {
		c := r.s[i]
		if i == 9 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if c == 0 {
				break // longer than needed
			}
			r.s = r.s[i+1:]
			return v
		}
	}
	r.stop("bad unsigned number")
	return 0
}

// sleb reads a signed LEB128 of at most 64 bits in its shortest form.
func (r *reader) sleb() int64 {
	if len(r.s) > 0 && r.s[0] < 0x80 {
		v := int64(r.s[0]) << 57 >> 57
		r.s = r.s[1:]
		return v
	}
	var v int64
	for i := 0; i < len(r.s) && i < 10; i++ {
		c := r.s[i]
		if i == 9 && c != 0 && c != 0x7f {
			break
		}
		v |= int64(c&0x7f) << (7 * i)
		if c < 0x80 {
			prev := r.s[i-1]
			if c == 0 && prev&0x40 == 0 || c == 0x7f && prev&0x40 != 0 {
				break // longer than needed
			}
			if shift := 7 * (i + 1); shift < 64 {
				v = v << (64 - shift) >> (64 - shift)
			}
			r.s = r.s[i+1:]
			return v
		}
	}
	r.stop("bad signed number")
	return 0
}

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.s)) {
		r.stop("too short")
		return ""
	}
	x := r.s[:n]
	r.s = r.s[n:]
	return x
}

// str reads a string after its length, which is at most limit.
func (r *reader) str(limit uint64, what string) string {
	n := r.uleb()
	if n > limit {
		r.f.overLimit(what)
		r.s = ""
		return ""
	}
	return r.take(n)
}

// text is str for UTF-8.
func (r *reader) text(limit uint64, what string) string {
	s := r.str(limit, what)
	if !utf8.ValidString(s) {
		r.stop(what + " is not UTF-8")
	}
	return s
}

// Unsigned numbers are LEB128 as [binary.AppendUvarint] writes it.

func appendSleb(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendStr(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
