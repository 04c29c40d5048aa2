package set

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

// reflected is a header for a CBOR library, the naive model of Header.Encode.
type reflected struct {
	_           struct{} `cbor:",toarray"`
	Type        string
	V           uint64
	Suite       Suite
	Scope       crdt.ScopeID
	Doc         crdt.DocID
	Path        []crdt.AccessOpID
	Device      crdt.DeviceID
	Incarnation crdt.Incarnation
	Seq         uint64
	Prev        crdt.ChangeSetID
	Deps        []crdt.ChangeSetID
	Heads       []reflectedHeads
	Epoch       crdt.EpochID
	Kind        Kind
	Count       int
	Codec       Codec
	PayloadLen  int
	PayloadHash [32]byte
}

type reflectedHeads struct {
	_     struct{} `cbor:",toarray"`
	Scope crdt.ScopeID
	Ops   []crdt.AccessOpID
}

func reflect(t *rapid.T, h *Header) []byte {
	r := reflected{
		Type: "pipes set", V: 1, Suite: h.Suite, Scope: h.Scope, Doc: h.Doc, Path: h.Path, Device: h.Device,
		Incarnation: h.Incarnation, Seq: h.Seq, Prev: h.Prev, Deps: append([]crdt.ChangeSetID{}, h.Deps...), Epoch: h.Epoch, Kind: h.Kind,
		Count: h.Count, Codec: h.Codec, PayloadLen: h.PayloadLen, PayloadHash: h.PayloadHash,
	}
	for _, row := range h.Heads {
		r.Heads = append(r.Heads, reflectedHeads{Scope: row.Scope, Ops: row.Ops})
	}
	b, err := cbor.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func drawID[T ~[32]byte](t *rapid.T, name string) T {
	b := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name)
	return T([32]byte(b))
}

func drawIDs[T ~[32]byte](t *rapid.T, name string, lo, hi int) []T {
	var ids []T
	for range rapid.IntRange(lo, hi).Draw(t, name+" count") {
		ids = append(ids, drawID[T](t, name))
	}
	slices.SortFunc(ids, crdt.CompareIDs)
	return slices.CompactFunc(ids, func(a, b T) bool { return crdt.CompareIDs(a, b) == 0 })
}

func drawHeads(t *rapid.T, scope crdt.ScopeID) []Heads {
	scopes := append(drawIDs[crdt.ScopeID](t, "scopes", 0, MaxPath-1), scope)
	slices.SortFunc(scopes, crdt.CompareIDs)
	var rows []Heads
	for _, s := range slices.Compact(scopes) {
		rows = append(rows, Heads{s, drawIDs[crdt.AccessOpID](t, "ops", 1, MaxHeadOps)})
	}
	return rows
}

func drawHeader(t *rapid.T) Header {
	h := Header{
		Suite: Suite1, Scope: drawID[crdt.ScopeID](t, "scope"), Doc: drawID[crdt.DocID](t, "doc"),
		Path: drawIDs[crdt.AccessOpID](t, "path", 1, MaxPath), Device: drawID[crdt.DeviceID](t, "device"),
		Incarnation: testInc, Seq: rapid.Uint64Range(1, MaxSeq).Draw(t, "seq"),
		Deps:  drawIDs[crdt.ChangeSetID](t, "deps", 0, MaxDeps),
		Epoch: drawID[crdt.EpochID](t, "epoch"), Count: rapid.IntRange(1, MaxCount).Draw(t, "count"),
		Codec:      Codec(rapid.IntRange(0, 2).Draw(t, "codec")),
		PayloadLen: rapid.IntRange(minPayload, MaxPayload).Draw(t, "payload"), PayloadHash: drawID[[32]byte](t, "hash"),
	}
	h.Prev = drawID[crdt.ChangeSetID](t, "prev")
	if h.Seq == 1 {
		h.Prev = crdt.ChangeSetID(h.Doc)
	} else if h.Prev == crdt.ChangeSetID(h.Doc) {
		h.Prev[0]++
	}
	h.Heads = drawHeads(t, h.Scope)
	return h
}

func TestHeaderIsTheReflectedEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHeader(t)
		b, err := h.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if want := reflect(t, &h); !bytes.Equal(b, want) {
			t.Fatalf("got  %x\nwant %x", b, want)
		}
		if len(b) > h.size() {
			t.Fatalf("%d bytes, size says %d", len(b), h.size())
		}
		got, err := DecodeHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, got); d != "" {
			t.Fatal(d)
		}
		h.PayloadLen, h.PayloadHash = 0, [32]byte{}
		if want := reflect(t, &h); !bytes.Equal(got.associated(), want) {
			t.Fatal("associated data is not the header with payload fields zeroed")
		}
	})
}

