package netsync

import (
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// ErrItems is wrapped when items do not make one run within the limits.
var ErrItems = errors.New("netsync: not a run")

// Items are consecutive change sets of one chain as they arrived: a run, and the
// cover where the last of them has no signature of its own.
type Items struct {
	Sets  []*set.Set
	Cover *set.Cover // may be nil
}

// DecodeItems reads what a run frame carries, or what its parts made up; cover is
// empty for none. Errors wrap [ErrItems]. The result aliases the bytes.
func DecodeItems(run, cover []byte) (Items, error) {
	sets, err := set.DecodeRun(run)
	if err != nil {
		return Items{}, fmt.Errorf("%w: %w", ErrItems, err)
	}
	if err := checkSizes(len(sets), len(run), len(cover)); err != nil {
		return Items{}, err
	}
	it := Items{Sets: sets}
	if len(cover) > 0 {
		if it.Cover, err = set.DecodeCover(cover); err != nil {
			return Items{}, fmt.Errorf("%w: %w", ErrItems, err)
		}
	}
	return it, nil
}

// checkSizes holds a run of n items, and its cover, against the limits.
func checkSizes(n, run, cover int) error {
	switch {
	case n > 1 && run > pieceSize:
		return fmt.Errorf("%w: %d items of %d bytes, at most %d", ErrItems, n, run, pieceSize)
	case cover > MaxCoverBytes:
		return fmt.Errorf("%w: cover of %d bytes, at most %d", ErrItems, cover, MaxCoverBytes)
	}
	return nil
}

// CutRun answers how many of items, from the first, go into one call of
// [RunFrames]; 1 at least, unless there are none.
func CutRun(items []*set.Set) int { return set.CutRun(items, pieceSize) }

// RunFrames are the frames that carry items, as many as [CutRun] answers: one
// frame, or parts where a single item would be too long for it. cover is nil if the
// last of items is signed. Errors wrap [ErrItems].
func RunFrames(items []*set.Set, cover *set.Cover) ([]Frame, error) {
	run, err := set.EncodeRun(items)
	var proof []byte
	if err == nil && cover != nil {
		proof, err = cover.Encode()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrItems, err)
	}
	if err := checkSizes(len(items), len(run), len(proof)); err != nil {
		return nil, err
	}
	parts := set.Split(run, pieceSize)
	if parts == nil {
		return []Frame{Run{run, proof}}, nil
	}
	frames := make([]Frame, len(parts))
	for i := range parts {
		f := Part{Part: parts[i].Encode()}
		if i == len(parts)-1 {
			f.Cover = proof
		}
		frames[i] = f
	}
	return frames, nil
}

// OpsFrames are the frames that carry a scope's operations, in their order: each in
// the stored form of package acl.
func OpsFrames(scope crdt.ScopeID, ops [][]byte) (frames []Frame) {
	for len(ops) > 0 {
		n, size := 0, 0
		for n < len(ops) && n < MaxFrameOps {
			if size += len(ops[n]) + 5; n > 0 && size > maxOpsBytes {
				break
			}
			n++
		}
		frames = append(frames, Ops{scope, ops[:n]})
		ops = ops[n:]
	}
	return frames
}
