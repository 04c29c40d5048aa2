package netsync

import (
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/crdt/set"
)

// proof says which items of a run are authentic, and by what.
type proof struct {
	end    int        // the items before this one are
	signed int        // the last of these whose own signature is right, or -1
	cover  *set.Cover // of the last of these, if it is not that one
	err    error      // of those that are not, if any
}

// authenticate finds the items before to that are authentic: those up to the last
// one with a right signature, and all of them if a later item of the run, or the
// cover that came along, has one. The items before from are in the graph already.
//
// The last signature is nearly always right, and the only one looked at. A wrong one
// takes nothing from the items before it, or whoever carries a run could spoil it by
// adding to it.
func (it Items) authenticate(from, to int) proof {
	p := proof{signed: -1, err: set.ErrSignature}
	for i, s := range slices.Backward(it.Sets[:to]) {
		if s.Sig != nil && s.Verify() == nil {
			p.signed, p.end = i, i+1
			break
		}
	}
	if p.end == to {
		return p
	}
	cover := it.coverAfter(to)
	if cover == nil {
		return p
	}
	// What is kept without a signature must stay small enough to be handed on.
	if err := checkCover(it.Sets[max(from, p.end)+1:to], cover); err != nil {
		p.err = err
		return p
	}
	p.end, p.cover = to, cover
	return p
}

// coverAfter answers the shortest cover of the item before n that the items from n
// on and the cover that came along make, nil if there is none.
func (it Items) coverAfter(n int) *set.Cover {
	rest := it.Sets[n:]
	if it.Cover != nil {
		rest = slices.Concat(rest, it.Cover.Items)
	}
	c := &set.Cover{}
	for _, s := range rest {
		s = s.Bare()
		c.Items = append(c.Items, s)
		if s.Sig != nil && s.Verify() == nil && c.Verify(it.Sets[n-1]) == nil {
			return c
		}
		s.Sig = nil // not a proof, so not kept
	}
	return nil
}

// checkCover says whether headers of a chain, and the cover of the last of them, fit
// one cover. Then each of the items can be handed on with one of its own.
func checkCover(headers []*set.Set, cover *set.Cover) error {
	whole := set.Cover{Items: slices.Concat(headers, cover.Items)}
	enc, err := whole.Encode()
	if err != nil {
		return fmt.Errorf("%w: its cover: %w", set.ErrSignature, err)
	}
	if len(enc) > MaxCoverBytes {
		return fmt.Errorf("%w: its cover has %d bytes, at most %d", set.ErrSignature, len(enc), MaxCoverBytes)
	}
	return nil
}
