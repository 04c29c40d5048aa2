package set

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

func TestSetItem(t *testing.T) {
	s := chain(t, "a", 1)[0]
	unsigned := *s
	unsigned.Sig = nil
	for name, want := range map[string]*Set{"whole": s, "unsigned": &unsigned, "bare": s.Bare(), "header": unsigned.Bare()} {
		b := want.Encode()
		got, err := DecodeSet(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(Set{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if !bytes.Equal(got.Encode(), b) {
			t.Errorf("%s: encodes differently", name)
		}
		if err := got.Verify(); (err == nil) != (want.Sig != nil) || err != nil && err != ErrSignature {
			t.Errorf("%s: %v", name, err)
		}
		for n := range b {
			if _, err := DecodeSet(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s: %d of %d bytes: %v", name, n, len(b), err)
			}
		}
		if _, err := DecodeSet(append(b, 0)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: trailing byte: %v", name, err)
		}
	}
	if err := s.CheckPayload(); err != nil {
		t.Error(err)
	}
	if err := s.Bare().CheckPayload(); err != ErrNoPayload {
		t.Error(err)
	}
	spoiled := *s
	spoiled.Payload = bytes.Clone(s.Payload)
	spoiled.Payload[30] ^= 1
	if err := spoiled.CheckPayload(); err != ErrPayload {
		t.Error(err)
	}
	if _, err := NewSet(s.Raw(), s.Sig[:63], nil); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	if _, err := NewSet(s.Raw(), nil, s.Payload[1:]); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	if _, err := DecodeSet(make([]byte, MaxItem+1)); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func TestSignPanicsForAnotherDevice(t *testing.T) {
	s := chain(t, "a", 1)[0]
	g := testGenesis(t)
	for name, f := range map[string]func(){
		"set":     func() { s.Sign(testKey("b")) },
		"genesis": func() { _, _ = NewDocument(g, testKey("b")) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func testGenesis(tb testing.TB) Genesis {
	tb.Helper()
	a := newAuthor("a")
	g := Genesis{
		Scope: testScope, Device: a.header.Device, Path: a.header.Path, Heads: a.header.Heads,
		Nonce: [16]byte{1, 2, 3}, Epoch: testEpoch,
	}
	if err := g.Seal(About{"Round of 8 June", "notes/1"}, testSecret, testNonce("genesis")); err != nil {
		tb.Fatal(err)
	}
	return g
}

func TestGenesis(t *testing.T) {
	g := testGenesis(t)
	for _, imported := range [][32]byte{{}, hash32("root")} {
		g.Imported = imported
		if err := g.Seal(About{"Round of 8 June", "notes/1"}, testSecret, testNonce("genesis")); err != nil {
			t.Fatal(err)
		}
		d, err := NewDocument(g, testKey("a"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeDocument(d.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, got, cmp.AllowUnexported(Document{})); diff != "" {
			t.Error(diff)
		}
		if err := got.Verify(); err != nil {
			t.Error(err)
		}
		about, err := got.Genesis.Open(testSecret)
		if want := (About{"Round of 8 June", "notes/1"}); err != nil || about != want {
			t.Error(about, err)
		}
		if _, err := got.Genesis.Open(hash32("other")); reasonOf(err) != ReasonSeal {
			t.Errorf("another secret: %v", err)
		}
		moved := got.Genesis
		moved.Epoch[0]++
		if _, err := moved.Open(testSecret); reasonOf(err) != ReasonSeal {
			t.Errorf("another genesis: %v", err)
		}
		flips(t, d.Encode(), func(b []byte) error {
			d, err := DecodeDocument(b)
			if err == nil {
				err = d.Verify()
			}
			return err
		})
	}
}

func TestGenesisLimits(t *testing.T) {
	for name, about := range map[string]About{
		"title":  {Title: strings.Repeat("x", MaxTitle+1)},
		"schema": {Schema: strings.Repeat("x", MaxSchema+1)},
		"utf-8":  {Title: "\xff"},
	} {
		g := testGenesis(t)
		if err := g.Seal(about, testSecret, [24]byte{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g := testGenesis(t)
	if err := g.Seal(About{strings.Repeat("x", MaxTitle), strings.Repeat("y", MaxSchema)}, testSecret, [24]byte{}); err != nil {
		t.Fatal(err)
	}
	if _, err := NewDocument(g, testKey("a")); err != nil {
		t.Errorf("longest title and schema: %v", err)
	}
	for name, spoil := range map[string]func(*Genesis){
		"no path":    func(g *Genesis) { g.Path = nil },
		"no heads":   func(g *Genesis) { g.Heads = nil },
		"not sealed": func(g *Genesis) { g.Sealed = nil },
		"oversealed": func(g *Genesis) { g.Sealed = make([]byte, maxSealedGenesis+1) },
	} {
		g := testGenesis(t)
		spoil(&g)
		if _, err := NewDocument(g, testKey("a")); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := DecodeGenesis(g.append(g.Sealed)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := g.append(g.Sealed)
	next := bytes.Replace(b, []byte("pipes doc\x01"), []byte("pipes doc\x02"), 1)
	if _, err := DecodeGenesis(next); !errors.Is(err, ErrUnsupported) {
		t.Errorf("version 2: %v", err)
	}
	for _, f := range []func([]byte) error{
		func(b []byte) error { _, err := DecodeGenesis(b); return err },
		func(b []byte) error { _, err := DecodeDocument(b); return err },
	} {
		if err := f(make([]byte, MaxGenesis+1)); !errors.Is(err, ErrMalformed) {
			t.Error(err)
		}
	}
}

// flips flips every bit of b: accept must refuse all.
func flips(t *testing.T, b []byte, accept func([]byte) error) {
	t.Helper()
	for i := range len(b) * 8 {
		f := bytes.Clone(b)
		f[i/8] ^= 1 << (i % 8)
		if accept(f) == nil {
			t.Errorf("bit %d of byte %d flipped, accepted", i%8, i/8)
		}
	}
}

func reasonOf(err error) Reason {
	var inert *InertError
	if errors.As(err, &inert) {
		return inert.Reason
	}
	return 0
}

func TestErrorsSayWhere(t *testing.T) {
	err := inert(ReasonSeq, 3, errors.New("seq 9 after 7"))
	if got, want := err.Error(), "set: inert: seq: change 3: seq 9 after 7"; got != want {
		t.Errorf("%q", got)
	}
	if got, want := inert(ReasonSeal, -1, nil).Error(), "set: inert: seal"; got != want {
		t.Errorf("%q", got)
	}
	seen := map[string]bool{}
	for r := ReasonSeal; r <= ReasonDeps+1; r++ {
		if seen[r.String()] {
			t.Errorf("%q twice", r)
		}
		seen[r.String()] = true
	}
	for c := Plain; c <= Compact+1; c++ {
		if seen[c.String()] {
			t.Errorf("%q twice", c)
		}
		seen[c.String()] = true
	}
	for s := Added; s <= Forked; s++ {
		if seen[s.String()] {
			t.Errorf("%q twice", s)
		}
		seen[s.String()] = true
	}
	if got := fmt.Sprintf("%v %x %s", Key{1}, Key{1}, Key{1}); strings.ContainsAny(got, "01") {
		t.Errorf("a key prints as %q", got)
	}
}

func TestDocumentIsNoOtherObject(t *testing.T) {
	s := chain(t, "a", 1)[0]
	if _, err := DecodeGenesis(s.Raw()); !errors.Is(err, dagcbor.ErrShape) {
		t.Error(err)
	}
	g := testGenesis(t)
	if _, err := DecodeHeader(g.append(g.Sealed)); !errors.Is(err, dagcbor.ErrShape) {
		t.Error(err)
	}
	if id := s.ID(); crdt.ChangeSetID(hash32(string(s.Raw()))) != id {
		t.Error("the id is not the hash of the header")
	}
}
