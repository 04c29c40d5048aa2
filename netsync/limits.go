package netsync

import "github.com/pipes-sync/pipes/acl"

const (
	// MaxFrame bounds a frame: what a receiver must hold before it can judge it.
	MaxFrame = 1 << 20

	// MaxFrameOps bounds the operations of one ops frame; a writer starts another.
	MaxFrameOps = 1024

	// MaxCoverBytes bounds the encoding of a cover. A cover travels beside a run or
	// a part of one, each of at most pieceSize, in one frame.
	MaxCoverBytes = MaxFrame / 2

	// pieceSize bounds a run of several items, and a part. A run that is longer is a
	// single item. Since a header costs less without its payload, the headers of any
	// run fit a cover: whoever keeps one signature of a run can still hand out every
	// item of it.
	pieceSize = MaxFrame/2 - 4096

	// maxOpsBytes is where a writer starts another ops frame: a reader may judge
	// half a frame's worth while the rest is on its way.
	maxOpsBytes = MaxFrame / 2

	// maxLength is how many bytes the length in front of a frame may take.
	maxLength = 3
)

// A frame has room for the largest operation, and for a piece with its cover.
var (
	_ [MaxFrame - 1024 - acl.MaxOpSize]struct{}
	_ [MaxFrame - 1024 - MaxCoverBytes - pieceSize]struct{}
	_ [1<<(7*maxLength) - 1 - MaxFrame]struct{}
)
