package netsync

import "github.com/pipes-sync/pipes/acl"

const (
	// MaxFrame bounds a frame: what a receiver must hold before it can judge it.
	MaxFrame = 1 << 20

	// pieceSize is how much of a run goes into one frame, as a whole or as a part:
	// a cover of set.MaxCover headers must fit beside it.
	pieceSize = MaxFrame / 2

	// MaxFrameOps bounds the operations of one ops frame; a writer starts another.
	MaxFrameOps = 1024

	// maxOpsBytes is where a writer starts another ops frame. One operation of
	// the largest size still fits.
	maxOpsBytes = MaxFrame - acl.MaxOpSize
)
