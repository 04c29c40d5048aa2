package acl

import (
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/pipes-sync/pipes/crdt"
)

// Contexts of derivation, each followed by ids.
const (
	commitContext  = "pipes epoch commit v1\x00"
	personContext  = "pipes person hpke v1\x00"
	chainContext   = "pipes epoch chain v1\x00"
	ownContext     = "pipes own v1\x00"
	contentContext = "pipes content v1\x00"
)

// Secret is 32 bytes that open an epoch. It prints as "(secret)" whatever the verb,
// and copies share the bytes, so that Zero reaches them all. The zero value is no
// secret.
type Secret struct{ box *box }

// box keeps the key two pointers away: fmt follows one, even through the
// unexported fields of structs where it cannot call Format.
type box struct{ key *[32]byte }

func boxed(key *[32]byte) Secret { return Secret{&box{key}} }

// redacted is what a secret shows.
const redacted = "(secret)"

// ErrBadSecret says that bytes are no secret.
var ErrBadSecret = errors.New("acl: a secret has 32 bytes")

// NewSecret copies 32 bytes.
func NewSecret(b []byte) (Secret, error) {
	if len(b) != 32 {
		return Secret{}, fmt.Errorf("%w, not %d", ErrBadSecret, len(b))
	}
	k := [32]byte(b)
	return boxed(&k), nil
}

// RandomSecret reads 32 bytes of rand.
func RandomSecret(rand io.Reader) (Secret, error) {
	var k [32]byte
	if _, err := io.ReadFull(rand, k[:]); err != nil {
		return Secret{}, fmt.Errorf("acl: new secret: %w", err)
	}
	return boxed(&k), nil
}

// Bytes is the secret itself, for sealed storage. The slice is s's own: it must
// not be changed, and it is wiped with s.
func (s Secret) Bytes() []byte {
	if s.box == nil {
		return nil
	}
	return s.box.key[:]
}

// IsZero reports whether s holds no secret.
func (s Secret) IsZero() bool { return s.box == nil || *s.box.key == [32]byte{} }

// Equal compares in constant time.
func (s Secret) Equal(t Secret) bool { return subtle.ConstantTimeCompare(s.Bytes(), t.Bytes()) == 1 }

// Zero wipes the bytes of s and of all its copies.
func (s Secret) Zero() {
	clear(s.Bytes())
}

func (Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return redacted }

// Format hides the secret from every verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText hides the secret from JSON and from structured logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// derive is HKDF-SHA256 with no salt and 32 bytes out (RFC 5869).
func (s Secret) derive(context string, ids ...[32]byte) *[32]byte {
	if s.box == nil {
		panic("acl: a key of no secret")
	}
	info := []byte(context)
	for _, id := range ids {
		info = append(info, id[:]...)
	}
	k, err := hkdf.Key(sha256.New, s.Bytes(), nil, string(info), 32)
	if err != nil {
		panic("acl: " + err.Error()) // only for lengths HKDF cannot give
	}
	return (*[32]byte)(k)
}

// Commitment is what an epoch of scope publishes of its secret:
// SHA-256(context || scope || secret).
func (s Secret) Commitment(scope crdt.ScopeID) [32]byte {
	h := sha256.New()
	h.Write([]byte(commitContext))
	h.Write(scope[:])
	h.Write(s.Bytes())
	return [32]byte(h.Sum(nil))
}

// PersonKey is the HPKE key pair of a person whose epoch has this secret.
func (s Secret) PersonKey(person crdt.ScopeID, suite Suite) (hpke.PrivateKey, error) {
	ikm := s.derive(personContext, person)
	defer clear(ikm[:])
	return suite.KEM().DeriveKeyPair(ikm[:])
}

// Implicit is the secret of scope's implicit first epoch, where s is that of its
// owner's epoch.
func (s Secret) Implicit(scope crdt.ScopeID) Secret { return boxed(s.derive(ownContext, scope)) }

// ContentKey is the key of one document's change sets under this epoch.
func (s Secret) ContentKey(doc crdt.DocID) Secret { return boxed(s.derive(contentContext, doc)) }

// chainSeal seals a parent's secret under s: a random nonce, then
// XChaCha20-Poly1305.
func (s Secret) chainSeal(scope crdt.ScopeID, parent crdt.EpochID, secret Secret, rand io.Reader) ([]byte, error) {
	out := make([]byte, chacha20poly1305.NonceSizeX, chainSealedSize)
	if _, err := io.ReadFull(rand, out); err != nil {
		return nil, fmt.Errorf("acl: chain an epoch: %w", err)
	}
	aead, err := chacha20poly1305.NewX(s.derive(chainContext, scope, parent)[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, out, secret.Bytes(), nil), nil
}

func (s Secret) chainOpen(scope crdt.ScopeID, parent crdt.EpochID, sealed []byte) (Secret, error) {
	aead, err := chacha20poly1305.NewX(s.derive(chainContext, scope, parent)[:])
	if err != nil {
		return Secret{}, err
	}
	n := chacha20poly1305.NonceSizeX
	b, err := aead.Open(nil, sealed[:n], sealed[n:], nil)
	if err != nil {
		return Secret{}, err
	}
	return NewSecret(b)
}
