//go:build cgo

package am_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pipes-sync/pipes/crdt"
)

// spot is a map, list or text in a document.
type spot struct {
	path crdt.Path
	kind crdt.Kind
	n    int
	keys []string
}

// spots are all objects that can be reached.
func spots(t *testing.T, v crdt.View, p crdt.Path, val crdt.Value) (all []spot) {
	s := spot{path: p, kind: val.Kind()}
	if !s.kind.IsObject() {
		return nil
	}
	s.n = ok[int](t)(v.Len(p))
	if s.kind != crdt.KindText {
		for e, err := range v.Entries(p) {
			check(t, err)
			elem := crdt.Index(e.Index)
			if s.kind == crdt.KindMap {
				elem = crdt.Key(e.Key)
				s.keys = append(s.keys, e.Key)
			}
			all = append(all, spots(t, v, p.Join(elem), e.Value)...)
		}
	}
	return append(all, s)
}

func word(rnd *rand.Rand) string {
	s := make([]rune, rnd.IntN(6))
	for i := range s {
		s[i] = []rune("abé🙂\n")[rnd.IntN(5)]
	}
	return string(s)
}

func randomValue(rnd *rand.Rand) any {
	switch rnd.IntN(14) {
	case 0:
		return nil
	case 1:
		return rnd.IntN(2) == 0
	case 2:
		return int64(rnd.IntN(1000) - 500)
	case 3:
		return float64(rnd.IntN(1000)) / 7
	case 4:
		return uint64(1)<<63 + uint64(rnd.IntN(9))
	case 5, 6:
		return crdt.Counter(rnd.IntN(10))
	case 7:
		return crdt.Scalar(word(rnd))
	case 8:
		return []byte(word(rnd))
	case 9:
		return time.UnixMilli(int64(rnd.IntN(1e9))*1000 - 5e11)
	case 10:
		return map[string]any{"a": word(rnd)}
	case 11:
		return []any{int64(rnd.IntN(5)), word(rnd), map[string]any{}}
	}
	return word(rnd)
}

// edit makes one change of a few random edits through a Tx.
func (p goPeer) edit(t *testing.T, rnd *rand.Rand) {
	w := ok[crdt.Writer](t)(p.Begin())
	tx := crdt.NewTx(w)
	for range 1 + rnd.IntN(8) {
		all := spots(t, tx.View, nil, crdt.ObjectAt(crdt.KindMap, crdt.Root))
		s := all[rnd.IntN(len(all))]
		switch s.kind {
		case crdt.KindMap:
			editMap(t, tx, s, rnd)
		case crdt.KindList:
			editList(t, tx, s, rnd)
		case crdt.KindText:
			editText(t, tx, s, rnd)
		}
	}
	c := ok[crdt.Change](t)(w.Commit("", int64(rnd.IntN(1e9))))
	if c.Bytes != nil && c.Bytes[8] != 1 {
		t.Fatalf("chunk type %d, want 1, uncompressed", c.Bytes[8])
	}
}

func editMap(t *testing.T, tx *crdt.Tx, s spot, rnd *rand.Rand) {
	key := []string{"a", "b", "c", "é"}[rnd.IntN(4)]
	p := s.path.Join(crdt.Key(key))
	there := slices.Contains(s.keys, key)
	if there && rnd.IntN(4) == 0 {
		check(t, tx.Delete(p))
		return
	}
	if there && increment(t, tx, p, rnd) {
		return
	}
	check(t, tx.Set(p, randomValue(rnd)))
}

// increment does so where there is a counter.
func increment(t *testing.T, tx *crdt.Tx, p crdt.Path, rnd *rand.Rand) bool {
	if ok[crdt.Value](t)(tx.Get(p)).Kind() != crdt.KindCounter || rnd.IntN(3) == 0 {
		return false
	}
	check(t, tx.Increment(p, int64(rnd.IntN(9)-4)))
	return true
}

func editList(t *testing.T, tx *crdt.Tx, s spot, rnd *rand.Rand) {
	i := rnd.IntN(s.n + 1)
	p := s.path.Join(crdt.Index(i))
	switch {
	case i == s.n || rnd.IntN(2) == 0:
		check(t, tx.Insert(s.path, i, randomValue(rnd)))
	case rnd.IntN(3) == 0:
		check(t, tx.Delete(p))
	case !increment(t, tx, p, rnd):
		check(t, tx.Set(p, randomValue(rnd)))
	}
}

func editText(t *testing.T, tx *crdt.Tx, s spot, rnd *rand.Rand) {
	i := rnd.IntN(s.n + 1)
	j := i + rnd.IntN(min(3, s.n-i)+1)
	if i < j && rnd.IntN(3) == 0 {
		m := crdt.Mark{Start: i, End: j, Name: []string{"b", "i"}[rnd.IntN(2)],
			Value: []crdt.Value{crdt.Bool(true), crdt.Int(7), crdt.String("x"), crdt.Null()}[rnd.IntN(4)]}
		check(t, tx.Mark(s.path, m, crdt.Expand(rnd.IntN(4))))
		return
	}
	if rnd.IntN(5) == 0 {
		check(t, tx.Set(s.path, word(rnd)+ok[string](t)(tx.Text(s.path))))
		return
	}
	check(t, tx.Splice(s.path, i, j-i, word(rnd)))
}
