package storage

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/pipes-sync/pipes/crdt"
)

// ChangeSet is a stored change set. Value is opaque to this package; whoever
// puts it vouches that ID is its id.
type ChangeSet struct {
	Place
	ID    crdt.ChangeSetID
	Value []byte
}

// A Batch collects writes to any number of documents and scopes, which happen
// all or not at all. Values are sealed as they are put. The first error is
// kept and answered by Commit, so puts need no checks of their own.
//
// A Batch serves one goroutine and one commit. One that is not committed must
// be discarded.
type Batch struct {
	s       *Store
	b       *pebble.Batch // nil once committed or discarded
	err     error
	last    *docKey
	unsaved []*docKey
}

var errSpent = errors.New("storage: the batch was committed or discarded before")

// Batch begins a batch. The caller must Commit or Discard it.
func (s *Store) Batch() *Batch { return &Batch{s: s, b: s.data.NewBatch()} }

// NewDoc gives a document its storage key, if it has none yet. Puts for a
// document without one fail with ErrNotFound. The key is made durable by the
// commit, before the batch itself.
func (b *Batch) NewDoc(doc crdt.DocID) { b.use(doc, b.s.keys.findOrMake) }

// PutMeta keeps a record of a document by name, in place of the one before.
// The genesis is such a record.
func (b *Batch) PutMeta(doc crdt.DocID, name string, value []byte) {
	if dk := b.doc(doc); dk != nil && b.checkName(name) {
		b.put(dk.aead, tagKey(prefixDoc, dk.alias, docMeta, b.s.name.tag("meta", []byte(name))), value)
	}
}

// PutChangeSet keeps a change set and its index entry. Change sets with equal
// places and different ids, the branches of a fork, live side by side.
func (b *Batch) PutChangeSet(doc crdt.DocID, cs ChangeSet) {
	dk := b.doc(doc)
	if dk == nil {
		return
	}
	t := b.s.name.tag("set", cs.ID[:])
	b.put(dk.aead, changeSetKey(dk.alias, cs.Place, t), cs.ID[:], cs.Value)
	b.set(tagKey(prefixDoc, dk.alias, docIndex, t), cs.Place.encode())
}

// PutHead keeps the document's head record: small, for it is read in every
// scan over all documents.
func (b *Batch) PutHead(doc crdt.DocID, value []byte) {
	if dk := b.doc(doc); dk != nil {
		b.put(dk.aead, headKey(dk.alias), value)
	}
}

// PutSnapshot keeps a derived state of a document under a number of the
// caller's choice.
func (b *Batch) PutSnapshot(doc crdt.DocID, n uint64, value []byte) {
	if dk := b.doc(doc); dk != nil {
		b.put(dk.aead, snapshotKey(dk.alias, n), value)
	}
}

// DropSnapshots removes all snapshots of a document, also those put earlier in
// this batch.
func (b *Batch) DropSnapshots(doc crdt.DocID) {
	if dk := b.doc(doc); dk != nil {
		b.deleteUnder(under(prefixDoc, dk.alias, docSnapshot))
	}
}

// Quarantine keeps an item of a document apart, by its id.
func (b *Batch) Quarantine(doc crdt.DocID, id crdt.ChangeSetID, value []byte) {
	if dk := b.doc(doc); dk != nil {
		b.put(dk.aead, tagKey(prefixDoc, dk.alias, docQuarantine, b.s.name.tag("set", id[:])), id[:], value)
	}
}

// Unquarantine removes an item from quarantine.
func (b *Batch) Unquarantine(doc crdt.DocID, id crdt.ChangeSetID) {
	if dk := b.doc(doc); dk != nil {
		b.delete(tagKey(prefixDoc, dk.alias, docQuarantine, b.s.name.tag("set", id[:])))
	}
}

// PutOp keeps an access operation. Operations of a scope are read back in
// ascending order; those with equal order and different ids live side by side.
func (b *Batch) PutOp(scope crdt.ScopeID, order uint64, id crdt.AccessOpID, value []byte) {
	if b.err != nil {
		return
	}
	a, t := b.s.name.scope(scope), b.s.name.tag("op", id[:])
	b.put(b.s.values.ops, opKey(a, order, t), scope[:], id[:], value)
	b.set(tagKey(prefixOp, a, opIndex, t), orderBytes(order))
}

// PutCursor keeps how far a peer is in a scope.
func (b *Batch) PutCursor(peer crdt.DeviceID, scope crdt.ScopeID, value []byte) {
	b.put(b.s.values.cursors, b.s.cursorKey(peer, scope), scope[:], value)
}

// DropCursors forgets a peer's cursors in all scopes.
func (b *Batch) DropCursors(peer crdt.DeviceID) {
	a := b.s.name.peer(peer)
	b.deleteUnder(append([]byte{prefixCursor}, a[:]...))
}

