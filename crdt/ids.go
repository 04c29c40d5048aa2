package crdt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/mr-tron/base58"
	mh "github.com/multiformats/go-multihash"
)

// Identifiers are 32 bytes each and of distinct types, so that arguments cannot
// be swapped. DocID, ScopeID, ChangeSetID, AccessOpID and EpochID are SHA-256
// hashes of dag-cbor objects and print as CIDv1 (base32, dag-cbor, sha2-256).
type (
	// DocID names a document: the hash of its genesis without the signature.
	DocID [32]byte
	// ScopeID names a person, a group or a document's own list: the id of the
	// scope's genesis operation.
	ScopeID [32]byte
	// ChangeSetID is the hash of a change set's header.
	ChangeSetID [32]byte
	// AccessOpID is the hash of an access operation. (An Automerge operation
	// id is a [change.OpID], which is another thing.)
	AccessOpID [32]byte
	// EpochID names a generation of a scope's secret: the id of the epoch
	// operation, or the scope's own id for its implicit first epoch.
	EpochID [32]byte
	// DeviceID is a device's Ed25519 public key. It prints as a libp2p peer id.
	DeviceID [32]byte
	// ChangeHash is the SHA-256 of an Automerge change. It is unsalted, hence
	// guessable: never send or log it outside a seal. It prints as hex.
	ChangeHash [32]byte
)

// ActorID is the Automerge actor of a change: 16 bytes, derived from document,
// device and incarnation. It prints as hex.
type ActorID [16]byte

// Incarnation tells a replica's lives apart: 8 random bytes, new when a replica
// is created and after every restore or clone. It prints as hex.
type Incarnation [8]byte

// ErrBadID is wrapped by every error of the Parse functions.
var ErrBadID = errors.New("crdt: bad id")

// cidPrefix are the bytes of a CIDv1 (dag-cbor, sha2-256, 32 bytes) before its digest.
var cidPrefix = []byte{0x01, 0x71, 0x12, 0x20}

func cidText(h [32]byte) string {
	m, err := mh.Encode(h[:], mh.SHA2_256)
	if err != nil {
		panic("crdt: " + err.Error()) // sha2-256 is always known
	}
	return cid.NewCidV1(cid.DagCBOR, m).String()
}

func parseCID(s string) (h [32]byte, err error) {
	c, err := cid.Decode(s)
	if err != nil {
		return h, fmt.Errorf("%w: %q: %v", ErrBadID, clip(s), err)
	}
	digest, ok := bytes.CutPrefix(c.Bytes(), cidPrefix)
	if !ok || len(digest) != len(h) {
		return h, fmt.Errorf("%w: %q is not a dag-cbor sha2-256 CIDv1", ErrBadID, clip(s))
	}
	copy(h[:], digest)
	if cidText(h) != s {
		return h, fmt.Errorf("%w: %q is not in its base32 form", ErrBadID, clip(s))
	}
	return h, nil
}

// clip keeps foreign text in an error short.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

// ParseDocID reads the text form of a document id.
func ParseDocID(s string) (DocID, error) { h, err := parseCID(s); return DocID(h), err }

// ParseScopeID reads the text form of a scope id.
func ParseScopeID(s string) (ScopeID, error) { h, err := parseCID(s); return ScopeID(h), err }

// ParseChangeSetID reads the text form of a change set id.
func ParseChangeSetID(s string) (ChangeSetID, error) {
	h, err := parseCID(s)
	return ChangeSetID(h), err
}

// ParseAccessOpID reads the text form of an access operation's id.
func ParseAccessOpID(s string) (AccessOpID, error) { h, err := parseCID(s); return AccessOpID(h), err }

// ParseEpochID reads the text form of an epoch id.
func ParseEpochID(s string) (EpochID, error) { h, err := parseCID(s); return EpochID(h), err }

func (id DocID) String() string       { return cidText(id) }
func (id ScopeID) String() string     { return cidText(id) }
func (id ChangeSetID) String() string { return cidText(id) }
func (id AccessOpID) String() string  { return cidText(id) }
func (id EpochID) String() string     { return cidText(id) }

