package netsync

import (
	"errors"
	"fmt"
	"math"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

// Errors of decoding frames.
var (
	// ErrFrame is wrapped when bytes are not a frame this version knows.
	ErrFrame = errors.New("netsync: bad frame")
	// ErrUnsupported is wrapped as well when a later version may know it.
	ErrUnsupported = errors.New("netsync: unknown to this version")
)

// Type tells frames apart. Never renumber.
type Type uint8

// The types of frame.
const (
	TypeBegin    Type = 1
	TypeOps      Type = 2
	TypeDocument Type = 3
	TypeRun      Type = 4
	TypePart     Type = 5
	TypeEnd      Type = 6
)

func (t Type) String() string {
	switch t {
	case TypeBegin:
		return "begin"
	case TypeOps:
		return "ops"
	case TypeDocument:
		return "document"
	case TypeRun:
		return "run"
	case TypePart:
		return "part"
	case TypeEnd:
		return "end"
	}
	return fmt.Sprintf("frame(%d)", uint8(t))
}

// Version is the version of the frames, which a begin frame names.
const Version = 1

// Frame is one of [Begin], [Ops], [Document], [Run], [Part] and [End].
type Frame interface {
	Type() Type
	// appendTo appends the fields after the type.
	appendTo(b []byte) []byte
	fields() int
}

// Begin opens a bundle: who wrote it. It is a claim; nothing rests on it.
type Begin struct {
	Device      crdt.DeviceID
	Incarnation crdt.Incarnation
}

// Ops carries operations of one scope, each after those it names, in the stored
// form of package acl.
type Ops struct {
	Scope crdt.ScopeID
	Ops   [][]byte
}

// Document carries a document's genesis and signature, as package set encodes them.
type Document struct{ Item []byte }

// Run carries consecutive items of one chain, and a cover where the last item has
// no signature of its own, both as package set encodes them.
type Run struct {
	Run   []byte
	Cover []byte // nil if the run's last item is signed
}

// Part carries a piece of a run that does not fit a frame, as package set encodes
// it. The last part of a run may carry the cover.
type Part struct {
	Part  []byte
	Cover []byte // nil before the last part, and if the run's last item is signed
}

// End closes a bundle.
type End struct {
	Frames uint64   // before this one
	Hash   [32]byte // SHA-256 of every byte of the bundle before this frame
}

// Type is TypeBegin.
func (Begin) Type() Type { return TypeBegin }

// Type is TypeOps.
func (Ops) Type() Type { return TypeOps }

// Type is TypeDocument.
func (Document) Type() Type { return TypeDocument }

// Type is TypeRun.
func (Run) Type() Type { return TypeRun }

// Type is TypePart.
func (Part) Type() Type { return TypePart }

// Type is TypeEnd.
func (End) Type() Type { return TypeEnd }

func (Begin) fields() int    { return 3 }
func (Ops) fields() int      { return 2 }
func (Document) fields() int { return 1 }
func (Run) fields() int      { return 2 }
func (Part) fields() int     { return 2 }
func (End) fields() int      { return 2 }

func (f Begin) appendTo(b []byte) []byte {
	b = dagcbor.AppendUint(b, Version)
	b = dagcbor.AppendBytes(b, f.Device[:])
	return dagcbor.AppendBytes(b, f.Incarnation[:])
}

func (f Ops) appendTo(b []byte) []byte {
	b = dagcbor.AppendBytes(b, f.Scope[:])
	b = dagcbor.AppendArray(b, len(f.Ops))
	for _, op := range f.Ops {
		b = dagcbor.AppendBytes(b, op)
	}
	return b
}

func (f Document) appendTo(b []byte) []byte { return dagcbor.AppendBytes(b, f.Item) }

func (f Run) appendTo(b []byte) []byte {
	return dagcbor.AppendBytes(dagcbor.AppendBytes(b, f.Run), f.Cover)
}

func (f Part) appendTo(b []byte) []byte {
	return dagcbor.AppendBytes(dagcbor.AppendBytes(b, f.Part), f.Cover)
}

func (f End) appendTo(b []byte) []byte {
	return dagcbor.AppendBytes(dagcbor.AppendUint(b, f.Frames), f.Hash[:])
}

// Encode answers a frame's bytes, without the length in front. It does not judge
// them: what is beyond the limits does not decode again.
func Encode(f Frame) []byte { return appendFrame(nil, f) }

func appendFrame(b []byte, f Frame) []byte {
	b = dagcbor.AppendArray(b, f.fields()+1)
	b = dagcbor.AppendUint(b, uint64(f.Type()))
	return f.appendTo(b)
}

// Decode reads one frame strictly: every error wraps [ErrFrame]. What a frame
// carries is left to packages acl and set. The frame aliases b.
func Decode(b []byte) (Frame, error) {
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrame, len(b), MaxFrame)
	}
	r := dagcbor.NewReader(b)
	n := r.Array(1, 8)
	t := Type(r.Uint(255))
	if r.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrFrame, r.Err())
	}
	f, err := read(r, t)
	if err == nil {
		err = r.Done()
	}
	if err == nil && n != f.fields()+1 {
		err = fmt.Errorf("%d fields", n)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFrame, t, err)
	}
	return f, nil
}

func read(r *dagcbor.Reader, t Type) (Frame, error) {
	switch t {
	case TypeBegin:
		var f Begin
		if v := r.Uint(math.MaxInt64); r.Err() == nil && v != Version {
			return nil, fmt.Errorf("%w: version %d", ErrUnsupported, v)
		}
		r.Fixed(f.Device[:])
		r.Fixed(f.Incarnation[:])
		return f, nil
	case TypeOps:
		var f Ops
		r.Fixed(f.Scope[:])
		for range r.Array(1, MaxFrameOps) {
			f.Ops = append(f.Ops, r.Bytes(1, MaxFrame))
			if r.Err() != nil {
				break
			}
		}
		return f, nil
	case TypeDocument:
		return Document{r.Bytes(1, MaxFrame)}, nil
	case TypeRun:
		return Run{r.Bytes(1, MaxFrame), optional(r)}, nil
	case TypePart:
		return Part{r.Bytes(1, MaxFrame), optional(r)}, nil
	case TypeEnd:
		var f End
		f.Frames = r.Uint(math.MaxInt64)
		r.Fixed(f.Hash[:])
		return f, nil
	}
	return nil, ErrUnsupported
}

// optional reads a byte string that is absent when empty.
func optional(r *dagcbor.Reader) []byte {
	if b := r.Bytes(0, MaxFrame); len(b) > 0 {
		return b
	}
	return nil
}
