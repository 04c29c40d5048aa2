package change

import (
	"bytes"
	"testing"
)

func seedChunks(f *testing.F) {
	for i, b := range append(chunks(f, "js350-types.bin"), chunks(f, "js350-random.bin")[:20]...) {
		f.Add(b)
		if c, err := Decode(b); err == nil && i%3 == 0 {
			f.Add(c.Encode())
		}
	}
}

// resum gives a chunk the checksum of its body, so that fuzzing gets past it.
func resum(b []byte) []byte {
	_, data, rest, err := cutChunk(b)
	if err != nil || len(rest) > 0 {
		return b
	}
	if b[headLen-1] == typeCompressed {
		if data, err = inflate(data); err != nil {
			return b
		}
	}
	h := hashBody(data)
	b = bytes.Clone(b)
	copy(b[len(magic):], h[:4])
	return b
}

func FuzzDecode(f *testing.F) {
	seedChunks(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = resum(b)
		c, err := Decode(b)
		if err != nil {
			return
		}
		if b[headLen-1] == typeChange && !bytes.Equal(c.Encode(), b) {
			t.Fatal("Encode does not give the chunk back")
		}
		again, err := Build(c.Header, c.Actors, collect(c), c.Extra)
		if err != nil {
			t.Fatal(err)
		}
		if again.Hash != c.Hash || !bytes.Equal(again.Encode(), c.Encode()) {
			t.Fatal("the operations have a second encoding")
		}
		if h, err := ParseHeader(b); err != nil || h.Hash != c.Hash || h.Actor != c.Actor {
			t.Fatal("ParseHeader and Decode differ", err)
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	seedChunks(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = resum(b)
		h, err := ParseHeader(b)
		if c, err2 := Decode(b); err2 == nil && (err != nil || c.Hash != h.Hash) {
			t.Fatal("Decode reads what ParseHeader refuses", err)
		}
	})
}

func FuzzSplit(f *testing.F) {
	seedChunks(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = resum(b)
		p, err := Split(b)
		if err != nil {
			return
		}
		chunk, hash := p.Join()
		if !bytes.Equal(chunk, b) {
			t.Fatal("Join is not the inverse of Split")
		}
		if h, err := ParseHeader(b); err == nil && h.Hash != hash {
			t.Fatal("Join and ParseHeader disagree about the hash")
		}
	})
}