// PutSingleton keeps a value of the replica as a whole, by name: the device
// key, names, settings.
func (b *Batch) PutSingleton(name string, value []byte) {
	if b.checkName(name) {
		b.put(b.s.values.singletons, b.s.singletonKey(name), value)
	}
}

// DeleteSingleton removes a singleton; one that is not there is no error.
func (b *Batch) DeleteSingleton(name string) {
	if b.checkName(name) {
		b.delete(b.s.singletonKey(name))
	}
}

// Size is the number of sealed bytes collected so far, keys included.
func (b *Batch) Size() int {
	if b.b == nil {
		return 0
	}
	return b.b.Len()
}

// Commit makes the batch durable: when it answers nil, the batch survives a
// power cut. It answers the first error of a put, ErrDiskFull, ErrReadOnly or
// ErrClosed with nothing written, or ErrStoreFailed, after which the batch may
// or may not be there.
func (b *Batch) Commit() error { return b.commit(pebble.Sync) }

// CommitUnsynced makes the batch visible to reads without waiting for the
// disk: a crash may lose it, and then all unsynced batches after it. For what
// can be derived again, such as snapshots.
func (b *Batch) CommitUnsynced() error { return b.commit(pebble.NoSync) }

func (b *Batch) commit(o *pebble.WriteOptions) error {
	if b.b == nil {
		return errSpent
	}
	defer b.Discard()
	if b.err != nil {
		return b.err
	}
	s := b.s
	if s.opt.ReadOnly {
		return ErrReadOnly
	}
	return s.call(func() error {
		if err := s.health.room(b.b.Len()); err != nil {
			return err
		}
		if err := s.saveKeys(b.unsaved); err != nil {
			return err
		}
		return s.data.Apply(b.b, o)
	})
}

// saveKeys makes new document keys durable before anything sealed under them.
func (s *Store) saveKeys(keys []*docKey) error {
	keys = slices.DeleteFunc(keys, func(dk *docKey) bool { return dk.saved.Load() })
	if len(keys) == 0 {
		return nil
	}
	if err := s.keys.save(keys); err != nil {
		return err
	}
	if err := s.health.failure(); err != nil {
		return err
	}
	for _, dk := range keys {
		dk.saved.Store(true)
	}
	return nil
}

// Discard ends a batch that is not wanted. After Commit it does nothing.
func (b *Batch) Discard() {
	if b.b != nil {
		b.fail(b.b.Close())
		b.b = nil
	}
}

func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// doc finds the document's key; nil after an error.
func (b *Batch) doc(id crdt.DocID) *docKey {
	if b.last != nil && b.last.doc == id && b.err == nil {
		return b.last
	}
	return b.use(id, b.s.keys.find)
}

func (b *Batch) use(id crdt.DocID, find func(crdt.DocID) (*docKey, error)) *docKey {
	if b.b == nil {
		b.fail(errSpent)
	}
	if b.err != nil {
		return nil
	}
	var dk *docKey
	err := b.s.call(func() (err error) { dk, err = find(id); return err })
	if err != nil {
		b.fail(fmt.Errorf("storage: document %s: %w", id, err))
		return nil
	}
	if !dk.saved.Load() && !slices.Contains(b.unsaved, dk) {
		b.unsaved = append(b.unsaved, dk)
	}
	b.last = dk
	return dk
}

func (b *Batch) checkName(name string) bool {
	if len(name) > MaxName {
		b.fail(fmt.Errorf("%w: name of %d bytes", ErrTooLarge, len(name)))
	}
	return b.err == nil
}

// ready says whether n more bytes may be put.
func (b *Batch) ready(n int) bool {
	switch {
	case b.err != nil:
	case b.b == nil:
		b.err = errSpent
	case n > MaxValue:
		b.err = fmt.Errorf("%w: value of %d bytes", ErrTooLarge, n)
	case b.b.Len()+n > MaxBatch:
		b.err = fmt.Errorf("%w: batch of %d bytes", ErrTooLarge, b.b.Len()+n)
	}
	return b.err == nil
}

// put seals the parts as one value, in place in the batch.
func (b *Batch) put(a cipher.AEAD, key []byte, parts ...[]byte) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if !b.ready(n) {
		return
	}
	op := b.b.SetDeferred(len(key), n+sealOverhead)
	copy(op.Key, key)
	sealInto(op.Value, a, key, parts...)
	b.fail(op.Finish())
}

// set puts an index entry, which is not sealed.
func (b *Batch) set(key, value []byte) {
	if b.ready(len(value)) {
		b.fail(b.b.Set(key, value, nil))
	}
}

func (b *Batch) delete(key []byte) {
	if b.ready(0) {
		b.fail(b.b.Delete(key, nil))
	}
}

func (b *Batch) deleteUnder(prefix []byte) {
	if b.ready(0) {
		b.fail(b.b.DeleteRange(prefix, after(prefix), nil))
	}
}