// peerIDPrefix is the identity multihash of a protobuf-encoded Ed25519 public
// key, up to the key: libp2p's peer id for such keys
// (libp2p specs, peer-ids).
var peerIDPrefix = []byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}

func (id DeviceID) String() string {
	return base58.Encode(append(bytes.Clone(peerIDPrefix), id[:]...))
}

// ParseDeviceID reads a libp2p peer id of an Ed25519 key.
func ParseDeviceID(s string) (id DeviceID, err error) {
	if len(s) > 64 {
		return id, fmt.Errorf("%w: %q is too long for a device", ErrBadID, clip(s))
	}
	b, err := base58.Decode(s)
	if err != nil {
		return id, fmt.Errorf("%w: %q: %v", ErrBadID, s, err)
	}
	key, ok := bytes.CutPrefix(b, peerIDPrefix)
	if !ok || len(key) != len(id) {
		return id, fmt.Errorf("%w: %q is not an Ed25519 peer id", ErrBadID, s)
	}
	copy(id[:], key)
	return id, nil
}

func (h ChangeHash) String() string  { return hex.EncodeToString(h[:]) }
func (a ActorID) String() string     { return hex.EncodeToString(a[:]) }
func (i Incarnation) String() string { return hex.EncodeToString(i[:]) }

// ParseChangeHash reads 64 hex digits.
func ParseChangeHash(s string) (h ChangeHash, err error) {
	if err := parseHex(h[:], s); err != nil {
		return ChangeHash{}, err
	}
	return h, nil
}

// ParseIncarnation reads 16 hex digits.
func ParseIncarnation(s string) (i Incarnation, err error) {
	if err := parseHex(i[:], s); err != nil {
		return Incarnation{}, err
	}
	return i, nil
}

// parseHex fills dst with the bytes whose hex digits s is.
func parseHex(dst []byte, s string) error {
	if len(s) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("%w: %q is not %d hex digits", ErrBadID, clip(s), hex.EncodedLen(len(dst)))
	}
	if _, err := hex.Decode(dst, []byte(s)); err != nil {
		return fmt.Errorf("%w: %q: %v", ErrBadID, s, err)
	}
	return nil
}

// Every id marshals as its text form, so it reads the same in JSON and in logs.

func (id DocID) MarshalText() ([]byte, error)       { return []byte(id.String()), nil }
func (id ScopeID) MarshalText() ([]byte, error)     { return []byte(id.String()), nil }
func (id ChangeSetID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }
func (id AccessOpID) MarshalText() ([]byte, error)  { return []byte(id.String()), nil }
func (id EpochID) MarshalText() ([]byte, error)     { return []byte(id.String()), nil }
func (id DeviceID) MarshalText() ([]byte, error)    { return []byte(id.String()), nil }
func (h ChangeHash) MarshalText() ([]byte, error)   { return []byte(h.String()), nil }
func (a ActorID) MarshalText() ([]byte, error)      { return []byte(a.String()), nil }
func (i Incarnation) MarshalText() ([]byte, error)  { return []byte(i.String()), nil }

func (id *DocID) UnmarshalText(b []byte) (err error)   { *id, err = ParseDocID(string(b)); return }
func (id *ScopeID) UnmarshalText(b []byte) (err error) { *id, err = ParseScopeID(string(b)); return }
func (id *ChangeSetID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseChangeSetID(string(b))
	return
}
func (id *AccessOpID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseAccessOpID(string(b))
	return
}
func (id *EpochID) UnmarshalText(b []byte) (err error)  { *id, err = ParseEpochID(string(b)); return }
func (id *DeviceID) UnmarshalText(b []byte) (err error) { *id, err = ParseDeviceID(string(b)); return }
func (h *ChangeHash) UnmarshalText(b []byte) (err error) {
	*h, err = ParseChangeHash(string(b))
	return
}
func (i *Incarnation) UnmarshalText(b []byte) (err error) {
	*i, err = ParseIncarnation(string(b))
	return
}
