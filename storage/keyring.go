package storage

import (
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/pipes-sync/pipes/crdt"
)

// docKey is what is needed to name and seal the values of one document.
type docKey struct {
	doc   crdt.DocID
	alias alias
	key   Secret
	aead  cipher.AEAD
	// saved is set once the wrapped key is durable in keys/. No value sealed
	// under it may be committed before.
	saved atomic.Bool
}

// keyring is keys/ and what has been unwrapped from it. About 250 bytes are
// kept in memory for each document in use.
type keyring struct {
	db   *pebble.DB
	wrap cipher.AEAD // from the root key
	name namer

	mu   sync.Mutex
	docs map[crdt.DocID]*docKey
}

func wrappedDocKey(a alias) []byte { return append([]byte{wrappedDoc}, a[:]...) }

// loadStoreKey reads the key of the store and its incarnation.
func loadStoreKey(db *pebble.DB, wrap cipher.AEAD) (key Secret, inc crdt.Incarnation, err error) {
	k := []byte{wrappedStore}
	v, err := get(db, k)
	if err == nil {
		v, err = open(wrap, k, v)
	}
	if err == nil && len(v) != 40 {
		err = fmt.Errorf("store key of %d bytes", len(v))
	}
	if err != nil {
		return key, inc, &DamagedError{What: "store key", Key: k, Cause: err}
	}
	return Secret{[32]byte(v[:32])}, crdt.Incarnation(v[32:]), nil
}

func saveStoreKey(db *pebble.DB, wrap cipher.AEAD, key Secret, inc crdt.Incarnation) error {
	k := []byte{wrappedStore}
	return db.Set(k, seal(wrap, k, key.b[:], inc[:]), pebble.Sync)
}

// get reads one value into a slice of its own.
func get(db pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	v = append([]byte(nil), v...)
	return v, closer.Close()
}

// unwrap opens an entry of keys/.
func (r *keyring) unwrap(k, v []byte) (*docKey, error) {
	plain, err := open(r.wrap, k, v)
	if err == nil && len(plain) != 64 {
		err = fmt.Errorf("wrapped key of %d bytes", len(plain))
	}
	if err != nil {
		return nil, &DamagedError{What: "document key", Key: k, Cause: err}
	}
	dk := r.newKey(crdt.DocID(plain[:32]), Secret{[32]byte(plain[32:])})
	if string(k[1:]) != string(dk.alias[:]) {
		return nil, &DamagedError{Doc: dk.doc, What: "document key", Key: k, Cause: errors.New("it stands under another name")}
	}
	dk.saved.Store(true)
	return dk, nil
}

func (r *keyring) newKey(doc crdt.DocID, key Secret) *docKey {
	return &docKey{doc: doc, alias: r.name.doc(doc), key: key, aead: key.aead()}
}

// find returns the document's key or ErrNotFound.
func (r *keyring) find(doc crdt.DocID) (*docKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.findLocked(doc)
}

// findLocked reads keys/ under the lock, so that there is one docKey a
// document; a read there is served from memory but for the first.
func (r *keyring) findLocked(doc crdt.DocID) (*docKey, error) {
	if dk := r.docs[doc]; dk != nil {
		return dk, nil
	}
	k := wrappedDocKey(r.name.doc(doc))
	v, err := get(r.db, k)
	if pebble.IsCorruptionError(err) {
		err = &DamagedError{Doc: doc, What: "document key", Key: k, Cause: err}
	}
	if err != nil {
		return nil, err
	}
	dk, err := r.unwrap(k, v)
	if err != nil {
		return nil, withDoc(err, doc)
	}
	r.docs[doc] = dk
	return dk, nil
}

// findOrMake makes a key, not yet saved, where there is none.
func (r *keyring) findOrMake(doc crdt.DocID) (*docKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dk, err := r.findLocked(doc)
	if errors.Is(err, ErrNotFound) {
		dk, err = r.newKey(doc, randomSecret()), nil
		r.docs[doc] = dk
	}
	return dk, err
}

// save makes keys durable. Saving one twice, by two goroutines, is harmless.
func (r *keyring) save(keys []*docKey) error {
	b := r.db.NewBatch()
	defer b.Close()
	for _, dk := range keys {
		k := wrappedDocKey(dk.alias)
		if err := b.Set(k, seal(r.wrap, k, dk.doc[:], dk.key.b[:]), nil); err != nil {
			return err
		}
	}
	return r.db.Apply(b, pebble.Sync)
}

// withDoc names the document in a damage report that lacks it.
func withDoc(err error, doc crdt.DocID) error {
	if d := (*DamagedError)(nil); errors.As(err, &d) && d.Doc == (crdt.DocID{}) {
		d.Doc = doc
	}
	return err
}

// rootCheck lets a wrong root key be told from a damaged store.
func rootCheck(root Secret) string {
	check := root.derive("root check")
	return hex.EncodeToString(check.b[:16])
}
