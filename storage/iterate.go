package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/pipes-sync/pipes/crdt"
)

// All iterations see the store as it was when they began, hold it open until
// they end, and yield each record once. A damaged record is yielded as
// ErrDamaged and the iteration goes on; after a bad block, a closed or a failed
// store it ends with the error.

// ofDocument iterates over a document's records of one kind from lo on, which
// is given after the alias and kind; nothing where there is no such document.
func ofDocument[T any](s *Store, doc crdt.DocID, kind byte, from []byte, decode func(k, plain []byte) (T, error)) iter.Seq2[T, error] {
	return each(func(yield func(T, error) bool) error {
		err := s.ofDoc(doc, func(dk *docKey) error {
			prefix := under(prefixDoc, dk.alias, kind)
			lo := append(bytes.Clone(prefix), from...)
			return records(s, doc, lo, after(prefix), yield, func(k, v []byte) (t T, err error) {
				if v, err = unseal(dk.aead, doc, k, v); err != nil {
					return t, err
				}
				return decode(k, v)
			})
		})
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
}

// ChangeSets iterates over a document's change sets in ascending order of
// place, from the given one on; the zero Place is before all. Change sets with
// equal places follow each other in a fixed order.
func (s *Store) ChangeSets(doc crdt.DocID, from Place) iter.Seq2[ChangeSet, error] {
	return ofDocument(s, doc, docChangeSet, from.encode(), func(k, v []byte) (ChangeSet, error) {
		return decodeChangeSet(doc, k, v)
	})
}

// Snapshots iterates over a document's snapshots in ascending order of number.
func (s *Store) Snapshots(doc crdt.DocID) iter.Seq2[Snapshot, error] {
	return ofDocument(s, doc, docSnapshot, nil, func(k, v []byte) (Snapshot, error) {
		return Snapshot{binary.BigEndian.Uint64(k[len(k)-8:]), v}, nil
	})
}

// Quarantine iterates over a document's quarantined items, in no meaningful
// order.
func (s *Store) Quarantine(doc crdt.DocID) iter.Seq2[Item, error] {
	return ofDocument(s, doc, docQuarantine, nil, func(k, v []byte) (Item, error) {
		if len(v) < 32 {
			return Item{}, damaged(doc, k, errors.New("it is too short"))
		}
		return Item{crdt.ChangeSetID(v[:32]), v[32:]}, nil
	})
}

// Docs iterates over all documents that have a storage key, in no meaningful
// order. One whose creation was cut short is among them and has no records.
func (s *Store) Docs() iter.Seq2[crdt.DocID, error] {
	return each(func(yield func(crdt.DocID, error) bool) error {
		return s.call(func() error {
			return s.eachKey(func(dk *docKey, err error) bool {
				if err != nil {
					return yield(crdt.DocID{}, err)
				}
				return yield(dk.doc, nil)
			})
		})
	})
}

// eachKey unwraps all document keys, in order of alias.
func (s *Store) eachKey(f func(*docKey, error) bool) error {
	prefix := []byte{wrappedDoc}
	err := scan(s.keys.db, prefix, after(prefix), func(k, v []byte) bool { return f(s.keys.unwrap(k, v)) })
	if err != nil {
		return &DamagedError{What: "document keys", Cause: err}
	}
	return nil
}

// Heads iterates over the head records of all documents, in no meaningful
// order. It walks documents and head records side by side, so that a damaged
// head is yielded with its document's id and the others still follow.
func (s *Store) Heads() iter.Seq2[Head, error] {
	return each(func(yield func(Head, error) bool) error {
		return s.call(func() (err error) {
			prefix := []byte{prefixHead}
			it, err := s.data.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
			if err != nil {
				return damaged(crdt.DocID{}, prefix, err)
			}
			defer func() { _ = it.Close() }() // it answers only what Error did
			it.First()
			return s.eachKey(func(dk *docKey, err error) bool {
				if err != nil {
					return yield(Head{}, err)
				}
				v, err := s.headAt(it, dk)
				if errors.Is(err, ErrNotFound) {
					return true
				}
				return yield(Head{dk.doc, v}, err)
			})
		})
	})
}

// headAt advances it to the head of dk. After a bad block it reads heads one
// by one.
func (s *Store) headAt(it *pebble.Iterator, dk *docKey) ([]byte, error) {
	k := headKey(dk.alias)
	for it.Valid() && bytes.Compare(it.Key(), k) < 0 {
		it.Next()
	}
	if it.Error() != nil {
		return s.sealed(dk.aead, dk.doc, k)
	}
	if !it.Valid() || !bytes.Equal(it.Key(), k) {
		return nil, ErrNotFound
	}
	v, err := it.ValueAndErr()
	if err != nil {
		return nil, damaged(dk.doc, k, err)
	}
	return unseal(dk.aead, dk.doc, k, v)
}

// Ops iterates over a scope's access operations in ascending order.
func (s *Store) Ops(scope crdt.ScopeID) iter.Seq2[Op, error] {
	prefix := under(prefixOp, s.name.scope(scope), opEntry)
	a := s.values.ops
	return each(func(yield func(Op, error) bool) error {
		return s.call(func() error {
			return records(s, crdt.DocID{}, prefix, after(prefix), yield, func(k, v []byte) (Op, error) {
				v, err := unseal(a, crdt.DocID{}, k, v)
				if err != nil {
					return Op{}, err
				}
				return decodeOp(k, v)
			})
		})
	})
}

// Scopes iterates over all scopes that have operations, in no meaningful
// order.
func (s *Store) Scopes() iter.Seq2[crdt.ScopeID, error] {
	a := s.values.ops
	return each(func(yield func(crdt.ScopeID, error) bool) error {
		return s.call(func() (err error) {
			prefix := []byte{prefixOp}
			it, err := s.data.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
			if err != nil {
				return damaged(crdt.DocID{}, prefix, err)
			}
			defer func() { _ = it.Close() }() // it answers only what Error did
			for ok := it.First(); ok; {
				v, err := it.ValueAndErr()
				if err != nil {
					return damaged(crdt.DocID{}, it.Key(), err)
				}
				v, err = unseal(a, crdt.DocID{}, it.Key(), v)
				op, err2 := decodeOp(it.Key(), v)
				if !yield(op.Scope, firstOf(err, err2)) {
					return nil
				}
				ok = it.SeekGE(after(it.Key()[:1+len(alias{})]))
			}
			if err := it.Error(); err != nil {
				return damaged(crdt.DocID{}, prefix, err)
			}
			return nil
		})
	})
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Cursors iterates over a peer's cursors, in no meaningful order.
func (s *Store) Cursors(peer crdt.DeviceID) iter.Seq2[Cursor, error] {
	p := s.name.peer(peer)
	prefix := append([]byte{prefixCursor}, p[:]...)
	a := s.values.cursors
	return each(func(yield func(Cursor, error) bool) error {
		return s.call(func() error {
			return records(s, crdt.DocID{}, prefix, after(prefix), yield, func(k, v []byte) (Cursor, error) {
				v, err := unseal(a, crdt.DocID{}, k, v)
				if err != nil || len(v) < 32 {
					return Cursor{}, firstOf(err, damaged(crdt.DocID{}, k, errors.New("it is too short")))
				}
				return Cursor{crdt.ScopeID(v[:32]), v[32:]}, nil
			})
		})
	})
}
