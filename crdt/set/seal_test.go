package set

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

func TestPadme(t *testing.T) {
	// The formula of the paper, in floating point.
	paper := func(l int) int {
		e := math.Floor(math.Log2(float64(l)))
		s := math.Floor(math.Log2(e)) + 1
		z := int(e - s)
		m := 1<<z - 1
		return (l + m) &^ m
	}
	last, buckets := 0, 0
	for n := 2; n <= 1<<16; n++ {
		p := padme(n)
		if p != paper(n) {
			t.Fatalf("padme(%d) = %d, the paper's is %d", n, p, paper(n))
		}
		if p < n || float64(p) > 1.12*float64(n)+1 {
			t.Fatalf("padme(%d) = %d", n, p)
		}
		if padme(p) != p {
			t.Fatalf("padme(%d) = %d is no bucket", n, p)
		}
		if p != last {
			last, buckets = p, buckets+1
		}
	}
	t.Logf("%d buckets up to 2^16", buckets)
	if n := sealedLen(MaxContent); n > MaxPayload {
		t.Errorf("the largest content seals to %d bytes", n)
	}
	if bits.Len(uint(MaxContent)) > 32 {
		t.Error("lengths have 4 bytes")
	}
}

// contents draws content of a chain's own edits, with other things mixed in.
func drawContent(t *rapid.T, tb testing.TB, a *author) Content {
	c := Content{Time: rapid.Int64().Draw(t, "time")}
	r := newRand()
	for range rapid.IntRange(1, 12).Draw(t, "changes") {
		edit := a.edit(tb, text(r, rapid.IntRange(1, 300).Draw(t, "length")))
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 0: // not a chunk
			edit = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "garbage")
		case 1: // another actor's
			edit, _ = buildPut(tb, "another actor...", 1, 1, nil, "text")
		case 2: // a gap in seq
			a.seq += 3
		case 3: // other deps
			a.last = hash32("elsewhere")
		case 4: // broken
			edit[len(edit)-1] ^= 1
		}
		c.Changes = append(c.Changes, edit)
	}
	return c
}

func TestSealOpen(t *testing.T) {
	key := ContentKey(testSecret, testDoc)
	seen := map[Codec]int{}
	rapid.Check(t, func(rt *rapid.T) {
		a := newAuthor("a")
		want := drawContent(rt, t, a)
		s, err := a.coder.Seal(a.header, want, key, testNonce("n"))
		if err != nil {
			rt.Fatal(err)
		}
		seen[s.Header.Codec]++
		if err := s.CheckPayload(); err != nil {
			rt.Fatal(err)
		}
		var c Coder
		got, err := c.Open(s, key)
		if err != nil {
			rt.Fatal(err)
		}
		if got.Time != want.Time || len(got.Changes) != len(want.Changes) {
			rt.Fatalf("%d changes at %d, want %d at %d", len(got.Changes), got.Time, len(want.Changes), want.Time)
		}
		for i := range want.Changes {
			if !bytes.Equal(got.Changes[i], want.Changes[i]) {
				rt.Fatalf("change %d of codec %v is\n%x, want\n%x", i, s.Header.Codec, got.Changes[i], want.Changes[i])
			}
		}
		again, err := c.Seal(a.header, want, key, testNonce("n"))
		if err != nil || !bytes.Equal(again.Encode(), s.Encode()) {
			rt.Fatal("sealing is not deterministic", err)
		}
	})
	if seen[Plain] == 0 || seen[Compact] == 0 {
		t.Errorf("codecs chosen: %v", seen)
	}
}

