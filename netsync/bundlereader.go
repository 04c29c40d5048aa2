package netsync

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
)

// A BundleReader reads a bundle frame by frame, in bounded memory: about twice
// [MaxFrame], and never more than twice what is really there.
type BundleReader struct {
	r     *bufio.Reader
	h     hash.Hash // of all before the next frame
	off   int64
	n     uint64
	phase int
	buf   []byte
	begin Begin
	err   error // sticks
}

// NewBundleReader reads the magic line and the begin frame. Errors are a
// *[BundleError], or wrap those of r.
func NewBundleReader(r io.Reader) (*BundleReader, error) {
	b := &BundleReader{r: bufio.NewReaderSize(r, 64<<10), h: sha256.New()}
	var magic [len(BundleMagic)]byte
	if _, err := io.ReadFull(b.r, magic[:]); err != nil {
		return nil, b.failed("not a bundle of this version", err)
	}
	if string(magic[:]) != BundleMagic {
		return nil, b.refuse("not a bundle of this version", nil)
	}
	b.h.Write(magic[:])
	b.off = int64(len(magic))
	f, err := b.Next()
	if err != nil {
		return nil, err
	}
	b.begin = f.(Begin) // follow lets no other be first
	return b, nil
}

// Begin is the frame the bundle began with.
func (b *BundleReader) Begin() Begin { return b.begin }

// Offset is how many bytes of the bundle were read and found good.
func (b *BundleReader) Offset() int64 { return b.off }

// Next answers the next frame after the first, and io.EOF after a correct end frame
// with nothing behind it; other errors are a *[BundleError], or wrap those of the
// reader underneath. Errors stick. The frame is valid until the next call.
func (b *BundleReader) Next() (Frame, error) {
	if b.err != nil {
		return nil, b.err
	}
	f, err := b.next()
	if err != nil {
		b.err = err
		return nil, err
	}
	return f, nil
}

func (b *BundleReader) next() (Frame, error) {
	enc, err := b.frame()
	if err != nil {
		return nil, err
	}
	f, err := Decode(enc)
	if err != nil {
		return nil, b.refuse("malformed frame", err)
	}
	if b.phase, err = follow(b.phase, b.n, f.Type()); err != nil {
		return nil, b.refuse("frame out of order", err)
	}
	if end, ok := f.(End); ok {
		return nil, b.end(end)
	}
	var length [maxLength]byte
	head := binary.AppendUvarint(length[:0], uint64(len(enc)))
	b.h.Write(head)
	b.h.Write(enc)
	b.off += int64(len(head) + len(enc))
	b.n++
	return f, nil
}

// frame reads the next frame's bytes. The buffer grows with what is really there.
func (b *BundleReader) frame() ([]byte, error) {
	need, err := b.length()
	if err != nil {
		return nil, err
	}
	b.buf = b.buf[:0]
	for need > 0 {
		n := min(need, 64<<10)
		at := len(b.buf)
		b.buf = slices.Grow(b.buf, n)[:at+n]
		if _, err := io.ReadFull(b.r, b.buf[at:]); err != nil {
			return nil, b.failed("truncated", err)
		}
		need -= n
	}
	return b.buf, nil
}

// length reads an unsigned LEB128 number of at most MaxFrame, in its shortest form:
// one file has one reading.
func (b *BundleReader) length() (int, error) {
	n := 0
	for i := range maxLength {
		c, err := b.r.ReadByte()
		if err != nil {
			return 0, b.failed("truncated", err)
		}
		n |= int(c&0x7f) << (7 * i)
		switch {
		case c&0x80 != 0:
			continue
		case c == 0 && i > 0:
			return 0, b.refuse("length is not in its shortest form", nil)
		case n > MaxFrame:
			return 0, b.refuse(fmt.Sprintf("frame of %d bytes, at most %d", n, MaxFrame), nil)
		}
		return n, nil
	}
	return 0, b.refuse(fmt.Sprintf("frame of more than %d bytes", MaxFrame), nil)
}

// end answers io.EOF if the end frame is right and the last of the file.
func (b *BundleReader) end(end End) error {
	var sum [sha256.Size]byte
	b.h.Sum(sum[:0])
	if end.Frames != b.n || end.Hash != sum {
		return b.refuse("its bytes are not those that were written", nil)
	}
	switch _, err := b.r.ReadByte(); err {
	case io.EOF:
		return io.EOF
	case nil:
		return b.refuse("bytes after its end", nil)
	default:
		return b.failed("", err)
	}
}

func (b *BundleReader) refuse(reason string, err error) error {
	return &BundleError{Offset: b.off, Reason: reason, Err: err}
}

// failed is the error of a read: a bundle that ends too early is refused for that
// reason, but an error of the reader's own is no fault of the bundle.
func (b *BundleReader) failed(reason string, err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return b.refuse(reason, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("netsync: read bundle: %w", err)
}

// VerifyBundle reads a whole bundle and answers its first frame if nothing was cut
// or changed. Read it so once before using anything of it. Errors are those of
// [BundleReader.Next].
func VerifyBundle(r io.Reader) (Begin, error) {
	b, err := NewBundleReader(r)
	if err != nil {
		return Begin{}, err
	}
	for {
		switch _, err := b.Next(); err {
		case nil:
		case io.EOF:
			return b.begin, nil
		default:
			return Begin{}, err
		}
	}
}
