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
	typeGenesis     = "pipes doc"
	typeGenesisItem = "pipes doc item"
	signDoc         = "pipes document v1\x00"

	genesisFields = 10
)

// Genesis founds a document in a scope: item 0 of each of the document's chains.
type Genesis struct {
	Scope    crdt.ScopeID
	Device   crdt.DeviceID
	Path     []crdt.AccessOpID // as in a Header
	Heads    []Heads           // as in a Header
	Nonce    [16]byte          // random: two documents of equal origin differ
	Imported [32]byte          // Merkle root of imported changes; zero for none
	Epoch    crdt.EpochID
	Sealed   []byte // About, sealed: see SealGenesis
}

// Encode answers the genesis' one encoding; its SHA-256 is the document's id. The
// error wraps ErrMalformed.
func (g *Genesis) Encode() ([]byte, error) {
	if err := g.check(); err != nil {
		return nil, fmt.Errorf("%w: genesis: %w", ErrMalformed, err)
	}
	return g.append(g.Sealed), nil
}

func (g *Genesis) append(sealed []byte) []byte {
	b := dagcbor.AppendArray(make([]byte, 0, 512+len(sealed)), genesisFields)
	b = dagcbor.AppendText(b, typeGenesis)
	b = dagcbor.AppendUint(b, version)
	b = dagcbor.AppendBytes(b, g.Scope[:])
	b = dagcbor.AppendBytes(b, g.Device[:])
	b = dagcbor.AppendIDs(b, g.Path)
	b = appendHeads(b, g.Heads)
	b = dagcbor.AppendBytes(b, g.Nonce[:])
	b = dagcbor.AppendID(b, g.Imported)
	b = dagcbor.AppendBytes(b, g.Epoch[:])
	return dagcbor.AppendBytes(b, sealed)
}

func (g *Genesis) check() error {
	if len(g.Path) < 1 || len(g.Path) > MaxPath {
		return fmt.Errorf("path of %d", len(g.Path))
	}
	if len(g.Sealed) < minPayload || len(g.Sealed) > maxSealedGenesis {
		return fmt.Errorf("sealed part of %d bytes", len(g.Sealed))
	}
	return checkHeads(g.Heads, g.Scope)
}

// DecodeGenesis decodes b strictly. Errors wrap ErrMalformed or ErrUnsupported.
// Nothing in the result aliases b.
func DecodeGenesis(b []byte) (Genesis, error) {
	var g Genesis
	if len(b) > MaxGenesis {
		return g, fmt.Errorf("%w: genesis of %d bytes", ErrMalformed, len(b))
	}
	r := dagcbor.NewReader(b)
	object(r, typeGenesis, genesisFields, genesisFields)
	r.Fixed(g.Scope[:])
	r.Fixed(g.Device[:])
	g.Path = dagcbor.ReadIDs[crdt.AccessOpID](r, 1, MaxPath)
	g.Heads = readHeads(r)
	r.Fixed(g.Nonce[:])
	g.Imported = r.ID()
	r.Fixed(g.Epoch[:])
	g.Sealed = bytes.Clone(r.Bytes(0, maxSealedGenesis))
	err := r.Done()
	if err == nil {
		err = g.check()
	}
	if err != nil {
		return Genesis{}, malformed("genesis", err)
	}
	return g, nil
}

// Document is a genesis with its signature, which is never absent: it may be
// another device's than that of the chains that follow.
type Document struct {
	Genesis Genesis // decoded; do not change it
	Sig     []byte  // 64 bytes

	raw []byte
	id  crdt.DocID
}

// NewDocument encodes and signs a genesis. It panics if key is not the private
// key of the genesis' device; the error wraps ErrMalformed.
func NewDocument(g Genesis, key ed25519.PrivateKey) (*Document, error) {
	raw, err := g.Encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(key.Public().(ed25519.PublicKey), g.Device[:]) {
		panic("set: signing with the key of another device")
	}
	d := &Document{Genesis: g, raw: raw, id: sha256.Sum256(raw)}
	d.Sig = ed25519.Sign(key, signed(signDoc, d.id))
	return d, nil
}

// ID is the SHA-256 of the genesis.
func (d *Document) ID() crdt.DocID { return d.id }

// Raw is the genesis as its author encoded it. The caller must not change it.
func (d *Document) Raw() []byte { return d.raw }

// Verify answers ErrSignature unless the genesis' device signed it.
func (d *Document) Verify() error {
	if !ed25519.Verify(d.Genesis.Device[:], signed(signDoc, d.id), d.Sig) {
		return ErrSignature
	}
	return nil
}

// Encode answers ["pipes doc item", 1, genesis bytes, signature].
func (d *Document) Encode() []byte {
	b := dagcbor.AppendArray(make([]byte, 0, len(d.raw)+96), 4)
	b = dagcbor.AppendText(b, typeGenesisItem)
	b = dagcbor.AppendUint(b, version)
	b = dagcbor.AppendBytes(b, d.raw)
	return dagcbor.AppendBytes(b, d.Sig)
}

// DecodeDocument decodes b strictly; the signature is left to [Document.Verify].
// The result aliases b, which must not change.
func DecodeDocument(b []byte) (*Document, error) {
	if len(b) > MaxGenesis {
		return nil, fmt.Errorf("%w: document of %d bytes", ErrMalformed, len(b))
	}
	r := dagcbor.NewReader(b)
	object(r, typeGenesisItem, 4, 4)
	raw := r.Bytes(0, MaxGenesis)
	sig := r.Bytes(ed25519.SignatureSize, ed25519.SignatureSize)
	if err := r.Done(); err != nil {
		return nil, malformed("document", err)
	}
	g, err := DecodeGenesis(raw)
	if err != nil {
		return nil, err
	}
	return &Document{Genesis: g, Sig: sig, raw: raw, id: sha256.Sum256(raw)}, nil
}

// About is what a document's genesis says under seal.
type About struct {
	Title  string // at most MaxTitle bytes of UTF-8
	Schema string // at most MaxSchema bytes of UTF-8
}
