package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A sealed value that is put under another key, or changed, does not open.
func TestMovedValue(t *testing.T) {
	fs := vfs.NewMem()
	s := initStore(t, fs, "r")
	for d := range 2 {
		for n := range 2 {
			if err := writeSet(s, docID(d), n, 10); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit(t, s, func(b *Batch) {
		for n := range 2 {
			b.PutOp(scopeID(1), uint64(n), opID(n), []byte("op"))
			b.PutCursor(deviceID(n), scopeID(1), []byte("cursor"))
			b.PutSingleton(fmt.Sprint(n), []byte("one"))
			b.PutSnapshot(docID(0), uint64(n), []byte("s"))
			b.PutMeta(docID(0), fmt.Sprint(n), []byte("m"))
			b.Quarantine(docID(0), setID(n), []byte("q"))
		}
	})
	key := func(d, n int) []byte {
		return changeSetKey(s.name.doc(docID(d)), Place{Chain{1}, uint64(n)}, s.name.tag("set", bytes32(setID(n))))
	}
	a0 := s.name.doc(docID(0))
	meta := func(n int) []byte {
		return tagKey(prefixDoc, a0, docMeta, s.name.tag("meta", []byte(fmt.Sprint(n))))
	}
	op := func(n int) []byte {
		return opKey(s.name.scope(scopeID(1)), uint64(n), s.name.tag("op", bytes32(opID(n))))
	}
	quar := func(n int) []byte {
		return tagKey(prefixDoc, a0, docQuarantine, s.name.tag("set", bytes32(setID(n))))
	}
	for name, tc := range map[string]struct {
		from, to []byte
		read     func() error
	}{
		"within a document": {key(0, 0), key(0, 1), func() error { return second(s.ChangeSet(docID(0), setID(1))) }},
		"between documents": {key(0, 0), key(1, 0), func() error { return second(s.ChangeSet(docID(1), setID(0))) }},
		"head":              {headKey(a0), headKey(s.name.doc(docID(1))), func() error { return second(s.Head(docID(1))) }},
		"meta":              {meta(0), meta(1), func() error { return second(s.Meta(docID(0), "1")) }},
		"snapshot":          {snapshotKey(a0, 0), snapshotKey(a0, 1), func() error { return second(s.Snapshot(docID(0), 1)) }},
		"quarantine":        {quar(0), quar(1), func() error { return second(s.Quarantined(docID(0), setID(1))) }},
		"operation":         {op(0), op(1), func() error { return second(s.Op(scopeID(1), opID(1))) }},
		"cursor": {s.cursorKey(deviceID(0), scopeID(1)), s.cursorKey(deviceID(1), scopeID(1)),
			func() error { return second(s.Cursor(deviceID(1), scopeID(1))) }},
		"singleton": {s.singletonKey("0"), s.singletonKey("1"), func() error { return second(s.Singleton("1")) }},
	} {
		if err := tc.read(); err != nil {
			t.Errorf("%s, before: %v", name, err)
		}
		v, err := get(s.data, tc.from)
		if err != nil {
			t.Fatal(name, err)
		}
		if err := s.data.Set(tc.to, v, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := tc.read(); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := s.Check(context.Background())
	if err != nil || r.Damaged != 9 {
		t.Errorf("check: %+v, %v", r, err)
	}
	// Iterations yield the damaged record and go on.
	bad, good := 0, 0
	for _, err := range s.ChangeSets(docID(0), Place{}) {
		if errors.Is(err, ErrDamaged) {
			bad++
		} else if err == nil {
			good++
		}
	}
	if bad != 1 || good != 1 {
		t.Errorf("iteration: %d damaged, %d good", bad, good)
	}
	// A wrapped document key under another name.
	k0, k1 := wrappedDocKey(a0), wrappedDocKey(s.name.doc(docID(1)))
	v, err := get(s.keys.db, k0)
	if err == nil {
		err = s.keys.db.Set(k1, v, pebble.Sync)
	}
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openStore(t, fs, "r")
	var damage *DamagedError
	if _, err := s.Head(docID(1)); !errors.As(err, &damage) || damage.Doc != docID(1) {
		t.Errorf("moved document key: %v", err)
	}
	if err := writeSet(s, docID(1), 9, 9); !errors.Is(err, ErrDamaged) {
		t.Errorf("write under a moved document key: %v", err)
	}
}

func bytes32[T ~[32]byte](id T) []byte { b := [32]byte(id); return b[:] }

// Check must find each way in which records and indexes can disagree.
func TestCheckFinds(t *testing.T) {
	a := func(s *Store) alias { return s.name.doc(docID(0)) }
	setTag := func(s *Store, n int) tag { return s.name.tag("set", bytes32(setID(n))) }
	for name, tc := range map[string]struct {
		key, value func(s *Store) []byte // nil value deletes
		want       string
	}{
		"no index": {func(s *Store) []byte { return tagKey(prefixDoc, a(s), docIndex, setTag(s, 1)) }, nil, "no index entry"},
		"index elsewhere": {func(s *Store) []byte { return tagKey(prefixDoc, a(s), docIndex, setTag(s, 1)) },
			func(*Store) []byte { return Place{}.encode() }, "points"},
		"index malformed": {func(s *Store) []byte { return tagKey(prefixDoc, a(s), docIndex, setTag(s, 1)) },
			func(*Store) []byte { return []byte{1} }, "malformed"},
		"index to nothing": {func(s *Store) []byte { return changeSetKey(a(s), Place{Chain{1}, 1}, setTag(s, 1)) }, nil, "points to nothing"},
		"operation index": {func(s *Store) []byte {
			return tagKey(prefixOp, s.name.scope(scopeID(1)), opIndex, s.name.tag("op", bytes32(opID(1))))
		},
			nil, "no index entry"},
		"operation":      {func(s *Store) []byte { return opKey(s.name.scope(scopeID(1)), 1, s.name.tag("op", bytes32(opID(1)))) }, nil, "points to nothing"},
		"foreign prefix": {func(*Store) []byte { return []byte("y") }, func(*Store) []byte { return []byte("z") }, "nothing is kept"},
		"foreign document": {func(*Store) []byte { return headKey(alias{1}) }, func(*Store) []byte { return nil },
			"its document has no key"},
		"short key": {func(*Store) []byte { return []byte("d12") }, func(*Store) []byte { return []byte("z") }, "too short"},
		"short op":  {func(*Store) []byte { return []byte("o12") }, func(*Store) []byte { return []byte("z") }, "too short"},
		"no head":   {func(s *Store) []byte { return headKey(a(s)) }, nil, "no head record"},
		"empty":     {func(s *Store) []byte { return headKey(a(s)) }, func(*Store) []byte { return []byte{} }, "too short"},
	} {
		s := initStore(t, vfs.NewMem(), "r")
		if err := writeSet(s, docID(0), 1, 10); err != nil {
			t.Fatal(err)
		}
		commit(t, s, func(b *Batch) { b.PutOp(scopeID(1), 1, opID(1), nil) })
		r, err := s.Check(context.Background())
		if err != nil || r.Damaged != 0 || r.Records != 5 || r.Documents != 1 || r.Tables == 0 {
			t.Fatalf("before: %+v, %v", r, err)
		}
		if tc.value == nil {
			err = s.data.Delete(tc.key(s), pebble.Sync)
		} else {
			err = s.data.Set(tc.key(s), tc.value(s), pebble.Sync)
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err = s.Check(context.Background())
		if err != nil || r.Damaged == 0 || !strings.Contains(errors.Join(r.Problems...).Error(), tc.want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		closeStore(t, s)
	}
	s := initStore(t, vfs.NewMem(), "r")
	commit(t, s, func(b *Batch) { b.NewDoc(docID(1)); b.PutHead(docID(1), nil) })
	if r, err := s.Check(context.Background()); err != nil || r.Damaged != 1 {
		t.Errorf("head of nothing: %+v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
