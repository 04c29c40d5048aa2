package set

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

// Content is what a payload says: when, and the changes.
type Content struct {
	Time    int64    // the author's clock, Unix milliseconds: a claim
	Changes [][]byte // uncompressed Automerge change chunks, in causal order
}

func (c Codec) String() string {
	switch c {
	case Plain:
		return "plain"
	case Zstd:
		return "zstd"
	case Compact:
		return "compact"
	}
	return fmt.Sprintf("codec %d", uint8(c))
}

// minCompress is the plain length from which compression is tried. Below it a set
// of one edit gains a bucket or two at more than the price of its signature.
const minCompress = 512

// Coder seals and opens payloads. It holds the memory of the compressor between
// calls, about 2 MiB once used; the zero value is ready. Not for concurrent use.
type Coder struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

// encode answers the coded content and the codec that makes the shortest payload;
// between equals, the one that is cheapest to read.
func (c *Coder) encode(h *Header, content Content) (Codec, []byte, error) {
	if err := content.check(); err != nil {
		return Plain, nil, err
	}
	plain := appendPlain(nil, content)
	if len(plain) < minCompress {
		return Plain, plain, nil
	}
	codec := Compact
	coded, shortened := appendCompact(nil, h, content)
	if !shortened || len(coded) >= len(plain) {
		codec, coded = Zstd, plain
	}
	coded = c.compress(coded)
	if sealedLen(len(coded)) >= sealedLen(len(plain)) {
		return Plain, plain, nil
	}
	return codec, coded, nil
}

func (c Content) check() error {
	if len(c.Changes) < 1 || len(c.Changes) > MaxCount {
		return fmt.Errorf("%w: %d changes", ErrTooLarge, len(c.Changes))
	}
	if n := c.plainLen(); n > MaxContent {
		return fmt.Errorf("%w: content of %d bytes", ErrTooLarge, n)
	}
	return nil
}

// plainLen is an upper bound of the plain encoding's length, and what MaxContent
// bounds for every codec.
func (c Content) plainLen() int {
	n := 13
	for _, change := range c.Changes {
		n += 5 + len(change)
	}
	return n
}

// decode undoes encode.
func (c *Coder) decode(h *Header, coded []byte) (Content, error) {
	var content Content
	var err error
	switch h.Codec {
	case Plain:
		content, err = decodePlain(coded)
	case Zstd:
		if coded, err = c.decompress(coded); err == nil {
			content, err = decodePlain(coded)
		}
	case Compact:
		if coded, err = c.decompress(coded); err == nil {
			content, err = decodeCompact(h, coded)
		}
	default:
		err = ErrUnsupported
	}
	if err == nil {
		err = content.check()
	}
	return content, err
}

// appendPlain appends [time, [change, ...]].
func appendPlain(b []byte, c Content) []byte {
	if b == nil {
		b = make([]byte, 0, c.plainLen())
	}
	b = dagcbor.AppendArray(b, 2)
	b = dagcbor.AppendInt(b, c.Time)
	b = dagcbor.AppendArray(b, len(c.Changes))
	for _, change := range c.Changes {
		b = dagcbor.AppendBytes(b, change)
	}
	return b
}

func decodePlain(b []byte) (Content, error) {
	var c Content
	r := dagcbor.NewReader(b)
	r.Array(2, 2)
	c.Time = r.Int()
	c.Changes = make([][]byte, r.Array(1, MaxCount))
	for i := range c.Changes {
		c.Changes[i] = r.Bytes(0, MaxContent)
	}
	return c, r.Done()
}

// maxWindow is the smallest power of two that holds the largest content.
const maxWindow = 2 << 20

// compress answers one zstd frame (RFC 8878) that states its content's length.
func (c *Coder) compress(b []byte) []byte {
	if c.enc == nil {
		enc, err := zstd.NewWriter(nil,
			zstd.WithEncoderConcurrency(1), // no goroutines
			zstd.WithEncoderCRC(false),     // the seal is a better one
			zstd.WithWindowSize(maxWindow),
			zstd.WithLowerEncoderMem(true),
			zstd.WithSingleSegment(true))
		if err != nil {
			panic("set: " + err.Error()) // a wrong option above
		}
		c.enc = enc
	}
	return c.enc.EncodeAll(b, make([]byte, 0, len(b)/2+64))
}

// decompress undoes compress. It refuses frames that do not state their length or
// state more than MaxContent before it allocates anything.
func (c *Coder) decompress(b []byte) ([]byte, error) {
	var frame zstd.Header
	if err := frame.Decode(b); err != nil {
		return nil, err
	}
	switch {
	case frame.Skippable || !frame.HasFCS || frame.DictionaryID != 0:
		return nil, errors.New("zstd frame is not of the allowed kind")
	case frame.FrameContentSize > MaxContent || frame.WindowSize > maxWindow:
		return nil, fmt.Errorf("zstd frame of %d bytes", frame.FrameContentSize)
	}
	if c.dec == nil {
		dec, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1), // no goroutines
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(MaxContent),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			panic("set: " + err.Error())
		}
		c.dec = dec
	}
	size := int(frame.FrameContentSize)
	out, err := c.dec.DecodeAll(b, make([]byte, 0, size))
	if err == nil && len(out) != size {
		err = fmt.Errorf("zstd frames of %d bytes after one of %d", len(out)-size, size)
	}
	return out, err
}
