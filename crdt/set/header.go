package set

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

const (
	version    = 1
	typeHeader = "pipes set"

	headerFields = 18
)

// Suite names the algorithms of a set. Never renumber.
type Suite uint8

// Suite1 is Ed25519, SHA-256, HKDF-SHA256 and XChaCha20-Poly1305.
const Suite1 Suite = 1

// Kind says what a set carries. Never renumber.
type Kind uint8

// KindContent is the only kind of this version: changes to the document.
const KindContent Kind = 0

// Codec says how the content of a payload is coded before sealing. Never
// renumber.
type Codec uint8

const (
	// Plain is the content as it is.
	Plain Codec = 0
	// Zstd is the plain content compressed.
	Zstd Codec = 1
	// Compact leaves out what the reader derives, then compresses.
	Compact Codec = 2
)

// Heads names what an author knew of one scope: the tips of its operation log.
type Heads struct {
	Scope crdt.ScopeID
	Ops   []crdt.AccessOpID // 1 to MaxHeadOps, ascending
}

// Header is the signed part of a change set.
type Header struct {
	Suite       Suite
	Scope       crdt.ScopeID
	Doc         crdt.DocID
	Path        []crdt.AccessOpID // grants the author acts under, from the person outwards: 1 to MaxPath
	Device      crdt.DeviceID
	Incarnation crdt.Incarnation
	Seq         uint64             // from 1 in each chain
	Prev        crdt.ChangeSetID   // the set before in the chain; for the first, the document's id
	Deps        []crdt.ChangeSetID // tips of other chains that prev does not cover, ascending: 0 to MaxDeps
	Heads       []Heads            // one row per scope on the path, ascending by scope
	Epoch       crdt.EpochID
	Kind        Kind
	Count       int // changes in the payload: 1 to MaxCount
	Codec       Codec
	PayloadLen  int
	PayloadHash [32]byte
}

// Chain names the sets that one device wrote to one document in one incarnation.
type Chain struct {
	Device      crdt.DeviceID
	Incarnation crdt.Incarnation
}

// Chain is the chain that h belongs to.
func (h *Header) Chain() Chain { return Chain{h.Device, h.Incarnation} }

// Encode answers the header's one encoding; its SHA-256 is the set's id. The
// error wraps ErrMalformed if a field is out of bounds or order.
func (h *Header) Encode() ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	return h.append(make([]byte, 0, h.size())), nil
}

// size is an upper bound of the encoding's length.
func (h *Header) size() int {
	n := 288 + 34*(len(h.Path)+len(h.Deps))
	for _, row := range h.Heads {
		n += 40 + 34*len(row.Ops)
	}
	return n
}

func (h *Header) append(b []byte) []byte {
	b = h.appendSealed(b)
	b = dagcbor.AppendUint(b, uint64(h.PayloadLen))
	return dagcbor.AppendBytes(b, h.PayloadHash[:])
}

// appendSealed appends all but the payload's length and hash.
func (h *Header) appendSealed(b []byte) []byte {
	b = dagcbor.AppendArray(b, headerFields)
	b = dagcbor.AppendText(b, typeHeader)
	b = dagcbor.AppendUint(b, version)
	b = dagcbor.AppendUint(b, uint64(h.Suite))
	b = dagcbor.AppendBytes(b, h.Scope[:])
	b = dagcbor.AppendBytes(b, h.Doc[:])
	b = dagcbor.AppendIDs(b, h.Path)
	b = dagcbor.AppendBytes(b, h.Device[:])
	b = dagcbor.AppendBytes(b, h.Incarnation[:])
	b = dagcbor.AppendUint(b, h.Seq)
	b = dagcbor.AppendBytes(b, h.Prev[:])
	b = dagcbor.AppendIDs(b, h.Deps)
	b = appendHeads(b, h.Heads)
	b = dagcbor.AppendBytes(b, h.Epoch[:])
	b = dagcbor.AppendUint(b, uint64(h.Kind))
	b = dagcbor.AppendUint(b, uint64(h.Count))
	return dagcbor.AppendUint(b, uint64(h.Codec))
}

// associated answers what the seal binds: the header with payloadLen 0 and
// payloadHash 32 zero bytes.
func (h *Header) associated() []byte {
	b := h.appendSealed(make([]byte, 0, h.size()))
	b = dagcbor.AppendUint(b, 0)
	return dagcbor.AppendBytes(b, make([]byte, 32))
}