// TestCodecs seals the same content with each codec.
func TestCodecs(t *testing.T) {
	a, key := newAuthor("a"), ContentKey(testSecret, testDoc)
	want := Content{Time: -5}
	for range 20 {
		want.Changes = append(want.Changes, a.edit(t, "the same text in every change"))
	}
	plain := appendPlain(nil, want)
	compact, shortened := appendCompact(nil, &a.header, want)
	if !shortened {
		t.Fatal("nothing was left out")
	}
	for codec, coded := range map[Codec][]byte{Plain: plain, Zstd: a.coder.compress(plain), Compact: a.coder.compress(compact)} {
		s, err := sealCoded(a.header, want, codec, coded, key, testNonce("n"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.coder.Open(s, key)
		if err != nil {
			t.Fatalf("%v: %v", codec, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v: %s", codec, d)
		}
		t.Logf("%v: %d bytes", codec, len(coded))
	}
	if codec, _, _ := a.coder.encode(&a.header, want); codec != Compact {
		t.Errorf("chose %v", codec)
	}
	for i := range want.Changes { // another's: nothing can be left out
		want.Changes[i], _ = buildPut(t, "another actor...", 1, 1, nil, "text")
	}
	if codec, _, _ := a.coder.encode(&a.header, want); codec != Zstd {
		t.Errorf("chose %v for another actor's changes", codec)
	}
	tiny := Content{Changes: [][]byte{a.edit(t, "one that can be shortened")}}
	for range MaxCount - 1 {
		tiny.Changes = append(tiny.Changes, []byte{1})
	}
	if codec, _, _ := a.coder.encode(&a.header, tiny); codec != Zstd {
		t.Errorf("chose %v where the compact form is longer", codec)
	}
	random := Content{Changes: [][]byte{make([]byte, 4096)}}
	r := newRand()
	for i := range random.Changes[0] {
		random.Changes[0][i] = byte(r.Uint32())
	}
	if codec, _, _ := a.coder.encode(&a.header, random); codec != Plain {
		t.Errorf("chose %v for noise", codec)
	}
}

func TestSealLimits(t *testing.T) {
	a, key := newAuthor("a"), ContentKey(testSecret, testDoc)
	noise := make([]byte, MaxContent-18)
	r := newRand()
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	s, err := a.coder.Seal(a.header, Content{Changes: [][]byte{noise}}, key, testNonce("n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Encode()) > MaxItem {
		t.Error("the largest set exceeds MaxItem")
	}
	if got, err := a.coder.Open(s, key); err != nil || !bytes.Equal(got.Changes[0], noise) {
		t.Error("the largest set does not open:", err)
	}
	for name, changes := range map[string][][]byte{
		"none": nil, "257": make([][]byte, MaxCount+1), "large": {append(noise, 0)},
	} {
		if _, err := a.coder.Seal(a.header, Content{Changes: changes}, key, testNonce("n")); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.header.Path = nil
	if _, err := a.coder.Seal(a.header, Content{Changes: [][]byte{{1}}}, key, testNonce("n")); !errors.Is(err, ErrMalformed) {
		t.Errorf("header without path: %v", err)
	}
}

// reseal seals plain as the payload of a header that says codec and count.
func reseal(t *testing.T, codec Codec, count int, plain []byte) *Set {
	t.Helper()
	a := newAuthor("a")
	s, err := sealCoded(a.header, Content{Changes: make([][]byte, count)}, codec, plain, ContentKey(testSecret, testDoc), testNonce("n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenRefuses(t *testing.T) {
	a, key := newAuthor("a"), ContentKey(testSecret, testDoc)
	edit := a.edit(t, "text")
	good := appendPlain(nil, Content{Changes: [][]byte{edit}})
	compact, _ := appendCompact(nil, &a.header, Content{Changes: [][]byte{edit}})
	var c Coder
	big := make([]byte, MaxContent+1)
	zeros, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(true))
	if err != nil {
		t.Fatal(err)
	}
	frame := zeros.EncodeAll(good, nil)
	var stream bytes.Buffer
	zeros.Reset(&stream)
	_, _ = zeros.Write(good)
	_ = zeros.Flush() // a stream: its frame does not say its length
	_, _ = zeros.Write(good)
	_ = zeros.Close()
	many := binary.AppendUvarint([]byte{0}, MaxCount+1)
	cases := map[string]struct {
		set  *Set
		want Reason
	}{
		"good":                  {reseal(t, Plain, 1, good), 0},
		"good zstd":             {reseal(t, Zstd, 1, frame), 0},
		"good compact":          {reseal(t, Compact, 1, c.compress(compact)), 0},
		"count":                 {reseal(t, Plain, 2, good), ReasonCount},
		"trailing byte":         {reseal(t, Plain, 1, append(bytes.Clone(good), 0)), ReasonContent},
		"not cbor":              {reseal(t, Plain, 1, []byte{0xf6}), ReasonContent},
		"no changes":            {reseal(t, Plain, 1, []byte{0x82, 0, 0x80}), ReasonContent},
		"not zstd":              {reseal(t, Zstd, 1, good), ReasonContent},
		"bomb":                  {reseal(t, Zstd, 1, zeros.EncodeAll(big, nil)), ReasonContent},
		"bomb of frames":        {reseal(t, Zstd, 1, append(zeros.EncodeAll(big[:1<<20], nil), zeros.EncodeAll(big[:1<<20], nil)...)), ReasonContent},
		"two frames":            {reseal(t, Zstd, 1, append(bytes.Clone(frame), frame...)), ReasonContent},
		"no stated length":      {reseal(t, Zstd, 1, stream.Bytes()), ReasonContent},
		"stated 2^40 bytes":     {reseal(t, Zstd, 1, append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0}, 1, 0, 0)), ReasonContent},
		"skippable frame":       {reseal(t, Zstd, 1, []byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}), ReasonContent},
		"cut frame":             {reseal(t, Zstd, 1, frame[:len(frame)-1]), ReasonContent},
		"compact, not zstd":     {reseal(t, Compact, 1, compact), ReasonContent},
		"compact cut":           {reseal(t, Compact, 1, c.compress(compact[:len(compact)-1])), ReasonContent},
		"compact trailing":      {reseal(t, Compact, 1, c.compress(append(bytes.Clone(compact), 0))), ReasonContent},
		"compact of 257":        {reseal(t, Compact, 1, c.compress(many)), ReasonContent},
		"compact form 9":        {reseal(t, Compact, 1, c.compress([]byte{0, 1, 1, 9, 0})), ReasonContent},
		"compact after nothing": {reseal(t, Compact, 1, c.compress([]byte{0, 1, 1, formAfter, 0, 0})), ReasonContent},
		"compact many deps":     {reseal(t, Compact, 1, c.compress([]byte{0, 1, 1, formDeps, 9, 0})), ReasonContent},
		"compact long number":   {reseal(t, Compact, 1, c.compress([]byte{0x80, 0, 1, 1, formDeps, 0, 2, 0})), ReasonContent},
	}
	for name, tc := range cases {
		_, err := c.Open(tc.set, key)
		if reasonOf(err) != tc.want || (err == nil) != (tc.want == 0) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := c.decompress(append(bytes.Clone(frame), frame...)); err == nil {
		t.Errorf("two frames: %d bytes where the first states %d", len(out), len(good))
	}
	if _, err := c.Open(cases["good"].set.Bare(), key); err != ErrNoPayload {
		t.Errorf("bare: %v", err)
	}
	if _, err := c.Open(cases["good"].set, Key{}); reasonOf(err) != ReasonSeal {
		t.Errorf("wrong key: %v", err)
	}
	odd := *cases["good"].set
	odd.Header.Codec = 9
	if _, err := c.decode(&odd.Header, good); err != ErrUnsupported {
		t.Errorf("codec 9: %v", err)
	}
}

// TestOpenBinds changes one header field after another: the seal holds all.
func TestOpenBinds(t *testing.T) {
	key := ContentKey(testSecret, testDoc)
	for name, spoil := range map[string]func(*Header){
		"scope": func(h *Header) { h.Scope[0]++ }, "doc": func(h *Header) { h.Doc[0]++ },
		"path": func(h *Header) { h.Path = append(h.Path, crdt.AccessOpID{}) }, "device": func(h *Header) { h.Device[0]++ },
		"incarnation": func(h *Header) { h.Incarnation[0]++ }, "seq": func(h *Header) { h.Seq++ },
		"prev": func(h *Header) { h.Prev[0]++ }, "deps": func(h *Header) { h.Deps = []crdt.ChangeSetID{{}} },
		"heads": func(h *Header) { h.Heads = append(h.Heads, Heads{}) }, "epoch": func(h *Header) { h.Epoch[0]++ },
		"kind": func(h *Header) { h.Kind++ }, "count": func(h *Header) { h.Count++ }, "codec": func(h *Header) { h.Codec++ },
	} {
		s := *chain(t, "a", 1)[0]
		spoil(&s.Header)
		if _, err := new(Coder).Open(&s, key); reasonOf(err) != ReasonSeal {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := *chain(t, "a", 1)[0]
	flips(t, s.Payload, func(b []byte) error {
		s.Payload = b
		_, err := new(Coder).Open(&s, key)
		return err
	})
}

// TestPadding seals plaintexts whose padding is wrong.
func TestPadding(t *testing.T) {
	var key Key
	seal := func(padded []byte) []byte {
		var n [nonceSize]byte
		return newAEAD(key).Seal(n[:], n[:], padded, nil)
	}
	pad := func(n uint32, size int) []byte {
		b := make([]byte, size)
		binary.BigEndian.PutUint32(b, n)
		return b
	}
	bad := pad(30, padme(34))
	bad[len(bad)-1] = 1
	for name, tc := range map[string]struct {
		payload []byte
		want    Reason
	}{
		"good":             {seal(pad(30, padme(34))), 0},
		"not zero":         {seal(bad), ReasonPadding},
		"next bucket":      {seal(pad(30, padme(padme(34)+1))), ReasonPadding},
		"not a bucket":     {seal(pad(30, 34+1)), ReasonPadding},
		"beyond the end":   {seal(pad(33, padme(34))), ReasonPadding},
		"huge":             {seal(pad(math.MaxUint32, padme(34))), ReasonPadding},
		"shorter than tag": {make([]byte, minPayload-1), ReasonSeal},
	} {
		if _, err := openBytes(key, tc.payload, nil); reasonOf(err) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCompactSizes(t *testing.T) {
	a := newAuthor("a")
	var content Content
	for range 100 {
		content.Changes = append(content.Changes, a.edit(t, text(newRand(), 100)))
	}
	compact, _ := appendCompact(nil, &a.header, content)
	if raw := len(appendPlain(nil, content)); len(compact) > raw-60*100 {
		t.Errorf("compact form of %d bytes, plain %d: less than 60 bytes a change left out", len(compact), raw)
	}
	got, err := decodeCompact(&a.header, compact)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range got.Changes {
		h, err := change.ParseHeader(c)
		if err != nil || h.Hash != sha256.Sum256(c[chunkTypeAt:]) {
			t.Fatalf("change %d: %v", i, err)
		}
	}
}
