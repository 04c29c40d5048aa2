package acl

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
)

// signContext precedes the id in what an operation's author signs.
const signContext = "pipes access op v1\x00"

// Ref names an operation of a scope.
type Ref struct {
	Scope crdt.ScopeID
	Op    crdt.AccessOpID
}

// Row names what an author knew of one scope: the tips of its log.
type Row struct {
	Scope crdt.ScopeID
	Heads []crdt.AccessOpID // 1 to MaxHeads, ascending
}

// Op is one signed operation of a scope's log. Operations are shared and must not
// be modified once signed or decoded.
type Op struct {
	Scope       crdt.ScopeID      // of a genesis: its own id
	Device      crdt.DeviceID     // the author's key: a device, or a person's recovery key
	Incarnation crdt.Incarnation  // the life of the replica that wrote it
	Path        []crdt.AccessOpID // the grants the author acts under, from the person outwards
	Heads       []Row             // of the other scopes on the path, ascending
	Seq         uint64            // from 1, per device, incarnation and scope
	Prev        crdt.AccessOpID   // the operation before in this chain; zero for the first
	Deps        []crdt.AccessOpID // other tips of this scope the author knew, ascending
	Body        Body
	Time        int64 // Unix milliseconds; a claim

	id       crdt.AccessOpID
	sig      [sigSize]byte
	verified bool
	size     int32
}

// Type is the type of o's body.
func (o *Op) Type() Type { return o.Body.Type() }

// ID is the SHA-256 of o's encoding. The signature is evidence, not identity.
func (o *Op) ID() crdt.AccessOpID { return o.id }

// Ref names o.
func (o *Op) Ref() Ref { return Ref{o.Scope, o.id} }

// Sig is o's signature.
func (o *Op) Sig() [64]byte { return o.sig }

// Size is the length of o's encoding in bytes, without the signature.
func (o *Op) Size() int { return int(o.size) }

// Errors of decoding and verifying operations.
var (
	ErrBadSignature = errors.New("acl: bad signature")
	// ErrBadKey says that nobody could seal to a key.
	ErrBadKey = errors.New("acl: bad HPKE key")
	// ErrMalformed is wrapped by every error of decoding, except ErrUnknownType.
	ErrMalformed = errors.New("acl: malformed operation")
	// ErrUnknownType says that an operation is of a later version: a type
	// reserved or not yet thought of. It is no misbehaviour.
	ErrUnknownType = errors.New("acl: operation type unknown to this version")
)

// Verify checks all of o that costs computing with keys: the author's signature,
// a joining device's signature, and that published HPKE keys can be sealed to.
// Exactly the signatures crypto/ed25519 accepts are good. Errors wrap
// ErrBadSignature or ErrBadKey; a success is remembered.
func (o *Op) Verify() error {
	if o.verified {
		return nil
	}
	if !ed25519.Verify(o.Device[:], signedMessage(o.id), o.sig[:]) {
		return fmt.Errorf("%w of %s on %s %s", ErrBadSignature, o.Device, o.Type(), o.id)
	}
	if err := o.verifyBody(); err != nil {
		return err
	}
	o.verified = true
	return nil
}

func (o *Op) verifyBody() error {
	var key []byte
	switch b := o.Body.(type) {
	case *Grant:
		key = b.Principal.HPKEKey
		if b.Join != nil && !b.Join.verify(o.Scope, b.Principal) {
			return fmt.Errorf("%w: device %s did not sign that it joins %s", ErrBadSignature, crdt.DeviceID(b.Principal.ID), o.Scope)
		}
	case *Epoch:
		key = b.HPKEKey
	}
	if key == nil {
		return nil
	}
	if err := checkKey(key); err != nil {
		return fmt.Errorf("%w: %w", ErrBadKey, err)
	}
	return nil
}

func signedMessage(id crdt.AccessOpID) []byte {
	return append([]byte(signContext), id[:]...)
}

// Signer signs messages with one Ed25519 key.
type Signer func(message []byte) (signature []byte, err error)

// SignWith signs with a key in memory.
func SignWith(key ed25519.PrivateKey) Signer {
	return func(message []byte) ([]byte, error) { return ed25519.Sign(key, message), nil }
}

// Sign completes o: it checks its form, sets its id and signature. o.Device must
// be the signer's public key. The builders of [Author] call it; use it directly
// only for what they do not build.
func (o *Op) Sign(sign Signer) error {
	if o.Body == nil {
		return fmt.Errorf("%w: no body", ErrMalformed)
	}
	if err := o.checkForm(); err != nil {
		return err
	}
	enc := o.appendTo(nil)
	if len(enc) > MaxOpSize {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(enc), MaxOpSize)
	}
	id := crdt.AccessOpID(sha256.Sum256(enc))
	sig, err := sign(signedMessage(id))
	if err != nil {
		return fmt.Errorf("acl: sign: %w", err)
	}
	if len(sig) != sigSize || !ed25519.Verify(o.Device[:], signedMessage(id), sig) {
		return fmt.Errorf("%w: the signer's key is not %s", ErrBadSignature, o.Device)
	}
	if err := o.verifyBody(); err != nil {
		return err
	}
	o.complete(id, len(enc))
	o.sig, o.verified = [sigSize]byte(sig), true
	return nil
}

// complete sets what follows from the encoding.
func (o *Op) complete(id crdt.AccessOpID, size int) {
	o.id, o.size = id, int32(size)
	if o.Type() == TypeGenesis {
		o.Scope = crdt.ScopeID(id)
	}
}