// fullHeader is the longest header there can be.
func fullHeader() Header {
	a := newAuthor("a")
	h := a.header
	h.Path, h.Heads, h.Deps = nil, nil, nil
	ids := func(n int) (out []crdt.AccessOpID) {
		for i := range n {
			out = append(out, crdt.AccessOpID{byte(i + 1)})
		}
		return out
	}
	h.Path = ids(MaxPath)
	for i := range MaxPath {
		h.Heads = append(h.Heads, Heads{crdt.ScopeID{byte(i)}, ids(MaxHeadOps)})
	}
	h.Scope = h.Heads[3].Scope
	for _, id := range ids(MaxDeps) {
		h.Deps = append(h.Deps, crdt.ChangeSetID(id))
	}
	h.Seq, h.Prev, h.Count, h.Codec, h.PayloadLen = MaxSeq, crdt.ChangeSetID{1}, MaxCount, Compact, MaxPayload
	return h
}

func TestHeaderLimits(t *testing.T) {
	h := fullHeader()
	b, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the longest header has %d bytes", len(b))
	if len(b) > MaxHeader {
		t.Errorf("longest header of %d bytes exceeds MaxHeader", len(b))
	}
	for name, spoil := range map[string]func(*Header){
		"no path":             func(h *Header) { h.Path = nil },
		"long path":           func(h *Header) { h.Path = make([]crdt.AccessOpID, MaxPath+1) },
		"seq 0":               func(h *Header) { h.Seq = 0 },
		"seq over limit":      func(h *Header) { h.Seq = MaxSeq + 1 },
		"first after a set":   func(h *Header) { h.Seq = 1 },
		"second after doc":    func(h *Header) { h.Seq, h.Prev = 2, crdt.ChangeSetID(h.Doc) },
		"17 deps":             func(h *Header) { h.Deps = append(h.Deps, crdt.ChangeSetID{99}) },
		"unsorted deps":       func(h *Header) { h.Deps = []crdt.ChangeSetID{{2}, {1}} },
		"repeated dep":        func(h *Header) { h.Deps = []crdt.ChangeSetID{{1}, {1}} },
		"no heads":            func(h *Header) { h.Heads = nil },
		"six heads":           func(h *Header) { h.Heads = append(h.Heads, Heads{crdt.ScopeID{99}, h.Path[:1]}) },
		"unsorted heads":      func(h *Header) { slices.Reverse(h.Heads) },
		"repeated heads":      func(h *Header) { h.Heads[1].Scope = h.Heads[0].Scope },
		"heads without scope": func(h *Header) { h.Scope = crdt.ScopeID{77} },
		"empty row":           func(h *Header) { h.Heads[0].Ops = nil },
		"nine ops":            func(h *Header) { h.Heads[0].Ops = append(slices.Clone(h.Heads[0].Ops), crdt.AccessOpID{99}) },
		"unsorted ops":        func(h *Header) { h.Heads[0].Ops = []crdt.AccessOpID{{2}, {1}} },
		"count 0":             func(h *Header) { h.Count = 0 },
		"count 257":           func(h *Header) { h.Count = MaxCount + 1 },
		"short payload":       func(h *Header) { h.PayloadLen = minPayload - 1 },
		"long payload":        func(h *Header) { h.PayloadLen = MaxPayload + 1 },
	} {
		h := fullHeader()
		spoil(&h)
		if _, err := h.Encode(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Encode answers %v", name, err)
		}
		if _, err := DecodeHeader(h.append(nil)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: DecodeHeader answers %v", name, err)
		}
	}
	for name, spoil := range map[string]func(*Header){
		"suite": func(h *Header) { h.Suite = 2 },
		"kind":  func(h *Header) { h.Kind = 1 },
		"codec": func(h *Header) { h.Codec = 3 },
	} {
		h := fullHeader()
		spoil(&h)
		if _, err := h.Encode(); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: Encode answers %v", name, err)
		}
		if _, err := DecodeHeader(h.append(nil)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: DecodeHeader answers %v", name, err)
		}
	}
	next := bytes.Replace(b, []byte("\x69pipes set\x01"), []byte("\x69pipes set\x02"), 1)
	if _, err := DecodeHeader(next); !errors.Is(err, ErrUnsupported) {
		t.Errorf("version 2: %v", err)
	}
	if _, err := DecodeHeader(make([]byte, MaxHeader+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("too long: %v", err)
	}
}

// TestHeaderFlips flips every bit of a header: nothing decodes to the same header,
// and what decodes encodes as the flipped bytes.
func TestHeaderFlips(t *testing.T) {
	s := chain(t, "a", 2)[1]
	refused := 0
	for i := range len(s.Raw()) * 8 {
		f := bytes.Clone(s.Raw())
		f[i/8] ^= 1 << (i % 8)
		h, err := DecodeHeader(f)
		if err != nil {
			refused++
			continue
		}
		if again, err := h.Encode(); err != nil || !bytes.Equal(again, f) {
			t.Errorf("bit %d: accepted, encodes as %x, %v", i, again, err)
		}
		if cmp.Equal(h, s.Header) {
			t.Errorf("bit %d: the same header", i)
		}
		if sha256.Sum256(f) == s.ID() {
			t.Errorf("bit %d: the same id", i)
		}
		flipped, err := NewSet(f, s.Sig, s.Payload)
		if err == nil && flipped.Verify() == nil {
			t.Errorf("bit %d: the signature still verifies", i)
		}
	}
	t.Logf("of %d flips %d are refused", len(s.Raw())*8, refused)
}
