package netsync

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// BundleMagic is the first line of a bundle.
const BundleMagic = "pipes bundle v1\n"

// ErrBundle is wrapped by every [*BundleError].
var ErrBundle = errors.New("netsync: bundle refused")

// BundleError says why a file is not a whole and unchanged bundle. Nothing of such
// a file is used.
type BundleError struct {
	Offset int64 // of the frame at fault
	Reason string
	Err    error // detail, may be nil
}

func (e *BundleError) Error() string {
	s := fmt.Sprintf("%v at byte %d: %s", ErrBundle, e.Offset, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *BundleError) Unwrap() []error { return []error{ErrBundle, e.Err} }

// ErrOrder means that a frame came after one of a later phase.
var ErrOrder = errors.New("netsync: frame out of order")

// phase is the place of a frame type in a bundle.
func phase(t Type) int {
	if t == TypePart {
		t = TypeRun
	}
	return int(t)
}

// A BundleWriter writes a bundle frame by frame. Close ends it.
type BundleWriter struct {
	w      *bufio.Writer
	h      hash.Hash
	n      uint64
	phase  int
	closed bool
}

// NewBundleWriter starts a bundle. It buffers: nothing is complete before Close.
func NewBundleWriter(w io.Writer, b Begin) (*BundleWriter, error) {
	h := sha256.New()
	bw := &BundleWriter{w: bufio.NewWriterSize(io.MultiWriter(w, h), 64<<10), h: h}
	if _, err := bw.w.WriteString(BundleMagic); err != nil {
		return nil, err
	}
	return bw, bw.Write(b)
}

// Write appends a frame. Frames come in phases (see the package); the error then
// wraps [ErrOrder].
func (b *BundleWriter) Write(f Frame) error {
	if phase(f.Type()) < b.phase {
		return fmt.Errorf("%w: %s", ErrOrder, f.Type())
	}
	b.phase = phase(f.Type())
	enc := Encode(f)
	if len(enc) > MaxFrame {
		return fmt.Errorf("%w: %s of %d bytes, at most %d", ErrFrame, f.Type(), len(enc), MaxFrame)
	}
	b.n++
	var length [binary.MaxVarintLen64]byte
	if _, err := b.w.Write(binary.AppendUvarint(length[:0], uint64(len(enc)))); err != nil {
		return err
	}
	_, err := b.w.Write(enc)
	return err
}

// Close writes the end frame. It does not close the writer underneath.
func (b *BundleWriter) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	if err := b.w.Flush(); err != nil {
		return err
	}
	end := End{Frames: b.n}
	b.h.Sum(end.Hash[:0])
	if err := b.Write(end); err != nil {
		return err
	}
	return b.w.Flush()
}

// A BundleReader reads a bundle frame by frame, in bounded memory.
type BundleReader struct {
	r     *bufio.Reader
	h     hash.Hash
	off   int64
	n     uint64
	phase int
	buf   []byte
	begin Begin
	ended bool
}

// NewBundleReader reads the magic line and the begin frame. Errors are a
// *[BundleError], or those of r.
func NewBundleReader(r io.Reader) (*BundleReader, error) {
	b := &BundleReader{r: bufio.NewReaderSize(r, 64<<10), h: sha256.New()}
	magic := make([]byte, len(BundleMagic))
	if _, err := io.ReadFull(b.r, magic); err != nil || string(magic) != BundleMagic {
		return nil, b.refuse("not a bundle of this version", eof(err))
	}
	b.h.Write(magic)
	b.off = int64(len(magic))
	f, err := b.Next()
	if err != nil {
		return nil, err
	}
	begin, ok := f.(Begin)
	if !ok {
		return nil, b.refuse("it does not begin with a begin frame", nil)
	}
	b.begin = begin
	return b, nil
}

// Begin is the frame the bundle began with.
func (b *BundleReader) Begin() Begin { return b.begin }

// Offset is how many bytes were read.
func (b *BundleReader) Offset() int64 { return b.off }

// Next answers the next frame, and io.EOF after a correct end frame with nothing
// behind it; other errors are a *[BundleError]. The frame is valid until the next
// call.
func (b *BundleReader) Next() (Frame, error) {
	if b.ended {
		return nil, io.EOF
	}
	var sum [32]byte
	b.h.Sum(sum[:0]) // of all before this frame, should it be the end
	enc, err := b.frame()
	if err != nil {
		return nil, err
	}
	f, err := Decode(enc)
	if err != nil {
		return nil, b.refuse("malformed frame", err)
	}
	if (f.Type() == TypeBegin) != (b.n == 0) || phase(f.Type()) < b.phase {
		return nil, b.refuse("frame out of order", fmt.Errorf("%w: %s", ErrOrder, f.Type()))
	}
	b.phase = phase(f.Type())
	if end, ok := f.(End); ok {
		return nil, b.end(end, sum)
	}
	b.n++
	return f, nil
}

// frame reads the next frame's bytes. The buffer grows with what is really there.
func (b *BundleReader) frame() ([]byte, error) {
	length, err := binary.ReadUvarint(b.r)
	if err != nil {
		return nil, b.refuse("truncated", eof(err))
	}
	if length > MaxFrame {
		return nil, b.refuse(fmt.Sprintf("frame of %d bytes, at most %d", length, MaxFrame), nil)
	}
	var head [binary.MaxVarintLen64]byte
	b.h.Write(binary.AppendUvarint(head[:0], length))
	b.buf = b.buf[:0]
	for need := int(length); need > 0; {
		n := min(need, 64<<10)
		at := len(b.buf)
		b.buf = append(b.buf, make([]byte, n)...)
		if _, err := io.ReadFull(b.r, b.buf[at:]); err != nil {
			return nil, b.refuse("truncated", eof(err))
		}
		need -= n
	}
	b.h.Write(b.buf)
	b.off += int64(len(binary.AppendUvarint(head[:0], length)) + len(b.buf))
	return b.buf, nil
}

func (b *BundleReader) end(end End, sum [32]byte) error {
	if end.Frames != b.n || end.Hash != sum {
		return b.refuse("its bytes are not those that were written", nil)
	}
	if _, err := b.r.ReadByte(); err != io.EOF {
		return b.refuse("bytes after its end", nil)
	}
	b.ended = true
	return io.EOF
}

func (b *BundleReader) refuse(reason string, err error) error {
	return &BundleError{Offset: b.off, Reason: reason, Err: err}
}

// eof is the error of a file that ends too early: a reader's own io.EOF must not
// look like the end of a bundle.
func eof(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// VerifyBundle reads a whole bundle and answers its first frame if nothing was cut
// or changed. Read it so once before using anything of it.
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
