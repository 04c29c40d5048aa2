package set

import (
	"bytes"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

// Every fuzz target holds that what a decoder accepts encodes as the same bytes.

func seedRefused(f *testing.F, object string) {
	f.Helper()
	v := vectorsFromFile(f)
	for _, r := range v.Refuse {
		if r.Object == object {
			f.Add([]byte(r.Bytes))
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, s := range vectorsFromFile(f).Sets {
		f.Add([]byte(s.Header))
	}
	seedRefused(f, "header")
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := DecodeHeader(b)
		if err != nil {
			return
		}
		if again, err := h.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x encodes as %x, %v", b, again, err)
		}
	})
}

func FuzzGenesis(f *testing.F) {
	f.Add([]byte(vectorsFromFile(f).Genesis.Item))
	f.Add([]byte(vectorsFromFile(f).Genesis.Raw))
	seedRefused(f, "genesis")
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := DecodeDocument(b); err == nil && !bytes.Equal(d.Encode(), b) {
			t.Errorf("document %x encodes as %x", b, d.Encode())
		}
		g, err := DecodeGenesis(b)
		if err != nil {
			return
		}
		if again, err := g.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("genesis %x encodes as %x, %v", b, again, err)
		}
	})
}

func FuzzSet(f *testing.F) {
	for _, s := range vectorsFromFile(f).Sets {
		f.Add([]byte(s.Item))
	}
	seedRefused(f, "item")
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSet(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Errorf("%x encodes as %x", b, s.Encode())
		}
		_ = s.Verify()
		_ = s.CheckPayload()
	})
}

func FuzzRun(f *testing.F) {
	for _, r := range vectorsFromFile(f).Runs {
		f.Add([]byte(r.Run))
	}
	f.Add([]byte(vectorsFromFile(f).Cover.Cover))
	seedRefused(f, "run")
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := DecodeCover(b); err == nil && len(c.Items) > 0 {
			_ = c.Verify(c.Items[0])
		}
		items, err := DecodeRun(b)
		if err != nil {
			return
		}
		if again, err := EncodeRun(items); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x encodes as %x, %v", b, again, err)
		}
		if n, err := Authenticate(items); n > len(items) || (n == 0) != (err != nil) {
			t.Errorf("%d authentic, %v", n, err)
		}
	})
}

func FuzzPart(f *testing.F) {
	for _, p := range vectorsFromFile(f).Parts.Parts {
		f.Add([]byte(p.Head))
	}
	small := Part{Whole: hash32("x"), Total: 5, Count: 2, Data: []byte("abc")}
	f.Add(small.Encode())
	seedRefused(f, "part")
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePart(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(), b) {
			t.Errorf("%x encodes as %x", b, p.Encode())
		}
		var a Assembler
		if _, err := a.Add(p); (err == nil) != (p.Index == 0) {
			t.Errorf("part %d: %v", p.Index, err)
		}
	})
}

// FuzzOpen opens payloads whose plaintext, before padding, is the input: what
// anybody who has the key may write.
func FuzzOpen(f *testing.F) {
	for _, s := range vectorsFromFile(f).Sets {
		f.Add(byte(s.Fields.Codec), byte(s.Fields.Count), []byte(s.Coded))
	}
	f.Fuzz(func(t *testing.T, codec, count byte, coded []byte) {
		if codec > byte(Compact) || count == 0 || len(coded) == 0 || len(coded) > MaxContent {
			return
		}
		s, err := sealCoded(newAuthor("a").header, Content{Changes: make([][]byte, count)}, Codec(codec), coded, Key{}, [24]byte{})
		if err != nil {
			t.Fatal(err)
		}
		var c Coder
		content, err := c.Open(s, Key{})
		if err != nil {
			if reasonOf(err) == 0 || reasonOf(err) == ReasonSeal {
				t.Fatal(err)
			}
			return
		}
		sameContent(t, &c, &s.Header, content)
		_, _ = CheckContent(&s.Header, content, 0, func(crdt.ChangeHash) bool { return true })
	})
}

// FuzzCompact reads compact forms, and writes the input as changes.
func FuzzCompact(f *testing.F) {
	a := newAuthor("a")
	one, two := a.edit(f, "one"), a.edit(f, "two")
	form, _ := appendCompact(nil, &a.header, Content{Changes: [][]byte{one, two}})
	f.Add(form, one)
	f.Add([]byte{0, 1, 1, formDeps, 0, 2, 0}, two)
	f.Fuzz(func(t *testing.T, form, edit []byte) {
		h := &newAuthor("a").header
		if content, err := decodeCompact(h, form); err == nil {
			sameContent(t, new(Coder), h, content)
		}
		content := Content{Time: int64(len(form)), Changes: [][]byte{edit, one, edit, two, form}}
		z, _ := appendCompact(nil, h, content)
		got, err := decodeCompact(h, z)
		if err != nil || !equalContent(got, content) {
			t.Errorf("comes back as %x, %v", got.Changes, err)
		}
	})
}

// sameContent codes content again and compares what comes back.
func sameContent(t *testing.T, c *Coder, h *Header, content Content) {
	t.Helper()
	again := *h
	codec, coded, err := c.encode(h, content)
	if err != nil {
		t.Fatal(err)
	}
	again.Codec = codec
	if got, err := c.decode(&again, coded); err != nil || !equalContent(got, content) {
		t.Errorf("codec %v: %v", codec, err)
	}
}

func equalContent(a, b Content) bool {
	if a.Time != b.Time || len(a.Changes) != len(b.Changes) {
		return false
	}
	for i := range a.Changes {
		if !bytes.Equal(a.Changes[i], b.Changes[i]) {
			return false
		}
	}
	return true
}
