package set

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf8"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

const (
	nonceSize  = chacha20poly1305.NonceSizeX
	tagSize    = chacha20poly1305.Overhead
	lengthSize = 4 // big-endian length in front of the padded plaintext
)

// padme is the least bucket that holds n bytes: n rounded up so that at most
// log2(log2 n)+1 of its leading bits vary, 12 % more at worst (PADMÉ: Nikitin et
// al., "Reducing Metadata Leakage from Encrypted Files and Communication with
// PURBs", PoPETs 2019, §4.2).
func padme(n int) int {
	if n < 2 {
		return n
	}
	e := bits.Len(uint(n)) - 1
	s := bits.Len(uint(e))
	mask := 1<<(e-s) - 1
	return (n + mask) &^ mask
}

// sealedLen is the length of the payload that carries n bytes of coded content.
func sealedLen(n int) int { return nonceSize + padme(lengthSize+n) + tagSize }

// newAEAD is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03).
func newAEAD(key Key) cipher.AEAD {
	a, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic("set: " + err.Error()) // a Key has the right size
	}
	return a
}

// sealBytes answers nonce || AEAD(padded plain).
func sealBytes(key Key, nonce [nonceSize]byte, plain, ad []byte) []byte {
	b := make([]byte, sealedLen(len(plain)))
	copy(b, nonce[:])
	padded := b[nonceSize : len(b)-tagSize]
	binary.BigEndian.PutUint32(padded, uint32(len(plain)))
	copy(padded[lengthSize:], plain)
	newAEAD(key).Seal(b[:nonceSize], nonce[:], padded, ad)
	return b
}

// openBytes undoes sealBytes into fresh memory. Errors are *InertError.
func openBytes(key Key, payload, ad []byte) ([]byte, error) {
	if len(payload) < minPayload {
		return nil, inert(ReasonSeal, -1, fmt.Errorf("payload of %d bytes", len(payload)))
	}
	fresh := make([]byte, 0, len(payload)-nonceSize-tagSize)
	padded, err := newAEAD(key).Open(fresh, payload[:nonceSize], payload[nonceSize:], ad)
	if err != nil {
		return nil, inert(ReasonSeal, -1, err)
	}
	n := uint64(binary.BigEndian.Uint32(padded))
	if n > uint64(len(padded)-lengthSize) || padme(lengthSize+int(n)) != len(padded) {
		return nil, inert(ReasonPadding, -1, errors.New("length is not of this bucket"))
	}
	plain, padding := padded[lengthSize:lengthSize+n], padded[lengthSize+n:]
	for _, c := range padding {
		if c != 0 {
			return nil, inert(ReasonPadding, -1, errors.New("padding is not zero"))
		}
	}
	return plain, nil
}

// Seal codes, pads and seals content as the payload of a set with header h, of
// which it fills in Suite, Kind, Count, Codec, PayloadLen and PayloadHash. The
// nonce must be random and never used twice with one key. The set is not signed
// yet: see [Set.Sign]. Errors wrap ErrTooLarge or ErrMalformed. The set does not
// alias content; it shares h's slices.
func (c *Coder) Seal(h Header, content Content, key Key, nonce [24]byte) (*Set, error) {
	codec, plain, err := c.encode(&h, content)
	if err != nil {
		return nil, err
	}
	return sealCoded(h, content, codec, plain, key, nonce)
}

func sealCoded(h Header, content Content, codec Codec, plain []byte, key Key, nonce [24]byte) (*Set, error) {
	h.Suite, h.Kind, h.Codec, h.Count = Suite1, KindContent, codec, len(content.Changes)
	payload := sealBytes(key, nonce, plain, h.associated())
	h.PayloadLen, h.PayloadHash = len(payload), sha256.Sum256(payload)
	raw, err := h.Encode()
	if err != nil {
		return nil, err
	}
	return join(h, raw, nil, payload)
}

// Open opens a set's payload and decodes the content, which [CheckContent] checks
// further. It answers ErrNoPayload if the payload is withheld; any other error is
// an [*InertError], provided that key is the key of the header's epoch. The
// content is fresh memory.
func (c *Coder) Open(s *Set, key Key) (Content, error) {
	if s.Payload == nil {
		return Content{}, ErrNoPayload
	}
	plain, err := openBytes(key, s.Payload, s.Header.associated())
	if err != nil {
		return Content{}, err
	}
	content, err := c.decode(&s.Header, plain)
	if err != nil {
		return Content{}, inert(ReasonContent, -1, err)
	}
	if len(content.Changes) != s.Header.Count {
		return Content{}, inert(ReasonCount, -1, fmt.Errorf("%d changes, header says %d", len(content.Changes), s.Header.Count))
	}
	return content, nil
}

// Seal sets g.Sealed: title and schema under [GenesisKey] of g's scope and nonce,
// so set every other field first. The AEAD nonce must be random. The error wraps
// ErrMalformed if about is too long or not UTF-8.
func (g *Genesis) Seal(about About, secret [32]byte, nonce [24]byte) error {
	if len(about.Title) > MaxTitle || len(about.Schema) > MaxSchema ||
		!utf8.ValidString(about.Title) || !utf8.ValidString(about.Schema) {
		return fmt.Errorf("%w: title or schema is too long or not UTF-8", ErrMalformed)
	}
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendText(b, about.Title)
	b = dagcbor.AppendText(b, about.Schema)
	g.Sealed = sealBytes(GenesisKey(secret, g.Scope, g.Nonce), nonce, b, g.append(nil))
	return nil
}

// Open reads what g says under seal. The error is an [*InertError], provided that
// secret is that of g's epoch.
func (g *Genesis) Open(secret [32]byte) (About, error) {
	var a About
	plain, err := openBytes(GenesisKey(secret, g.Scope, g.Nonce), g.Sealed, g.append(nil))
	if err != nil {
		return a, err
	}
	r := dagcbor.NewReader(plain)
	r.Array(2, 2)
	a.Title = r.Text(MaxTitle)
	a.Schema = r.Text(MaxSchema)
	if err := r.Done(); err != nil {
		return About{}, inert(ReasonContent, -1, err)
	}
	return a, nil
}
