package set

import (
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

const typeCover = "pipes cover"

// follows reports whether b is the item after a in one chain.
func follows(a, b *Set) bool {
	x, y := &a.Header, &b.Header
	return y.Prev == a.id && y.Seq == x.Seq+1 && y.Scope == x.Scope && y.Doc == x.Doc && y.Chain() == x.Chain()
}

// Authenticate verifies the signature of the last item that carries one and
// answers how many items, from the first, it covers: these are authentic, since
// each is named by the one after it. The items must follow one another in one
// chain, or the error wraps [ErrChain]; if none is signed, or the signature is
// wrong, it is [ErrSignature] and no item is authentic. One call costs one
// signature check however many items there are.
//
// Signatures on earlier items are not looked at. Who stores the items stores with
// each the id of the last one, its cover, and drops the signatures in between: a
// stored signature is always a verified one.
func Authenticate(items []*Set) (n int, err error) {
	for i := 1; i < len(items); i++ {
		if !follows(items[i-1], items[i]) {
			return 0, fmt.Errorf("%w: item %d does not follow the one before", ErrChain, i)
		}
	}
	for i, s := range slices.Backward(items) {
		if s.Sig != nil {
			if err := s.Verify(); err != nil {
				return 0, err
			}
			return i + 1, nil
		}
	}
	return 0, ErrSignature
}

// Cover proves that an item without a valid signature of its own is authentic: the
// headers that follow it in its chain, up to one that is signed. The item itself
// is not part of it. On disk it is no more than the id of that last item: headers
// of a chain are kept, so a cover can be gathered again by walking them.
type Cover struct {
	Items []*Set // without payloads; the last is signed
}

// Verify checks that c covers s: with no items, that s is itself signed. Errors
// are ErrSignature or wrap ErrChain.
func (c *Cover) Verify(s *Set) error {
	if len(c.Items) == 0 {
		return s.Verify()
	}
	last := c.Items[len(c.Items)-1]
	if last.Sig == nil {
		return ErrSignature
	}
	_, err := Authenticate(append([]*Set{s}, c.Items...))
	return err
}

// Encode answers the wire form: runs without payloads, and no signature but the
// last. The error wraps ErrChain or ErrMalformed.
func (c *Cover) Encode() ([]byte, error) {
	if len(c.Items) > MaxCover {
		return nil, fmt.Errorf("%w: cover of %d items", ErrMalformed, len(c.Items))
	}
	bare := make([]*Set, len(c.Items))
	for i, s := range c.Items {
		bare[i] = s.Bare()
		if i < len(bare)-1 {
			bare[i].Sig = nil
		}
	}
	var runs [][]byte
	for len(bare) > 0 {
		n := CutRun(bare, MaxItem)
		run, err := EncodeRun(bare[:n])
		if err != nil {
			return nil, err
		}
		runs, bare = append(runs, run), bare[n:]
	}
	b := dagcbor.AppendArray(nil, 3)
	b = dagcbor.AppendText(b, typeCover)
	b = dagcbor.AppendUint(b, version)
	b = dagcbor.AppendArray(b, len(runs))
	for _, run := range runs {
		b = dagcbor.AppendBytes(b, run)
	}
	return b, nil
}

// DecodeCover decodes b strictly. Errors wrap ErrMalformed or ErrUnsupported;
// nothing is verified yet. The result aliases b, which must not change.
func DecodeCover(b []byte) (*Cover, error) {
	if len(b) > MaxItem {
		return nil, fmt.Errorf("%w: cover of %d bytes", ErrMalformed, len(b))
	}
	r := dagcbor.NewReader(b)
	object(r, typeCover, 3, 3)
	c := &Cover{}
	for range r.Array(0, MaxCover) {
		items, err := DecodeRun(r.Bytes(0, MaxItem))
		if err != nil {
			r.Fail(err)
			break
		}
		c.Items = append(c.Items, items...)
		if len(c.Items) > MaxCover {
			r.Fail(fmt.Errorf("more than %d items", MaxCover))
			break
		}
	}
	if err := r.Done(); err != nil {
		return nil, malformed("cover", err)
	}
	for i, s := range c.Items {
		if s.Payload != nil || (s.Sig != nil) != (i == len(c.Items)-1) {
			return nil, fmt.Errorf("%w: cover: item %d carries what it should not", ErrMalformed, i)
		}
	}
	return c, nil
}
