package dagcbor

import (
	"errors"
	"slices"
	"testing"
)

func TestIDs(t *testing.T) {
	type id [32]byte
	for _, ids := range [][]id{nil, {{1}}, {{}, {31: 1}, {2}}} {
		b := AppendIDs(nil, ids)
		r := NewReader(b)
		if got := ReadIDs[id](r, len(ids), 3); r.Done() != nil || !slices.Equal(got, ids) || (got == nil) != (ids == nil) {
			t.Errorf("%v reads back as %v, %v", ids, got, r.Err())
		}
		for name, limits := range map[string][2]int{"too few": {len(ids) + 1, 9}, "too many": {-1, len(ids) - 1}} {
			if err := readOne(b, func(r *Reader) { ReadIDs[id](r, limits[0], limits[1]) }); !errors.Is(err, ErrShape) {
				t.Errorf("%d ids are not %s: %v", len(ids), name, err)
			}
		}
	}
	short := AppendBytes(AppendArray(nil, 1), make([]byte, 31))
	if err := readOne(short, func(r *Reader) { ReadIDs[id](r, 0, 9) }); !errors.Is(err, ErrShape) {
		t.Errorf("an id of 31 bytes: %v", err)
	}
}
