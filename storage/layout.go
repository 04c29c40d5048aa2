package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/pipes-sync/pipes/crdt"
)

// First bytes of the keys in data/ and keys/, see the package comment.
const (
	prefixDoc       = 'd'
	prefixHead      = 'h'
	prefixSingleton = 'k'
	prefixOp        = 'o'
	prefixCursor    = 'p'

	docChangeSet  = 'c'
	docMeta       = 'm'
	docQuarantine = 'q'
	docSnapshot   = 's'
	docIndex      = 'x'

	opEntry = 'c'
	opIndex = 'x'

	wrappedDoc   = 'd' // keys/: d|alias -> document id 32, key 32
	wrappedStore = 's' // keys/: s       -> store key 32, incarnation 8
)

type (
	// alias stands for a document, scope or peer in keys.
	alias [16]byte
	// tag stands for the id or name of one record.
	tag [16]byte
	// Chain stands for the change sets of one device and incarnation to one
	// document, see [Store.Chain].
	Chain [8]byte
)

// Place is where a change set stands in its document: chains in no meaningful
// but fixed order, seq within them.
type Place struct {
	Chain Chain
	Seq   uint64
}

// namer makes the names used in keys.
type namer struct{ key Secret }

func (n namer) mac(purpose string, parts ...[]byte) (out [32]byte) {
	m := hmac.New(sha256.New, n.key.b[:])
	m.Write([]byte{byte(len(purpose))})
	m.Write([]byte(purpose))
	for _, p := range parts {
		m.Write(p)
	}
	m.Sum(out[:0])
	return out
}

func (n namer) doc(id crdt.DocID) alias {
	h := n.mac("doc", id[:])
	return alias(h[:16])
}

func (n namer) scope(id crdt.ScopeID) alias {
	h := n.mac("scope", id[:])
	return alias(h[:16])
}

func (n namer) peer(id crdt.DeviceID) alias {
	h := n.mac("peer", id[:])
	return alias(h[:16])
}

func (n namer) tag(purpose string, id []byte) tag {
	h := n.mac(purpose, id)
	return tag(h[:16])
}

func (n namer) chain(doc crdt.DocID, dev crdt.DeviceID, inc crdt.Incarnation) Chain {
	h := n.mac("chain", doc[:], dev[:], inc[:])
	return Chain(h[:8])
}

func headKey(a alias) []byte { return append([]byte{prefixHead}, a[:]...) }

// under starts a key of a document or scope: prefix, alias, kind.
func under(prefix byte, a alias, kind byte) []byte {
	k := make([]byte, 0, 48)
	k = append(k, prefix)
	k = append(k, a[:]...)
	return append(k, kind)
}

func changeSetKey(a alias, at Place, t tag) []byte {
	k := under(prefixDoc, a, docChangeSet)
	k = append(k, at.Chain[:]...)
	k = binary.BigEndian.AppendUint64(k, at.Seq)
	return append(k, t[:8]...)
}

func opKey(a alias, order uint64, t tag) []byte {
	k := under(prefixOp, a, opEntry)
	k = binary.BigEndian.AppendUint64(k, order)
	return append(k, t[:8]...)
}

func tagKey(prefix byte, a alias, kind byte, t tag) []byte {
	return append(under(prefix, a, kind), t[:]...)
}

func snapshotKey(a alias, n uint64) []byte {
	return binary.BigEndian.AppendUint64(under(prefixDoc, a, docSnapshot), n)
}

func singletonKey(t tag) []byte { return append([]byte{prefixSingleton}, t[:]...) }

func cursorKey(peer alias, t tag) []byte {
	k := append([]byte{prefixCursor}, peer[:]...)
	return append(k, t[:]...)
}

func (p Place) encode() []byte {
	return binary.BigEndian.AppendUint64(p.Chain[:], p.Seq)
}

func decodePlace(b []byte) (p Place, ok bool) {
	if len(b) != 16 {
		return p, false
	}
	return Place{Chain(b[:8]), binary.BigEndian.Uint64(b[8:])}, true
}

// after returns the first key that does not begin with prefix; nil if there
// is none.
func after(prefix []byte) []byte {
	k := append([]byte(nil), prefix...)
	for i := len(k) - 1; i >= 0; i-- {
		if k[i]++; k[i] != 0 {
			return k[:i+1]
		}
	}
	return nil
}

// kinds names the records of data/ for errors and reports.
func kind(key []byte) string {
	const kindAt = 1 + len(alias{})
	switch {
	case len(key) == 0:
		return "empty key"
	case key[0] == prefixHead:
		return "head record"
	case key[0] == prefixSingleton:
		return "singleton"
	case key[0] == prefixCursor:
		return "cursor"
	case len(key) <= kindAt:
	case key[0] == prefixOp && key[kindAt] == opEntry:
		return "access operation"
	case key[0] == prefixOp && key[kindAt] == opIndex:
		return "access operation index"
	case key[0] == prefixDoc:
		switch key[kindAt] {
		case docChangeSet:
			return "change set"
		case docMeta:
			return "document record"
		case docQuarantine:
			return "quarantined item"
		case docSnapshot:
			return "snapshot"
		case docIndex:
			return "change set index"
		}
	}
	return "record of unknown kind"
}
