package acl

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// joinContext precedes what a device signs to join a person.
const joinContext = "pipes device join v1\x00"

// NewJoin is a device's consent to belong to person with this HPKE key: sign is
// the device's own.
func NewJoin(sign Signer, person crdt.ScopeID, hpkeKey []byte, nonce [16]byte) (Join, error) {
	sig, err := sign(joinMessage(person, hpkeKey, nonce))
	if err != nil {
		return Join{}, fmt.Errorf("acl: sign: %w", err)
	}
	if len(sig) != sigSize {
		return Join{}, fmt.Errorf("%w: %d bytes", ErrBadSignature, len(sig))
	}
	return Join{Nonce: nonce, Sig: [sigSize]byte(sig)}, nil
}

func (j *Join) verify(person crdt.ScopeID, p Principal) bool {
	return ed25519.Verify(p.ID[:], joinMessage(person, p.HPKEKey, j.Nonce), j.Sig[:])
}

func joinMessage(person crdt.ScopeID, hpkeKey []byte, nonce [16]byte) []byte {
	sum := sha256.Sum256(hpkeKey)
	return slices.Concat([]byte(joinContext), person[:], sum[:], nonce[:])
}
