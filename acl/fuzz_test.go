package acl

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

func seedOps(f *testing.F) {
	for _, suite := range []Suite{SuiteX25519, SuiteHybrid} {
		for _, o := range samples(f, suite) {
			b, _ := o.MarshalBinary()
			f.Add(b)
		}
	}
}

// FuzzDecode: what decodes has one encoding, and every error says which kind it is.
// All bodies are reached through the one decoder.
func FuzzDecode(f *testing.F) {
	seedOps(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownType) {
				t.Fatalf("untyped: %v", err)
			}
			return
		}
		again, err := o.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("a second encoding: %v", err)
		}
	})
}

// FuzzLog draws a sequence of operations, each byte a choice, and offers them in
// an order of its own. Whatever comes, a log stays closed under its past.
func FuzzLog(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	f.Add([]byte("\x10\x20\x30\x00\x40\x50\x60\x70\xff\xfe"))
	f.Fuzz(func(t *testing.T, script []byte) {
		_, log, lines := newLines(t, 3)
		ids := []crdt.AccessOpID{log.Genesis().ID()}
		var ops []*Op
		for i := 0; i+1 < min(len(script), 64); i += 2 {
			l := lines[int(script[i])%len(lines)]
			if script[i]&0x40 != 0 { // a fork: write again from an older place
				back := *l
				l = &back
				l.seq, l.prev = 0, crdt.AccessOpID{}
			}
			if script[i]&0x80 != 0 {
				l.seq++ // a gap
			}
			dep := ids[int(script[i+1])%len(ids)]
			if l.seq > 0 && l.prev == (crdt.AccessOpID{}) {
				l.prev = dep
			}
			o := l.next(t, dep)
			ids, ops = append(ids, o.ID()), append(ops, o)
		}
		for i := range ops {
			o := ops[(i*7+len(script))%len(ops)]
			outcome, missing, err := log.Add(o)
			if (outcome == Pending) != (missing != nil) || (err != nil) != (outcome == 0) {
				t.Fatalf("%v %v %v", outcome, missing, err)
			}
		}
		seen := map[crdt.AccessOpID]bool{log.Genesis().ID(): true}
		for o := range log.All() {
			for _, id := range before(o) {
				if !seen[id] {
					t.Fatal("an operation before its past")
				}
			}
			seen[o.ID()] = true
		}
	})
}

// FuzzState feeds mutated operations to a State that knows the honest ones: they
// never panic, and nothing unsigned gets in.
func FuzzState(f *testing.F) {
	seedOps(f)
	ops := samples(f, SuiteX25519)
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Decode(b)
		if err != nil {
			return
		}
		s := &State{}
		for _, known := range ops {
			if _, err := s.Add(known); err != nil {
				t.Fatal(err)
			}
		}
		// Judge it as though it were signed: rights must hold without signatures too.
		_, _ = s.admit(o)
		if _, err := s.Add(bend(t, o)); err == nil && o.Verify() != nil && s.Status(o.Ref()) == Unknown {
			t.Fatal("taken in without a signature")
		}
	})
}