// DecodeHeader decodes b strictly. Errors wrap ErrMalformed or ErrUnsupported.
// Nothing in the result aliases b.
func DecodeHeader(b []byte) (Header, error) {
	var h Header
	if len(b) > MaxHeader {
		return h, fmt.Errorf("%w: header of %d bytes", ErrMalformed, len(b))
	}
	r := dagcbor.NewReader(b)
	object(r, typeHeader, headerFields, headerFields)
	h.Suite = Suite(small(r, "suite", uint64(Suite1), uint64(Suite1)))
	r.Fixed(h.Scope[:])
	r.Fixed(h.Doc[:])
	h.Path = dagcbor.ReadIDs[crdt.AccessOpID](r, 1, MaxPath)
	r.Fixed(h.Device[:])
	r.Fixed(h.Incarnation[:])
	h.Seq = r.Uint(MaxSeq)
	r.Fixed(h.Prev[:])
	h.Deps = dagcbor.ReadIDs[crdt.ChangeSetID](r, 0, MaxDeps)
	h.Heads = readHeads(r)
	r.Fixed(h.Epoch[:])
	h.Kind = Kind(small(r, "kind", uint64(KindContent), uint64(KindContent)))
	h.Count = int(r.Uint(MaxCount))
	h.Codec = Codec(small(r, "codec", uint64(Plain), uint64(Compact)))
	h.PayloadLen = int(r.Uint(MaxPayload))
	r.Fixed(h.PayloadHash[:])
	if err := r.Done(); err != nil {
		return Header{}, malformed("header", err)
	}
	if err := h.check(); err != nil {
		return Header{}, malformed("header", err)
	}
	return h, nil
}

// check holds h against the limits and orders of the format.
func (h *Header) check() error {
	switch {
	case h.Suite != Suite1, h.Kind != KindContent, h.Codec > Compact:
		return ErrUnsupported
	case len(h.Path) < 1 || len(h.Path) > MaxPath:
		return fmt.Errorf("path of %d", len(h.Path))
	case h.Seq < 1 || h.Seq > MaxSeq:
		return fmt.Errorf("seq %d", h.Seq)
	case (h.Seq == 1) != (h.Prev == crdt.ChangeSetID(h.Doc)):
		return errors.New("the first set of a chain, and no other, follows the document")
	case len(h.Deps) > MaxDeps:
		return fmt.Errorf("%d deps", len(h.Deps))
	case !crdt.Ascending(h.Deps):
		return errors.New("deps are not ascending")
	case h.Count < 1 || h.Count > MaxCount:
		return fmt.Errorf("%d changes", h.Count)
	case h.PayloadLen < minPayload || h.PayloadLen > MaxPayload:
		return fmt.Errorf("payload of %d bytes", h.PayloadLen)
	}
	return checkHeads(h.Heads, h.Scope)
}

// checkHeads holds rows against the format: they ascend, and one is the
// document's own scope.
func checkHeads(rows []Heads, scope crdt.ScopeID) error {
	if len(rows) < 1 || len(rows) > MaxPath {
		return fmt.Errorf("heads of %d scopes", len(rows))
	}
	own := false
	for i, row := range rows {
		own = own || row.Scope == scope
		switch {
		case i > 0 && bytes.Compare(rows[i-1].Scope[:], row.Scope[:]) >= 0:
			return errors.New("heads are not ascending by scope")
		case len(row.Ops) < 1 || len(row.Ops) > MaxHeadOps:
			return fmt.Errorf("heads of %d operations", len(row.Ops))
		case !crdt.Ascending(row.Ops):
			return errors.New("operations of heads are not ascending")
		}
	}
	if !own {
		return errors.New("heads lack the document's scope")
	}
	return nil
}

// object opens an array of lo to hi items that starts with its type and version.
// The version is judged before the count, which may differ in a later one.
func object(r *dagcbor.Reader, typ string, lo, hi int) int {
	n := r.Array(2, dagcbor.MaxArray)
	r.ExpectText(typ)
	if v := r.Uint(math.MaxInt64); v != version {
		r.Fail(fmt.Errorf("%w: %s version %d", ErrUnsupported, typ, v))
	}
	if n < lo || n > hi {
		r.Fail(fmt.Errorf("%d fields", n))
	}
	return n
}

// small reads a number of an enumeration that ends at hi in this version.
func small(r *dagcbor.Reader, name string, lo, hi uint64) uint64 {
	n := r.Uint(math.MaxInt64)
	if n < lo || n > hi {
		r.Fail(fmt.Errorf("%w: %s %d", ErrUnsupported, name, n))
		return lo
	}
	return n
}

func appendHeads(b []byte, rows []Heads) []byte {
	b = dagcbor.AppendArray(b, len(rows))
	for _, row := range rows {
		b = dagcbor.AppendArray(b, 2)
		b = dagcbor.AppendBytes(b, row.Scope[:])
		b = dagcbor.AppendIDs(b, row.Ops)
	}
	return b
}

func readHeads(r *dagcbor.Reader) []Heads {
	rows := make([]Heads, r.Array(1, MaxPath))
	for i := range rows {
		r.Array(2, 2)
		r.Fixed(rows[i].Scope[:])
		rows[i].Ops = dagcbor.ReadIDs[crdt.AccessOpID](r, 1, MaxHeadOps)
	}
	return rows
}

// equalHeads reports whether two lists of heads are the same.
func equalHeads(a, b []Heads) bool {
	return slices.EqualFunc(a, b, func(x, y Heads) bool {
		return x.Scope == y.Scope && slices.Equal(x.Ops, y.Ops)
	})
}
