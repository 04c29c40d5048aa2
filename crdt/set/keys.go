package set

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
)

// Key seals payloads or a genesis. It never prints itself.
type Key [32]byte

// Format writes a placeholder for every verb.
func (Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "set.Key(secret)") }

// ContentKey derives the key of a document's payloads in one epoch:
// HKDF-SHA256(secret, salt none, info "pipes content v1\x00" || doc), 32 bytes.
func ContentKey(secret [32]byte, doc crdt.DocID) Key {
	return derive(secret, "pipes content v1\x00"+string(doc[:]))
}

// GenesisKey derives the key of a genesis' sealed part, whose document id is not
// known yet: HKDF-SHA256(secret, salt none, info "pipes genesis v1\x00" || scope || nonce).
func GenesisKey(secret [32]byte, scope crdt.ScopeID, nonce [16]byte) Key {
	return derive(secret, "pipes genesis v1\x00"+string(scope[:])+string(nonce[:]))
}

func derive(secret [32]byte, info string) Key {
	k, err := hkdf.Key(sha256.New, secret[:], nil, info, len(Key{}))
	if err != nil {
		panic("set: " + err.Error()) // only a length beyond 255 blocks fails
	}
	return Key(k)
}
