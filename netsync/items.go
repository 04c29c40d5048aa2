package netsync

import (
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// Items are consecutive change sets of one chain as they arrived: a run, and the
// cover where the last of them has no signature of its own.
type Items struct {
	Sets  []*set.Set
	Cover *set.Cover // may be nil
}

// DecodeItems reads what a run frame carries, or what its parts made up. The result
// aliases the bytes.
func DecodeItems(run, cover []byte) (Items, error) {
	var it Items
	var err error
	if it.Sets, err = set.DecodeRun(run); err != nil {
		return Items{}, err
	}
	if len(cover) > 0 {
		it.Cover, err = set.DecodeCover(cover)
	}
	return it, err
}

// CutRun answers how many of items, from the first, go into one call of
// [RunFrames]; 1 at least.
func CutRun(items []*set.Set) int { return set.CutRun(items, pieceSize) }

// RunFrames are the frames that carry items: one, or parts where it would be too
// long. cover is nil if the last of items is signed.
func RunFrames(items []*set.Set, cover *set.Cover) ([]Frame, error) {
	run, err := set.EncodeRun(items)
	if err != nil {
		return nil, err
	}
	var proof []byte
	if cover != nil {
		if proof, err = cover.Encode(); err != nil {
			return nil, err
		}
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

// OpsFrames are the frames that carry a scope's operations, in their order.
func OpsFrames(scope crdt.ScopeID, ops [][]byte) (frames []Frame) {
	for len(ops) > 0 {
		n, size := 0, 0
		for n < len(ops) && n < MaxFrameOps {
			if size += len(ops[n]) + 8; n > 0 && size > maxOpsBytes {
				break
			}
			n++
		}
		frames = append(frames, Ops{scope, ops[:n]})
		ops = ops[n:]
	}
	return frames
}
