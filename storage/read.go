package storage

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/pipes-sync/pipes/crdt"
)

// Item is a value with its id: a quarantined item.
type Item struct {
	ID    crdt.ChangeSetID
	Value []byte
}

// Op is a stored access operation.
type Op struct {
	Scope crdt.ScopeID
	Order uint64
	ID    crdt.AccessOpID
	Value []byte
}

// Head is a document's head record.
type Head struct {
	Doc   crdt.DocID
	Value []byte
}

// Snapshot is a derived state of a document.
type Snapshot struct {
	N     uint64
	Value []byte
}

// Cursor is how far a peer is in a scope.
type Cursor struct {
	Scope crdt.ScopeID
	Value []byte
}

func (s *Store) singletonKey(name string) []byte {
	return singletonKey(s.name.tag("singleton", []byte(name)))
}

func (s *Store) cursorKey(peer crdt.DeviceID, scope crdt.ScopeID) []byte {
	return cursorKey(s.name.peer(peer), s.name.tag("cursor", scope[:]))
}

func orderBytes(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// call runs f, which calls Pebble, as one call of the store.
func (s *Store) call(f func() error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.health.guard(f)
}

// sealed reads and opens one value of data/.
func (s *Store) sealed(a cipher.AEAD, doc crdt.DocID, key []byte) ([]byte, error) {
	v, err := get(s.data, key)
	if err != nil {
		return nil, readError(err, doc, key)
	}
	return unseal(a, doc, key, v)
}

// readError makes a damage report of what Pebble says about a bad block.
func readError(err error, doc crdt.DocID, key []byte) error {
	if errors.Is(err, ErrNotFound) {
		return err
	}
	return damaged(doc, key, err)
}

func damaged(doc crdt.DocID, key []byte, cause error) *DamagedError {
	return &DamagedError{Doc: doc, What: kind(key), Key: append([]byte(nil), key...), Cause: cause}
}

func unseal(a cipher.AEAD, doc crdt.DocID, key, v []byte) ([]byte, error) {
	plain, err := open(a, key, v)
	if err != nil {
		return nil, damaged(doc, key, err)
	}
	return plain, nil
}

// ofDoc runs f with the document's key; ErrNotFound where it has none.
func (s *Store) ofDoc(doc crdt.DocID, f func(dk *docKey) error) error {
	return s.call(func() error {
		dk, err := s.keys.find(doc)
		if err != nil {
			return err
		}
		return f(dk)
	})
}

// Meta reads a document's record by name.
func (s *Store) Meta(doc crdt.DocID, name string) (v []byte, err error) {
	err = s.ofDoc(doc, func(dk *docKey) (err error) {
		v, err = s.sealed(dk.aead, doc, tagKey(prefixDoc, dk.alias, docMeta, s.name.tag("meta", []byte(name))))
		return err
	})
	return v, err
}

// Head reads a document's head record.
func (s *Store) Head(doc crdt.DocID) (v []byte, err error) {
	err = s.ofDoc(doc, func(dk *docKey) (err error) {
		v, err = s.sealed(dk.aead, doc, headKey(dk.alias))
		return err
	})
	return v, err
}

// Snapshot reads a snapshot by its number.
func (s *Store) Snapshot(doc crdt.DocID, n uint64) (v []byte, err error) {
	err = s.ofDoc(doc, func(dk *docKey) (err error) {
		v, err = s.sealed(dk.aead, doc, snapshotKey(dk.alias, n))
		return err
	})
	return v, err
}

// HasChangeSet says whether a change set is stored, without reading it. It is
// cheap where the answer is no.
func (s *Store) HasChangeSet(doc crdt.DocID, id crdt.ChangeSetID) (bool, error) {
	err := s.ofDoc(doc, func(dk *docKey) error {
		k := tagKey(prefixDoc, dk.alias, docIndex, s.name.tag("set", id[:]))
		if _, err := get(s.data, k); err != nil {
			return readError(err, doc, k)
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// ChangeSet reads a change set by its id.
func (s *Store) ChangeSet(doc crdt.DocID, id crdt.ChangeSetID) (cs ChangeSet, err error) {
	err = s.ofDoc(doc, func(dk *docKey) error {
		t := s.name.tag("set", id[:])
		xk := tagKey(prefixDoc, dk.alias, docIndex, t)
		x, err := get(s.data, xk)
		if err != nil {
			return readError(err, doc, xk)
		}
		at, ok := decodePlace(x)
		if !ok {
			return damaged(doc, xk, fmt.Errorf("index entry of %d bytes", len(x)))
		}
		k := changeSetKey(dk.alias, at, t)
		v, err := s.sealed(dk.aead, doc, k)
		if errors.Is(err, ErrNotFound) {
			return damaged(doc, xk, errors.New("the index points to nothing"))
		}
		if err != nil {
			return err
		}
		if cs, err = decodeChangeSet(doc, k, v); err == nil && cs.ID != id {
			err = damaged(doc, k, errors.New("it has another id"))
		}
		return err
	})
	return cs, err
}

// Quarantined reads an item from quarantine.
func (s *Store) Quarantined(doc crdt.DocID, id crdt.ChangeSetID) (v []byte, err error) {
	err = s.ofDoc(doc, func(dk *docKey) error {
		k := tagKey(prefixDoc, dk.alias, docQuarantine, s.name.tag("set", id[:]))
		if v, err = s.sealed(dk.aead, doc, k); err == nil {
			v, err = withoutHead(doc, k, v, len(id))
		}
		return err
	})
	return v, err
}

// Op reads an access operation by its id.
func (s *Store) Op(scope crdt.ScopeID, id crdt.AccessOpID) (op Op, err error) {
	err = s.call(func() error {
		a, t := s.name.scope(scope), s.name.tag("op", id[:])
		xk := tagKey(prefixOp, a, opIndex, t)
		x, err := get(s.data, xk)
		if err != nil {
			return readError(err, crdt.DocID{}, xk)
		}
		if len(x) != 8 {
			return damaged(crdt.DocID{}, xk, fmt.Errorf("index entry of %d bytes", len(x)))
		}
		k := opKey(a, binary.BigEndian.Uint64(x), t)
		v, err := s.sealed(s.values.ops, crdt.DocID{}, k)
		if errors.Is(err, ErrNotFound) {
			return damaged(crdt.DocID{}, xk, errors.New("the index points to nothing"))
		}
		if err == nil {
			op, err = decodeOp(k, v)
		}
		return err
	})
	return op, err
}

// Cursor reads how far a peer is in a scope.
func (s *Store) Cursor(peer crdt.DeviceID, scope crdt.ScopeID) (v []byte, err error) {
	err = s.call(func() error {
		k := s.cursorKey(peer, scope)
		if v, err = s.sealed(s.values.cursors, crdt.DocID{}, k); err == nil {
			v, err = withoutHead(crdt.DocID{}, k, v, len(scope))
		}
		return err
	})
	return v, err
}

// Singleton reads a value of the replica as a whole.
func (s *Store) Singleton(name string) (v []byte, err error) {
	err = s.call(func() (err error) {
		v, err = s.sealed(s.values.singletons, crdt.DocID{}, s.singletonKey(name))
		return err
	})
	return v, err
}

// withoutHead cuts n bytes off the front of an opened value.
func withoutHead(doc crdt.DocID, key, v []byte, n int) ([]byte, error) {
	if len(v) < n {
		return nil, damaged(doc, key, fmt.Errorf("value of %d bytes", len(v)))
	}
	return v[n:], nil
}

func decodeChangeSet(doc crdt.DocID, key, v []byte) (cs ChangeSet, err error) {
	const placeAt = 2 + len(alias{})
	if len(key) != placeAt+24 || len(v) < len(cs.ID) {
		return cs, damaged(doc, key, fmt.Errorf("key of %d, value of %d bytes", len(key), len(v)))
	}
	at, _ := decodePlace(key[placeAt : placeAt+16])
	return ChangeSet{at, crdt.ChangeSetID(v[:32]), v[32:]}, nil
}

func decodeOp(key, v []byte) (op Op, err error) {
	const orderAt = 2 + len(alias{})
	if len(key) != orderAt+16 || len(v) < 64 {
		return op, damaged(crdt.DocID{}, key, fmt.Errorf("key of %d, value of %d bytes", len(key), len(v)))
	}
	order := binary.BigEndian.Uint64(key[orderAt:])
	return Op{crdt.ScopeID(v[:32]), order, crdt.AccessOpID(v[32:64]), v[64:]}, nil
}

// scan calls f with the records of [lo, hi), in order, until it answers false.
// Keys and values are valid during the call of f.
func scan(db pebble.Reader, lo, hi []byte, f func(key, value []byte) bool) (err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.First(); it.Valid(); it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if !f(it.Key(), v) {
			return nil
		}
	}
	return it.Error()
}

// records turns [lo, hi) of data/ into an iteration. A record that cannot be
// decoded is yielded as its error, and the next follow; after a bad block
// there is only its error.
func records[T any](s *Store, doc crdt.DocID, lo, hi []byte, yield func(T, error) bool, decode func(k, v []byte) (T, error)) error {
	more := true
	err := scan(s.data, lo, hi, func(k, v []byte) bool {
		more = yield(decode(k, v))
		return more
	})
	if err != nil && more {
		return damaged(doc, lo, err)
	}
	return nil
}

// each makes an iteration of a function that may end with an error.
func each[T any](run func(yield func(T, error) bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		more := true
		err := run(func(t T, err error) bool {
			more = yield(t, err)
			return more
		})
		if err != nil && more {
			var none T
			yield(none, err)
		}
	}
}
