package set

import (
	"crypto/sha256"
	"fmt"

	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

const typePart = "pipes part"

// Part is a piece of an encoding larger than a frame. Every part but the last is
// of equal length.
type Part struct {
	Whole [32]byte // SHA-256 of the whole encoding
	Total int      // its length in bytes, at most MaxItem
	Index int      // from 0
	Count int      // parts in all, at least 2
	Data  []byte
}

// Split cuts whole, an encoded item or run, into parts whose encodings are at most
// frame bytes. It answers nil if whole fits one frame. The parts alias whole. It
// panics if frame is below MinPart or whole beyond MaxItem.
func Split(whole []byte, frame int) []Part {
	if frame < MinPart || len(whole) > MaxItem {
		panic("set: cannot split")
	}
	if len(whole) <= frame {
		return nil
	}
	size := frame - maxPartFrame
	count := (len(whole) + size - 1) / size
	size = (len(whole) + count - 1) / count
	hash := sha256.Sum256(whole)
	parts := make([]Part, count)
	for i := range parts {
		lo, hi := i*size, min((i+1)*size, len(whole))
		parts[i] = Part{Whole: hash, Total: len(whole), Index: i, Count: count, Data: whole[lo:hi:hi]}
	}
	return parts
}

// Encode answers ["pipes part", 1, whole, total, index, count, data].
func (p *Part) Encode() []byte {
	b := dagcbor.AppendArray(make([]byte, 0, len(p.Data)+maxPartFrame), 7)
	b = dagcbor.AppendText(b, typePart)
	b = dagcbor.AppendUint(b, version)
	b = dagcbor.AppendBytes(b, p.Whole[:])
	b = dagcbor.AppendUint(b, uint64(p.Total))
	b = dagcbor.AppendUint(b, uint64(p.Index))
	b = dagcbor.AppendUint(b, uint64(p.Count))
	return dagcbor.AppendBytes(b, p.Data)
}

// DecodePart decodes b strictly. Its length, index and count are consistent with
// its total; errors wrap ErrMalformed or ErrUnsupported. Data aliases b.
func DecodePart(b []byte) (Part, error) {
	var p Part
	r := dagcbor.NewReader(b)
	object(r, typePart, 7, 7)
	r.Fixed(p.Whole[:])
	p.Total = int(r.Uint(MaxItem))
	p.Index = int(r.Uint(MaxPartCount))
	p.Count = int(r.Uint(MaxPartCount))
	p.Data = r.Bytes(1, MaxItem)
	if err := r.Done(); err != nil {
		return Part{}, malformed("part", err)
	}
	if p.Count < 2 || p.Index >= p.Count {
		return Part{}, fmt.Errorf("%w: part %d of %d", ErrMalformed, p.Index, p.Count)
	}
	if len(p.Data) != p.wantLen() {
		return Part{}, fmt.Errorf("%w: part %d of %d has %d of %d bytes", ErrMalformed, p.Index, p.Count, len(p.Data), p.Total)
	}
	return p, nil
}

// wantLen is the length that Split gives this part; 0 or less for none.
func (p *Part) wantLen() int {
	size := (p.Total + p.Count - 1) / p.Count
	if p.Index == p.Count-1 {
		return p.Total - p.Index*size
	}
	return size
}

// Assembler puts the parts of one whole together, in order. It holds what arrived
// and no more. The zero value waits for a first part.
type Assembler struct {
	first Part // without data
	next  int
	b     []byte
}

// Add takes the next part. When it is the last one it answers the whole and is
// ready for another; until then whole is nil. An error wraps [ErrPart] and drops
// what was assembled: the part is of another whole, out of order, or the whole is
// not what its hash says.
func (a *Assembler) Add(p Part) (whole []byte, err error) {
	if a.next == 0 {
		a.first = Part{Whole: p.Whole, Total: p.Total, Count: p.Count}
	}
	f := &a.first
	switch {
	case p.Count < 2:
		err = fmt.Errorf("%w: one of %d", ErrPart, p.Count)
	case p.Whole != f.Whole || p.Total != f.Total || p.Count != f.Count:
		err = fmt.Errorf("%w: of another whole", ErrPart)
	case p.Index != a.next:
		err = fmt.Errorf("%w: %d, expected %d", ErrPart, p.Index, a.next)
	case p.Total > MaxItem || len(p.Data) != p.wantLen():
		err = fmt.Errorf("%w: %d has %d bytes", ErrPart, p.Index, len(p.Data))
	}
	if err != nil {
		*a = Assembler{}
		return nil, err
	}
	a.b = append(a.b, p.Data...)
	if a.next++; a.next < f.Count {
		return nil, nil
	}
	whole, hash := a.b, f.Whole
	*a = Assembler{}
	if sha256.Sum256(whole) != hash {
		return nil, fmt.Errorf("%w: the whole has another hash", ErrPart)
	}
	return whole, nil
}

// Pending answers how many bytes are held for a whole that is not complete.
func (a *Assembler) Pending() int { return len(a.b) }
