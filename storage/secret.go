package storage

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"

	"golang.org/x/crypto/chacha20poly1305"
)

// A Secret is a 32-byte key. It never prints: not with fmt, not in a log, not
// as JSON.
type Secret struct{ b [32]byte }

const redacted = "[secret]"

// NewSecret wraps key bytes.
func NewSecret(b [32]byte) Secret { return Secret{b} }

// randomSecret draws a key from the system's randomness.
func randomSecret() Secret {
	var s Secret
	rand.Read(s.b[:]) // never fails, see crypto/rand
	return s
}

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format implements [fmt.Formatter] for every verb.
func (Secret) Format(f fmt.State, _ rune) { f.Write([]byte(redacted)) }

// MarshalText keeps secrets out of JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// derive makes a subkey (HKDF-SHA256, RFC 5869) for one purpose.
func (s Secret) derive(purpose string) Secret {
	k, err := hkdf.Key(sha256.New, s.b[:], nil, "pipes storage "+purpose+" v1", len(s.b))
	if err != nil {
		panic("storage: " + err.Error()) // 32 bytes are always to be had
	}
	return Secret{[32]byte(k)}
}

func (s Secret) aead() cipher.AEAD {
	a, err := chacha20poly1305.NewX(s.b[:])
	if err != nil {
		panic("storage: " + err.Error()) // the key has 32 bytes
	}
	return a
}

const (
	nonceSize    = chacha20poly1305.NonceSizeX
	sealOverhead = nonceSize + chacha20poly1305.Overhead
)

// sealInto fills dst, of exactly sealOverhead more bytes than the parts
// together, with nonce and ciphertext. ad is the full key the value goes under.
func sealInto(dst []byte, a cipher.AEAD, ad []byte, parts ...[]byte) {
	nonce, body := dst[:nonceSize], dst[nonceSize:nonceSize]
	rand.Read(nonce)
	for _, p := range parts {
		body = append(body, p...)
	}
	a.Seal(body[:0], nonce, body, ad)
}

// seal is sealInto with a new slice.
func seal(a cipher.AEAD, ad []byte, parts ...[]byte) []byte {
	n := sealOverhead
	for _, p := range parts {
		n += len(p)
	}
	dst := make([]byte, n)
	sealInto(dst, a, ad, parts...)
	return dst
}

// open returns the plaintext in a slice of its own. It does not change v.
func open(a cipher.AEAD, ad, v []byte) ([]byte, error) {
	if len(v) < sealOverhead {
		return nil, fmt.Errorf("sealed value of %d bytes is too short", len(v))
	}
	plain, err := a.Open(nil, v[:nonceSize], v[nonceSize:], ad)
	if err != nil {
		return nil, fmt.Errorf("the seal does not open: %w", err)
	}
	return plain, nil
}
