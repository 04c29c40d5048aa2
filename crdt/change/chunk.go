package change

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/pipes-sync/pipes/crdt"
)

// A chunk is magic, checksum (the first 4 bytes of the hash), type, length,
// body. The hash covers type, length and body of the uncompressed chunk.
const (
	magic          = "\x85\x6f\x4a\x83"
	typeChange     = 1
	typeCompressed = 2
	headLen        = len(magic) + 4 + 1 // up to the length
)

// chunkBody checks the frame of exactly one change chunk and returns its body,
// inflated, and the hash. The body is a copy.
func chunkBody(b []byte) (body string, hash crdt.ChangeHash, err error) {
	typ, data, rest, err := cutChunk(b)
	if err != nil {
		return "", hash, err
	}
	if len(rest) != 0 {
		return "", hash, malformed("bytes after the chunk")
	}
	if typ == typeCompressed {
		if data, err = inflate(data); err != nil {
			return "", hash, err
		}
	}
	hash = hashBody(data)
	if !bytes.Equal(hash[:4], b[len(magic):headLen-1]) {
		return "", hash, ErrChecksum
	}
	return string(data), hash, nil
}

// cutChunk splits the first change chunk off b. Nothing is copied.
func cutChunk(b []byte) (typ byte, data, rest []byte, err error) {
	if len(b) < headLen || string(b[:len(magic)]) != magic {
		return 0, nil, nil, ErrNotChange
	}
	typ = b[headLen-1]
	if typ != typeChange && typ != typeCompressed {
		return 0, nil, nil, fmt.Errorf("%w: chunk type %d", ErrNotChange, typ)
	}
	n, w := binary.Uvarint(b[headLen:])
	switch {
	case w <= 0 || w > 1 && b[headLen+w-1] == 0:
		return 0, nil, nil, malformed("bad length")
	case n > MaxBody:
		return 0, nil, nil, overLimit("length")
	case n > uint64(len(b)-headLen-w):
		return 0, nil, nil, malformed("too short")
	}
	data = b[headLen+w:]
	return typ, data[:n], data[n:], nil
}

// Chunks splits a concatenation of change chunks, the form in which Automerge
// saves incrementally, without looking into them. Each chunk is a part of b.
// The first error ends the sequence.
func Chunks(b []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for len(b) > 0 {
			_, _, rest, err := cutChunk(b)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(b[:len(b)-len(rest)], nil) {
				return
			}
			b = rest
		}
	}
}

// inflate undoes DEFLATE (RFC 1951). It reads no more than the limits allow,
// and refuses bytes after the end of the stream.
func inflate(data []byte) ([]byte, error) {
	limit := min(MaxBody, max(freeInflate, MaxRatio*len(data)))
	in := bytes.NewReader(data)
	z := flate.NewReader(in)
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(z, int64(limit)+1))
	switch {
	case n > int64(limit):
		return nil, overLimit("inflated size")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, malformed("compressed data ends early")
	case err != nil:
		return nil, malformed("bad compressed data")
	case in.Len() != 0:
		return nil, malformed("bytes after the compressed data")
	}
	return out.Bytes(), nil
}

func hashBody[B string | []byte](body B) (hash crdt.ChangeHash) {
	h := sha256.New()
	h.Write(binary.AppendUvarint([]byte{typeChange}, uint64(len(body))))
	h.Write([]byte(body))
	h.Sum(hash[:0])
	return hash
}

// frame writes body as an uncompressed chunk.
func frame[B string | []byte](hash crdt.ChangeHash, body B) []byte {
	b := make([]byte, 0, headLen+binary.MaxVarintLen64+len(body))
	b = append(b, magic...)
	b = append(b, hash[:4]...)
	b = binary.AppendUvarint(append(b, typeChange), uint64(len(body)))
	return append(b, body...)
}
