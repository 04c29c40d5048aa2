package set

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

const (
	typeItem = "pipes item"
	signSet  = "pipes change set v1\x00"
)

// Set is a change set as it travels and as it is stored: a header byte-exact, a
// signature (absent if a later item of the chain vouches), and the sealed payload
// (absent where only the header may be served). Make one with [Coder.Seal],
// [NewSet], [DecodeSet] or [DecodeRun].
type Set struct {
	Header  Header // decoded; do not change it, slices may be shared between sets
	Sig     []byte // 64 bytes, or nil
	Payload []byte // Header.PayloadLen bytes, or nil

	raw []byte
	id  crdt.ChangeSetID
}

// NewSet decodes a header strictly and joins it with its signature and payload,
// either of which may be empty. It checks the payload's length, not its hash, and
// not the signature: see [Set.CheckPayload] and [Set.Verify]. The result keeps
// header, sig and payload; they must not change.
func NewSet(header, sig, payload []byte) (*Set, error) {
	h, err := DecodeHeader(header)
	if err != nil {
		return nil, err
	}
	return join(h, header, sig, payload)
}

// join makes a set of parts that belong together; raw is the encoding of h.
func join(h Header, raw, sig, payload []byte) (*Set, error) {
	if len(sig) != 0 && len(sig) != ed25519.SignatureSize {
		return nil, fmt.Errorf("%w: signature of %d bytes", ErrMalformed, len(sig))
	}
	if len(payload) != 0 && len(payload) != h.PayloadLen {
		return nil, fmt.Errorf("%w: payload of %d bytes, header says %d", ErrMalformed, len(payload), h.PayloadLen)
	}
	s := &Set{Header: h, raw: raw, id: sha256.Sum256(raw)}
	if len(sig) != 0 {
		s.Sig = sig
	}
	if len(payload) != 0 {
		s.Payload = payload
	}
	return s, nil
}

// ID is the SHA-256 of the header.
func (s *Set) ID() crdt.ChangeSetID { return s.id }

// Raw is the header as its author encoded it. The caller must not change it.
func (s *Set) Raw() []byte { return s.raw }

// CheckPayload answers ErrNoPayload, or ErrPayload if the payload's hash is not
// the header's.
func (s *Set) CheckPayload() error {
	if s.Payload == nil {
		return ErrNoPayload
	}
	if sha256.Sum256(s.Payload) != s.Header.PayloadHash {
		return ErrPayload
	}
	return nil
}

// signed is what a signature of kind context is over.
func signed(context string, id [32]byte) []byte {
	return append([]byte(context), id[:]...)
}

// Sign sets the signature. It panics if key is not the private key of the
// header's device.
func (s *Set) Sign(key ed25519.PrivateKey) {
	if !bytes.Equal(key.Public().(ed25519.PublicKey), s.Header.Device[:]) {
		panic("set: signing with the key of another device")
	}
	s.Sig = ed25519.Sign(key, signed(signSet, s.id))
}

// Verify answers ErrSignature unless the set carries a valid signature of its
// device. An item without one may still be authentic: see [Authenticate].
func (s *Set) Verify() error {
	if !ed25519.Verify(s.Header.Device[:], signed(signSet, s.id), s.Sig) {
		return ErrSignature
	}
	return nil
}

// Bare is s without its payload: what travels when only the header may be served.
// It shares memory with s.
func (s *Set) Bare() *Set {
	bare := *s
	bare.Payload = nil
	return &bare
}

// Encode answers the item form, which is also the form on disk.
func (s *Set) Encode() []byte {
	b := make([]byte, 0, len(s.raw)+len(s.Payload)+ed25519.SignatureSize+32)
	b = dagcbor.AppendArray(b, 5)
	b = dagcbor.AppendText(b, typeItem)
	b = dagcbor.AppendUint(b, version)
	b = dagcbor.AppendBytes(b, s.raw)
	b = dagcbor.AppendBytes(b, s.Sig)
	return dagcbor.AppendBytes(b, s.Payload)
}

// DecodeSet decodes the item form strictly; see [NewSet] for what is left to
// check. The result aliases b, which must not change.
func DecodeSet(b []byte) (*Set, error) {
	if len(b) > MaxItem {
		return nil, fmt.Errorf("%w: item of %d bytes", ErrMalformed, len(b))
	}
	r := dagcbor.NewReader(b)
	object(r, typeItem, 5, 5)
	header := r.Bytes(0, MaxHeader)
	sig := r.Bytes(0, ed25519.SignatureSize)
	payload := r.Bytes(0, MaxPayload)
	if err := r.Done(); err != nil {
		return nil, malformed("item", err)
	}
	return NewSet(header, sig, payload)
}
