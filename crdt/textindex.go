package crdt

import (
	"fmt"
	"unicode/utf8"
)

// Documents count text in Unicode code points, JavaScript and LSP in UTF-16 code
// units, Go in bytes. These convert positions in s, a whole text. A position past
// the end or within a code point is [ErrRange].

// RunesFromUTF16 converts a position in UTF-16 code units to code points.
func RunesFromUTF16(s string, units int) (int, error) {
	runes, at := 0, 0
	for _, r := range s {
		if at >= units {
			break
		}
		at += utf16Len(r)
		runes++
	}
	return runes, exact(at, units, "UTF-16 unit")
}

// UTF16FromRunes converts a position in code points to UTF-16 code units.
func UTF16FromRunes(s string, runes int) (int, error) {
	units, at := 0, 0
	for _, r := range s {
		if at >= runes {
			break
		}
		units += utf16Len(r)
		at++
	}
	return units, exact(at, runes, "code point")
}

// RunesFromBytes converts a byte offset to code points.
func RunesFromBytes(s string, offset int) (int, error) {
	if offset < 0 || offset > len(s) || offset < len(s) && !utf8.RuneStart(s[offset]) {
		return 0, fmt.Errorf("%w: byte %d", ErrRange, offset)
	}
	return utf8.RuneCountInString(s[:offset]), nil
}

// BytesFromRunes converts a position in code points to a byte offset.
func BytesFromRunes(s string, runes int) (int, error) {
	at := 0
	for offset := range s {
		if at == runes {
			return offset, nil
		}
		at++
	}
	return len(s), exact(at, runes, "code point")
}

// utf16Len is utf16.RuneLen for what ranging over a string yields.
func utf16Len(r rune) int {
	if r >= 0x10000 {
		return 2
	}
	return 1
}

func exact(got, want int, unit string) error {
	if got != want {
		return fmt.Errorf("%w: %s %d", ErrRange, unit, want)
	}
	return nil
}
