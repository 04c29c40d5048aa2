package set

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

const typeRun = "pipes run"

// A run is consecutive items of one chain whose headers have path, heads, epoch
// and suite in common: one header, then per item only what differs.
//
//	run       = ["pipes run", 1, first header bytes, [first row, row, ...]]
//	first row = [signature, payload]
//	row       = [signature, deps, count, codec, payload]
//	          | [signature, deps, count, codec, payloadLen, payloadHash]   payload withheld
//
// signature and, in the first row, payload may be empty. Of the rest the reader
// recomputes seq, prev, payloadLen and payloadHash, so a header comes out right
// byte for byte or the signature that covers it does not verify.

// rowSize bounds a row's bytes beside deps and payload.
const rowSize = 64 + 34 + 24

// sameRun reports whether b can follow a in a run.
func sameRun(a, b *Set) bool {
	x, y := &a.Header, &b.Header
	return follows(a, b) && x.Suite == y.Suite && x.Kind == y.Kind && x.Epoch == y.Epoch &&
		slices.Equal(x.Path, y.Path) && equalHeads(x.Heads, y.Heads)
}

// CutRun answers how many of items, from the first, make one run of at most
// maxBytes; 1 at least, since an item larger than a frame travels in parts.
func CutRun(items []*Set, maxBytes int) int {
	size := 0
	for i, s := range items {
		size += rowSize + 34*len(s.Header.Deps) + len(s.Payload)
		switch {
		case i == 0:
			size += len(s.raw) + 32
		case i == MaxRun || size > maxBytes || !sameRun(items[i-1], s):
			return i
		}
	}
	return len(items)
}

// EncodeRun answers the wire form of items, which must make one run: see [CutRun].
// The error wraps ErrChain or ErrMalformed.
func EncodeRun(items []*Set) ([]byte, error) {
	if len(items) < 1 || len(items) > MaxRun {
		return nil, fmt.Errorf("%w: run of %d items", ErrMalformed, len(items))
	}
	size := 64 + len(items[0].raw)
	for i, s := range items {
		if i > 0 && !sameRun(items[i-1], s) {
			return nil, fmt.Errorf("%w: item %d does not continue the run", ErrChain, i)
		}
		size += rowSize + 34*len(s.Header.Deps) + len(s.Payload)
	}
	b := dagcbor.AppendArray(make([]byte, 0, size), 4)
	b = dagcbor.AppendText(b, typeRun)
	b = dagcbor.AppendUint(b, version)
	b = dagcbor.AppendBytes(b, items[0].raw)
	b = dagcbor.AppendArray(b, len(items))
	for i, s := range items {
		b = appendRow(b, s, i == 0)
	}
	if len(b) > MaxItem {
		return nil, fmt.Errorf("%w: run of %d bytes", ErrMalformed, len(b))
	}
	return b, nil
}

func appendRow(b []byte, s *Set, first bool) []byte {
	h := &s.Header
	if first {
		b = dagcbor.AppendArray(b, 2)
		b = dagcbor.AppendBytes(b, s.Sig)
		return dagcbor.AppendBytes(b, s.Payload)
	}
	n := 5
	if s.Payload == nil {
		n = 6
	}
	b = dagcbor.AppendArray(b, n)
	b = dagcbor.AppendBytes(b, s.Sig)
	b = dagcbor.AppendIDs(b, h.Deps)
	b = dagcbor.AppendUint(b, uint64(h.Count))
	b = dagcbor.AppendUint(b, uint64(h.Codec))
	if s.Payload != nil {
		return dagcbor.AppendBytes(b, s.Payload)
	}
	b = dagcbor.AppendUint(b, uint64(h.PayloadLen))
	return dagcbor.AppendBytes(b, h.PayloadHash[:])
}

// DecodeRun decodes b strictly and rebuilds the items, which follow one another.
// Errors wrap ErrMalformed or ErrUnsupported. Signatures are left to
// [Authenticate]; the first item's payload may still differ from its header's
// hash ([Set.CheckPayload]), the others' cannot. The items share the slices of the
// first header and alias b, which must not change.
func DecodeRun(b []byte) ([]*Set, error) {
	if len(b) > MaxItem {
		return nil, fmt.Errorf("%w: run of %d bytes", ErrMalformed, len(b))
	}
	r := dagcbor.NewReader(b)
	object(r, typeRun, 4, 4)
	header := r.Bytes(0, MaxHeader)
	n := r.Array(1, MaxRun)
	r.Array(2, 2)
	sig := r.Bytes(0, ed25519.SignatureSize)
	payload := r.Bytes(0, MaxPayload)
	if err := r.Err(); err != nil {
		return nil, malformed("run", err)
	}
	s, err := NewSet(header, sig, payload)
	if err != nil {
		return nil, err
	}
	items := append(make([]*Set, 0, n), s)
	for len(items) < n {
		if s, err = readRow(r, s); err != nil {
			return nil, err
		}
		items = append(items, s)
	}
	if err := r.Done(); err != nil {
		return nil, malformed("run", err)
	}
	return items, nil
}

// readRow reads the row of the item that follows prev.
func readRow(r *dagcbor.Reader, prev *Set) (*Set, error) {
	h := prev.Header
	h.Seq++
	h.Prev = prev.id
	n := r.Array(5, 6)
	sig := r.Bytes(0, ed25519.SignatureSize)
	h.Deps = dagcbor.ReadIDs[crdt.ChangeSetID](r, 0, MaxDeps)
	h.Count = int(r.Uint(MaxCount))
	h.Codec = Codec(small(r, "codec", uint64(Plain), uint64(Compact)))
	var payload []byte
	if n == 6 {
		h.PayloadLen = int(r.Uint(MaxPayload))
		r.Fixed(h.PayloadHash[:])
	} else {
		payload = r.Bytes(minPayload, MaxPayload)
		h.PayloadLen, h.PayloadHash = len(payload), sha256.Sum256(payload)
	}
	if err := r.Err(); err != nil {
		return nil, malformed("run", err)
	}
	raw, err := h.Encode()
	if err != nil {
		return nil, err
	}
	return join(h, raw, sig, payload)
}
