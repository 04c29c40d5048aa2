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

// ErrClosed means that a bundle was ended.
var ErrClosed = errors.New("netsync: bundle is closed")

// A BundleWriter writes a bundle frame by frame. Close ends it. Errors of the writer
// underneath stick: a bundle that lacks a frame is never completed.
type BundleWriter struct {
	w     *bufio.Writer
	h     hash.Hash
	n     uint64
	phase int
	buf   []byte // of the last frame
	err   error
}

// NewBundleWriter starts a bundle. It buffers: nothing is complete before Close.
func NewBundleWriter(w io.Writer, b Begin) (*BundleWriter, error) {
	h := sha256.New()
	bw := &BundleWriter{w: bufio.NewWriterSize(io.MultiWriter(w, h), 64<<10), h: h}
	if _, err := bw.w.WriteString(BundleMagic); err != nil {
		return nil, err
	}
	if err := bw.write(b); err != nil {
		return nil, err
	}
	return bw, nil
}

// Write appends a frame of what a bundle carries: not begin and end, which the
// writer itself writes. Frames come in phases (see the package); the error then
// wraps [ErrOrder]. It wraps [ErrFrame] if a reader would refuse the frame. The frame
// is not kept.
func (b *BundleWriter) Write(f Frame) error {
	if t := f.Type(); t == TypeBegin || t == TypeEnd {
		return fmt.Errorf("%w: %s", ErrOrder, t)
	}
	return b.write(f)
}

func (b *BundleWriter) write(f Frame) error {
	if b.err != nil {
		return b.err
	}
	at, err := follow(b.phase, b.n, f.Type())
	if err != nil {
		return err
	}
	b.buf = appendFrame(b.buf[:0], f)
	if _, err := Decode(b.buf); err != nil {
		return err
	}
	b.phase = at
	b.n++
	var length [maxLength]byte
	for _, p := range [][]byte{binary.AppendUvarint(length[:0], uint64(len(b.buf))), b.buf} {
		if _, b.err = b.w.Write(p); b.err != nil {
			return b.err
		}
	}
	return nil
}

// Close writes the end frame. It does not close the writer underneath. Closing again
// answers [ErrClosed], or the error that kept the bundle from being completed.
func (b *BundleWriter) Close() error {
	if b.err != nil {
		return b.err
	}
	if b.err = b.w.Flush(); b.err != nil { // to the hash, too
		return b.err
	}
	end := End{Frames: b.n}
	b.h.Sum(end.Hash[:0])
	if err := b.write(end); err != nil {
		return err
	}
	if b.err = b.w.Flush(); b.err != nil {
		return b.err
	}
	b.err = ErrClosed
	return nil
}
